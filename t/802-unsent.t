# Copyright (C) rs-gateway contributors

# Messages that the store could not take are refused one by one, are asked
# for again when it is back, and none that came later is let pass them: the
# store drops ids that are not above the last one, so the first ones would
# have been acked as repetitions, and lost.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis);
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


sub say {
    my ($id) = @_;

    return $ws->send_json({ type => 'signal', id => $id, data => "n$id" });
}


sub refused {
    my ($id, $name) = @_;
    my $e = $ws->expect('error');

    is($e->{code}, 'unavailable', "$name: unavailable");
    is($e->{id}, $id, "$name: which one");

    return;
}


say(1);
is($ws->expect('ack')->{id}, 1, 'the store is there');
is($host->expect('signal')->{data}, 'n1', 'and the message arrives');

$redis->freeze();

say($_) for 2 .. 4;
refused($_, "message $_, no answer") for 2 .. 4;

say(5);
refused(5, 'message 5, no link');

$redis->thaw();

like($ws->expect('resync', 5)->{position}, qr/^1-\d+$/, 'they are wanted');

say(6);
refused(6, 'message 6, before the others');

say(1);
is($ws->expect('ack')->{id}, 1, 'one that was taken: acked again');

say(6);
refused(6, 'message 6, still before the others');

say($_) for 2 .. 6;
is($ws->expect('ack')->{id}, $_, "message $_ is in the log") for 2 .. 6;
is($host->expect('signal')->{data}, "n$_", "message $_ arrives") for 2 .. 6;

$host->send_json({ type => 'ping' });
$host->expect('pong');
is(scalar(grep { $_->{type} eq 'signal' } $host->seen), 0, 'each of them once');

$gw->check_log();

done_testing();
