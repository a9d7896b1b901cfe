# Copyright (C) rs-gateway contributors

# A session between a device on one worker and people on another: invite,
# join, signalling through the log, membership, the end, and what each wrong
# message is answered.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(random_id wait_until start within);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, location => <<'END');
    rs_stun_server stun:turn.example.net:3478;
END
my $rest = $gw->rest(key => $redis->api_key(name => 'help desk'));
my $device = RS::Device->enroll($rest, name => 'reception-pc');

$device->connect($gw, worker => 1);


sub session {
    my (%more) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller', name => 'Ana' }], %more });

    die $r->content if $r->status != 201;

    return $r->json;
}


# both in the session, on different workers: the session, host, controller

sub both {
    my $s = session(@_);
    my $invite = $device->expect('invite');
    my $host = $device->join($gw, $invite, worker => 1);
    my ($p) = grep { $_->{ticket} } @{ $s->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);

    $ws->{welcome} = $ws->expect('welcome');
    $host->expect('joined');

    return ($s, $host, $ws, $invite);
}


subtest 'from the invite to the end' => sub {
    my $s = session(reason => 'no print', policy => { relay_only => \1 },
                    metadata => { case => 17 });

    is($s->{state}, 'waiting_host', 'it waits for the host');

    my $invite = $device->expect('invite');

    is($invite->{session}{id}, $s->{id}, 'the invite names it');
    is($invite->{session}{reason}, 'no print', 'and the reason');
    ok($invite->{session}{policy}{relay_only}, 'and the policy');
    is($invite->{requester}{name}, 'help desk', 'and who asks');

    $device->send_json({ type => 'accept', session_id => $s->{id} });

    my $host = $device->join($gw, $invite, worker => 1);
    my $hw = $device->welcome;

    is($hw->{role}, 'host', 'the device is the host');
    is($hw->{self}, $invite->{participant}, 'as the invited participant');
    is($hw->{ice}{iceTransportPolicy}, 'relay', 'relay_only is the policy');
    is_deeply($hw->{peers}, [], 'nobody else is there');
    is($rest->get("/sessions/$s->{id}")->json->{state}, 'connecting',
       'connecting');

    my ($p) = grep { $_->{ticket} } @{ $s->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);
    my $w = $ws->expect('welcome');

    is($w->{self}, $p->{id}, 'the controller is who was asked for');
    is($w->{role}, 'controller', 'with its role');
    is_deeply([map { "$_->{id} $_->{role} $_->{name} $_->{state}" }
               @{ $w->{peers} }],
              ["$hw->{self} host reception-pc joined"], 'it sees the host');
    is($w->{session}{host}{device_id}, $device->id, 'and its device');
    is($w->{ping_s}, 25, 'ping_s');
    is($w->{ice}{iceServers}[0]{urls}[0], 'stun:turn.example.net:3478',
       'its own ICE servers');

    my $joined = $host->expect('joined');
    is_deeply([@{ $joined->{peer} }{qw(id role name state)}],
              [$p->{id}, qw(controller Ana joined)], 'the host hears of it');

    my $data = { kind => 'offer', pc => 1, sdp => "v=0\r\n\x{1F600}\"" };
    $ws->send_json({ type => 'signal', to => $hw->{self}, id => 1,
                     data => $data });
    is($ws->expect('ack')->{id}, 1, 'acknowledged');

    my $got = $host->expect('signal');
    is($got->{from}, $p->{id}, 'from is the server\'s word');
    is($got->{id}, 1, 'the id');
    is_deeply($got->{data}, $data, 'the data, as it was');

    $host->send_json({ type => 'signal', id => 5, data => [1, undef, 'x'] });
    is($host->expect('ack')->{id}, 5, 'the host, to all');
    $got = $ws->expect('signal');
    is($got->{from}, $hw->{self}, 'from the host');
    is_deeply($got->{data}, [1, undef, 'x'], 'any JSON');

    $ws->send_json({ type => 'state', path => {
        kind => 'relay', protocol => 'udp', local => 'relay',
        remote => 'relay', rtt_ms => 12 } });

    my $state = $host->expect('state');
    is($state->{session_state}, 'active', 'active');
    is($state->{path}{kind}, 'relay', 'the path is told');

    my $read = $rest->get("/sessions/$s->{id}")->json;
    is($read->{state}, 'active', 'REST: active');
    is_deeply($read->{path}, $state->{path}, 'REST: the path');
    is_deeply($read->{metadata}, { case => 17 }, 'REST: metadata');
    is_deeply([map { "$_->{role} $_->{state}" } @{ $read->{participants} }],
              ['host joined', 'controller joined'], 'REST: participants');

    $ws->send_json({ type => 'ice' });
    is(ref $ws->expect('ice')->{ice}{iceServers}, 'ARRAY', 'fresh servers');

    my $start = start();
    is($rest->delete("/sessions/$s->{id}")->status, 204, 'ended by REST');

    for my $end ($ws, $host) {
        is($end->expect('ended')->{reason}, 'deleted', 'told why');
        is($end->expect_close(), 4410, 'closed 4410');
    }

    within($start, 1, 'within a second');

    $read = $rest->get("/sessions/$s->{id}")->json;
    is($read->{state}, 'ended', 'REST: ended');
    is($read->{end_reason}, 'deleted', 'REST: why');
    is($rest->delete("/sessions/$s->{id}")->status, 204, 'again: the same');
};


subtest 'a third one comes and goes' => sub {
    my ($s, $host, $ws) = both();
    my $r = $rest->post("/sessions/$s->{id}/participants",
                        { role => 'viewer', name => 'Bo' });

    is($r->status, 201, 'one more participant');

    my $third = $gw->signal('rs.ticket.' . $r->json->{ticket}, worker => 1);
    my $w = $third->expect('welcome');

    is(scalar @{ $w->{peers} }, 2, 'it sees two');
    is($_->expect('joined')->{peer}{role}, 'viewer', 'they see it')
        for $host, $ws;

    # to one: the other does not get it

    $third->send_json({ type => 'signal', id => 1, data => 'secret',
                        to => $ws->{welcome}{self} });
    $third->send_json({ type => 'signal', id => 2, data => 'all' });
    is($ws->expect('signal')->{data}, 'secret', 'what is for one');
    is($ws->expect('signal')->{data}, 'all', 'what is for all');
    is($host->expect('signal')->{data}, 'all', 'the other gets only that');

    $third->send_json({ type => 'bye', reason => 'done' });
    is($third->expect_close(), 1000, 'bye: 1000');

    for ($host, $ws) {
        my $left = $_->expect('left');
        is($left->{peer}, $w->{self}, 'they see it go');
        is($left->{reason}, 'bye', 'and why');
    }

    $ws->send_json({ type => 'bye' });
    is($ws->expect_close(), 1000, 'the last viewer says bye');
    is($host->expect('ended')->{reason}, 'left', 'that ends the session');
    is($host->expect_close(), 4410, 'closed 4410');
};


subtest 'messages that are wrong' => sub {
    my ($s, $host, $ws) = both();
    my $self = $ws->{welcome}{self};
    my $to = $host->{welcome}{self} // $device->welcome->{self};
    my $foreign = random_id('par_');
    my $deep = sub { '[' x $_[0] . ']' x $_[0] };

    my @open = (
        ['unknown type', '{"type":"launch"}', 'unknown_type'],
        ['no type', '{}', 'invalid_value'],
        ['type is no string', '{"type":1}', 'invalid_value'],
        ['a message of the other channel', '{"type":"hello"}',
         'unknown_type'],
        ['unknown field', '{"type":"ping","x":1}', 'unknown_field'],
        ['from is not the client\'s to say',
         qq({"type":"signal","id":1,"data":1,"from":"$to"}),
         'unknown_field'],
        ['id 0', '{"type":"signal","id":0,"data":1}', 'invalid_value'],
        ['id "1"', '{"type":"signal","id":"1","data":1}', 'invalid_value'],
        ['id 1.5', '{"type":"signal","id":1.5,"data":1}', 'invalid_value'],
        ['no data', '{"type":"signal","id":1}', 'invalid_value'],
        ['to is no id', '{"type":"signal","id":1,"data":1,"to":"me"}',
         'invalid_value'],
        ['a path of another kind', '{"type":"state","path":{"kind":"x"}}',
         'invalid_value'],
    );

    for my $case (@open) {
        my ($name, $text, $code) = @$case;

        $ws->send_text($text);

        my $error = $ws->expect('error');
        is($error->{code}, $code, "$name: $code");
        ok(length $error->{message}, "$name: \"$error->{message}\"");
    }

    $ws->send_json({ type => 'signal', id => 7, data => 1,
                     to => $foreign });
    my $error = $ws->expect('error');
    is($error->{code}, 'unknown_peer', 'a foreign peer: unknown_peer');
    is($error->{id}, 7, 'with its id');

    my $data = $deep->(15);
    $ws->send_text(qq({"type":"signal","id":8,"data":$data}));
    is($ws->expect('ack')->{id}, 8, 'depth 16 passes');
    is_deeply($host->expect('signal')->{data}, JSON::decode_json($data),
              'whole');

    $ws->send_json({ type => 'signal', id => 8, data => 'again' });
    is($ws->expect('ack')->{id}, 8, 'a repeated id is acknowledged');
    $ws->send_json({ type => 'signal', id => 3, data => 'older' });
    is($ws->expect('ack')->{id}, 3, 'and an older one');
    $ws->send_json({ type => 'signal', id => 9, data => 'new' });
    is($host->expect('signal')->{data}, 'new', 'but neither is delivered');

    is($rest->delete("/sessions/$s->{id}")->status, 204, 'ended');

    for my $case (
        ['duplicate keys', '{"type":"ping","type":"ping"}'],
        ['duplicate keys inside',
         '{"type":"signal","id":1,"data":{"a":1,"a":2}}'],
        ['depth 17', '{"type":"signal","id":1,"data":' . $deep->(16) . '}'],
        ['depth 10000', $deep->(10000)],
        ['no JSON', 'hello'],
        ['two values', '{"type":"ping"}{"type":"ping"}'],
        ['an array', '[]'],
        ['a NUL in a string', '{"type":"\u0000"}'],
    ) {
        my ($name, $text) = @$case;
        my ($s2, $host2, $ws2) = both();

        $ws2->send_text($text);
        is(eval { $ws2->expect_close() } // $@, 1007, "$name: close 1007");
        is($ws2->error->{code}, 'invalid_json', "$name: invalid_json");
        $rest->delete("/sessions/$s2->{id}");
    }
};


subtest 'a device that refuses' => sub {
    my $s = session();
    my $p = (grep { $_->{ticket} } @{ $s->{participants} })[0];
    my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);

    is($ws->expect('welcome')->{session}{state}, 'waiting_host',
       'the controller waits');

    my $invite = $device->expect('invite');
    $device->send_json({ type => 'reject', session_id => $s->{id},
                         reason => 'no_display', detail => 'Wayland' });

    is($ws->expect('ended')->{reason}, 'policy', 'ended: policy');
    is($ws->expect_close(), 4410, 'closed 4410');

    my $read = $rest->get("/sessions/$s->{id}")->json;
    is($read->{end_reason}, 'policy', 'REST: why');
    like($read->{end_detail}, qr/Wayland/, 'REST: the detail');

    my $late = $gw->signal("rs.ticket.$invite->{ticket}");
    ok(eval { $late->expect_close() } =~ /^44(?:01|10)$/,
       'the host\'s ticket is of no use now');

    $s = session();
    $device->expect('invite');
    $device->send_json({ type => 'reject', session_id => $s->{id},
                         reason => 'consent_denied' });
    wait_until {
        $rest->get("/sessions/$s->{id}")->json->{state} eq 'ended'
    } 5, 'the end';
    is($rest->get("/sessions/$s->{id}")->json->{end_reason},
       'consent_denied', 'consent_denied');
};


subtest 'an invite is not lost when the device reconnects' => sub {
    my $s = session();

    $device->ws->reset();
    $device->connect($gw, worker => 0);

    is($device->expect('invite')->{session}{id}, $s->{id}, 'invited again');
    is($rest->delete("/sessions/$s->{id}")->status, 204, 'ended');
    is($device->expect('revoke')->{session_id}, $s->{id}, 'revoked');
};


subtest 'a device away' => sub {
    $device->send_json({ type => 'bye' });
    is($device->ws->expect_close(), 1000, 'bye');

    wait_until {
        !$rest->get('/devices/' . $device->id)->json->{online}
    } 5, 'offline';

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id } });

    $rest->problem($r, 409, 'device_offline');
};


subtest 'a session that expires' => sub {
    $device->connect($gw, worker => 1);

    my ($s, $host, $ws) = both(ttl_s => 4);

    is($ws->expect('ended', 10)->{reason}, 'expired', 'expired');
    is($ws->expect_close(), 4410, 'closed');
    is($host->expect_close(), 4410, 'the host too');
};


$gw->check_log();

done_testing();
