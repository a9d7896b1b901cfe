# Copyright (C) rs-gateway contributors

# When the store is back, every device is announced, also when
# rs_redis_inflight lets only a few calls be under way: the announcing used to
# end at the first refusal, until the store was lost the next time.

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
my $gw = RS::Gateway->new(redis => $redis, http => 'rs_redis_inflight 3;');
my $rest = $gw->rest(key => $redis->api_key);
my $token = $rest->post('/enrollments', { max_uses => 100 })->json->{token};
my @devices;

for my $n (1 .. 10) {
    push @devices, RS::Device->enroll($rest, name => "d$n",
                                      token => $token);
    $devices[-1]->connect($gw);
}


sub owner {
    return $redis->call('HGET', 'rs:{default}:dev:' . $_[0]->id, 'owner');
}


is(scalar(grep { owner($_) ne '' } @devices), 10, 'ten devices');

# a store that has lost who is where

$redis->call('HSET', 'rs:{default}:dev:' . $_->id, 'owner', '') for @devices;
$redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

my $all = eval {
    wait_until { 10 == grep { owner($_) ne '' } @devices } 10, 'all of them';
};

is($@, '', 'all are announced again');

for my $d (@devices) {
    $d->send_json({ type => 'ping' });
    is($d->expect('pong')->{type}, 'pong', 'and still connected');
}

# those that go while the store is away, too

$redis->freeze;
$_->ws->close for @devices;
is($rest->get('/health/live')->status, 200, 'they have gone');
$gw->wait_log(qr/no reply within/, 10);
$redis->thaw;

eval {
    wait_until { 10 == grep { owner($_) eq '' } @devices } 15,
               'all of them';
};

is($@, '', 'none stays online');

$gw->stop;
$gw->check_log;

done_testing();
