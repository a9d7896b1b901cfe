# Copyright (C) rs-gateway contributors

# More waits in the log than rs_send_queue holds: a participant that comes
# back, and one whose worker missed the publications, get all of it, once and
# in order.  It used to be poured into the queue at once, and the socket was
# closed as too slow although it read as fast as it could.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Proxy;
use RS::Redis;

my $redis = RS::Redis->new();
my $proxy = RS::Proxy->new(to => $redis->socket);
my $gw = RS::Gateway->new(redis => $redis, workers => 1,
    redis_conf => 'redis://127.0.0.1:' . $proxy->port,
    http => 'rs_lease_ttl 3s;', location => <<'END');
            rs_send_queue 65536;
            rs_log_rate 1m;
            rs_message_rate 1000;
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
my $w = $ws->expect('welcome');

$host->expect('joined');


my $last = 0;

# The host says n things of this size.

sub say {
    my ($n, $size) = @_;

    for my $id ($last + 1 .. $last + $n) {
        $host->send_json({ type => 'signal', id => $id,
                           data => 'x' x $size });
        $host->expect('ack');
    }

    return $last += $n;
}


sub hears {
    my ($socket, $from, $to, $what) = @_;
    my @ids;

    eval {
        push @ids, $socket->expect('signal', 10)->{id} for $from .. $to;
    };
    is($@, '', "$what: nothing went wrong");
    is("@ids", join(' ', $from .. $to), "$what: all of it, in order");

    return;
}


$ws->reset();
say(20, 30000);

my $back = $gw->signal("rs.resume.$w->{resume}.$w->{position}");

$w = $back->expect('welcome');
hears($back, 1, 20, 'a resume');

# as it goes out it is longer than the whole queue

say(1, 65480);
hears($back, 21, 21, 'the largest message');

# the subscription goes deaf; when the worker notices, it reads the log

$proxy->mute;
say(150, 3000);
hears($back, 22, 171, 'a gap');

$rest->delete('/sessions/' . $r->json->{id});
is($back->expect('ended')->{reason}, 'deleted', 'and still serves');

$gw->stop;
$gw->check_log;

done_testing();
