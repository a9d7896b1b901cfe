
# Copyright (C) rs-gateway contributors

# Cut off from Redis: sockets go on for rs_stale_limit and no longer, whether
# commands or only messages are lost; who comes back in time keeps them.

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
my $gw = RS::Gateway->new(redis => $redis, http => 'rs_stale_limit 3s;');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');


sub session {
    $device->connect($gw);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    is($r->status, 201, 'a session') or diag($r->content);
    $device->expect('invite');

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}");

    $ws->expect('welcome');

    return $ws;
}


sub alive {
    my ($ws) = @_;

    for my $socket ($ws, $device->ws) {
        $socket->send_json({ type => 'ping' });
        $socket->expect('pong');
    }

    return pass('both sockets are alive');
}


sub closed {
    my ($ws, $start) = @_;

    for my $case (['participant', $ws], ['device', $device->ws]) {
        my ($name, $socket) = @$case;

        is(eval { $socket->expect_close(6) }, 1013, "$name: close 1013")
            or diag($@);
        cmp_ok(now() - $start, '>', 2.5, "$name: not before the limit");
        within($start, 5, "$name: but soon after it");
    }

    return;
}


sub ready {
    return ok(eval {
        wait_until { $rest->get('/health/ready')->status == 200 } 10;
    }, 'ready again') || diag($@);
}


subtest 'away for less' => sub {
    my $ws = session();
    my $start = now();

    $redis->stop;
    $gw->wait_log(qr/for commands is down/, 5);
    wait_until { now() - $start > 1.5 } 5;
    alive($ws);
    $redis->start;
    ready();

    # longer than the limit since it was lost

    wait_until { now() - $start > 4 } 10;
    alive($ws);
    unlike($gw->error_log, qr/rs stale/, 'nothing was closed');
};


subtest 'away for more' => sub {
    my $ws = session();
    my $start = start();

    $redis->stop;
    closed($ws, $start);
    like($gw->error_log,
         qr/rs stale: cut off from Redis for 3000 ms, .* 2 sockets/,
         'the log says so');

    $redis->start;
    ready();
};


subtest 'only messages are lost' => sub {
    my $ws = session();
    my $start = start();

    $redis->call('ACL', 'SETUSER', 'rs-gateway', 'resetchannels');

    # Redis itself drops a subscriber that may not be one any more

    $gw->wait_log(qr/for messages is down: SUBSCRIBE is refused/, 5);
    is($rest->get('/sessions')->status, 200, 'commands work');
    closed($ws, $start);

    $redis->call('ACL', 'SETUSER', 'rs-gateway', '&rs:w:*',
                 '&rs:turn', '&rs:ban', '&rs:watch');
    ready();
};


subtest 'a whole session' => sub {
    my @sockets;

    $device->connect($gw);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [map { { role => 'viewer' } } 1 .. 14] });

    is($r->status, 201, 'a session') or diag($r->content);

    for my $p (grep { $_->{ticket} } @{ $r->json->{participants} }) {
        push @sockets, $gw->signal("rs.ticket.$p->{ticket}");
        $sockets[-1]->expect('welcome');
    }

    $redis->stop;

    is(scalar(grep { eval { $_->expect_close(8) } == 1013 } @sockets), 14,
       'all are closed');
    $redis->start;
    ready();
};


$gw->quit;
$gw->check_log;
unlike($gw->error_log, qr/open socket/, 'no socket left open');

done_testing();
