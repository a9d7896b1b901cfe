# Copyright (C) rs-gateway contributors

# An invitation that reaches the device's worker while its breaker refuses
# commands: the link does not go down, so nothing else would invite again.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Proxy;
use RS::Redis;
use RS::Util qw(now wait_until);

my $redis = RS::Redis->new();
my $proxy = RS::Proxy->new(to => $redis->socket);
my $slow = RS::Gateway->new(node => 'slow', http => 'rs_redis_slow 300ms; '
                                    . 'rs_redis_timeout 9s;',
                            redis_conf => 'redis://127.0.0.1:'
                                          . $proxy->port);
my $gw = RS::Gateway->new(node => 'quick', redis => $redis);
my $key = $redis->api_key;
my $rest = $gw->rest(key => $key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($slow);
$proxy->slow(450);

wait_until { $slow->rest(key => $key)->get('/sessions')->status == 503 } 30,
           'refused calls';
like($slow->error_log, qr/is slow, commands are refused/, 'the breaker');

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'viewer' }] });

is($r->status, 201, 'a session, made elsewhere');

# what is published reaches the worker 450 ms later

my $end = now() + 1;

wait_until { now() > $end } 3, 'the invitation';
$proxy->slow(0);

my $invite = eval { $device->expect('invite', 10) };

is($invite && $invite->{session}{id}, $r->json->{id}, 'it is invited')
    or diag($@, $slow->error_log);

$_->quit for $slow, $gw;
$_->check_log for $slow, $gw;

done_testing();
