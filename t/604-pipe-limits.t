# Copyright (C) rs-gateway contributors

# rs_pipe_rate and rs_max_pipes: a tenant has so many bytes a second and so
# many pipes at a node, whichever workers have them; another tenant has its
# own; turns are taken; and all of it is counted.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Select ();
use POSIX ();
use Test::More;

use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pipe;
use RS::Redis;
use RS::Util qw(free_port now patience random_id start tempdir wait_until
                write_file);

my $redis = RS::Redis->new();
my $hub = RS::Gateway->new(redis => $redis);
my %tenant;

for my $name ('default', 'other') {
    my $key = $redis->api_key(tenant => $name);
    my $device = RS::Pipe->device($hub, $key);

    $tenant{$name} = { key => $key, device => $device,
                       tunnel => RS::Pipe->new($redis, $key, $device)
                                 ->tunnel };
}


sub gateway {
    my ($http, %opt) = @_;

    return RS::Gateway->new(redis => $redis, server => $METRICS_LOCATION,
                            http => $http, %opt);
}


sub pipe_of {
    my ($name, %opt) = @_;
    my $t = $tenant{$name // 'default'};

    return RS::Pipe->new($redis, $t->{key}, $t->{device},
                         tunnel => $t->{tunnel}, %opt);
}


# both legs; opt: tenant, worker (of the client), at (of the host)

sub pair {
    my ($gw, %opt) = @_;
    my $p = pipe_of($opt{tenant});
    my $host = $p->leg($gw, 'host', worker => $opt{at} // $opt{worker});
    my $client = $p->leg($gw, 'client', worker => $opt{worker});

    $host->send_frame(opcode => 2, payload => 'ready');
    RS::Pipe::message($client);

    return ($client, $host);
}


# a process that writes frames to the socket until it is told, or they end

sub pour {
    my ($ws, $kb) = @_;
    my $frame = $ws->frame(opcode => 2, payload => 'x' x 16384);
    my $child = fork() // die "fork: $!";

    return $child if $child;

    my $sock = $ws->stream->{sock};
    my $n = $kb ? $kb / 16 : 1e9;

    local $SIG{PIPE} = 'IGNORE';

    while ($n-- > 0) {
        my $sent = 0;

        while ($sent < length $frame) {
            my $w = syswrite $sock, $frame, length($frame) - $sent, $sent;

            POSIX::_exit(0) if !$w;
            $sent += $w;
        }
    }

    POSIX::_exit(0);
}


sub dry {
    for (@_) {
        kill 'KILL', $_;
        waitpid $_, 0;
    }

    return;
}


# what comes to all of these in so many seconds, each by itself; the first
# ones, of the burst, are left aside

sub got {
    my ($seconds, $burst, @ws) = @_;
    my $set = IO::Select->new(map { $_->socket } @ws);
    my %got = map { $_->socket => 0 } @ws;
    my ($all, $since) = (0);

    while (!$since || now() - $since < $seconds) {
        my @ready = $set->can_read(10) or die 'nothing comes';

        for (@ready) {
            my $n = sysread $_, my $buf, 65536;

            die 'it has ended' if !$n;
            $all += $n;
            $got{$_} += $n if $since;
        }

        $since //= now() if $all > $burst;
    }

    my $took = now() - $since;

    return map { $got{$_->socket} / $took } @ws;
}


sub sum {
    my $n = 0;

    $n += $_ for @_;

    return $n;
}


# a machine that is busy elsewhere can only make it less: that is tried again

sub holds {
    my ($rate, $name, $code) = @_;
    my $got = 0;

    for (1 .. 3) {
        $got = $code->();
        last if $got > $rate * 0.8;
    }

    cmp_ok($got, '<', $rate * 1.2, "$name: not more, " . int($got));
    cmp_ok($got, '>', $rate * 0.8, "$name: not less");

    return;
}


subtest 'a rate' => sub {
    my $gw = gateway('rs_pipe_rate 1m;');

    for my $from ('client', 'host') {
        my ($c, $h) = pair($gw);
        my ($in, $out) = $from eq 'client' ? ($c, $h) : ($h, $c);
        my $child = pour($in);

        holds(1048576, "from the $from", sub { sum(got(4, 3e5, $out)) });
        dry($child);
        $_->close() for $c, $h;
    }

    my ($c, $h) = pair($gw);
    my @child = (pour($c), pour($h));

    holds(1048576, 'both directions', sub { sum(got(4, 3e5, $c, $h)) });

    my $m = metrics($gw);

    cmp_ok($m->value('rs_pipe_waits_total'), '>', 10, 'legs waited');
    cmp_ok($m->value('rs_pipe_legs_waiting'), '<=', 2, 'at most these two');
    dry(@child);
    $_->reset() for $c, $h;
    wait_until {
        my $now = metrics($gw);

        $now->value('rs_pipe_legs_waiting') == 0
            && $now->value('rs_pipes') == 0;
    } 20, 'none waits any more';
    cmp_ok(metrics($gw)->value('rs_pipe_bytes_total', from => 'client'), '>',
           3e6, 'and bytes are counted');
    $gw->check_log();
    $gw->stop();
};


subtest 'of all workers' => sub {
    my $gw = gateway('rs_pipe_rate 1m burst=64k;', workers => 2, ipc => 'on');
    my @ws = (pair($gw, worker => 0), pair($gw, worker => 1),
              pair($gw, worker => 0, at => 1));
    my @in = @ws[0, 2, 4];
    my @out = @ws[1, 3, 5];
    my @child = map { pour($_) } @in;
    my @each;

    # once, also where a link is between the legs

    holds(1048576, 'three pipes at two workers',
          sub { @each = got(4, 2e5, @out); return sum(@each) });

    for (0 .. 2) {
        cmp_ok($each[$_], '>', 1048576 / 3 * 0.6, "each its share, $_");
    }

    dry(@child);
    $_->close() for @ws;
    $gw->check_log();
    $gw->stop();
};


subtest 'tenants' => sub {
    my $gw = gateway('rs_pipe_rate 256k;');
    my @ws = map { pair($gw) } 1 .. 3;
    my @child = map { pour($ws[$_]) } 0, 2, 4;
    my @other = pair($gw, tenant => 'other');
    my @same = pair($gw);
    my $reader = fork() // die "fork: $!";

    if ($reader == 0) {
        eval { got(1e6, 0, @ws[1, 3, 5]) };
        POSIX::_exit(0);
    }

    wait_until { metrics($gw)->value('rs_pipe_waits_total') > 20 } 20,
        'one tenant is held';

    for (['another tenant', 1, @other], ['its own, that say little', 3,
                                         @same]) {
        my ($name, $most, $c, $h) = @$_;
        my $start = start();

        for (1 .. 20) {
            $c->send_frame(opcode => 2, payload => "$name $_");
            RS::Pipe::message($h) eq "$name $_" or die 'another message';
        }

        cmp_ok(now() - $start, '<', patience($start, $most),
               "$name: 20 messages, " . (now() - $start));
    }

    my $child = pour($other[0]);

    holds(262144, 'another tenant has a rate of its own',
          sub { sum(got(4, 1e5, $other[1])) });
    dry(@child, $child, $reader);
    $_->reset() for @ws, @other, @same;
    wait_until { metrics($gw)->value('rs_pipes') == 0 } 20, 'all are gone';
    $gw->check_log();
    $gw->stop();
};


subtest 'who waits' => sub {
    my $gw = gateway('rs_pipe_rate 16k burst=1;');

    # the queue is longer than the idle time: 1 KiB a turn, 16 turns a second

    my (@ws, @child);

    for (1 .. 30) {
        my $p = pipe_of(undef, tunnel => undef, idle => 1);

        push @ws, [map { $p->leg($gw, $_) } 'client', 'host'];
        push @child, pour($ws[-1][0]);
    }

    my $start = now();
    my $set = IO::Select->new(map { $_->[1]->socket } @ws);

    while (now() - $start < 6) {
        for ($set->can_read(0.5)) {
            sysread $_, my $buf, 65536;
        }
    }

    is(metrics($gw)->value('rs_connections', kind => 'pipe'), 60,
       'is not idle');

    # one that is held and was reset is noticed

    my $waits = metrics($gw)->value('rs_pipe_legs_waiting');

    cmp_ok($waits, '>', 10, "$waits legs wait");
    dry(@child);
    $_->[0]->reset() for @ws[0 .. 9];
    wait_until {
        metrics($gw)->value('rs_connections', kind => 'pipe') <= 40;
    } 20, 'nor is it kept when its client is gone';
    $_->reset() for map({ $_->[1] } @ws), map { $_->[0] } @ws[10 .. 29];
    wait_until { metrics($gw)->value('rs_pipe_legs_waiting') == 0 } 20,
        'no turn is left';
    $gw->check_log();
    $gw->stop();
};


# whether a leg that comes is closed, and how; or stays

sub verdict {
    my ($ws) = @_;

    $ws->send_frame(opcode => 9, payload => 'there?');

    my $f = RS::Pipe::frame($ws);

    return $f->{opcode} == 10 ? 'stays' : RS::Pipe::told($f);
}


subtest 'a number' => sub {
    my $gw = gateway('rs_max_pipes 2;', workers => 2, ipc => 'on');
    my $rest = $gw->rest(key => $tenant{default}{key});
    my @one = pair($gw, worker => 0, at => 1);
    my $waits = pipe_of()->leg($gw, 'client', worker => 1);

    wait_until { metrics($gw)->value('rs_pipes') == 2 } 20,
        'two: one at two workers, one whose host has not come';

    my $third = pipe_of();
    my $ws = $third->leg($gw, 'client', worker => 0);

    is(RS::Pipe::closed($ws), '1013 overloaded', 'a third one is refused');

    my $r = $rest->post("/tunnels/$tenant{default}{tunnel}/pipes", {});

    is($r->status, 503, 'and not even made');
    is($r->json->{code}, 'overloaded', 'by REST');
    cmp_ok($r->header('Retry-After'), '>', 0, 'which says when to come again');
    is($rest->post('/devices/' . random_id('dev_') . '/commands',
                   { command => 'x' })->status, 503, 'nor is a command');
    is(metrics($gw)->value('rs_pipes_refused_total'), 3, 'counted');

    my @other = pair($gw, tenant => 'other', worker => 1);

    pass('another tenant has its own number');
    is(metrics($gw)->value('rs_pipes'), 3, 'three at this node');

    $one[0]->close();
    RS::Pipe::closed($one[1]);
    wait_until { metrics($gw)->value('rs_pipes') == 2 } 20, 'one goes';

    my @again = pair($gw, worker => 1);

    pass('and there is room');

    # what a worker had goes with it

    my ($pid) = grep { defined } ($gw->workers)[1];
    my $before = metrics($gw, worker => 0)->value('rs_pipes');

    is($before, 3, 'all are at the second worker');
    kill 'KILL', $pid;
    RS::Pipe::closed($waits);
    wait_until { eval { $gw->all_answer('/health/ready', 200) } } 20,
        'another worker';
    wait_until { metrics($gw)->value('rs_pipes') == 0 } 20,
        'a dead worker has none';
    @again = (pair($gw, worker => 0), pair($gw, worker => 1));
    is(metrics($gw)->value('rs_pipes'), 2, 'two again');
    is(RS::Pipe::closed(pipe_of()->leg($gw, 'client', worker => 1)),
       '1013 overloaded', 'and no third one');
    $gw->reload();
    is(RS::Pipe::closed(pipe_of()->leg($gw, 'client')), '1013 overloaded',
       'nor after a reload, which leaves them alone');
    $_->close() for @again, @other;
    $gw->check_log(allow => qr/exited on signal 9/);
    $gw->stop();
};


subtest 'of two nodes' => sub {
    my $dir = tempdir();

    write_file("$dir/key", 'k' x 40 . "\n", 0600);

    my @gw = map {
        my $port = free_port();

        gateway("rs_pipe_wait 5s; rs_node_listen 127.0.0.1:$port-" . ($port + 7)
                . "; rs_node_key_file $dir/key; rs_max_pipes 1; $_");
    } 'rs_pipe_rate 256k burst=64k;', '';
    my $p = pipe_of();
    my $h = $p->leg($gw[1], 'host');

    wait_until {
        $redis->call('HGET', 'rs:{default}:pip:' . $p->id, 'host')
    } 20, 'the first leg';

    my $c = $p->leg($gw[0], 'client');

    $h->send_frame(opcode => 2, payload => 'ready');
    RS::Pipe::message($c);
    is(metrics($_)->value('rs_pipes'), 1, 'it counts at both') for @gw;

    my $child = pour($c);

    holds(262144, 'at the node where they come in',
          sub { sum(got(3, 1e5, $h)) });
    dry($child);
    $_->reset() for $c, $h;
    wait_until { metrics($gw[0])->value('rs_pipes') == 0 } 20, 'gone';
    wait_until { metrics($gw[1])->value('rs_pipes') == 0 } 20, 'here, too';

    # the node of the second leg has no room for it

    my @full = pair($gw[0]);

    $p = pipe_of();
    $h = $p->leg($gw[1], 'host');
    wait_until {
        $redis->call('HGET', 'rs:{default}:pip:' . $p->id, 'host')
    } 20, 'the first leg';
    is(RS::Pipe::closed($p->leg($gw[0], 'client')), '1013 overloaded',
       'the second leg is refused at its own node');
    is(RS::Pipe::closed($h), '4504 pipe_timeout',
       'and the first one waits in vain');
    $_->close() for @full;

    for (@gw) {
        $_->check_log();
        $_->stop();
    }
};


is($_->{device}->ws ? 1 : 0, 1, 'the device is there') for values %tenant;
$hub->check_log();

done_testing();
