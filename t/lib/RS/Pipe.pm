package RS::Pipe;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Pipe - a pipe of a tunnel, and its legs, without the calls that make them

=head1 SYNOPSIS

    use RS::Pipe;

    my $device = RS::Pipe->device($gw, $redis);         # one that is on line
    my $pipe = RS::Pipe->new($redis, $key, $device);
    my $client = $pipe->leg($gw, 'client');             # an RS::WS
    my $host = $pipe->leg($gw, 'host', worker => 1);

    $client->send_frame(opcode => 2, payload => 'x');
    is(RS::Pipe::message($host), 'x');

=head1 METHODS

=over

=item device($gw, $redis, $key)

Enrols a device and connects it; its C<ws> is the control channel.

=item new($redis, $key, $device, %opt)

Puts tunnel and pipe of the key's tenant into the store, with both tickets. C<idle>: of the
tunnel, 600 s; C<ttl>: of the tickets, 60 s; C<life>: of the tunnel, 3600 s;
C<users>, C<nets>: its list; C<origin>: what the client's ticket is bound to;
C<tunnel>: the id of one there is.

=item id, tunnel, ticket($side)

=item leg($gw, $side, %opt)

The leg's C<RS::WS>. C<as>: the side it says it is; C<ticket>: another one.
All else goes to C<ws> of the gateway.

=item delete

Ends the tunnel, as REST does.

=back

=head1 FUNCTIONS

=over

=item message($ws, $seconds)

The next binary message. Dies of anything else.

=item bytes($ws, $n, $seconds)

As many bytes of messages.

=item closed($ws, $seconds)

"<code> <reason>" of the close frame, or "gone" if there was none; what comes
before it does not matter.

=back

=cut

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use RS::Device ();
use RS::Util qw(now random_id start patience);


sub device {
    my ($class, $gw, $key) = @_;
    my $device = RS::Device->enroll($gw->rest(key => $key));

    $device->connect($gw);

    return $device;
}


sub secret { return substr(random_id('') . random_id(''), 0, 52) }


sub fcall {
    my ($self, $name, $keys, @args) = @_;
    my @keys = map { "rs:{$self->{tenant}}:$_" } @$keys;
    my $r = $self->{redis}->call('FCALL', $name, scalar @keys, @keys, @args);

    die "$name: " . JSON::PP->new->allow_nonref->encode($r) . "\n"
        if ref $r ne 'ARRAY' || $r->[0] ne 'ok';

    return $r;
}


sub guarded {
    my ($self, $name, $verb, $keys, @args) = @_;

    return $self->fcall($name, [ 'key:' . sha256_hex($self->{key}), 'gsub',
                                 'audit', @$keys ],
                        JSON::PP->new->canonical->encode({
                            kind => 'key', also => [], addr => '192.0.2.1',
                            rid => 'r1', verb => $verb }), @args);
}


sub new {
    my ($class, $redis, $key, $device, %opt) = @_;
    my ($tenant) = $key =~ /^rsk_(.*)_/;
    my $self = bless { redis => $redis, key => $key, dev => $device->id,
                       tenant => $tenant,
                       id => random_id('pip_'), tunnel => $opt{tunnel},
                       client => secret() }, $class;
    my $dev = $self->{dev};
    my ($tun, $pip);

    if (!$self->{tunnel}) {
        $tun = $self->{tunnel} = random_id('tun_');
        $self->guarded('rs_tunnel_create', 'tunnels:write',
                       ["tun:$tun", 'tuns', 'tunx', "dev:$dev", "dtun:$dev",
                        "pips:$tun", 'idem:'], $tun, $dev, '127.0.0.1:22',
                       'tcp', 'test', '', $opt{nets} // '',
                       $opt{users} // '', $opt{idle} // 600,
                       $opt{life} // 3600, 64, 0, '', '');
    }

    $tun = $self->{tunnel};
    $pip = $self->{id};

    my $bound = $opt{origin} ? sha256_hex("$self->{client}\0$opt{origin}")
                             : sha256_hex($self->{client});

    $self->guarded('rs_pipe_open', 'tunnels:use',
                   ["tun:$tun", "pip:$pip", "dev:$dev", "pips:$tun"], $bound,
                   $opt{ttl} // 60, '', '', 1000);

    # the device is asked, with a ticket that only it sees

    while (1) {
        my $open = $device->expect('tunnel', 20);

        next if $open->{op} ne 'open' || $open->{pipe_id} ne $pip;

        $self->{host} = substr $open->{ticket}, -52;

        return $self;
    }
}


sub id     { return $_[0]{id} }
sub tunnel { return $_[0]{tunnel} }


sub ticket {
    my ($self, $side) = @_;

    return "$self->{tenant}." . substr($self->{id}, 4) . $self->{$side};
}


sub leg {
    my ($self, $gw, $side, %opt) = @_;
    my $as = delete $opt{as} // $side;
    my $ticket = delete $opt{ticket} // $self->ticket($side);

    return $gw->ws('/pipe', protocols => ['rs.v1', "rs.ticket.$ticket",
                                          "rs.side.$as"], %opt);
}


sub delete {
    my ($self) = @_;
    my $tun = $self->{tunnel};

    $self->guarded('rs_tunnel_delete', 'tunnels:write',
                   ["tun:$tun", 'tuns', 'tunx', "dtun:$self->{dev}",
                    "pips:$tun", "adm:$tun"], $tun, 'deleted');

    return;
}


# the next frame that is no ping

sub frame {
    my ($ws, $seconds) = @_;
    my $start = start();

    while (1) {
        my $f = $ws->recv_frame(now() + 1);

        if (!$f) {
            die "nothing comes\n" if now() - $start > patience($start,
                                                               $seconds // 20);
            next;
        }

        return $f if $f->{eof} || $f->{opcode} != 9;

        $ws->send_frame(opcode => 10, payload => $f->{data});
    }
}


sub message {
    my ($ws, $seconds) = @_;
    my $data = '';

    while (1) {
        my $f = frame($ws, $seconds);

        die 'no message: ' . told($f) . "\n" if $f->{eof} || $f->{opcode} > 2;
        $data .= $f->{data};
        return $data if $f->{fin};
    }
}


sub bytes {
    my ($ws, $n, $seconds) = @_;
    my $data = '';

    while (length $data < $n) {
        my $f = frame($ws, $seconds);

        die length($data) . ' bytes, and then ' . told($f) . "\n"
            if $f->{eof} || $f->{opcode} > 2;
        $data .= $f->{data};
    }

    return $data;
}


sub told {
    my ($f) = @_;

    return 'gone' if $f->{eof};
    return "opcode $f->{opcode}" if $f->{opcode} != 8;

    my ($code, $reason) = unpack('na*', $f->{data});

    return $code . (length $reason ? " $reason" : '');
}


sub closed {
    my ($ws, $seconds) = @_;

    while (1) {
        my $f = frame($ws, $seconds);

        if ($f->{eof} || $f->{opcode} == 8) {
            eval { $ws->send_frame(opcode => 8, payload => $f->{data});
                   $ws->stream->read_all(5); } if !$f->{eof};

            return told($f);
        }
    }
}


1;
