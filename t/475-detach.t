# Copyright (C) rs-gateway contributors

# A device's socket gives its request back after the welcome: the access log
# has its 101 at once, and the connection goes on, ends and is drained as any
# other.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(read_file wait_until);

my $redis = RS::Redis->new();


sub access_log {
    my ($gw) = @_;

    return join '', grep { m{/agent|/signal} }
                    split /^/, read_file($gw->dir . '/logs/access.log');
}


sub stub {
    my ($gw) = @_;
    my $text = $gw->rest->request('GET', '/../../stub')->content;

    return { map { lc $_ } $text =~ /(Active|Writing)[a-z ]*: *(\d+)/gi };
}


for my $tls (0, 1) {
    my $name = $tls ? 'TLS' : 'plain';
    my $gw = RS::Gateway->new(redis => $redis, tls => $tls,
                              location => 'rs_hello_timeout 2s;',
                              server => 'location = /stub { stub_status; }');
    my $rest = $gw->rest(key => $redis->api_key);
    my $device = RS::Device->enroll($rest, name => 'desk');

    subtest "$name: logged, and goes on" => sub {
        $device->open($gw);
        is(access_log($gw), '', 'a stranger is not logged yet');
        $device->ws->close;
        wait_until { access_log($gw) =~ / 101 / } 5, 'its line';

        $device->connect($gw);
        wait_until { (() = access_log($gw) =~ / 101 /g) == 2 } 5,
                   'the line of a device that is online';

        $device->ws->send_ping('are you there');
        is($device->ws->recv->{opcode}, 10, 'a pong');
        $device->ws->send_ping('still');
        is($device->ws->recv->{data}, 'still', 'and another one');

        is($rest->post('/sessions', {
            host => { type => 'device', device_id => $device->id } })->status,
           201, 'a session');

        my $host = $device->join($gw, $device->expect('invite'));

        is($device->welcome->{role}, 'host', 'the host comes');
        is(stub($gw)->{writing}, 2, 'stub_status has the host and itself');

        my $long = 'x' x 60000;

        $device->ws->send_json({ type => 'nothing', long => $long });
        is($device->expect('error')->{code}, 'unknown_type',
           'a message of many reads');

        $host->close;
        $device->ws->send_close(1000);
        is($device->ws->expect_close, 1000, 'it is closed');
        $gw->wait_log(qr/rs conn \S+ ends after \d+ s, \d+ bytes sent/);
        wait_until { stub($gw)->{active} <= 1 } 5, 'stub_status without it';
    };

    subtest "$name: ends of other kinds" => sub {
        $device->connect($gw);
        $device->ws->reset;
        wait_until { !$rest->get('/devices/' . $device->id)->json->{online} }
                   5, 'a reset being noticed';

        $device->connect($gw);
        $device->ws->send_frame(opcode => 2, payload => 'binary');
        is($device->ws->expect_close, 1003, 'a frame that is not taken');

        # hello and more in one segment: the rest must not be lost

        my $challenge = $device->open($gw);
        my $ws = $device->ws;

        $ws->raw(join '',
                 map { $ws->frame(payload => JSON::encode_json($_)) }
                 $device->hello($challenge));
        $ws->expect('welcome');
        $ws->raw($ws->frame(payload => '{"type":"ping"}') x 20);
        $ws->expect('pong') for 1 .. 20;
        pass('many messages in one segment');

        # replaced by its own newer socket, then told to come back

        my $new = RS::Device->new(id => $device->id, key => $device->{key});

        $new->connect($gw);
        is($ws->expect_close, 4409, 'replaced');

        $gw->reload();
        is($new->expect('goaway')->{after_ms}, 0, 'drained');
        is($new->ws->expect_close, 1012, 'and closed');
    };

    $gw->quit();
    $gw->check_log();
}


done_testing();
