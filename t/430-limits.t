# Copyright (C) rs-gateway contributors

# What a participant may cost: messages and bytes per second, participants of
# a session, bytes waiting for a slow reader, silence.

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


sub gateway {
    return RS::Gateway->new(redis => $redis, location => "@_");
}


# a session on this gateway: its id, host and controller

sub both {
    my ($gw, $device) = @_;
    my $rest = $gw->rest(key => $redis->api_key);
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;

    my $host = $device->join($gw, $device->expect('invite'));
    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}");

    $ws->expect('welcome');
    $host->expect('joined');

    return ($r->json->{id}, $host, $ws);
}


sub device {
    my ($gw) = @_;
    my $device = RS::Device->enroll($gw->rest(key => $redis->api_key));

    $device->connect($gw);

    return $device;
}


subtest 'messages per second' => sub {
    my $gw = gateway('rs_message_rate 5 burst=10;');
    my (undef, $host, $ws) = both($gw, device($gw));

    $ws->raw($ws->frame(payload =>
             qq({"type":"signal","id":$_,"data":$_}))) for 1 .. 30;

    is($ws->expect_close(), 1008, 'close 1008');
    is($ws->error->{code}, 'rate_limited', 'rate_limited');

    my @got = map { $host->expect('signal')->{data} } 1 .. 10;
    is_deeply(\@got, [1 .. 10], 'the burst was taken');
    $gw->check_log();
};


subtest 'bytes per second' => sub {
    my $gw = gateway('rs_log_rate 10k;');
    my (undef, undef, $ws) = both($gw, device($gw));
    my $data = 'x' x 8000;

    $ws->raw($ws->frame(payload =>
             qq({"type":"signal","id":$_,"data":"$data"}))) for 1 .. 5;

    is($ws->expect_close(), 1008, 'close 1008');
    is($ws->error->{code}, 'rate_limited', 'rate_limited');
    $gw->check_log();
};


# Each is an entry of the log, which would push out what others said.

subtest 'control that goes to and fro' => sub {
    my $gw = gateway('rs_log_rate 2k;');
    my (undef, undef, $ws) = both($gw, device($gw));

    $ws->raw($ws->frame(payload => qq({"type":"control","op":"$_"})))
        for ('release', 'request') x 40;

    is($ws->expect_close(), 1008, 'close 1008');
    is($ws->error->{code}, 'rate_limited', 'rate_limited');
    $gw->check_log();
};


subtest 'participants' => sub {
    my $gw = gateway('rs_max_participants 3;');
    my $rest = $gw->rest(key => $redis->api_key);
    my ($s) = both($gw, device($gw));

    is($rest->post("/sessions/$s/participants", { role => 'viewer' })->status,
       201, 'a third one');
    $rest->problem($rest->post("/sessions/$s/participants",
                               { role => 'viewer' }),
                   409, 'participants_full');
    $gw->check_log();
};


# A reader that has stopped: what waits for it is bounded, then it is closed;
# the sender and the worker's memory do not suffer.

subtest 'a reader that stopped' => sub {
    my $gw = gateway('rs_message_rate 100000; rs_log_rate 100m;',
                     'rs_log_size 1m; rs_send_queue 128k;',
                     'rs_peer_timeout 600s;');
    my ($s, $host, $ws) = both($gw, device($gw));
    my $data = 'x' x 30000;
    my $pid = ($gw->workers)[0];
    my $rss = sub {
        (read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m)[0] };
    my $sent = 0;
    my $before;

    # the kernel's buffers take some megabytes first

    while ($sent < 1000) {
        $sent++;
        $ws->send_json({ type => 'signal', id => $sent, data => $data });
        $ws->expect('ack');

        $before //= $rss->() if $sent == 50;
        last if $gw->error_log() =~ /overloaded|too slow|send queue/;
    }

    cmp_ok($sent, '<', 1000, "the reader was given up after $sent messages");

    my $grown = $rss->() - $before;
    SKIP: {
        skip 'the sanitizer keeps what was freed', 1 if $ENV{RS_ASAN};
        cmp_ok($grown, '<', 8192, "memory has grown by $grown KB");
    }

    $ws->send_json({ type => 'ping' });
    ok($ws->expect('pong'), 'the sender is served');
    $gw->check_log();
};


subtest 'silence' => sub {
    my $gw = gateway('rs_ping_interval 300ms; rs_peer_timeout 1s;');
    my $device = device($gw);
    my ($s) = both($gw, $device);
    my $rest = $gw->rest(key => $redis->api_key);
    my $r = $rest->post("/sessions/$s/participants", { role => 'viewer' });
    my $ws = $gw->signal('rs.ticket.' . $r->json->{ticket}, auto => 0);

    $ws->expect('welcome');
    ok($ws->expect('ping', 3), 'a ping comes');
    is($ws->expect_close(5), 4408, 'no answer: close 4408');
    is($ws->error->{code}, 'peer_timeout', 'peer_timeout');

    # who answers stays

    $r = $rest->post("/sessions/$s/participants", { role => 'viewer' });
    $ws = $gw->signal('rs.ticket.' . $r->json->{ticket}, auto => 0);
    $ws->expect('welcome');

    for (1 .. 8) {
        $ws->expect('ping', 3);
        $ws->send_json({ type => 'pong' });
    }

    pass('eight pings answered: still there');
    $gw->check_log();
};


done_testing();
