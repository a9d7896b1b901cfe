# Copyright (C) rs-gateway contributors

# Volatile input: from a controller to the host, on the same worker, another
# one of the node, another node; in order, by which carrier, never in the log;
# and what happens when the receiver is slow, moves, or dies.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON;
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $ipc = $ENV{RS_TEST_IPC} // 'on';
my $redis = RS::Redis->new(acl => 1);
our @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_",
                     location => 'rs_input_rate 100000;')
} 1, 2;
our $rest = $node[0]->rest(key => $redis->api_key);
our %policy;


# A session: its host's and its controller's sockets where they are wanted,
# [node, worker].

sub session {
    my ($at, $from, @roles) = @_;
    my $device = RS::Device->enroll($rest);
    my ($hn, $hw) = @$at;
    my ($cn, $cw) = @$from;

    $device->connect($node[$hn]);
    wait_until {
        $rest->get('/devices/' . $device->id)->json->{online}
    } 5, 'the device online';

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        policy => \%policy,
        participants => [map { { role => $_ } } 'controller', @roles] });

    die $r->content if $r->status != 201;

    my %s = (id => $r->json->{id}, device => $device);
    my ($ctl, @others) = map { $_->{ticket} // () }
                         @{ $r->json->{participants} };

    $s{host} = $device->join($node[$hn], $device->expect('invite'),
                             worker => $hw);
    $s{host_welcome} = $device->welcome;
    $s{ctl} = $node[$cn]->signal("rs.ticket.$ctl", worker => $cw);
    $s{welcome} = $s{ctl}->expect('welcome');
    $s{host}->expect('joined');
    $s{tickets} = \@others;

    return \%s;
}


sub input {
    my ($ws, $data, @to) = @_;

    $ws->send_json({ type => 'input', data => $data, @to });

    return;
}


# Input until some of it arrives: what is under way to where the host was is
# lost.  How many were sent.

sub until_heard {
    my ($s, $seconds) = @_;
    my $n = 0;

    wait_until {
        input($s->{ctl}, 'again ' . ++$n);
        my $m = $s->{host}->recv(0.1);
        $m && $m->{json} && $m->{json}{type} eq 'input'
    } $seconds, 'input at the new place';

    return $n;
}


# The host comes back at [node, worker].

sub host_back {
    my ($s, $n, $w) = @_;
    my $had = $s->{host_welcome};

    $s->{host} = $node[$n]->signal(
        "rs.resume.$had->{resume}.$had->{position}", worker => $w);
    $s->{host_welcome} = $s->{host}->expect('welcome');

    return;
}


sub published {
    my ($n) = $redis->call('INFO', 'commandstats')
              =~ /^cmdstat_publish:calls=(\d+)/m;

    return $n // 0;
}


sub log_of {
    my ($s) = @_;

    return $redis->call('XLEN', "rs:{default}:log:$s->{id}");
}


for my $case (['the same worker', [0, 0], [0, 0], 0],
              ['another worker', [0, 1], [0, 0], $ipc ne 'on'],
              ['another node', [1, 0], [0, 0], 1])
{
    my ($where, $at, $from, $by_redis) = @$case;

    subtest $where => sub {
        my $s = session($at, $from);

        input($s->{ctl}, { x => 0.5 });

        my $m = $s->{host}->expect('input');

        is_deeply($m, { type => 'input', from => $s->{welcome}{self},
                        data => { x => 0.5 } }, 'it arrives as it was sent');

        # A join that is heard of late has the way looked up again, and few
        # inputs wait for that; what comes after it in the log was heard, too.

        $s->{host}->send_json({ type => 'signal', id => 1, data => 'all in',
                                to => $s->{welcome}{self} });
        is($s->{ctl}->expect('signal')->{data}, 'all in', 'nobody else comes');
        input($s->{ctl}, 'again');
        $s->{host}->expect('input');

        my ($log, $before) = (log_of($s), published());
        my ($n, @got) = (0);

        while ($n < 10000) {
            $s->{ctl}->raw(join '', map { $s->{ctl}->frame(payload =>
                qq({"type":"input","data":$_})) } $n + 1 .. $n + 250);
            $n += 250;
            push @got, $s->{host}->expect('input')->{data} for 1 .. 250;
        }

        is_deeply(\@got, [1 .. 10000], '10,000 in order');

        my $published = published() - $before;
        ok($by_redis ? $published >= 10000 : $published < 1000,
           "$published messages over Redis");
        is(log_of($s), $log, 'none in the log');

        # nor is any of it there for who comes back

        $s->{host}->reset();
        input($s->{ctl}, 'lost');
        $s->{ctl}->send_json({ type => 'signal', id => 1, data => 'kept' });
        $s->{ctl}->expect('ack');
        host_back($s, @$at);
        is($s->{host}->expect('signal')->{data}, 'kept',
           'a resume brings what was logged');
        is_deeply([grep { ($_->{json}{type} // '') eq 'input' }
                   $s->{host}->seen], [], 'and nothing else');
        until_heard($s, 5);
        pass('input finds it again');
        $s->{ctl}->send_json({ type => 'bye' });
    };
}


subtest 'who may' => sub {
    my $s = session([0, 0], [0, 1], 'viewer');
    my $viewer = $node[0]->signal("rs.ticket.$s->{tickets}[0]");
    my $self = $viewer->expect('welcome')->{self};
    my $host = $s->{host_welcome}{self};

    for my $case ([viewer => $viewer], [host => $s->{host}]) {
        my ($who, $ws) = @$case;

        input($ws, 1);
        is($ws->expect('error')->{code}, 'forbidden', "not the $who");
        $ws->send_json({ type => 'ping' });
        ok($ws->expect('pong'), 'which stays');
    }

    input($s->{ctl}, 2, to => $self);
    is($s->{ctl}->expect('error')->{code}, 'forbidden', 'not to a viewer');
    input($s->{ctl}, 'x' x 16384);
    is($s->{ctl}->expect('error')->{code}, 'invalid_value', 'not too much');
    $s->{ctl}->send_json({ type => 'input', id => 1, data => 1 });
    is($s->{ctl}->expect('error')->{code}, 'unknown_field', 'it has no id');
    input($s->{ctl}, 'x' x 16382, to => $host);
    is(length $s->{host}->expect('input')->{data}, 16382,
       '16 KiB to the host, by name');
    is_deeply([grep { ($_->{type} // '') eq 'input' } $viewer->seen], [],
              'the viewer hears nothing');

    local %policy = (view_only => JSON::true());

    $s = session([0, 0], [0, 0]);
    input($s->{ctl}, 'x');
    my $m = $s->{ctl}->expect('error');
    is($m->{code}, 'forbidden', 'nobody, where the session is view_only');
    like($m->{message}, qr/view_only/, 'which is said');
};


subtest 'nobody there' => sub {
    my $s = session([0, 1], [0, 0]);

    $s->{host}->reset();
    wait_until {
        $redis->call('HGET', "rs:{default}:mem:$s->{id}",
                     "a:$s->{host_welcome}{self}") eq ''
    } 5, 'the host away';

    input($s->{ctl}, $_) for 1 .. 100;
    $s->{ctl}->send_json({ type => 'ping' });
    ok($s->{ctl}->expect('pong'), 'input into the void');
    is_deeply([grep { ($_->{type} // '') eq 'error' } $s->{ctl}->seen], [],
              'is no error');
    host_back($s, 0, 1);
    until_heard($s, 5);
    pass('and goes to the host when it is back');
};


subtest 'the host moves' => sub {
    my $s = session([0, 1], [0, 0]);

    input($s->{ctl}, 'first');
    $s->{host}->expect('input');

    for my $case (['to the other node', 1, 0], ['to the same worker', 0, 0],
                  ['and back', 0, 1])
    {
        my ($where, @at) = @$case;
        my $old = $s->{host};

        host_back($s, @at);
        is($old->expect_close(), 4409, "$where: the old socket is fenced");
        cmp_ok(until_heard($s, 5), '<=', 30, 'input follows');
    }
};


subtest 'a slow host' => sub {
    my $s = session([0, 1], [0, 0]);
    my $data = 'x' x 16000;
    my $sent = 0;

    input($s->{ctl}, 'first');
    $s->{host}->expect('input');

    # more than any buffer of the kernel takes

    while ($sent < 2000) {
        input($s->{ctl}, $data) for 1 .. 100;
        $sent += 100;
        $s->{ctl}->send_json({ type => 'ping' });
        $s->{ctl}->expect('pong');
    }

    $s->{ctl}->send_json({ type => 'signal', id => 1, data => 'must' });
    $s->{ctl}->expect('ack');
    is($s->{host}->expect('signal', 10)->{data}, 'must',
       'what is logged arrives');

    my $got = grep { ($_->{type} // '') eq 'input' } $s->{host}->seen;

    cmp_ok($got, '<', $sent, "$got of $sent inputs came before it");
    $s->{host}->forget();
    until_heard($s, 5);
    pass('and more comes when there is room');
};


subtest 'the host\'s worker is killed' => sub {
    my $s = session([0, 1], [0, 0]);

    input($s->{ctl}, 'first');
    $s->{host}->expect('input');

    $node[0]->kill_worker(1);
    input($s->{ctl}, 'to the dead');
    $s->{ctl}->send_json({ type => 'ping' });
    ok($s->{ctl}->expect('pong'), 'its death hurts nobody else');
    host_back($s, 0, 1);
    cmp_ok(until_heard($s, 5), '<=', 30, 'input finds the new one');
};


subtest 'reload' => sub {
    my $s = session([0, 1], [0, 0]);

    input($s->{ctl}, 'first');
    $s->{host}->expect('input');
    $node[0]->reload();
    is($s->{$_}->expect_close(), 1012, "$_: to come back") for qw(host ctl);

    host_back($s, 0, 1);
    $s->{ctl} = $node[0]->signal(
        "rs.resume.$s->{welcome}{resume}.$s->{welcome}{position}",
        worker => 0);
    $s->{ctl}->expect('welcome');
    until_heard($s, 5);
    pass('and on it goes');
};

$_->check_log(allow => qr/exited on signal 9/) for @node;


subtest 'too much' => sub {
    my $gw = RS::Gateway->new(redis => $redis,
                              location => 'rs_input_rate 5 burst=10;');
    local @node = ($gw);
    local $rest = $gw->rest(key => $redis->api_key);
    my $s = session([0, 0], [0, 0]);
    my $flood = sub {
        $s->{ctl}->raw(join '', map { $s->{ctl}->frame(payload =>
            qq({"type":"input","data":$_})) } 1 .. $_[0]) };

    $flood->(14);
    is($s->{ctl}->expect('error')->{code}, 'rate_limited', 'is told');
    $s->{ctl}->send_json({ type => 'ping' });
    ok($s->{ctl}->expect('pong'), 'the socket stays');
    is_deeply([map { $s->{host}->expect('input')->{data} } 1 .. 10],
              [1 .. 10], 'the burst was taken');

    $s->{ctl}->send_json({ type => 'signal', id => 1, data => 'x' });
    ok($s->{ctl}->expect('ack'), 'other messages have a rate of their own');
    $flood->(40);
    is($s->{ctl}->expect_close(), 1008, 'far too much: closed');
    $gw->check_log();
};

done_testing();
