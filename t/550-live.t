# Copyright (C) rs-gateway contributors

# Redis stops under live sessions: sockets stay and are served, joins are
# told 503 within a second; it starts again: what was said meanwhile is sent
# again and arrives once, devices are online, and nothing was reloaded.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until start within);
use RS::WS;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);

my $s = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }, { role => 'viewer' }] })->json;
my $host = $device->join($gw, $device->expect('invite'), worker => 1);
my ($ticket, $unused) = map { $_->{ticket} // () } @{ $s->{participants} };
my $ws = $gw->signal("rs.ticket.$ticket", worker => 0);

$ws->expect('welcome');

my @pids = $gw->workers();


sub alive {
    my ($what) = @_;

    for my $case (['participant', $ws], ['host', $host],
                  ['device', $device->ws]) {
        my ($name, $socket) = @$case;

        $socket->send_json({ type => 'ping' });
        is($socket->expect('pong')->{type}, 'pong', "$what: the $name");
    }

    return;
}


sub ready {
    wait_until {
        2 == grep {
            my $socket = $gw->socket(worker => $_);
            $rest->request('GET', '/health/ready', socket => $socket)->status
            == 200
        } 0, 1;
    } 10, 'both workers ready';

    return;
}


for my $way ('stop', 'kill') {
    subtest "Redis: $way" => sub {
        my $id = $way eq 'stop' ? 1 : 3;

        $redis->$way();
        wait_until {
            $rest->get('/health/ready')->status == 503
        } 5, 'the loss is noticed';

        alive('while it is away');

        my $start = start();
        my $late = RS::WS->connect(port => $gw->port);

        is($late->upgrade(path => '/rs/v1/signal',
                          protocols => ['rs.v1', "rs.ticket.$unused"]),
           503, 'a join: 503');
        ok($late->header('Retry-After'), 'with Retry-After');
        within($start, 1, 'within a second');

        $ws->send_json({ type => 'signal', id => $id, data => "$way 1" });
        my $error = $ws->expect('error');
        is($error->{code}, 'unavailable', 'a signal: unavailable');
        is($error->{id}, $id, 'with its id');

        $redis->start();
        ready();
        ok($ws->expect('resync'), 'back: resync');

        $ws->send_json({ type => 'signal', id => $id, data => "$way 1" });
        $ws->send_json({ type => 'signal', id => $id + 1,
                         data => "$way 2" });
        is($ws->expect('ack')->{id}, $_, "message $_ is taken")
            for $id, $id + 1;
        is($host->expect('signal')->{data}, "$way $_", "and arrives")
            for 1, 2;

        alive('after it');
        wait_until {
            $rest->get('/devices/' . $device->id)->json->{online}
        } 5, 'the device online';

        my $t = $rest->post('/sessions', {
            host => { type => 'device', device_id => $device->id } });
        is($t->status, 201, 'a new session');
        is($device->expect('invite')->{session}{id}, $t->json->{id},
           'its invite arrives over the same channel');
        $rest->delete('/sessions/' . $t->json->{id});
        $device->expect('revoke');
    };
}


is_deeply([$gw->workers()], \@pids, 'the same workers all the time');
is($rest->delete("/sessions/$s->{id}")->status, 204, 'the session ends');
is($_->expect_close(), 4410, 'closed') for $ws, $host;
$gw->check_log();

done_testing();
