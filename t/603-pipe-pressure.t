# Copyright (C) rs-gateway contributors

# A pipe holds little: who does not read stops who writes, by TCP, and nobody
# else; and what a worker that ends, or Redis that is away, does to pipes.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVBUF SO_SNDBUF);
use Test::More;

use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pipe;
use RS::Redis;
use RS::Util qw(free_port now read_file wait_until);

my $redis = RS::Redis->new();
my $key = $redis->api_key;
my $hub = RS::Gateway->new(redis => $redis);
my $device = RS::Pipe->device($hub, $key);
my $tunnel = RS::Pipe->new($redis, $key, $device)->tunnel;


# with a port whose sockets' kernel buffers are small

sub gateway {
    my (%opt) = @_;
    my $port = free_port();
    my $gw = RS::Gateway->new(
        redis => $redis, %opt,
        server => "$METRICS_LOCATION listen 127.0.0.1:$port rcvbuf=64k "
                  . 'sndbuf=64k' . ($opt{tls} ? ' ssl;' : ';'));

    $gw->{small} = $port;

    return $gw;
}


# legs whose kernel takes little, so that what is held is seen

sub pair {
    my ($gw, %opt) = @_;
    my $small = !delete $opt{normal};
    my $p = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel, %opt);
    my %leg;

    for my $side ('host', 'client') {
        my $socket = $gw->socket();

        if ($small) {
            $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                            PeerPort => $gw->{small})
                      or die "connect: $@";
            setsockopt($socket, SOL_SOCKET, $_, 65536)
                or die "setsockopt: $!" for SO_RCVBUF, SO_SNDBUF;
        }

        $leg{$side} = $p->leg($gw, $side, socket => $socket);
    }

    $leg{host}->send_frame(opcode => 2, payload => 'ready');
    RS::Pipe::message($leg{client});

    return ($leg{client}, $leg{host}, $p);
}


# as much of it as can be written until the socket takes nothing for a while

sub pour {
    my ($ws, $data) = @_;
    my $socket = $ws->socket;
    my $sent = 0;

    $socket->blocking(0);

    while ($sent < length $data
           && IO::Select->new($socket)->can_write(1))
    {
        my $n = syswrite $socket, $data, length($data) - $sent, $sent;

        last if !defined $n && !$!{EAGAIN};
        $sent += $n // 0;
    }

    $socket->blocking(1);

    return $sent;
}


sub memory {
    my ($gw) = @_;
    my ($pid) = $gw->workers;
    my ($kb) = read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m;

    return $kb;
}


for my $tls (0, 1) {
    subtest 'who does not read holds who writes' . ($tls ? ', by TLS' : '')
        => sub
    {
        my $gw = gateway(tls => $tls);
        my ($c, $h) = pair($gw);
        my ($other, $there) = pair($gw);
        my $data = join '', map { chr(ord('a') + $_ % 25) } 1 .. 65536;
        my $frames = $c->frame(opcode => 2, payload => $data) x 24;
        my ($sent, $n) = (0, 0);

        if ($tls) {
            # a byte that is offered to TLS has to be offered again: in pieces

            my $socket = $c->stream->{sock};

            $socket->blocking(0);

            while ($sent < length $frames
                   && IO::Select->new($c->socket)->can_write(1))
            {
                my $w = $socket->syswrite($frames, 4096, $sent);

                $sent += $w if $w;
            }

            $socket->blocking(1);

        } else {
            $sent = pour($c, $frames);
        }

        cmp_ok($sent, '<', 1e6, "it is stopped after $sent bytes");
        cmp_ok(metrics($gw)->value('rs_pipe_buffers'), '<=', 1,
               'one buffer is held');

        for (1 .. 50) {
            $other->send_frame(opcode => 2, payload => "other $_");
            $n++ if RS::Pipe::message($there) eq "other $_";
        }

        is($n, 50, 'others go on');

        $h->send_frame(opcode => 2, payload => 'back');
        is(RS::Pipe::message($c), 'back', 'and so does the other direction');

        # and when it is read all comes, whole: the rest is written by another
        # process, which waits for it

        my $child = fork() // die "fork: $!";

        if ($child == 0) {
            my $sock = $c->stream->{sock};

            while ($sent < length $frames) {
                my $w = $sock->syswrite($frames, 4096, $sent);

                $sent += $w if $w;
            }

            POSIX::_exit(0);
        }

        my $good = grep { RS::Pipe::message($h) eq $data } 1 .. 24;

        is($good, 24, 'all comes, whole');
        waitpid $child, 0;
        $_->close() for $c, $h, $other, $there;
        wait_until { metrics($gw)->value('rs_pipe_buffers') == 0 } 20,
            'no buffer is left';
        $gw->check_log();
        $gw->stop();
    };
}


subtest 'memory stays flat' => sub {
    my $gw = gateway();
    my @legs = map { [pair($gw, normal => 1)] } 1 .. 20;
    my $frame = $legs[0][0]->frame(opcode => 2, payload => 'x' x 65536);

    for (1 .. 3) {
        for (@legs) {
            $_->[0]->raw($frame);
            RS::Pipe::message($_->[1]);
        }
    }

    my $before = memory($gw);

    for (1 .. 20) {
        for (@legs) {
            $_->[0]->raw($frame);
            RS::Pipe::message($_->[1]);
        }
    }

    my $kb = memory($gw) - $before;

    cmp_ok($kb, '<', 2048, "26 MB went through, $kb KB more");
    is(metrics($gw)->value('rs_pipe_buffers'), 0, 'idle pipes have none');
    $gw->check_log();
    $gw->stop();
};


subtest 'a reader that has stopped, and an end' => sub {
    my $gw = gateway();
    my ($c, $h) = pair($gw);

    pour($c, $c->frame(opcode => 2, payload => 'x' x 65536) x 100);
    $c->close();

    # what it wrote is still to be read

    while (1) {
        my $f = RS::Pipe::frame($h);

        next if !$f->{eof} && $f->{opcode} < 8;
        is(RS::Pipe::told($f), '4502 pipe_broken', 'a close: all that came');
        last;
    }

    $h->close();
    ($c, $h) = pair($gw);
    pour($c, $c->frame(opcode => 2, payload => 'x' x 65536) x 100);
    $c->reset();

    # what is read within 2 s comes, then the socket goes: broken, either way

    wait_until { metrics($gw)->value('rs_connections', kind => 'pipe') == 0 }
        20, 'both are gone';

    my $last = '';

    while (1) {
        my $f = $h->recv_frame(now() + 20) // die 'nothing comes';

        $last = $f->{eof} ? 'gone' : "opcode $f->{opcode}";
        last if $f->{eof} || $f->{opcode} == 8;
    }

    is($last, 'gone', 'without a close frame, which nobody takes for an end');
    $gw->check_log();
    $gw->stop();
};


subtest 'idle counts what moves' => sub {
    my $gw = gateway(http => 'rs_ping_interval 500ms; rs_peer_timeout 1s;');
    my ($c, $h) = pair($gw, tunnel => undef, idle => 2);

    # pings do not count, and who is held is not taken for dead

    pour($c, $c->frame(opcode => 2, payload => 'x' x 65536) x 100);

    my $f;

    do { $f = $c->recv_frame(now() + 20) }
        while $f && !$f->{eof} && $f->{opcode} != 8;

    is(RS::Pipe::told($f), '4408 pipe_idle', 'nothing moves: idle');
    $_->close() for $c, $h;
    $gw->check_log();
    $gw->stop();
};


subtest 'a dead leg' => sub {
    my $gw = gateway(http => 'rs_ping_interval 300ms; rs_peer_timeout 1s;');
    my ($c, $h) = pair($gw);
    my $end = now() + 30;
    my $f;

    # the client answers pings, the host is silent

    while (now() < $end) {
        $f = $c->recv_frame(now() + 1) or next;
        last if $f->{eof} || $f->{opcode} == 8;
        $c->send_frame(opcode => 10, payload => '') if $f->{opcode} == 9;
    }

    like(RS::Pipe::told($f), qr/^4408 peer_timeout$/,
         'is found by its silence');
    $_->close() for $c, $h;
    $gw->check_log();
    $gw->stop();
};


subtest 'a reload' => sub {
    my $gw = gateway(drain => '2s');
    my ($c, $h) = pair($gw);
    my $waits = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel)
                ->leg($gw, 'client');
    my $start = now();

    $gw->reload();
    $c->send_frame(opcode => 2, payload => 'still here');
    is(RS::Pipe::message($h), 'still here', 'pipes stay while it drains');
    is(RS::Pipe::closed($_), '1012 going_away', 'and then go') for $c, $h;
    cmp_ok(now() - $start, '>', 1, 'at the end');
    is(RS::Pipe::closed($waits), '1012 going_away', 'one that waited, too');
    $gw->check_log();
    $gw->stop();
};


subtest 'Redis is away' => sub {
    my $gw = gateway();
    my ($c, $h) = pair($gw, normal => 1);
    my $q = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel);

    $redis->kill();
    $gw->wait_log(qr/redis.*(?:closed|lost|refused|failed|ended)/i, 20);
    $c->send_frame(opcode => 2, payload => 'x' x 100000);
    is(length RS::Pipe::message($h), 100000, 'what is there goes on');

    my $ws = RS::WS->connect(port => $gw->port);

    wait_until {
        $ws = RS::WS->connect(port => $gw->port);
        $ws->upgrade(path => '/rs/v1/pipe', protocols => [
            'rs.v1', 'rs.ticket.' . $q->ticket('client'),
            'rs.side.client']) == 503;
    } 20, '503';
    pass('a leg that comes is told so');
    $redis->start();
    wait_until { $gw->all_answer('/health/ready', 200) } 20, 'ready';
    $h->send_frame(opcode => 2, payload => 'y');
    is(RS::Pipe::message($c), 'y', 'and goes on');
    $_->close() for $c, $h;
    $gw->check_log();
    $gw->stop();
};

$hub->check_log();

done_testing();
