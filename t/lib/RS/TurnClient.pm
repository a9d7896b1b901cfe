package RS::TurnClient;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::TurnClient - a TURN client (RFC 8656) for tests: one socket, one allocation

=head1 SYNOPSIS

    use RS::TurnClient;

    my $a = RS::TurnClient->new(server => '127.78.0.1', port => 3478,
                                username => $user, password => $pass);
    my $b = RS::TurnClient->new(%same, proto => 'tcp');

    is($a->allocate(), 0);                  # 0, or the code of the error
    is($b->allocate(lifetime => 30), 0);

    is($a->permit($b->relay), 0);           # CreatePermission, several peers
    is($b->permit($a->relay), 0);
    is($a->bind($b->relay), 0);             # ChannelBind, channel 0x4000

    $a->send($b->relay, 'hello');           # by its channel if it has one
    my $d = $b->recv(1);                    # { data, peer } or { data,
                                            #   channel, peer }; undef: silence
    is($a->refresh(0), 0);

    ok(RS::TurnClient::relays($a, $b));     # a -> b now, within a second

=head1 DESCRIPTION

Every request waits for its answer (C<timeout>, 5 s; over UDP it is repeated
twice a second) and returns 0, the code of the error response, or 'timeout',
or 'closed'. Answers to authenticated requests must carry the right
MESSAGE-INTEGRITY, or this dies. Data that comes meanwhile is kept for C<recv>.
Peers are "1.2.3.4:5" or "[2001:db8::1]:5".

=over

=item new(server, port, username, password, %opt)

C<proto>: C<udp> (default) or C<tcp>; C<local>: address to send from; C<realm>
and C<nonce>: known before; C<timeout>.

=item allocate(%opt), refresh($lifetime), permit(@peers), bind($peer, $channel)

C<family>: 4 or 6 (REQUESTED-ADDRESS-FAMILY). C<lifetime>: in seconds.
C<bind> without channel takes the next free one, or the one this peer has.
Stale nonces (438) are renewed, as is the first 401.

=item request($method, @attributes)

Any authenticated request; an attribute is C<[$type, $bytes]>. Returns the
response: C<{ code, reason, attr => { $type => $bytes } }>. See C<peer_attr>.

=item send($peer, $data), indicate($peer, $data), channel_data($channel, $data)

Nothing is awaited. C<indicate> is a Send indication in any case.

=item recv($seconds)

The next data; undef when none came.

=item relay, mapped, lifetime, realm, nonce, error, fileno, close

What the last answer said: C<relay>, C<mapped> "address:port"; C<error> the
reason phrase.

=item RS::TurnClient::relays($a, $b, $seconds)

1: what C<$a> sends to the relay address of C<$b> reaches it. They need
permissions or channels. Waits 1 s for that if not told otherwise.

=back

=cut

use strict;
use warnings;

use Carp qw(croak);
use Digest::MD5 qw(md5);
use Digest::SHA qw(hmac_sha1);
use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Select ();
use IO::Socket::IP ();
use Socket qw(SOCK_DGRAM SOCK_STREAM AF_INET AF_INET6 inet_pton inet_ntop);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant {
    COOKIE => 0x2112A442,

    ALLOCATE => 3, REFRESH => 4, SEND => 6, DATA => 7,
    CREATE_PERMISSION => 8, CHANNEL_BIND => 9,

    USERNAME => 0x06, INTEGRITY => 0x08, ERROR_CODE => 0x09,
    CHANNEL_NUMBER => 0x0c, LIFETIME => 0x0d, XOR_PEER => 0x12,
    DATA_ATTR => 0x13, REALM => 0x14, NONCE => 0x15, XOR_RELAYED => 0x16,
    FAMILY => 0x17, TRANSPORT => 0x19, XOR_MAPPED => 0x20,
};


sub new {
    my ($class, %opt) = @_;
    my $proto = $opt{proto} // 'udp';
    my $socket = IO::Socket::IP->new(
        PeerHost => $opt{server}, PeerPort => $opt{port},
        Type => $proto eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM,
        defined $opt{local} ? (LocalHost => $opt{local}) : ())
        or croak "$proto $opt{server}:$opt{port}: $@";

    $socket->blocking(0);

    return bless { timeout => 5, %opt, proto => $proto, socket => $socket,
                   input => '', data => [], channels => {}, peers => {},
                   next_channel => 0x4000, error => '' }, $class;
}


sub relay    { return $_[0]{relay} }
sub mapped   { return $_[0]{mapped} }
sub lifetime { return $_[0]{lifetime} }
sub realm    { return $_[0]{realm} }
sub nonce    { return $_[0]{nonce} }
sub error    { return $_[0]{error} }
sub fileno   { return $_[0]{socket}->fileno }
sub close    { return $_[0]{socket}->close }


sub allocate {
    my ($self, %opt) = @_;
    my @attr = [TRANSPORT, pack('CCn', 17, 0, 0)];

    push @attr, [FAMILY, pack('CCn', $opt{family} == 6 ? 2 : 1, 0, 0)]
        if defined $opt{family};
    push @attr, [LIFETIME, pack('N', $opt{lifetime})]
        if defined $opt{lifetime};

    my $r = $self->request(ALLOCATE, @attr);
    return $r->{code} if $r->{code};

    $self->{relay} = $self->_address($r->{attr}{ XOR_RELAYED() }, $r->{tid});
    $self->{mapped} = $self->_address($r->{attr}{ XOR_MAPPED() }, $r->{tid});
    $self->{lifetime} = unpack('N', $r->{attr}{ LIFETIME() } // "\0\0\0\0");

    return 0;
}


sub refresh {
    my ($self, $lifetime) = @_;
    my $r = $self->request(REFRESH, defined $lifetime
                           ? [LIFETIME, pack('N', $lifetime)] : ());

    $self->{lifetime} = unpack('N', $r->{attr}{ LIFETIME() })
        if defined $r->{attr}{ LIFETIME() };

    return $r->{code};
}


sub permit {
    my ($self, @peers) = @_;

    return $self->request(CREATE_PERMISSION,
                          map { $self->peer_attr($_) } @peers)->{code};
}


sub bind {
    my ($self, $peer, $channel) = @_;

    $channel //= $self->{peers}{$peer} // $self->{next_channel}++;

    my $code = $self->request(CHANNEL_BIND,
                              [CHANNEL_NUMBER, pack('nn', $channel, 0)],
                              $self->peer_attr($peer))->{code};

    if (!$code) {
        $self->{peers}{$peer} = $channel;
        $self->{channels}{$channel} = $peer;
    }

    return $code;
}


# XOR-PEER-ADDRESS; encoded when the transaction is known

sub peer_attr {
    my ($self, $peer) = @_;

    return [XOR_PEER, sub { _xor_address($peer, $_[0]) }];
}


sub send {
    my ($self, $peer, $data) = @_;
    my $channel = $self->{peers}{$peer};

    return defined $channel ? $self->channel_data($channel, $data)
                            : $self->indicate($peer, $data);
}


sub indicate {
    my ($self, $peer, $data) = @_;
    my $tid = _tid();

    return $self->_write(_message(SEND | 0x10, $tid,
                                  [XOR_PEER, _xor_address($peer, $tid)],
                                  [DATA_ATTR, $data]));
}


sub channel_data {
    my ($self, $channel, $data) = @_;
    my $message = pack('nn', $channel, length $data) . $data;

    $message .= "\0" x (-length($data) % 4) if $self->{proto} eq 'tcp';

    return $self->_write($message);
}


sub recv {
    my ($self, $seconds) = @_;
    my $end = _now() + ($seconds // 1);

    while (!@{ $self->{data} }) {
        my $message = $self->_read($end - _now());

        return if !defined $message;

        # an answer that came too late is nobody's
        $self->_take($message);
    }

    return shift @{ $self->{data} };
}


sub relays {
    my ($from, $to, $seconds) = @_;
    my $end = _now() + ($seconds // 1);
    my $word = 'word-' . int(rand(1e9));

    while (_now() < $end) {
        $from->send($to->relay, $word);

        my $got = $to->recv(0.2) // next;
        return 1 if $got->{data} eq $word;
    }

    return 0;
}


sub request {
    my ($self, $method, @attr) = @_;
    my $r;

    for my $try (1 .. 3) {
        my $sealed = defined $self->{nonce};

        $r = $self->_exchange($method, $sealed, @attr);

        last if $r->{code} ne '401' && $r->{code} ne '438';
        last if $r->{code} eq '401' && $sealed;

        my $realm = $r->{attr}{ REALM() };
        my $nonce = $r->{attr}{ NONCE() };

        last if !defined $nonce;
        $self->{realm} //= $realm;
        $self->{nonce} = $nonce;
    }

    $self->{error} = $r->{reason};

    return $r;
}


sub _exchange {
    my ($self, $method, $sealed, @attr) = @_;
    my $tid = _tid();
    my @all = map { [$_->[0], ref $_->[1] ? $_->[1]->($tid) : $_->[1]] } @attr;
    my ($message, $key);

    if ($sealed) {
        push @all, [USERNAME, $self->{username}], [REALM, $self->{realm}],
                   [NONCE, $self->{nonce}];
        $key = md5("$self->{username}:$self->{realm}:$self->{password}");
        $message = _message($method, $tid, @all);
        $message .= pack('nn', INTEGRITY, 20)
                    . hmac_sha1(_with_length($message, 24), $key);
        $message = _with_length($message, 0);

    } else {
        $message = _message($method, $tid, @all);
    }

    my $end = _now() + $self->{timeout};
    my $again = 0;

    while (1) {
        my $now = _now();

        return _failed('timeout') if $now >= $end;

        if ($again <= $now) {
            return _failed('closed') if !$self->_write($message);
            $again = $self->{proto} eq 'tcp' ? $end : $now + 0.5;
        }

        my $got = $self->_read(($again < $end ? $again : $end) - _now());

        if (!defined $got) {
            return _failed('closed') if $self->{closed};
            next;
        }

        my $r = $self->_take($got) // next;
        next if $r->{tid} ne $tid;

        _check_integrity($got, $key)
            if defined $key && !$r->{code};

        return $r;
    }
}


sub _failed {
    my ($why) = @_;

    return { code => $why, reason => $why, attr => {}, tid => '' };
}


# data is kept; a response is returned

sub _take {
    my ($self, $message) = @_;
    my $first = unpack('n', $message);

    if ($first & 0xc000) {
        my ($channel, $len) = unpack('nn', $message);

        push @{ $self->{data} }, { channel => $channel,
                                   peer => $self->{channels}{$channel},
                                   data => substr($message, 4, $len) };
        return;
    }

    my $r = _parse($message) // return;

    if ($r->{type} == (DATA | 0x10)) {
        push @{ $self->{data} }, {
            peer => $self->_address($r->{attr}{ XOR_PEER() }, $r->{tid}),
            data => $r->{attr}{ DATA_ATTR() },
        };
        return;
    }

    return if !($r->{type} & 0x100);

    return $r;
}


sub _parse {
    my ($message) = @_;

    return if length $message < 20;

    my ($type, $len, $cookie) = unpack('nnN', $message);

    return if $cookie != COOKIE || length $message < 20 + $len;

    my %r = (type => $type, tid => substr($message, 8, 12), attr => {},
             code => 0, reason => '');
    my $at = 20;

    while ($at + 4 <= 20 + $len) {
        my ($attr, $n) = unpack('nn', substr($message, $at, 4));

        $r{attr}{$attr} //= substr($message, $at + 4, $n);
        $at += 4 + $n + (-$n % 4);
    }

    if (($type & 0x110) == 0x110) {
        my (undef, $class, $number, $reason)
            = unpack('nCCa*', $r{attr}{ ERROR_CODE() } // "\0\0\0\0");

        $r{code} = $class * 100 + $number || 'error';
        $r{reason} = $reason;
    }

    return \%r;
}


sub _check_integrity {
    my ($message, $key) = @_;
    my $at = 20;

    while ($at + 4 <= length $message) {
        my ($attr, $n) = unpack('nn', substr($message, $at, 4));

        if ($attr == INTEGRITY) {
            my $head = substr($message, 0, $at);

            substr($head, 2, 2, pack('n', $at + 24 - 20));
            croak 'wrong MESSAGE-INTEGRITY in an answer'
                if substr($message, $at + 4, 20) ne hmac_sha1($head, $key);

            return;
        }

        $at += 4 + $n + (-$n % 4);
    }

    croak 'no MESSAGE-INTEGRITY in an answer';
}


sub _message {
    my ($type, $tid, @attr) = @_;
    my $body = CORE::join('', map {
        pack('nn', $_->[0], length $_->[1]) . $_->[1]
            . "\0" x (-length($_->[1]) % 4)
    } @attr);

    return pack('nnN', $type, length $body, COOKIE) . $tid . $body;
}


# the same message, which says it is $more bytes longer

sub _with_length {
    my ($message, $more) = @_;

    substr($message, 2, 2, pack('n', length($message) - 20 + $more));

    return $message;
}


sub _tid {
    return CORE::join('', map { chr int rand 256 } 1 .. 12);
}


sub _xor_address {
    my ($peer, $tid) = @_;
    my ($host, $port) = $peer =~ /^\[?(.*?)\]?:(\d+)$/
        or croak "\"$peer\" is no ADDRESS:PORT";
    my $v6 = $host =~ /:/;
    my $bytes = inet_pton($v6 ? AF_INET6 : AF_INET, $host)
        // croak "\"$host\" is no address";

    return pack('CCn', 0, $v6 ? 2 : 1, $port ^ (COOKIE >> 16))
           . ($bytes ^ substr(pack('N', COOKIE) . $tid, 0, length $bytes));
}


sub _address {
    my ($self, $attr, $tid) = @_;

    return if !defined $attr;

    my (undef, $family, $port, $bytes) = unpack('CCna*', $attr);

    $bytes ^= substr(pack('N', COOKIE) . $tid, 0, length $bytes);
    $port ^= COOKIE >> 16;

    return $family == 2 ? '[' . inet_ntop(AF_INET6, $bytes) . "]:$port"
                        : inet_ntop(AF_INET, $bytes) . ":$port";
}


sub _now {
    return clock_gettime(CLOCK_MONOTONIC);
}


sub _write {
    my ($self, $message) = @_;
    my $end = _now() + $self->{timeout};

    while (length $message) {
        my $n = syswrite($self->{socket}, $message);

        if (defined $n) {
            substr($message, 0, $n, '');
            next;
        }

        return 0 if $! != EAGAIN && $! != EINTR || _now() >= $end;

        IO::Select->new($self->{socket})->can_write($end - _now());
    }

    return 1;
}


# one message, undef: none within $seconds, or the end

sub _read {
    my ($self, $seconds) = @_;
    my $end = _now() + $seconds;
    my $select = IO::Select->new($self->{socket});

    while (1) {
        my $message = $self->_cut();
        return $message if defined $message;

        my $left = $end - _now();
        return if $self->{closed};
        return if !$select->can_read($left > 0 ? $left : 0);

        my $n = sysread($self->{socket}, my $piece, 65536);

        if ($self->{proto} ne 'tcp') {

            # refused: an ICMP answer to what was sent before

            return $piece if defined $n && $n >= 4;
            next if _now() < $end;
            return;
        }

        if ($n) {
            $self->{input} .= $piece;

        } elsif (defined $n || ($! != EAGAIN && $! != EINTR)) {
            $self->{closed} = 1;
        }
    }
}


# TCP: one message off the front

sub _cut {
    my ($self) = @_;

    return if length $self->{input} < 4;

    my ($type, $len) = unpack('nn', $self->{input});
    my $size = $type & 0xc000 ? 4 + $len + (-$len % 4) : 20 + $len;

    return if length $self->{input} < $size;

    return substr($self->{input}, 0, $size, '');
}


1;
