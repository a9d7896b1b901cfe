# Copyright (C) rs-gateway contributors

# Two nodes of one name: the second one serves nothing and says why, until the
# first one is gone.  A reload and a restart make no other node.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);
use RS::WS;

my $redis = RS::Redis->new(acl => 1);
my $key = $redis->api_key;
my @more = (redis => $redis, workers => 2, node => 'same',
            http => 'rs_lease_ttl 3s;');

my $one = RS::Gateway->new(@more);
my $two = RS::Gateway->new(@more, ready => 0);
my $rest = $two->rest(key => $key);

$two->wait_log(qr/\[error\].*another node is live under the name "same"/);
ok($two->all_answer('/health/ready', 503), 'the second one is not ready');
is($rest->get('/devices')->status, 503, 'it answers no call');

my $ws = RS::WS->connect(port => $two->port);

is($ws->upgrade(path => '/rs/v1/agent', protocols => ['rs.v1']), 503,
   'nor an upgrade');
ok($two->all_answer('/health/live', 200), 'but lives');
ok($one->all_answer('/health/ready', 200), 'the first one is served');

my @errors = $two->error_log =~ /\[error\].*another node is live/g;

is(scalar @errors, 2, 'each worker says it once at level error');

$one->reload();
ok($one->all_answer('/health/ready', 200), 'the first one, reloaded');
$one->kill();
$one->start();
ok($one->all_answer('/health/ready', 200), 'or killed and started again');
ok($two->all_answer('/health/ready', 503), 'the second one is refused still');

my $device = RS::Device->enroll($one->rest(key => $key), name => 'desk');

$device->connect($one);
$one->quit();
wait_until { eval { $two->all_answer('/health/ready', 200) } } 10,
           'the second one being ready';
pass('the first one is gone: the second one has the name');
$device->connect($two);
is($rest->get('/devices/' . $device->id)->json->{online}, JSON::PP::true(),
   'and serves');
$two->wait_log(qr/the name "same" is this node's now/);

$_->check_log(allow => qr/exited on signal 9/) for $one, $two;

done_testing();
