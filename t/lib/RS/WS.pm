package RS::WS;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::WS - a byte-exact WebSocket client

=head1 SYNOPSIS

    use RS::WS;

    my $ws = RS::WS->open(port => $port, path => '/rs/v1/signal',
                          protocols => ['rs.v1', "rs.ticket.$ticket"]);

    my $welcome = $ws->expect('welcome');
    $ws->send_json({ type => 'signal', id => 1, data => { n => 1 } });
    is($ws->expect('ack')->{id}, 1);

    $ws->send_frame(opcode => 1, payload => '{}', mask => 0);
    is($ws->expect_close(5), 1002);

=head1 CONNECTING

=over

=item open(%opt)

C<connect> and C<upgrade>; dies unless the answer is 101.

=item connect(port => N, tls => {...}, socket => $socket)

As C<RS::Stream-E<gt>connect>. Nothing is sent.

=item upgrade(path => '/', protocols => [...], headers => [...], early => $bytes)

Sends the handshake (and C<early> in the same segment) and reads the answer;
returns the status. C<headers> are lines; a line that begins with the name of
a default header replaces it, and C<"Name:"> alone removes it. Then
C<status>, C<header($name)>, C<body> (of a refusal, decoded if it is JSON).

=back

=head1 SENDING

=over

=item raw($bytes)

=item frame(opcode => 1, payload => '', fin => 1, mask => 1, rsv => 0, form => 7|16|64)

The bytes of one frame. C<mask> may be 0 or four bytes; C<form> forces the
form of the length; C<length> makes the header lie.

=item send_frame(...), send_text($text), send_json($data), send_ping($data), send_close($code, $reason)

=item say($id, $data)

A message of a participant, sent again as long as it is answered by C<error>
(in a new epoch of the log it may have to wait), until its C<ack>; what came
before that is in C<seen>. Its id.

=item send_fragments($text, @sizes)

The text as frames of these sizes, the rest in the last one.

=back

=head1 RECEIVING

What the server sends is checked: not masked, no reserved bits, shortest form
of the length. A ping frame is answered, and so is a JSON C<ping>, unless the
client was made with C<auto =E<gt> 0>.

=over

=item recv($seconds)

The next message: C<{opcode, data}>, with C<json> for text; for a close frame
C<{opcode =E<gt> 8, code, reason}>; C<{eof =E<gt> 1}> when the server hung up;
undef when the time is over (20 s unless told).

=item expect($type, $seconds)

Reads until a JSON message of this C<type> and returns it. Others before it
are put into C<seen>. Dies of a close, saying what came.

=item expect_close($seconds)

Reads until the close frame and returns its code; C<reason>, C<seen> and
C<error> (the last C<error> message) tell the rest. Answers it, and waits for
the server to hang up.

=item expect_silence($seconds)

Dies if any message but a ping comes.

=item seen, forget

=back

=cut

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use JSON ();
use MIME::Base64 qw(encode_base64);
use RS::Stream ();
use RS::Util qw(now start patience);

my $json = JSON->new->utf8->canonical->allow_nonref;


sub open {
    my ($class, %opt) = @_;
    my $self = $class->connect(%opt);
    my $status = $self->upgrade(%opt);

    die "upgrade of $opt{path} refused: $status " . ($self->{raw_body} // '')
        . "\n" if $status != 101;

    return $self;
}


sub connect {
    my ($class, %opt) = @_;

    return bless {
        stream => RS::Stream->connect(%opt), auto => $opt{auto} // 1,
        seen => [], text => '',
    }, $class;
}


sub request {
    my ($self, %opt) = @_;
    my $nonce = CORE::join('', map { chr rand 256 } 1 .. 16);

    $self->{key} = encode_base64($nonce, '');

    my @lines = ("Host: " . ($opt{host} // 'localhost'),
                 "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Key: $self->{key}",
                 "Sec-WebSocket-Version: 13");

    push @lines, "Sec-WebSocket-Protocol: "
                 . CORE::join(', ', @{ $opt{protocols} })
        if $opt{protocols};

    for my $line (@{ $opt{headers} // [] }) {
        my ($name) = $line =~ /^([^:]+):/;

        if (grep { /^\Q$name\E:/i } @lines) {
            @lines = map { /^\Q$name\E:/i ? $line : $_ } @lines;

        } else {
            push @lines, $line;
        }
    }

    @lines = grep { !/^[^:]+:$/ } @lines;

    return ($opt{method} // 'GET') . " $opt{path} "
           . ($opt{version} // 'HTTP/1.1') . "\r\n"
           . CORE::join('', map { "$_\r\n" } @lines) . "\r\n";
}


sub upgrade {
    my ($self, %opt) = @_;

    $self->{stream}->write($self->request(%opt) . ($opt{early} // ''));

    return $self->read_answer($opt{timeout});
}


sub read_answer {
    my ($self, $seconds) = @_;
    my $head = $self->{stream}->read_until("\r\n\r\n", $seconds);
    my ($first, @lines) = split /\r\n/, $head;

    $first =~ m{^HTTP/1\.1 (\d\d\d)} or die "not HTTP: \"$first\"\n";
    $self->{status} = $1;
    $self->{headers} = {};

    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([^:\s]+):\s*(.*?)\s*$/
            or die "bad header \"$line\"\n";
        $self->{headers}{lc $name} = $value;
    }

    if ($self->{status} != 101) {
        my $n = $self->{headers}{'content-length'};

        $self->{raw_body} = defined $n
                            ? $self->{stream}->read_exactly($n, $seconds)
                            : '';

    } elsif (defined $self->{key}) {
        my $accept = sha1_base64($self->{key}
                                 . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');

        die "wrong Sec-WebSocket-Accept\n"
            if ($self->{headers}{'sec-websocket-accept'} // '')
               ne "$accept=";
    }

    return $self->{status};
}


sub status { return $_[0]{status} }
sub header { return $_[0]{headers}{ lc $_[1] } }
sub stream { return $_[0]{stream} }
sub socket { return $_[0]{stream}->socket }
sub seen   { return @{ $_[0]{seen} } }
sub reason { return $_[0]{reason} }


sub body {
    my ($self) = @_;
    my $body = eval { $json->decode($self->{raw_body}) };

    return $body // $self->{raw_body};
}


sub forget {
    my ($self) = @_;

    $self->{seen} = [];

    return;
}


sub error {
    my ($self) = @_;
    my @errors = grep { ref && ($_->{type} // '') eq 'error' }
                 @{ $self->{seen} };

    return $errors[-1];
}


# sending

sub raw {
    my ($self, $bytes) = @_;

    return $self->{stream}->write($bytes);
}


sub frame {
    my ($self, %opt) = @_;
    my $payload = $opt{payload} // '';
    my $mask = $opt{mask} // 1;
    my $n = $opt{length} // length $payload;
    my $form = $opt{form} // ($n < 126 ? 7 : $n < 65536 ? 16 : 64);
    my $key = '';

    if ($mask) {
        $key = length $mask == 4 ? $mask : pack('N', int rand 2 ** 32);

        my $pad = $key x (length($payload) / 4 + 1);
        $payload ^= substr($pad, 0, length $payload);
    }

    my $bit = $mask ? 0x80 : 0;

    return pack('C', ($opt{fin} // 1 ? 0x80 : 0) | ($opt{rsv} // 0) << 4
                     | ($opt{opcode} // 1))
           . ($form == 7    ? pack('C', $bit | $n)
              : $form == 16 ? pack('Cn', $bit | 126, $n)
              :               pack('CQ>', $bit | 127, $n))
           . $key . $payload;
}


sub send_frame {
    my ($self, %opt) = @_;

    return $self->raw($self->frame(%opt));
}


sub send_text {
    my ($self, $text) = @_;

    utf8::encode($text) if utf8::is_utf8($text);

    return $self->send_frame(opcode => 1, payload => $text);
}


sub send_json {
    my ($self, $data) = @_;

    return $self->send_frame(opcode => 1, payload => $json->encode($data));
}


sub say {
    my ($self, $id, $data) = @_;
    my $type = 'error';

    while ($type ne 'ack') {
        $self->send_json({ type => 'signal', id => $id, data => $data })
            if $type eq 'error';

        my $m = $self->recv() // die "message $id was not answered\n";

        die "message $id: the socket ended\n" if !$m->{json};
        $type = $m->{json}{type};
        push @{ $self->{seen} }, $m->{json} if $type ne 'ack';
    }

    return $id;
}


sub send_ping {
    my ($self, $data) = @_;

    return $self->send_frame(opcode => 9, payload => $data // '');
}


sub send_close {
    my ($self, $code, $reason) = @_;

    return $self->send_frame(opcode => 8, payload => defined $code
                             ? pack('n', $code) . ($reason // '') : '');
}


sub send_fragments {
    my ($self, $text, @sizes) = @_;
    my $opcode = 1;

    for my $size (@sizes) {
        $self->send_frame(opcode => $opcode, fin => 0,
                          payload => substr($text, 0, $size, ''));
        $opcode = 0;
    }

    return $self->send_frame(opcode => $opcode, payload => $text);
}


# receiving

sub recv_frame {
    my ($self, $end) = @_;
    my $s = $self->{stream};

    while (1) {
        my $n = length $s->{in};

        if ($n >= 2) {
            my ($b0, $b1) = unpack('CC', $s->{in});
            my $len = $b1 & 0x7f;
            my $head = $len < 126 ? 2 : $len == 126 ? 4 : 10;

            die sprintf("reserved bits from the server: %02x\n", $b0)
                if $b0 & 0x70;
            die "a masked frame from the server\n" if $b1 & 0x80;

            if ($n >= $head) {
                if ($len >= 126) {
                    my $form = $len;

                    $len = unpack($form == 126 ? 'x2n' : 'x2Q>', $s->{in});
                    die "the length $len is not in its shortest form\n"
                        if $len < ($form == 126 ? 126 : 65536);
                }

                if ($n >= $head + $len) {
                    my $frame = substr($s->{in}, 0, $head + $len, '');

                    return { opcode => $b0 & 0x0f, fin => $b0 >> 7,
                             data => substr($frame, $head) };
                }
            }
        }

        next if $s->fill($end);
        return { eof => 1 } if $s->eof;
        return;
    }
}


sub recv {
    my ($self, $seconds) = @_;
    my $end = now() + ($seconds // 20);

    while (1) {
        my $f = $self->recv_frame($end) or return;

        return $f if $f->{eof};

        if ($f->{opcode} == 9 && $self->{auto}) {
            $self->send_frame(opcode => 10, payload => $f->{data});
            next;
        }

        if ($f->{opcode} == 8) {
            ($f->{code}, $f->{reason}) = unpack('na*', $f->{data})
                if length $f->{data};
            return $f;
        }

        return $f if $f->{opcode} >= 8;

        $self->{text} .= $f->{data};
        next if !$f->{fin};

        my $m = { opcode => $f->{opcode}, data => $self->{text} };
        $self->{text} = '';

        $m->{json} = $json->decode($m->{data});

        if ($self->{auto} && ($m->{json}{type} // '') eq 'ping') {
            $self->send_json({ type => 'pong' });
            next;
        }

        return $m;
    }
}


sub _told {
    my ($self, $m) = @_;
    my $seen = CORE::join(', ', map { $json->encode($_) } @{ $self->{seen} });

    return ($m->{eof} ? "the server hung up"
            : sprintf("closed with %s \"%s\"", $m->{code} // 'no code',
                      $m->{reason} // ''))
           . " (before it: " . ($seen || 'nothing') . ")";
}


# the next message, with patience where there is a second for it at least

sub _awaited {
    my ($self, $start, $seconds) = @_;

    $seconds //= 20;

    while (1) {
        my $left = $start - now()
                   + ($seconds < 1 ? $seconds : patience($start, $seconds));
        my $m = $self->recv($left > 0 ? $left : 0);

        return $m if $m || $left <= 0 || $seconds < 1;
    }
}


sub expect {
    my ($self, $type, $seconds) = @_;
    my $start = start();

    while (1) {
        my $m = $self->_awaited($start, $seconds)
            // die "no \"$type\" in time; seen: "
                   . $json->encode($self->{seen}) . "\n";

        die "no \"$type\": " . $self->_told($m) . "\n"
            if $m->{eof} || $m->{opcode} == 8;

        next if !$m->{json};
        return $m->{json} if $m->{json}{type} eq $type;

        push @{ $self->{seen} }, $m->{json};
    }
}


sub expect_close {
    my ($self, $seconds) = @_;
    my $start = start();

    while (1) {
        my $m = $self->_awaited($start, $seconds)
            // die "no close in time; seen: "
                   . $json->encode($self->{seen}) . "\n";

        die "no close frame: " . $self->_told($m) . "\n" if $m->{eof};

        if ($m->{opcode} == 8) {
            $self->{reason} = $m->{reason};
            $self->send_frame(opcode => 8, payload => $m->{data});
            eval { $self->{stream}->read_all(5) };

            return $m->{code};
        }

        push @{ $self->{seen} }, $m->{json} // $m;
    }
}


sub expect_silence {
    my ($self, $seconds) = @_;
    my $m = $self->recv($seconds);

    die "something came: " . ($m->{data} // $self->_told($m)) . "\n" if $m;

    return 1;
}


sub close {
    my ($self) = @_;

    $self->{stream}->close();

    return;
}


sub reset {
    my ($self) = @_;

    $self->{stream}->reset();

    return;
}


1;
