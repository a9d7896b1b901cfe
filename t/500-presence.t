
# Copyright (C) rs-gateway contributors

# Presence over several nodes: a device is online while the worker that holds
# its channel has a lease, whichever node is asked; it is offline soon after
# that worker died without a word.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until now start within);

my $redis = RS::Redis->new(acl => 1);
my $key = $redis->api_key;
my @more = (redis => $redis, http => 'rs_lease_ttl 3s;');

my $one = RS::Gateway->new(@more, node => 'one');
my $two = RS::Gateway->new(@more, node => 'two');
my $rest = $two->rest(key => $key);

my $device = RS::Device->enroll($one->rest(key => $key), name => 'desk');


sub online {
    my ($from) = @_;

    return ($from // $rest)->get('/devices/' . $device->id)->json->{online};
}


sub create {
    return $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id } });
}


sub leases {
    my ($node, $count, $what) = @_;

    return ok(eval {
        wait_until {
            $count == grep { /^\Q$node\E\./ }
                      @{ $redis->call('ZRANGE', 'rs:{w}:lease', 0, -1) }
        } 2;
    }, $what);
}


leases('one', 1, 'a lease of one worker');

ok(!online(), 'offline before it connected');

$device->connect($one);
ok(online(), 'online on the other node, at once');


# a worker younger than the other node's table of leases

my $three = RS::Gateway->new(@more, node => 'three', workers => 2);

$device->connect($three);

ok(online(), 'online on a node just started');
leases('three', 2, 'a lease of each of two workers');
{
    my $end = now() + 4;

    wait_until { !online() || now() > $end } 4;
    ok(online(), 'and it stays so');
}

is(create()->status, 201, 'and a session can be made');


# without a word: only the lease tells

{
    my $start = start();

    $three->kill;

    ok(eval { wait_until { !online() } 20 }, 'its node killed: offline')
        or diag($@);
    within($start, 6, 'soon after the lease ran out');

    ok(eval {
        wait_until {
            $redis->call('HGET', 'rs:{default}:dev:' . $device->id, 'owner')
            eq ''
        } 5;
    }, 'and its record says so');

    $rest->problem(create(), 409, 'device_offline');

    # a node that hears of the dead worker for the first time

    my $four = RS::Gateway->new(@more, node => 'four');
    my $fresh = $four->rest(key => $key);

    ok(eval { wait_until { !online($fresh) } 2 },
       'offline on a node started later');

    my @again = grep { online($fresh) } 1 .. 20;

    is(scalar @again, 0, 'and it stays so');

    $four->quit;
    $four->check_log;
}


# Redis away for longer than a lease: workers that live take theirs again

$device->connect($one);
ok(online(), 'back on the first node');

{
    my $since = now();

    $redis->stop;
    wait_until { now() - $since > 3.5 } 10, 'the leases to run out';
    $redis->start;

    ok(eval {
        wait_until { $rest->get('/devices')->status == 200 } 10;
    }, 'Redis is back');

    ok(eval { wait_until { online() } 5 }, 'online without a new channel');
    leases('one', 1, 'with the same worker');

    ok(eval { wait_until { create()->status == 201 } 5 },
       'a session can be made');
    ok($device->expect('invite', 5), 'and the device is invited');
}


# a clean end gives the lease back at once

$one->quit;
leases('one', 0, 'no lease after a clean end');
ok(!online(), 'offline at once');

$two->quit;

$_->check_log for $one, $two;

done_testing();
