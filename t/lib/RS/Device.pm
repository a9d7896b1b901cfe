package RS::Device;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Device - a device: key, enrolment, control channel

=head1 SYNOPSIS

    use RS::Device;

    my $device = RS::Device->enroll($gw->rest(key => $key), name => 'desk');

    $device->connect($gw, worker => 1);     # challenge, hello, welcome
    my $invite = $device->expect('invite');
    my $host = $device->join($gw, $invite); # an RS::WS on /signal, welcomed

=head1 METHODS

=over

=item enroll($rest, name => ..., meta => {...}, token => ..., enrollment => {...})

Makes a key and enrols with it. Without C<token> a token is asked for first,
with C<enrollment> as the request. Dies of a refusal.

=item new(%opt)

The same without enrolling: C<id>, C<tenant>, C<key> (a Crypt::PK::Ed25519).

=item connect($gateway, %opt)

Opens /agent and speaks until C<welcome>; gives the RS::WS. C<host>: the name
asked for and signed (localhost); C<hello>: more fields for the hello.

=item open($gateway, %opt), hello($challenge, %opt)

The same in two steps, for tests that speak wrongly: C<open> gives the
challenge, C<hello> the message; C<sign_host>, C<nonce>, C<key>, C<tenant>,
C<device_id> put something wrong into the proof.

=item ws, expect($type, $seconds), send_json($data), id, tenant, public_key

=item join($gateway, $invite, %opt)

Uses the invite's ticket; returns the RS::WS after C<welcome>, which
C<welcome> of the device holds.

=back

=cut

use strict;
use warnings;

use Crypt::PK::Ed25519 ();
use RS::Util qw(base64url base64url_decode);


sub new {
    my ($class, %opt) = @_;
    my $self = bless { tenant => 'default', %opt }, $class;

    if (!$self->{key}) {
        $self->{key} = Crypt::PK::Ed25519->new();
        $self->{key}->generate_key();
    }

    return $self;
}


sub enroll {
    my ($class, $rest, %opt) = @_;
    my $self = $class->new();
    my $token = $opt{token};

    if (!defined $token) {
        my $r = $rest->post('/enrollments', $opt{enrollment} // {});

        die "POST /enrollments: " . $r->status . ' ' . $r->content . "\n"
            if $r->status != 201;
        $token = $r->json->{token};
    }

    my $r = $rest->with(key => undef)->post('/devices', {
        enrollment => $token, public_key => $self->public_key,
        name => $opt{name} // 'test device',
        $opt{meta} ? (meta => $opt{meta}) : (),
    });

    die "POST /devices: " . $r->status . ' ' . $r->content . "\n"
        if $r->status != 201;

    $self->{id} = $r->json->{device}{id};
    $self->{tenant} = $r->json->{tenant};
    $self->{record} = $r->json->{device};

    return $self;
}


sub id      { return $_[0]{id} }
sub tenant  { return $_[0]{tenant} }
sub record  { return $_[0]{record} }
sub ws      { return $_[0]{ws} }
sub welcome { return $_[0]{welcome} }


sub public_key {
    my ($self) = @_;

    return base64url($self->{key}->export_key_raw('public'));
}


sub open {
    my ($self, $gw, %opt) = @_;

    $self->{host} = $opt{host} // 'localhost';
    $self->{ws} = $gw->agent(%opt, host => $self->{host});

    return $self->{ws}->expect('challenge');
}


sub hello {
    my ($self, $challenge, %opt) = @_;
    my $tenant = $opt{tenant} // $self->{tenant};
    my $id = $opt{device_id} // $self->{id};
    my $key = $opt{key} // $self->{key};
    my $host = $opt{sign_host} // lc $self->{host};
    my $nonce = $opt{nonce} // base64url_decode($challenge->{nonce});

    $host =~ s/:\d+$//;

    my $signature = $key->sign_message(
        CORE::join("\0", 'rs-agent-v1', $host, $tenant, $id, $nonce));

    return { type => 'hello', tenant => $tenant, device_id => $id,
             signature => base64url($signature), %{ $opt{hello} // {} } };
}


sub connect {
    my ($self, $gw, %opt) = @_;
    my $challenge = $self->open($gw, %opt);

    $self->{ws}->send_json($self->hello($challenge, %opt));
    $self->{agent_welcome} = $self->{ws}->expect('welcome');

    return $self->{ws};
}


sub expect {
    my ($self, @args) = @_;

    return $self->{ws}->expect(@args);
}


sub send_json {
    my ($self, $data) = @_;

    return $self->{ws}->send_json($data);
}


sub join {
    my ($self, $gw, $invite, %opt) = @_;
    my $ws = $gw->signal("rs.ticket.$invite->{ticket}", %opt);

    $self->{welcome} = $ws->expect('welcome');

    return $ws;
}


1;
