# Copyright (C) rs-gateway contributors

# A worker with nothing else to do is told to quit: nginx calls the sockets'
# handlers from outside its event loop, and what they only posted waited for
# the next event, seconds later.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(start within);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, http => <<'END');
    # no timer of the worker's own comes early
    rs_lease_ttl 300s;
    rs_redis_timeout 9s;
END
my $device = RS::Device->enroll($gw->rest(key => $redis->api_key));

$device->connect($gw);

my $start = start();

kill 'QUIT', $gw->workers();

$device->expect('goaway', 5);
within($start, 1, 'goaway comes at once');
is($device->ws->expect_close(), 1012, 'and the close frame with it');

$gw->check_log();

done_testing();
