# Copyright (C) rs-gateway contributors

# A participant's socket breaks while Redis is silent: "away" is carried out
# but its answer is lost, so the next try is "stale".  It was then taken for
# one that had resumed, and never became "lost".

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
my $gw = RS::Gateway->new(redis => $redis, location => <<'END');
    rs_resume_grace 3s;
END
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw);

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] });
my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };

my $host = $device->join($gw, $device->expect('invite'));
my $ws = $gw->signal("rs.ticket.$p->{ticket}");

$ws->expect('welcome');
$host->expect('joined');

$redis->freeze();
$ws->reset();

$gw->wait_log(qr/for commands is down/, 5);

$redis->thaw();

my $left = $host->expect('left', 10);

is($left->{peer}, $p->{id}, 'who did not come back');
is($left->{reason}, 'lost', 'is lost');
is($host->expect('ended')->{reason}, 'left', 'and the session ends');
is($host->expect_close(), 4410, 'for the host too');

$gw->check_log();

done_testing();
