# Copyright (C) rs-gateway contributors

# The store changes the resume token, then the socket breaks before the
# welcome with the new one arrives: the participant comes back with the token
# it has, and misses nothing.  Once it has spoken, the old token is over.

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
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] });

is($r->status, 201, 'a session');

my $s = $r->json->{id};
my $host = $device->join($gw, $device->expect('invite'), worker => 1);
my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);
my $w = $ws->expect('welcome');
my $old = "rs.resume.$w->{resume}.$w->{position}";

$host->expect('joined');


sub token {
    return $redis->call('HGET', "rs:{default}:mem:$s", "r:$w->{self}");
}


# Comes back with the old token; the welcome is never read.

sub lose {
    my ($worker) = @_;
    my $before = token();
    my $lost = $gw->signal($old, worker => $worker);

    wait_until { token() ne $before } 10;
    $lost->reset();

    return;
}


$ws->reset();
$host->send_json({ type => 'signal', id => 1, data => 'one' });
$host->expect('ack');

lose($_) for 0, 1, 1;

my $back = $gw->signal($old, worker => 0);
my $w2 = $back->expect('welcome');

is($w2->{self}, $w->{self}, 'back with the token it has');
is($back->expect('signal')->{data}, 'one', 'nothing is missed');

$back->send_json({ type => 'signal', id => 1, data => 'here' });
is($back->expect('ack')->{id}, 1, 'it speaks');
is($host->expect('signal')->{data}, 'here', 'and is heard');

my $late = $gw->signal($old, worker => 1);

is($late->expect_close(), 4401, 'the old token is over now');

my $next = $gw->signal("rs.resume.$w2->{resume}.$w2->{position}",
                       worker => 1);

is($next->expect('welcome')->{self}, $w->{self}, 'the new one works');
is(scalar(grep { $_->{type} eq 'left' } $host->seen), 0, 'nobody has left');

$rest->delete("/sessions/$s");
$gw->stop;
$gw->check_log;

done_testing();
