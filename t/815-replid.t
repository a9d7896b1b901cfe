# Copyright (C) rs-gateway contributors

# A primary changes its replication id while it runs (its replicas were gone
# for repl-backlog-ttl).  A worker that connects afterwards reads the new id,
# the others still have the old one.  Each message used to be taken for a
# failover when the one before had come through the other worker: a new epoch
# and a `resync` for each, upon which clients repeat what they said.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new(conf => 'enable-debug-command local');
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 0);

my $s = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] })->json;
my ($p) = grep { $_->{ticket} } @{ $s->{participants} };

my $host = $device->join($gw, $device->expect('invite'), worker => 0);
my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 1);

$ws->expect('welcome');
$host->expect('joined');
$_->forget for $host, $ws;


sub links {
    return map { /^id=(\d+).* name=rs-gateway-commands/ ? $1 : () }
           split /\n/, $redis->call('CLIENT', 'LIST');
}


my ($one) = links();

$redis->call('DEBUG', 'CHANGE-REPL-ID');
$redis->call('CLIENT', 'KILL', 'ID', $one);
wait_until { 2 == grep { $_ != $one } links() } 10, 'the link again';
wait_until {
    2 == grep {
        $rest->request('GET', '/health/ready',
                       socket => $gw->socket(worker => $_))->status == 200
    } 0, 1
} 10, 'both workers';

for my $id (1 .. 5) {
    for my $pair ([$host, $ws], [$ws, $host]) {
        my ($from, $to) = @$pair;

        $from->say($id, $id);
        is($to->expect('signal')->{id}, $id, "message $id arrives");
    }
}

for my $case (['host', $host], ['controller', $ws]) {
    my ($name, $socket) = @$case;
    my $n = grep { $_->{type} eq 'resync' } $socket->seen;

    # one for the epoch, one for the message that had to wait for it

    cmp_ok($n, '<=', 2, "the $name: two resyncs at most");
}

is($redis->call('HGET', "rs:{default}:ses:$s->{id}", 'epoch'), 2,
   'one new epoch');

$gw->stop;
$gw->check_log;

done_testing();
