# Copyright (C) rs-gateway contributors

# A device that was told to come back has no socket for a moment: it still
# counts as online, a session with it can be made, and it is invited when it
# comes.  One that does not come is offline soon.  Coming back is no takeover,
# of which a device has only a few a minute.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(now start wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, drain => '300ms');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');


sub create {
    return $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id } });
}


sub online {
    return $rest->get('/devices/' . $device->id)->json->{online};
}


# It answers the close at once, as a device does that is alive, and not after
# all of the reload.

sub told {
    my ($name) = @_;
    my $reload = $gw->start_reload();

    $device->expect('goaway');
    is($device->ws->expect_close, 1012, "$name: told to come back");

    my $start = start();

    $reload->();

    return $start;
}


for my $i (1 .. 9) {
    my (@old, $start, $online, $r);

    # it is expected for 2.5 s: of what took longer, nothing can be said

    for (1 .. 9) {
        $device->connect($gw);
        @old = $gw->workers();
        $start = told("reload $i");
        $online = online();
        $r = create();
        last if now() - $start < 2;
        $rest->delete('/sessions/' . $r->json->{id}) if $r->status == 201;
    }

    ok($online, 'it is online, without a socket');
    is($r->status, 201, 'a session can be made');
    is($r->json->{state}, 'waiting_host', 'and waits for its host');

    $device->connect($gw);
    is($device->expect('invite')->{session}{id}, $r->json->{id},
       'for which it is invited');

    wait_until { !grep { -e "/proc/$_" } @old } 5, 'end of the old workers';

    $device->send_json({ type => 'ping' });
    is($device->expect('pong')->{type}, 'pong',
       'the end of the old worker changes nothing');
    ok(online(), 'and it is online');
    $rest->delete('/sessions/' . $r->json->{id});
}


subtest 'it does not come' => sub {
    my @old = $gw->workers();
    my $start = told('reload');

    wait_until { !online() } 6, 'it being offline';
    cmp_ok(now() - $start, '>', 1, 'it was waited for');
    is(create()->json->{code}, 'device_offline', 'no session with it');
    wait_until { !grep { -e "/proc/$_" } @old } 5, 'end of the old workers';
};


subtest 'a close without goaway' => sub {
    $device->connect($gw);
    $device->send_json({ type => 'bye' });
    $device->ws->expect_close;
    wait_until { !online() } 1, 'it being offline';
    is(create()->json->{code}, 'device_offline', 'at once');
};


subtest 'a goaway that is not answered' => sub {
    my ($old) = $gw->workers();

    $device->connect($gw, worker => 0);
    $gw->reload();
    $device->expect('goaway');
    wait_until { !-e "/proc/$old" } 4, 'end of the old worker';
    ok(!online(), 'is not waited for a second time');
};


$gw->stop();
$gw->check_log();

done_testing();
