# Copyright (C) rs-gateway contributors

# REST: sessions and their participants, from an API key that never joins
# them; TURN credentials.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(hmac_sha1_base64);
use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(now wait_until random_id tempdir write_file);

my $secret = 'k3Vb9qTz7Lw2XyRm8Pd5HcJf4NsGa6Ue';
my $file = write_file(tempdir() . '/secret', "$secret\n", 0644);
my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(
    redis => $redis, workers => 2,
    http => 'map $http_x_region $region { default ""; ~^(?<x>[a-z]+)$ $x; }
             rs_lease_ttl 3s;',
    location => "
        rs_max_participants 4;
        rs_stun_server stun:turn.example.net:3478;
        rs_turn_server eu turn:eu.example.net:3478
                          turns:eu.example.net:443?transport=tcp;
        rs_turn_server us turn:us.example.net:3478;
        rs_turn_region \$region;
        rs_turn_secret_file $file;
        rs_turn_ttl 300s;
    ");
my $rest = $gw->rest(key => $redis->api_key);
my $foreign = $gw->rest(key => $redis->api_key(tenant => 'other'));

my $device = RS::Device->enroll($rest, name => 'reception-pc');
my $host = { type => 'device', device_id => $device->id };
my %open = (relay_only => JSON::false(), consent => 'none',
            view_only => JSON::false(), clipboard => 'both', files => 'both',
            sound => JSON::true());

$device->connect($gw, worker => 0);


sub create {
    my (%more) = @_;
    my $r = $rest->post('/sessions', { host => $host, %more });

    die $r->content if $r->status != 201;

    return $r->json;
}


# lists are ordered by the millisecond

sub tick {
    my $start = now();

    return wait_until { now() - $start > 0.002 } 1, 'another millisecond';
}


sub ids { return map { $_->{id} } @{ $rest->get($_[0])->json->{items} } }


subtest 'a session' => sub {
    my $r = $rest->post('/sessions', {
        host => $host, policy => { relay_only => JSON::true() },
        external_id => 'T-1', reason => "printer\ndoes not print",
        metadata => { queue => ['a', { b => 1.5 }], n => undef },
        ttl_s => 600, participants => [
            { role => 'controller', name => 'Ann', external_id => 'u1' },
            { role => 'viewer', ttl_s => 5 } ] });

    is($r->status, 201, 'made');

    my $s = $r->json;

    like($s->{id}, qr/^ses_[a-z2-7]{26}$/, 'id');
    is($r->header('Location'), "/rs/v1/sessions/$s->{id}", 'Location');
    is_deeply([@{$s}{qw(kind state external_id reason)}],
              ['device', 'waiting_host', 'T-1', "printer\ndoes not print"],
              'what was asked for');
    is_deeply($s->{host}, $host, 'host');
    is_deeply($s->{policy}, { %open, relay_only => JSON::true() },
              'policy');
    is_deeply($s->{metadata}, { queue => ['a', { b => 1.5 }], n => undef },
              'metadata');
    is($s->{expires_at} - $s->{created_at}, 600, 'its life');
    is_deeply([@{$s}{qw(ended_at end_reason end_detail path)}],
              [(undef) x 4], 'not ended, no path');

    my ($ann, $viewer) = @{ $s->{participants} };

    is_deeply([@{$ann}{qw(role name external_id state joined_at left_at)}],
              ['controller', 'Ann', 'u1', 'invited', undef, undef], 'Ann');
    is_deeply([@{$viewer}{qw(role name external_id)}],
              ['viewer', undef, undef], 'a viewer');

    for my $p ($ann, $viewer) {
        like($p->{ticket}, qr/^default\.[a-z2-7]{78}$/, 'a ticket');
        is(substr($p->{ticket}, 8, 26), substr($s->{id}, 4),
           'names its session');
        is($p->{join_url}, 'http://127.0.0.1:' . $gw->port
                           . "/console/#join=$p->{ticket}", 'join_url');
        unlike($redis->dump, qr/@{[ substr $p->{ticket}, -52 ]}/,
               'is kept nowhere');
    }

    is($ann->{ticket_expires_at} - $s->{created_at}, 60, 'its life');
    is($viewer->{ticket_expires_at} - $s->{created_at}, 5, 'as asked for');

    my $invite = $device->expect('invite');

    is($invite->{session}{id}, $s->{id}, 'the device is invited');

    my $peer = $gw->signal("rs.ticket.$ann->{ticket}", worker => 1);
    my $welcome = $peer->expect('welcome');

    is($welcome->{self}, $ann->{id}, 'the ticket is Ann\'s');
    is($welcome->{ice}{iceTransportPolicy}, 'relay', 'relay only');

    my $at_host = $device->join($gw, $invite);

    $peer->expect('joined');

    my $got = $rest->get("/sessions/$s->{id}")->json;

    is($got->{state}, 'connecting', 'both are there');
    is_deeply([map { "$_->{role} $_->{state}" } @{ $got->{participants} }],
              ['host joined', 'controller joined', 'viewer invited'],
              'who is in');
    is($got->{participants}[0]{name}, 'reception-pc', 'the host has a name');
    ok(!grep({ exists $_->{ticket} } @{ $got->{participants} }),
       'tickets are shown once');

    my $path = { kind => 'relay', protocol => 'udp', local => 'relay',
                 remote => 'srflx', rtt_ms => 12 };

    $peer->send_json({ type => 'state', path => $path });
    wait_until {
        $rest->get("/sessions/$s->{id}")->json->{state} eq 'active'
    } 5, 'an active session';

    $got = $rest->get("/sessions/$s->{id}")->json;
    is_deeply($got->{path}, $path, 'the path of the session');
    is_deeply($got->{participants}[1]{path}, $path, 'and of who reported it');

    is($rest->delete("/sessions/$s->{id}")->status, 204, 'ended');
    is($_->expect('ended')->{reason}, 'deleted', 'told') for $peer, $at_host;
    $_->expect_close(4410) for $peer, $at_host;

    $got = $rest->get("/sessions/$s->{id}")->json;
    is_deeply([@{$got}{qw(state end_reason)}], ['ended', 'deleted'], 'ended');
    ok($got->{ended_at}, 'when');
    is($rest->delete("/sessions/$s->{id}")->status, 204, 'again: 204');
    $rest->problem($rest->post("/sessions/$s->{id}/participants",
                               { role => 'viewer' }), 410, 'session_ended');
};


subtest 'the least a session needs' => sub {
    my $s = create();

    is_deeply($s->{participants}, [], 'nobody is asked for');
    is_deeply($s->{policy}, \%open,
              'policy');
    is_deeply([@{$s}{qw(external_id reason metadata)}], [(undef) x 3],
              'the rest is null');
    is($s->{expires_at} - $s->{created_at}, 43200, 'the longest life');
    $rest->delete("/sessions/$s->{id}");
};


subtest 'one more participant' => sub {
    my $s = create(participants => [{ role => 'controller' }]);
    my $path = "/sessions/$s->{id}/participants";
    my $r = $rest->post($path, { role => 'viewer', name => 'Bob' });

    is($r->status, 201, 'made');
    is_deeply([@{ $r->json }{qw(role name state)}],
              ['viewer', 'Bob', 'invited'], 'Bob');
    cmp_ok($r->json->{ticket_expires_at}, '>=', $s->{created_at} + 60,
           'a ticket of a minute');

    my $ws = $gw->signal('rs.ticket.' . $r->json->{ticket});

    is($ws->expect('welcome')->{self}, $r->json->{id}, 'its ticket works');

    is($rest->post($path, { role => 'viewer' })->status, 201, 'a fourth');
    $rest->problem($rest->post($path, { role => 'viewer' }), 409,
                   'participants_full');

    $rest->problem($foreign->post($path, { role => 'viewer' }), 404,
                   'not_found');
    $rest->problem($rest->post('/sessions/' . random_id('ses_')
                               . '/participants', { role => 'viewer' }), 404,
                   'not_found');
    $rest->problem($rest->post($path, {}), 422, 'invalid_value',
                   pointer => '/role');
    $rest->delete("/sessions/$s->{id}");
};


subtest 'Idempotency-Key of a session' => sub {
    my %key = ('Idempotency-Key' => 'job-17/a');
    my %body = (host => $host, participants => [
        { role => 'controller', name => 'Ann' }, { role => 'viewer' } ]);
    my $first = $rest->post('/sessions', \%body, \%key);
    my $again = $rest->post('/sessions', \%body, \%key);

    is($again->status, 201, 'repeated');
    is($again->json->{id}, $first->json->{id}, 'the same session');
    is($again->header('Location'), $first->header('Location'), 'Location');
    is_deeply([map { "$_->{id} $_->{role}" } @{ $again->json->{participants} }],
              [map { "$_->{id} $_->{role}" } @{ $first->json->{participants} }],
              'the same participants');

    my ($old, $new) = map { $_->json->{participants}[0]{ticket} }
                      $first, $again;

    isnt($new, $old, 'another ticket');

    my $ws = $gw->signal("rs.ticket.$new");

    is($ws->expect('welcome')->{self}, $first->json->{participants}[0]{id},
       'the new ticket works');
    is(scalar(grep { $_ eq $first->json->{id} } ids('/sessions?limit=200')),
       1, 'made once');

    $rest->problem($rest->post('/sessions', { %body, reason => 'other' },
                               \%key), 422, 'idempotency_mismatch');

    my $p = "/sessions/@{[ $first->json->{id} ]}/participants";
    my %pkey = ('Idempotency-Key' => 'job-17/a');
    my $bob = $rest->post($p, { role => 'viewer', name => 'Bob' }, \%pkey);
    my $bob2 = $rest->post($p, { name => 'Bob', role => 'viewer' }, \%pkey);

    is($bob->status, 201, 'the same key elsewhere is another');
    is($bob2->json->{id}, $bob->json->{id}, 'the same participant');
    isnt($bob2->json->{ticket}, $bob->json->{ticket}, 'another ticket');
    ok($gw->signal('rs.ticket.' . $bob2->json->{ticket})->expect('welcome'),
       'which works');
    $rest->problem($rest->post($p, { role => 'viewer' }, \%pkey), 422,
                   'idempotency_mismatch');

    $rest->delete('/sessions/' . $first->json->{id});
    $rest->problem($rest->post('/sessions', \%body, \%key), 410,
                   'session_ended');
};


subtest 'twenty at once with one key make one session' => sub {
    my @streams = map {
        $rest->start('POST', '/sessions', body => { host => $host },
                     headers => { 'Idempotency-Key' => 'burst' },
                     socket => $gw->socket(worker => $_ % 2))
    } 1 .. 20;
    my @answers = map { $rest->finish($_, 10) } @streams;
    my %ids = map { $_->json->{id} => 1 } @answers;

    is_deeply([grep { $_->status != 201 } @answers], [], 'all are served');
    is(scalar keys %ids, 1, 'by one session');
    $rest->delete("/sessions/$_") for keys %ids;
};


subtest 'a device that is not there' => sub {
    my $off = RS::Device->enroll($rest);
    my %host = (type => 'device', device_id => $off->id);

    $rest->problem($rest->post('/sessions', { host => \%host }), 409,
                   'device_offline');
    $rest->problem($foreign->post('/sessions', { host => $host }), 404,
                   'not_found', pointer => '/host/device_id');

    # its record says it is there, but the worker it names holds no lease;
    # one that was never heard of might be new, for as long as a lease lasts

    $redis->call('HSET', 'rs:{default}:dev:' . $off->id, 'owner',
                 'ghost.0.0123456789abcdef.7');

    wait_until {
        !$rest->request('GET', '/devices/' . $off->id,
                        socket => $gw->socket(worker => 0))->json->{online}
    } 6, 'the end of the grace';

    $rest->problem($rest->request('POST', '/sessions', body => {
                       host => \%host, external_id => 'ghost' },
                       socket => $gw->socket(worker => 0)),
                   409, 'device_offline');

    my ($s) = @{ $rest->get('/sessions?external_id=ghost')->json->{items} };

    is_deeply([@{$s}{qw(state end_reason end_detail)}],
              ['ended', 'host_lost', 'device offline'],
              'the session made for it has ended');
    is($redis->count("rs:{default}:dses:@{[ $off->id ]}"), 0,
       'and counts for nothing');
};


subtest 'a device has at most 64 live sessions' => sub {
    my @made = map { create()->{id} } 1 .. 64;
    my $r = $rest->post('/sessions', { host => $host });

    $rest->problem($r, 429, 'limit_reached');
    is($r->header('Retry-After'), 1, 'Retry-After');

    $rest->delete("/sessions/$made[0]");
    push @made, create()->{id};
    $rest->delete("/sessions/$_") for @made;
};


subtest 'lists and filters' => sub {
    my $a = create(external_id => 'list 1')->{id};
    tick();
    my $b = create(external_id => 'list 1')->{id};
    tick();
    my $c = create(external_id => 'list+2')->{id};

    is_deeply([(ids('/sessions'))[0 .. 2]], [$c, $b, $a], 'newest first');
    is_deeply([ids('/sessions?external_id=list+1')], [$b, $a],
              'by external_id');
    is_deeply([ids('/sessions?external_id=list%2B2')], [$c], 'with escapes');
    is_deeply([ids('/sessions?state=waiting_host&limit=200')], [$c, $b, $a],
              'by state');
    is_deeply([ids('/sessions?limit=3&device_id=' . random_id('dev_'))], [],
              'by device');

    my $page = $rest->get('/sessions?limit=2')->json;

    is_deeply([map { $_->{id} } @{ $page->{items} }], [$c, $b], 'one page');
    is((ids("/sessions?limit=1&cursor=$page->{next_cursor}"))[0], $a,
       'the next');
    is_deeply([map { $_->{id} } @{ $foreign->get('/sessions')
                                           ->json->{items} }], [],
              'of its own tenant only');

    for my $id ($a, $b, $c) {
        $rest->problem($foreign->get("/sessions/$id"), 404, 'not_found');
        $rest->problem($foreign->delete("/sessions/$id"), 404, 'not_found');
        is($rest->delete("/sessions/$id")->status, 204, 'ended');
    }

    is_deeply([ids('/sessions?state=waiting_host')], [], 'none waits');
};


# RFC 2104 with the secret that coturn has

sub password {
    my ($username) = @_;
    my $p = hmac_sha1_base64($username, $secret);

    return $p . '=' x (-length($p) % 4);
}


subtest 'ICE servers' => sub {
    my $now = time();
    my $r = $rest->post('/ice');
    my $ice = $r->json;

    is($r->status, 200, 'without a body');
    is($ice->{ttl_s}, 300, 'ttl_s');
    is($ice->{iceTransportPolicy}, 'all', 'policy');
    is_deeply([map { @{ $_->{urls} } } @{ $ice->{iceServers} }],
              ['stun:turn.example.net:3478', 'turn:eu.example.net:3478',
               'turns:eu.example.net:443?transport=tcp',
               'turn:us.example.net:3478'], 'servers');

    my ($stun, @turn) = @{ $ice->{iceServers} };

    ok(!exists $stun->{credential}, 'STUN needs no credential');

    for my $t (@turn) {
        like($t->{username},
             qr/^\d+:default\.ses_[a-z2-7]{26}\.par_[a-z2-7]{26}$/, 'who');

        my ($expiry) = split /:/, $t->{username};

        cmp_ok(abs($expiry - $now - 300), '<=', 5, 'until when');
        is($t->{credential}, password($t->{username}), 'the password');
    }

    my ($session) = $turn[0]{username} =~ /(ses_\w+)/;

    is($redis->call('HGET', "rs:{default}:ses:$session", 'kind'), 'turn',
       'a session stands behind it');
    $rest->problem($rest->get("/sessions/$session"), 404, 'not_found');

    isnt($rest->post('/ice')->json->{iceServers}[1]{username},
         $turn[0]{username}, 'each its own');

    $ice = $rest->post('/ice', { ttl_s => 60, relay_only => JSON::true() },
                       { 'X-Region' => 'us' })->json;
    is_deeply([@{$ice}{qw(ttl_s iceTransportPolicy)}], [60, 'relay'],
              'as asked for');
    is((grep { /^turn/ } map { @{ $_->{urls} } } @{ $ice->{iceServers} })[0],
       'turn:us.example.net:3478', 'the caller\'s region first');

    $rest->problem($rest->post('/ice', { ttl_s => 301 }), 422,
                   'invalid_value', pointer => '/ttl_s');
    $rest->problem($rest->post('/ice', { ttl_s => 0 }), 422,
                   'invalid_value', pointer => '/ttl_s');
    $rest->problem($rest->post('/ice', { relay_only => 1 }), 422,
                   'invalid_value', pointer => '/relay_only');
};


subtest 'GET /turn' => sub {
    my $r = $rest->get('/turn?service=turn', { 'X-Region' => 'us' });
    my $t = $r->json;

    is($r->status, 200, 'served');
    is($t->{ttl}, 300, 'ttl');
    is($t->{password}, password($t->{username}), 'the password');
    is_deeply($t->{uris}, ['turn:us.example.net:3478',
                           'turn:eu.example.net:3478',
                           'turns:eu.example.net:443?transport=tcp'],
              'uris, the caller\'s region first');
};


subtest 'Redis is gone' => sub {
    my $s = create();

    $redis->stop();

    wait_until { $gw->all_answer('/health/ready', 503) } 5, '503';

    my @calls = (['GET', '/sessions'], ['GET', "/sessions/$s->{id}"],
                 ['DELETE', "/sessions/$s->{id}"], ['POST', '/ice'],
                 ['POST', '/sessions', { host => $host }],
                 ['GET', '/turn?service=turn'], ['GET', '/devices'],
                 ['POST', '/devices', {}], ['POST', '/enrollments', {}],
                 ['PATCH', '/devices/' . $device->id, {}],
                 ['GET', '/health/ready']);

    for my $c (@calls) {
        my $r = $rest->request($c->[0], $c->[1], body => $c->[2]);

        $rest->problem($r, 503, 'unavailable');
        is($r->header('Retry-After'), 1, 'Retry-After');
        ok($r->within(1), 'at once') or diag($r->seconds);
    }

    is($rest->get('/health/live')->status, 200, 'the gateway lives');
    is($rest->get('/')->status, 200, 'and says what it is');

    $redis->start();
    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'readiness';

    my $r = $rest->get("/sessions/$s->{id}");
    is($r->json->{id}, $s->{id}, 'all is there again') or diag($r->content);
    $rest->delete("/sessions/$s->{id}");
};


unlike($gw->error_log, qr/rs[ke]_[a-z]+_[a-z2-7]{26}|default\.[a-z2-7]{78}/,
       'no credential in error.log');
$gw->check_log;
done_testing();
