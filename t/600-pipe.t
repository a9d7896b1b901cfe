# Copyright (C) rs-gateway contributors

# A pipe with both legs on one worker: every kind of frame, whole and byte by
# byte, halves that end by themselves, tickets, and that each end is told as
# what it was, whenever it comes.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pipe;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, server => $METRICS_LOCATION,
                          http => 'rs_pipe_wait 2s;');
my $key = $redis->api_key;
my $device = RS::Pipe->device($gw, $key);
my $tunnel = RS::Pipe->new($redis, $key, $device)->tunnel;


sub pipe_of { return RS::Pipe->new($redis, $key, $device, @_) }


# both legs, the host first

sub pair {
    my (%opt) = @_;
    my $p = pipe_of(tunnel => $tunnel, %opt);
    my $host = $p->leg($gw, 'host');
    my $client = $p->leg($gw, 'client');

    # until then nothing goes on, and what breaks off is not sent

    $host->send_frame(opcode => 2, payload => 'ready');
    RS::Pipe::message($client);

    return ($client, $host, $p);
}


sub gone {
    my ($p) = @_;

    return $redis->call('HGET', 'rs:{default}:pip:' . $p->id, 'ended') // '';
}


sub all_gone {
    wait_until {
        my $m = metrics($gw);

        $m->value('rs_connections', kind => 'pipe') == 0
            && $m->value('rs_pipe_buffers') == 0;
    } 20, 'nothing of a pipe is left';

    return;
}


subtest 'frames' => sub {
    my ($c, $h) = pair();

    for my $n (0, 1, 125, 126, 127, 1000, 65535, 65536, 200000) {
        my $data = join '', map { chr(ord('a') + $_ % 26) } 1 .. $n;

        $c->send_frame(opcode => 2, payload => $data);
        ok(RS::Pipe::message($h) eq $data, "$n bytes to the host");
        $h->send_frame(opcode => 2, payload => $data);
        ok(RS::Pipe::message($c) eq $data, "$n bytes to the client");
    }

    my $one = $c->frame(opcode => 2, payload => 'x' x 300);

    for my $b (split //, $one) {
        $c->raw($b);
    }

    is(RS::Pipe::message($h), 'x' x 300, 'byte by byte');

    $c->send_frame(opcode => 2, fin => 0, payload => 'ab');
    $c->send_frame(opcode => 9, payload => 'p');
    $c->send_frame(opcode => 0, fin => 0, payload => '');
    $c->send_frame(opcode => 0, payload => 'c');
    is(RS::Pipe::message($h), 'abc', 'fragments, a ping between them');

    my $f = RS::Pipe::frame($c);

    is("$f->{opcode} $f->{data}", '10 p', 'which is answered, and stays here');

    $c->raw(join '', map { $c->frame(opcode => 2, payload => "$_") } 1 .. 500);
    is_deeply([map { RS::Pipe::message($h) } 1 .. 500], [1 .. 500],
              'many at once, in order');

    $c->send_frame(opcode => 2, payload => '');
    is(RS::Pipe::message($h), '', 'an end of one half');
    $h->send_frame(opcode => 2, payload => 'more');
    is(RS::Pipe::message($c), 'more', 'leaves the other one open');
    $h->send_frame(opcode => 2, payload => '');
    is(RS::Pipe::message($c), '', 'until it ends');
    $c->send_close(1000);
    is(RS::Pipe::closed($h), '1000', 'and that is a proper end');
    is(RS::Pipe::closed($c), '1000', 'here, too');
};


subtest 'early bytes' => sub {
    my $p = pipe_of();
    my $c = RS::WS->connect(port => $gw->port);
    my $ticket = $p->ticket('client');

    is($c->upgrade(path => '/rs/v1/pipe',
                   protocols => ['rs.v1', "rs.ticket.$ticket",
                                 'rs.side.client'],
                   early => $c->frame(opcode => 2, payload => 'first')), 101,
       'with the upgrade');
    $c->send_frame(opcode => 2, payload => 'second');

    my $h = $p->leg($gw, 'host');

    is(RS::Pipe::message($h), 'first', 'wait for the other leg');
    is(RS::Pipe::message($h), 'second', 'in order');
    $_->close() for $c, $h;
};


subtest 'what is no message' => sub {
    my %bad = (
        'text' => ['1003 ws_unsupported', opcode => 1],
        'no mask' => ['1002 ws_protocol', opcode => 2, mask => 0],
        'a reserved bit' => ['1002 ws_protocol', opcode => 2, rsv => 4],
        'a reserved opcode' => ['1002 ws_protocol', opcode => 3],
        'a continuation' => ['1002 ws_protocol', opcode => 0],
        'a long ping' => ['1002 ws_protocol', opcode => 9,
                          payload => 'x' x 126],
        'a length not minimal' => ['1002 ws_protocol', opcode => 2,
                                   form => 64],
        'too much' => ['1009 ws_too_big', opcode => 2,
                       length => 1024 * 1024 + 1],
        'half a close code' => ['1002 ws_protocol', opcode => 8],
    );

    for my $what (sort keys %bad) {
        my ($c, $h) = pair();
        my ($want, @frame) = @{ $bad{$what} };

        $c->send_frame(opcode => 2, payload => 'good');
        $c->send_frame(payload => 'x', @frame);
        is(RS::Pipe::message($h), 'good', "$what: what came before goes on");
        is(RS::Pipe::closed($c), $want, "$what: the sender is told");
        is(RS::Pipe::closed($h), '4502 pipe_broken', "$what: broken there");
    }

    all_gone();
};


subtest 'ends' => sub {
    my ($c, $h) = pair();

    $c->send_frame(opcode => 2, payload => 'last');
    $c->send_close(1001, 'bye');
    is(RS::Pipe::message($h), 'last', 'what was sent comes');
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'another code: broken');

    ($c, $h) = pair();
    $c->send_frame(opcode => 2, payload => 'last');
    $c->close();
    is(RS::Pipe::message($h), 'last', 'a socket that ends: what was sent');
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'and broken');

    ($c, $h) = pair();
    $c->send_frame(opcode => 2, payload => 'last');
    RS::Pipe::message($h);
    $c->reset();
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'a reset: broken');

    ($c, $h) = pair();
    $c->raw(substr $c->frame(opcode => 2, payload => 'x' x 1000), 0, 500);
    is(length RS::Pipe::bytes($h, 400), 492, 'a part of a frame goes on');
    $c->close();
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'and is no message');

    my $p = pipe_of();

    $h = $p->leg($gw, 'host');
    $c = $p->leg($gw, 'client');
    $c->send_frame(opcode => 2, payload => $_) for 'all', 'of it', '';
    $c->send_close(1000);
    is(RS::Pipe::message($h), $_, 'said and closed at once: all comes')
        for 'all', 'of it', '';
    is(RS::Pipe::closed($h), '1000', 'and its end');

    ($c, $h) = pair();
    $_->send_close(1000) for $c, $h;
    is(RS::Pipe::closed($_), '1000', 'both at once') for $c, $h;

    all_gone();
};


subtest 'tickets' => sub {
    my $p = pipe_of();
    my $other = pipe_of();

    is(RS::Pipe::closed($p->leg($gw, 'client', as => 'host')),
       '4401 unauthenticated', 'of the other side');
    is(RS::Pipe::closed($p->leg($gw, 'client',
                                ticket => $other->ticket('client'),
                                as => 'host')),
       '4401 unauthenticated', 'of another pipe and side');
    is(RS::Pipe::closed($p->leg($gw, 'client', ticket => 'default.'
                                . substr($p->id, 4)
                                . substr($other->ticket('client'), -52))),
       '4401 unauthenticated', 'a third party that knows the id');
    is(RS::Pipe::closed($gw->ws('/pipe', protocols => ['rs.v1'])),
       '4401 unauthenticated', 'none');
    is(RS::Pipe::closed($gw->ws('/pipe', protocols => [
           'rs.v1', 'rs.ticket.' . $p->ticket('client')])),
       '4401 unauthenticated', 'no side');
    my $c = $p->leg($gw, 'client');
    my $h = $p->leg($gw, 'host');

    $c->send_frame(opcode => 2, payload => 'x');
    is(RS::Pipe::message($h), 'x', 'none of this has used it up');
    is(RS::Pipe::closed($p->leg($gw, $_)), '4401 unauthenticated',
       "the $_\'s again") for qw(client host);
    $h->send_frame(opcode => 2, payload => 'y');
    is(RS::Pipe::message($c), 'y', 'which does not harm the pipe');
    $_->close() for $c, $h;

    my $origin = 'http://localhost:' . $gw->port;
    my $bound = pipe_of(origin => $origin);

    is(RS::Pipe::closed($bound->leg($gw, 'client')), '4401 unauthenticated',
       'bound to an origin, without one');

    my @h = (headers => ["Origin: $origin"],
             host => 'localhost:' . $gw->port);

    $h = $bound->leg($gw, 'host');
    $c = $bound->leg($gw, 'client', @h);
    $c->send_frame(opcode => 2, payload => 'x');
    is(RS::Pipe::message($h), 'x', 'and with it');
    $_->close() for $c, $h;
    all_gone();
};


subtest 'a handshake that is none' => sub {
    my $rest = $gw->rest(key => $key);

    is($rest->get('/pipe')->status, 426, 'a plain GET');
    is($rest->post('/pipe')->status, 405, 'a POST');

    my $ws = RS::WS->connect(port => $gw->port);

    is($ws->upgrade(path => '/rs/v1/pipe', protocols => [
           'rs.v1', 'rs.side.client', 'rs.side.host']), 400, 'both sides');
    $ws = RS::WS->connect(port => $gw->port);
    is($ws->upgrade(path => '/rs/v1/pipe', protocols => ['rs.v1'],
                    headers => ['Origin: http://elsewhere.test']), 403,
       'a foreign page');
};


subtest 'the other leg does not come' => sub {
    my $p = pipe_of();
    my $c = $p->leg($gw, 'client');

    $c->send_frame(opcode => 2, payload => 'x' x 1000);
    is(RS::Pipe::closed($c), '4504 pipe_timeout', 'the wait has an end');
    wait_until { gone($p) eq 'pipe_timeout' } 10, 'the store is told';
    is(RS::Pipe::closed($p->leg($gw, 'host')), '4504 pipe_timeout',
       'and who comes late');

    # gone while it waits, in four ways

    for my $how ('close', 'reset', 'send_close', 'half') {
        $p = pipe_of();
        $c = $p->leg($gw, 'client');
        $c->send_frame(opcode => 2, payload => 'x');

        if ($how eq 'half') {
            shutdown $c->socket, 1;

        } else {
            $how eq 'send_close' ? $c->send_close(1000) : $c->$how();
        }

        wait_until { gone($p) ne '' } 10, 'the store is told';
        like(RS::Pipe::closed($p->leg($gw, 'host')), qr/^4502|^1000/,
             "gone by $how: the other one hears of it");
    }

    all_gone();
};


subtest 'gone before the store has answered' => sub {
    my $p = pipe_of();

    $redis->freeze();

    my $c = $p->leg($gw, 'client');

    $c->reset();
    wait_until { metrics($gw)->value('rs_connections', kind => 'pipe') == 0 }
        10, 'its socket is gone';
    $redis->thaw();

    # on a slow machine the store may have been given up by then

    like(RS::Pipe::closed($p->leg($gw, 'host')),
         qr/^(?:4502 pipe_broken|4504 pipe_timeout)$/, 'the other one ends');
    all_gone();
    wait_until { $gw->all_answer('/health/ready', 200) } 20, 'ready';
};


# he has closed well when the no of the store comes: it is nobody's any more,
# and each end is told once (what is freed twice the sanitizers see)

subtest 'gone before the guard has answered' => sub {
    for my $n (1 .. 5) {
        my $p = pipe_of();
        my $ticket = $p->ticket('client');
        my $c = RS::WS->connect(port => $gw->port);

        $p->delete;
        is($c->upgrade(path => '/rs/v1/pipe',
                       protocols => ['rs.v1', "rs.ticket.$ticket",
                                     'rs.side.client'],
                       early => $c->frame(opcode => 8,
                                          payload => pack('n', 1000))), 101,
           'with the upgrade');
        is(RS::Pipe::closed($c), '1000', 'its goodbye is answered');
    }

    all_gone();
    wait_until { $gw->all_answer('/health/ready', 200) } 20, 'ready';
};


subtest 'idle' => sub {
    my ($c, $h) = pair(tunnel => undef, idle => 1);

    $c->send_frame(opcode => 2, payload => 'x');
    RS::Pipe::message($h);
    is(RS::Pipe::closed($_), '4408 pipe_idle', 'closed') for $c, $h;
    all_gone();
};


subtest 'cut' => sub {
    my ($c, $h, $p) = pair(tunnel => undef);

    $c->send_frame(opcode => 2, payload => 'x');
    RS::Pipe::message($h);
    $p->delete();
    is(RS::Pipe::closed($_, 3), '4410 tunnel_ended', 'the tunnel is gone')
        for $c, $h;

    ($c, $h, $p) = pair(tunnel => undef, life => 3);
    $c->send_frame(opcode => 2, payload => 'x');
    RS::Pipe::message($h);
    is(RS::Pipe::closed($_), '4410 tunnel_ended', 'its time is over')
        for $c, $h;

    $p = pipe_of();
    $c = $p->leg($gw, 'client');
    $c->send_frame(opcode => 2, payload => 'x');
    $p->delete();
    is(RS::Pipe::closed($c, 3), '4410 tunnel_ended', 'also while it waits');
    all_gone();
};


subtest 'counted' => sub {
    my $was = metrics($gw);
    my ($c, $h, $p) = pair();

    $c->send_frame(opcode => 2, payload => 'x' x 1000);
    $h->send_frame(opcode => 2, payload => 'y' x 70000);
    RS::Pipe::message($h);
    RS::Pipe::message($c);

    my $m = metrics($gw);

    is($m->value('rs_connections', kind => 'pipe'), 2, 'two legs');
    is($m->value('rs_pipes_total') - $was->value('rs_pipes_total'), 1,
       'a pipe');
    is($m->value('rs_pipe_bytes_total', from => 'client')
       - $was->value('rs_pipe_bytes_total', from => 'client'), 1000,
       'what the client sent');
    is($m->value('rs_pipe_bytes_total', from => 'host')
       - $was->value('rs_pipe_bytes_total', from => 'host'), 70005,
       'and the host');
    is($m->value('rs_pipe_buffers'), 0, 'an idle pipe has no buffer');

    my $tun = $redis->call('HGETALL', 'rs:{default}:tun:' . $p->tunnel);
    my %t = @$tun;

    $c->send_close(1000);
    RS::Pipe::closed($_) for $c, $h;
    wait_until {
        my %now = @{ $redis->call('HGETALL',
                                  'rs:{default}:tun:' . $p->tunnel) };

        $now{up} == ($t{up} // 0) + 1000 && $now{down} == ($t{down} // 0)
                                                          + 70005;
    } 10, 'the sums of its tunnel';
    pass('the sums of its tunnel');
    all_gone();
};

$gw->check_log();

done_testing();
