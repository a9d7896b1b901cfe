# Copyright (C) rs-gateway contributors

# A device connects anew while the worker of its old socket cannot hear Redis
# (a network that forgets connections).  When that worker is back, it
# announces the devices it holds; the old socket used to take the place of the
# newer one, which was closed with 4409, and the device was unreachable until
# the old one was found dead.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Proxy;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $proxy = RS::Proxy->new(to => $redis->socket);
my $cut = RS::Gateway->new(redis_conf => 'redis://127.0.0.1:' . $proxy->port,
                           redis => $redis);
my $gw = RS::Gateway->new(redis => $redis);
my $rest = $gw->rest(key => $redis->api_key);
my $old = RS::Device->enroll($rest, name => 'desk');
my $other = RS::Device->enroll($rest, name => 'other');
my $new = RS::Device->new(id => $old->id, key => $old->{key});


sub owner {
    my ($device) = @_;

    return $redis->call('HGET', 'rs:{default}:dev:' . $device->id, 'owner');
}


sub node_is {
    my ($device, $node, $name) = @_;

    like(owner($device), qr/^\Q$node\E\./, $name);

    return;
}


$_->connect($cut) for $old, $other;
node_is($_, $cut->node, 'online on one node') for $old, $other;

# its subscription is deaf for good, its commands for as long as the proxy
# stands still

$proxy->mute;
$proxy->{proc}->signal('STOP');
wait_until { $cut->rest->get('/health/ready')->status == 503 } 30,
           'the node noticing it';

$new->connect($gw);
node_is($new, $gw->node, 'the device has come to the other node');

$proxy->{proc}->signal('CONT');
wait_until { $cut->rest->get('/health/ready')->status == 200 } 30,
           'the node being back';

is($old->ws->expect_close(10), 4409, 'the old socket is told, and closed');
node_is($new, $gw->node, 'the newer one keeps its place');
$new->send_json({ type => 'ping' });
is($new->expect('pong')->{type}, 'pong', 'and its connection');
node_is($other, $cut->node, 'who has not moved is where it was');
$other->send_json({ type => 'ping' });
is($other->expect('pong')->{type}, 'pong', 'and connected');

is($rest->post('/sessions', {
    host => { type => 'device', device_id => $new->id } })->status, 201,
   'a session');
is($new->expect('invite')->{type}, 'invite', 'the newer one is invited');

$_->stop for $cut, $gw;
$_->check_log for $cut, $gw;

done_testing();
