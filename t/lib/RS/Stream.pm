package RS::Stream;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Stream - a TCP or TLS connection with deadlines, byte by byte

=head1 SYNOPSIS

    my $s = RS::Stream->connect(port => 8080, tls => { ca => $file });

    $s->write($bytes);
    my $line = $s->read_until("\r\n\r\n", 5);   # dies after 5 s
    my $data = $s->read_exactly(10, 5);
    $s->wait_eof(5);                            # dies if anything comes

=head1 DESCRIPTION

A buffer for what was read lies in between, so that nothing the server sent
early is lost. C<connect> takes C<host> (127.0.0.1), C<port>, C<tls> (C<ca>
and C<name>), or C<socket>, an open one. C<socket> gives the plain socket.

=cut

use strict;
use warnings;

use IO::Socket::INET ();
use RS::Util qw(now);
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);


sub connect {
    my ($class, %opt) = @_;
    my $host = $opt{host} // '127.0.0.1';

    my $sock = $opt{socket}
               // IO::Socket::INET->new(PeerAddr => $host,
                                        PeerPort => $opt{port},
                                        Proto => 'tcp', Timeout => 10)
               // die "connect to $host:$opt{port}: $@\n";

    setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, 1);

    my $self = bless { plain => $sock, sock => $sock, in => '', eof => 0 },
               $class;

    if ($opt{tls}) {
        require IO::Socket::SSL;

        $self->{sock} = IO::Socket::SSL->start_SSL(
            $sock, SSL_ca_file => $opt{tls}{ca},
            SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_PEER(),
            SSL_verifycn_name => $opt{tls}{name} // 'localhost',
            SSL_verifycn_scheme => 'http',
            SSL_hostname => $opt{tls}{name} // 'localhost', Timeout => 10)
            or die "TLS: " . IO::Socket::SSL::errstr() . "\n";
    }

    return $self;
}


sub socket { return $_[0]{plain} }
sub eof    { return $_[0]{eof} }


# all of it, within ten seconds; false when the server hung up

sub write {
    my ($self, $bytes, $seconds) = @_;
    my $end = now() + ($seconds // 20);

    while (length $bytes) {
        my $bits = '';
        my $left = $end - now();

        die "cannot send for as long\n" if $left <= 0;

        vec($bits, fileno($self->{plain}), 1) = 1;
        next if !select(undef, $bits, undef, $left);

        my $n = syswrite($self->{sock}, $bytes);

        return 0 if !defined $n && !$!{EAGAIN} && !$!{EINTR};
        substr($bytes, 0, $n // 0, '');
    }

    return 1;
}


# reads something more into the buffer; false at the end of the stream or
# when the deadline passes

sub fill {
    my ($self, $end) = @_;

    return 0 if $self->{eof};

    while (1) {
        if (!$self->_pending()) {
            my $left = $end - now();
            my $bits = '';

            return 0 if $left <= 0;

            vec($bits, fileno($self->{plain}), 1) = 1;
            next if !select($bits, undef, undef, $left);
        }

        my $n = sysread($self->{sock}, $self->{in}, 65536,
                        length $self->{in});

        return 1 if $n;
        next if !defined $n && ($!{EAGAIN} || $!{EINTR});

        $self->{reset} = 1 if !defined $n;
        $self->{eof} = 1;

        return 0;
    }
}


sub _pending {
    my ($self) = @_;

    return $self->{sock}->can('pending') && $self->{sock}->pending();
}


sub read_exactly {
    my ($self, $n, $seconds) = @_;
    my $end = now() + ($seconds // 20);

    while (length $self->{in} < $n) {
        next if $self->fill($end);
        die $self->{eof} ? "the server hung up\n"
                         : "not within the deadline: $n bytes\n";
    }

    return substr($self->{in}, 0, $n, '');
}


sub read_until {
    my ($self, $mark, $seconds) = @_;
    my $end = now() + ($seconds // 20);
    my $at;

    while (($at = index($self->{in}, $mark)) < 0) {
        next if $self->fill($end);
        die $self->{eof} ? "the server hung up after \"$self->{in}\"\n"
                         : "not within the deadline: \"$mark\"\n";
    }

    return substr($self->{in}, 0, $at + length $mark, '');
}


sub read_all {
    my ($self, $seconds) = @_;
    my $end = now() + ($seconds // 20);

    1 while $self->fill($end);
    die "the server keeps the connection open\n" if !$self->{eof};

    my $bytes = $self->{in};
    $self->{in} = '';

    return $bytes;
}


sub wait_eof {
    my ($self, $seconds) = @_;
    my $rest = $self->read_all($seconds);

    die "the server sent more: \"$rest\"\n" if length $rest;

    return 1;
}


sub close {
    my ($self) = @_;

    close($self->{plain}) if $self->{plain};
    $self->{eof} = 1;

    return;
}


# RST instead of FIN: as a peer whose machine was switched off and on

sub reset {
    my ($self) = @_;

    setsockopt($self->{plain}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    $self->close();

    return;
}


1;
