# Copyright (C) rs-gateway contributors

# A pipe whose legs are at two workers, or at two nodes: the same bytes, the
# same ends, whatever dies, and at any byte; and no way in for anybody else.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(sha256_hex);
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use Socket qw(SOCK_STREAM);
use Test::More;

use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pipe;
use RS::Redis;
use RS::Util qw(free_port tempdir wait_until write_file);

my $redis = RS::Redis->new();
my $dir = tempdir();

write_file("$dir/key", 'k' x 40 . "\n", 0600);
write_file("$dir/keys", 'k' x 40 . "\n" . 'n' x 40 . "\n", 0600);
write_file("$dir/new", 'n' x 40 . "\n", 0600);
write_file("$dir/other", 'o' x 40 . "\n", 0600);


sub gateway {
    my (%opt) = @_;
    my $listen = delete $opt{listen};
    my $http = 'rs_pipe_wait 5s; ' . (delete $opt{http} // '');

    my $port = free_port();

    # a reload needs a port for the old worker and one for the new

    $http .= "rs_node_listen 127.0.0.1:$port-" . ($port + 7)
             . "; rs_node_key_file $dir/$listen;" if $listen;

    my $gw = RS::Gateway->new(redis => $redis, server => $METRICS_LOCATION,
                              http => $http, %opt);

    $gw->{link_port} = $port;

    return $gw;
}

my $a = gateway(workers => 2, ipc => 'on');
my $b = gateway(listen => 'key', ipc => 'on');
my $c = gateway(listen => 'keys', ipc => 'off');
my $d = gateway(listen => 'other');
my $none = gateway(ipc => 'off');
my $key = $redis->api_key;
my $hub = gateway();           # where the device is, and which nobody kills
my $device = RS::Pipe->device($hub, $key);
my $tunnel = RS::Pipe->new($redis, $key, $device)->tunnel;


# two legs: [gateway, worker] of the first and of the second, and which side
# the first is

sub pair {
    my ($first, $second, $side) = @_;
    my $other = $side eq 'host' ? 'client' : 'host';
    my $p = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel);
    my %leg;

    $leg{$side} = $p->leg($first->[0], $side, worker => $first->[1]);
    wait_until { $redis->call('HGET', 'rs:{default}:pip:' . $p->id, $side) }
        20, 'the first leg';
    $leg{$other} = $p->leg($second->[0], $other, worker => $second->[1]);
    $leg{host}->send_frame(opcode => 2, payload => 'ready');
    is(RS::Pipe::message($leg{client}), 'ready', 'joined');

    return ($leg{client}, $leg{host}, $p);
}


sub all_gone {
    for my $gw ($a, $b, $c, $d) {
        wait_until {
            my $m = metrics($gw);

            $m->value('rs_connections', kind => 'pipe') == 0
                && $m->value('rs_connections', kind => 'link') == 0
                && $m->value('rs_pipe_buffers') == 0;
        } 20, 'nothing of a pipe is left';
    }

    return;
}

my %ways = (
    'two workers' => [[$a, 0], [$a, 1]],
    'two nodes' => [[$b, 0], [$c, 0]],
    'two nodes, the other way' => [[$c, 0], [$b, 0]],
);


for my $way (sort keys %ways) {
    for my $side ('host', 'client') {
        subtest "$way, first the $side" => sub {
            my ($c, $h, $p) = pair(@{ $ways{$way} }, $side);

            for my $n (0, 1, 126, 65536, 300000) {
                my $data = join '', map { chr(ord('a') + $_ % 23) } 1 .. $n;

                $c->send_frame(opcode => 2, payload => $data);
                ok(RS::Pipe::message($h) eq $data, "$n bytes to the host");
                $h->send_frame(opcode => 2, payload => $data);
                ok(RS::Pipe::message($c) eq $data, "$n bytes to the client");
            }

            $_->send_frame(opcode => 2, payload => '') for $c, $h;
            is(RS::Pipe::message($_), '', 'an end') for $c, $h;
            $h->send_close(1000);
            is(RS::Pipe::closed($c), '1000', 'a proper one');
            is(RS::Pipe::closed($h), '1000', 'a proper one');

            ($c, $h) = pair(@{ $ways{$way} }, $side);
            $c->send_frame(opcode => 1, payload => 'x');
            is(RS::Pipe::closed($c), '1003 ws_unsupported', 'text');
            is(RS::Pipe::closed($h), '4502 pipe_broken', 'is broken there');

            ($c, $h, $p) = pair(@{ $ways{$way} }, $side);
            $redis->call('PUBLISH', 'rs:watch',
                         "default tun $tunnel - changed");
            $c->send_frame(opcode => 2, payload => 'x');
            is(RS::Pipe::message($h), 'x', 'asked again, and he may');
            $c->close();
            is(RS::Pipe::closed($h), '4502 pipe_broken', 'a leg dies');

            all_gone();
        };
    }
}


# a stream of which every byte is known, cut off somewhere: what comes is its
# beginning, and never called whole

subtest 'cut off at any byte' => sub {
    my @data = map { sha256_hex($_) } 1 .. 4000;
    my $data = join '', @data;

    for my $way (sort keys %ways) {
        for my $round (1 .. 6) {
            my $side = $round % 2 ? 'host' : 'client';
            my ($c, $h) = pair(@{ $ways{$way} }, $side);
            my $frame = $c->frame(opcode => 2, payload => $data);
            my $cut = 1 + int rand length($frame) - 1;
            my $got = '';

            $c->raw(substr $frame, 0, $cut);
            $round % 3 ? $c->close() : $c->reset();

            while (1) {
                my $f = RS::Pipe::frame($h);

                if ($f->{eof} || $f->{opcode} == 8) {
                    is(RS::Pipe::told($f), '4502 pipe_broken',
                       "$way, $cut bytes: broken");
                    last;
                }

                $got .= $f->{data};
                die 'it is called whole' if $f->{fin};
            }

            ok($got eq substr($data, 0, length $got), 'what came is good');
            $h->close();
        }
    }

    all_gone();
};


subtest 'a worker dies' => sub {
    for my $who (0, 1) {
        my ($c, $h) = pair([$a, 0], [$a, 1], 'host');

        $c->send_frame(opcode => 2, payload => 'x' x 1000);
        RS::Pipe::message($h);
        $a->kill_worker($who);

        my ($dead, $alive) = $who ? ($c, $h) : ($h, $c);

        is(RS::Pipe::closed($dead), 'gone', 'its own leg');
        is(RS::Pipe::closed($alive), '4502 pipe_broken', 'and the other one');
        wait_until { $a->workers == 2 && $a->all_answer('/health/ready', 200) }
            20, 'another worker';
    }

    all_gone();
};


subtest 'a node dies' => sub {
    my $gw = gateway(listen => 'key');
    my ($c, $h) = pair([$b, 0], [$gw, 0], 'client');

    $gw->kill();
    is(RS::Pipe::closed($c), '4502 pipe_broken', 'the other end hears of it');

    # what died was the first leg: who comes now finds nobody

    $gw->start();

    my $p = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel);

    $h = $p->leg($gw, 'host');
    wait_until { $redis->call('HGET', 'rs:{default}:pip:' . $p->id, 'host') }
        20, 'the first leg';
    $gw->kill();
    is(RS::Pipe::closed($p->leg($b, 'client')), '1013 pipe_unreachable',
       'who comes later cannot reach it');
    $gw->stop();
    all_gone();
};


subtest 'no way' => sub {
    for my $to ($none, $d, $a) {
        my $p = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel);
        my $h = $p->leg($to, 'host', worker => 0);

        wait_until { $redis->call('HGET', 'rs:{default}:pip:' . $p->id,
                                  'host') } 20, 'the first leg';
        is(RS::Pipe::closed($p->leg($b, 'client')), '1013 pipe_unreachable',
           'it is refused');
        is(RS::Pipe::closed($h), '4504 pipe_timeout',
           'the first one waits in vain') if $to != $d;
        $h->close();
    }

    $b->wait_log(qr/there is no way to it, by "rs_ipc" or "rs_node_listen"/,
                 10);
    pass('the log says what is missing');
    all_gone();
};


subtest 'a key that is to be the next one' => sub {
    my $e = gateway(listen => 'new');
    my ($client, $host) = pair([$c, 0], [$e, 0], 'host');

    $client->send_frame(opcode => 2, payload => 'x');
    is(RS::Pipe::message($host), 'x', 'is good already');
    $_->close() for $client, $host;
    all_gone();
    $e->check_log();
    $e->stop();
};


subtest 'strangers' => sub {
    my $answer = '';
    my $hello = RS::Pipe->new($redis, $key, $device, tunnel => $tunnel);
    my $h = $hello->leg($b, 'host');

    wait_until { $redis->call('HGET', 'rs:{default}:pip:' . $hello->id,
                              'host') } 20, 'the first leg';

    my ($conn) = $redis->call('HGET', 'rs:{default}:pip:' . $hello->id,
                              'host') =~ /\.(\d+)$/;
    my $line = sprintf "%-159s\n", 'rs-link1 default ' . $hello->id
                                   . " client $conn " . 's' x 52;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $b->{link_port})
        or die "connect: $!";

    $s->syswrite($line);
    1 while $s->sysread($answer, 1000, length $answer);
    unlike($answer, qr/\x82/, 'without TLS it hears nothing of the pipe');

    my ($sock) = glob $b->dir . '/rs-ipc/p*';

    for my $bad ($line, 'x' x 160, $line =~ s/client/host/r) {
        $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $sock)
            or die "connect $sock: $!";
        $s->syswrite($bad);
        is($s->sysread($answer, 1000), 0, 'a line that is not good');
    }

    my $client = $hello->leg($a, 'client');

    is(RS::Pipe::closed($client), '1013 pipe_unreachable',
       'a node without the key');
    $h->close();
    all_gone();
};


subtest 'a reload' => sub {
    my ($c, $h) = pair([$b, 0], [$c, 0], 'client');

    $b->reload();
    is(RS::Pipe::closed($_), '1012 going_away', 'sends both legs away')
        for $c, $h;
    all_gone();
};

$a->check_log(allow => qr/exited on signal 9/);
$_->check_log() for $b, $c, $d, $none, $hub;

done_testing();
