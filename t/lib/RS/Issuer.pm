package RS::Issuer;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Issuer - an issuer of ID tokens, for tests

=head1 SYNOPSIS

    my $issuer = RS::Issuer->new();
    my $gw = RS::Gateway->new(redis => $redis,
                              location => $issuer->conf . '
        rs_oidc_tenant_claim tenants;
        rs_oidc_role technician support;
    ');
    my $anna = $gw->rest(key => $issuer->token(sub => 'anna',
        groups => ['support'], tenants => ['acme']));

    # or, with keys that come when the test says so:

    my $gw = RS::Gateway->new(redis => $redis,
                              server => $issuer->keys_location,
                              location => $issuer->conf(request => 1));
    my $asked = $issuer->asked;         # dies after 5 s
    $issuer->answer($asked);

=head1 DESCRIPTION

It has one P-256 key. C<token> takes claims, of which C<iss>, C<aud>, C<sub>,
C<iat>, C<exp> and C<nonce> have defaults; C<undef> leaves one out. C<user_id>
is the id that the gateway gives a subject. C<asked> waits for a request for the
keys, C<answer> answers it, C<none> says that nobody asked meanwhile.

=cut

use strict;
use warnings;

use Crypt::PK::ECC ();
use Digest::SHA qw(sha256);
use IO::Select ();
use IO::Socket::INET ();
use JSON ();
use RS::Util qw(base64url tempdir write_file);

my $json = JSON->new->utf8->canonical;


sub new {
    my ($class, %opt) = @_;
    my $self = bless { iss => 'https://issuer.example', aud => 'console',
                       kid => 'k1', %opt }, $class;

    $self->{key} = Crypt::PK::ECC->new();
    $self->{key}->generate_key('secp256r1');

    my $jwk = $json->decode($self->{key}->export_key_jwk('public'));

    $self->{jwks} = $json->encode({ keys => [{ %$jwk, kid => $self->{kid},
                                               alg => 'ES256',
                                               use => 'sig' }] });

    return $self;
}


sub conf {
    my ($self, %opt) = @_;
    my $keys;

    if ($opt{request}) {
        $keys = 'rs_jwks_request /keys;';

    } else {
        $keys = 'rs_jwks_file '
                . write_file(tempdir() . '/jwks.json', $self->{jwks}, 0644)
                . ';';
    }

    return <<"END";
            rs_oidc issuer=$self->{iss} client_id=$self->{aud};
            rs_oidc_nonce optional;
            $keys
END
}


sub keys_location {
    my ($self) = @_;

    $self->{listen} = IO::Socket::INET->new(Listen => 16, ReuseAddr => 1,
                                            LocalAddr => '127.0.0.1')
        or die "listen: $!";

    my $port = $self->{listen}->sockport;

    return <<"END";
        location = /keys {
            internal;
            proxy_pass http://127.0.0.1:$port/jwks;
            proxy_read_timeout 20s;
        }
END
}


sub token {
    my ($self, %claims) = @_;
    my $now = time;
    my %all = (iss => $self->{iss}, aud => $self->{aud}, sub => 'anna',
               iat => $now, exp => $now + 300, %claims);

    delete @all{ grep { !defined $all{$_} } keys %all };

    my $text = base64url($json->encode({ alg => 'ES256', typ => 'JWT',
                                         kid => $self->{kid} }))
               . '.' . base64url($json->encode(\%all));

    return $text . '.'
           . base64url($self->{key}->sign_message_rfc7518($text, 'SHA256'));
}


sub user_id {
    my ($self, $sub) = @_;
    my $bits = unpack 'B*', substr sha256("$self->{iss}\0$sub"), 0, 16;

    return 'usr_' . CORE::join('', map {
        ('a' .. 'z', 2 .. 7)[oct '0b' . substr $_ . '00000', 0, 5]
    } $bits =~ /(.{1,5})/g);
}


sub none {
    my ($self) = @_;

    return !IO::Select->new($self->{listen})->can_read(0);
}


sub asked {
    my ($self) = @_;

    IO::Select->new($self->{listen})->can_read(5)
        or die "nobody asks for the keys\n";

    my $peer = $self->{listen}->accept or die "accept: $!";
    my $text = '';

    while ($text !~ /\r\n\r\n/) {
        IO::Select->new($peer)->can_read(5) or die "half a request: $text\n";
        sysread($peer, $text, 4096, length $text) or die "closed: $text\n";
    }

    return { peer => $peer, text => $text };
}


sub answer {
    my ($self, $asked, $status) = @_;
    my $body = $status ? '' : $self->{jwks};

    print { $asked->{peer} } 'HTTP/1.1 ' . ($status // '200 OK') . "\r\n"
        . "Content-Type: application/jwk-set+json\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    close $asked->{peer};

    return;
}


1;
