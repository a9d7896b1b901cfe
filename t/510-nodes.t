# Copyright (C) rs-gateway contributors

# Two nodes that share nothing but Redis: the device is at one, people at the
# other; a socket that breaks comes back at whichever.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_",
                     http => 'rs_lease_ttl 3s;')
} 1, 2;
my $key = $redis->api_key;
my @rest = map { $_->rest(key => $key) } @node;
my $device = RS::Device->enroll($rest[1], name => 'desk');

$device->connect($node[0]);

wait_until {
    $rest[1]->get('/devices/' . $device->id)->json->{online}
} 5, 'online at the other node';

my $r = $rest[1]->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] });

is($r->status, 201, 'a session asked for at the other node')
    or diag($r->content);

my $session = $r->json->{id};
my $invite = $device->expect('invite');

is($invite->{session}{id}, $session, 'the invite reaches the device');

my $host = $device->join($node[0], $invite);
my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
my $ws = $node[1]->signal("rs.ticket.$p->{ticket}");
my $welcome = $ws->expect('welcome');

$host->expect('joined');
$ws->send_json({ type => 'signal', id => 1, data => 'offer' });
is($ws->expect('ack')->{id}, 1, 'acknowledged');
is($host->expect('signal')->{data}, 'offer', 'to the first node');
$host->send_json({ type => 'signal', id => 1, data => 'answer' });

my $m = $ws->expect('signal');
is($m->{data}, 'answer', 'and back');

$ws->reset();
$host->send_json({ type => 'signal', id => 2, data => 'meanwhile' });
$host->expect('ack');

my $back = $node[0]->signal("rs.resume.$welcome->{resume}.$m->{position}");
is($back->expect('welcome')->{self}, $welcome->{self},
   'resumed at the first node');
is($back->expect('signal')->{data}, 'meanwhile', 'with what was missed');


# the device moves: the newest line wins, wherever it is

my $old = $device->ws;

$device->connect($node[1]);
is($old->expect_close(), 4409, 'the device at the second node');


# a node is lost: its sockets only

$node[0]->kill();

my $host_welcome = $device->welcome;
my $again = $node[1]->signal(
    "rs.resume.$host_welcome->{resume}.$host_welcome->{position}");
is($again->expect('welcome')->{self}, $host_welcome->{self},
   'the host comes back at the other node');

$again->send_json({ type => 'ping' });
ok($again->expect('pong'), 'and is served');
is($rest[1]->delete("/sessions/$session")->status, 204, 'ended there');
is($again->expect_close(), 4410, 'closed');

$node[1]->check_log();

done_testing();
