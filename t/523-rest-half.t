# Copyright (C) rs-gateway contributors

# REST gets half of rs_redis_inflight: lists do not keep messages away.  And
# removing a device whose sessions cannot all be ended is not called done: the
# call can be repeated until it is.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(now wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, http => <<'END');
    rs_redis_inflight 8;
    rs_redis_timeout 30s;
END
my $rest = $gw->rest(key => $redis->api_key);
my $token = $rest->post('/enrollments', { max_uses => 9 })->json->{token};
my @devices = map {
    RS::Device->enroll($rest, name => "d$_", token => $token)
} 1 .. 9;
my $device = $devices[0];

$device->connect($gw);


sub session {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $host = $device->join($gw, $device->expect('invite'));

    return ($r->json->{id}, $host, $p->{ticket});
}


# A refused list is answered while its other calls are still under way, and
# Redis answers in order: these four places are free when this call is done.

sub settle {
    wait_until { $rest->get('/devices?limit=4')->status == 200 } 20,
               'free places';

    return;
}


subtest 'lists' => sub {
    my ($id, $host, $ticket) = session();
    my $ws = $gw->signal("rs.ticket.$ticket");

    $ws->expect('welcome');

    is($rest->get('/devices?limit=4')->status, 200, 'four at once');

    my $r = $rest->get('/devices?limit=9');

    $rest->problem($r, 503, 'unavailable');
    like($r->header('Retry-After'), qr/^\d+$/, 'Retry-After');

    # more callers than there are places, while Redis stands still

    settle();
    $redis->freeze;

    my @calls = map { $gw->socket() } 1 .. 8;

    for my $s (@calls) {
        print {$s} "GET /rs/v1/devices HTTP/1.1\r\nHost: localhost\r\n"
                   . "Authorization: Bearer $rest->{key}\r\n"
                   . "Connection: close\r\n\r\n";
        $s->flush;
    }

    # half of them are answered at once

    my %status;
    my $bits = '';

    vec($bits, fileno($_), 1) = 1 for @calls;

    wait_until {
        my $n = select(my $ready = $bits, undef, undef, 0);
        $n == 4
    } 20, 'four answers, sooner than rs_redis_timeout';

    $ws->send_json({ type => 'signal', id => $_, data => 'x' }) for 1 .. 2;
    $ws->expect_silence(0.3);
    pass('messages are not refused');

    $redis->thaw;
    is($ws->expect('ack')->{id}, $_, "message $_ is taken") for 1 .. 2;

    $status{ (readline($_) =~ / (\d+) /)[0] }++ for @calls;
    is($status{503} >= 4, 1, 'the other callers were refused')
        or diag(explain(\%status));
    settle();
    is($rest->delete("/sessions/$id")->status, 204, 'the session is ended');
};


subtest 'a device with many sessions is removed' => sub {
    my @sessions = map { [session()] } 1 .. 6;
    my @guests = map { $gw->signal("rs.ticket.$_->[2]") } @sessions;

    $_->expect('welcome') for @guests;

    my $start = now();
    my $path = '/devices/' . $device->id;
    my $r = $rest->delete($path);

    $rest->problem($r, 503, 'unavailable', detail =>
        'the device is removed, but not all of its sessions and tunnels could '
        . 'be ended; repeat the call');
    like($r->header('Retry-After'), qr/^\d+$/, 'Retry-After');
    is($rest->get($path)->status, 404, 'it is gone');
    is($device->ws->expect_close(), 4403, 'its channel is closed');

    my $calls = 1;

    while ($calls < 6 && $r->status == 503) {
        $r = $rest->delete($path);
        $calls++;
    }

    is($r->status, 204, "done by $calls calls");

    for my $i (0 .. $#sessions) {
        my ($id, $host) = @{ $sessions[$i] };

        is($host->expect_close(), 4410, "session $i: the host is out");
        is($guests[$i]->expect_close(), 4410, 'the guest, too');
        is($rest->get("/sessions/$id")->json->{end_reason}, 'device_removed',
           'and for that reason');
    }

    is($rest->delete($path)->status, 404, 'nothing is left');
};

$gw->quit;
$gw->check_log;

done_testing();
