# Copyright (C) rs-gateway contributors

# rs_max_connections: who was not let in yet makes room, oldest first; who was
# let in is never closed for others.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, server => $METRICS_LOCATION,
                          http => 'rs_max_connections 4;');
my $rest = $gw->rest(key => $redis->api_key);
my @devices = map { RS::Device->enroll($rest, name => "desk $_") } 1 .. 5;


sub silent {
    my $ws = $gw->agent;

    $ws->expect('challenge');

    return $ws;
}


subtest 'those that say nothing make room' => sub {
    $devices[0]->connect($gw);

    my @silent = map { silent() } 1 .. 3;

    is(metrics($gw)->value('rs_connections_pending'), 3, 'three are silent');

    # the worker is full: each that comes takes the place of the oldest

    for my $i (0 .. 2) {
        my $new = silent();

        is($silent[$i]->expect_close, 1013, "silent $i is closed with 1013");
        is($silent[$i]->error->{code}, 'overloaded', 'overloaded');
        push @silent, $new;
    }

    is(metrics($gw)->value('rs_connections', kind => 'agent'), 4,
       'never more than four');

    # a flood of them keeps nobody with a good key out

    for my $i (1 .. 3) {
        $devices[$i]->connect($gw);
        is($silent[$i + 2]->expect_close, 1013, "and makes room for device $i");
    }

    my $m = metrics($gw);

    is($m->value('rs_connections', kind => 'agent'), 4, 'four devices');
    is($m->value('rs_connections_pending'), 0, 'nobody pending');
    is($m->value('rs_connections_shed_total'), 6, 'six were shed');
    is($m->value('rs_connections_closed_total', reason => 'overloaded'), 6,
       'with 1013');
};


subtest 'those let in stay' => sub {
    my $ws = RS::WS->connect(port => $gw->port);

    $ws->upgrade(path => '/rs/v1/agent', protocols => ['rs.v1']);
    is($ws->status, 503, 'one more is refused');
    like($ws->header('Retry-After'), qr/^[1-9]\d*$/, 'Retry-After');
    is($ws->body->{code}, 'overloaded', 'overloaded');

    for my $i (0 .. 3) {
        $devices[$i]->send_json({ type => 'ping' });
        ok($devices[$i]->expect('pong'), "device $i is there");
    }

    is(metrics($gw)->value('rs_connections_refused_total',
                           reason => 'full'), 1, 'counted');
    is(metrics($gw)->value('rs_connections_refused_total',
                           reason => 'handshake'), 0, 'and once');

    $devices[0]->ws->close;
    wait_until { metrics($gw)->value('rs_connections', kind => 'agent') == 3 }
        10, 'one leaves';
    $devices[4]->connect($gw);
    pass('then there is room');
};

$gw->check_log;

done_testing();
