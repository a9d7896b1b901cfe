# Copyright (C) rs-gateway contributors

# What an address may do before it is known, and what all of a tenant may do
# on a node: by handshakes, enrolments, credentials that are not good, POST,
# messages; whichever worker is asked.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $REALIP = "$METRICS_LOCATION set_real_ip_from 127.0.0.1; "
             . 'real_ip_header X-Real-IP;';
my $key = $redis->api_key;


# whose address a client has; IPv6 too, without one on this machine

sub from {
    return { 'X-Real-IP' => $_[0] };
}


# status of a handshake

sub handshake {
    my ($gw, $address, %opt) = @_;
    my $ws = RS::WS->connect(port => $gw->port,
        defined $opt{worker} ? (socket => $gw->socket(worker => $opt{worker}))
                             : ());

    $ws->upgrade(path => '/rs/v1/agent', protocols => ['rs.v1'],
                 headers => ["X-Real-IP: $address"]);

    return $ws;
}


subtest 'handshakes of an address' => sub {
    my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                              server => $REALIP,
                              http => 'rs_address_rate 1r/m burst=3;');

    is(handshake($gw, '192.0.2.1', worker => $_ % 2)->status, 101,
       "handshake $_") for 1 .. 3;

    for my $worker (0, 1) {
        my $ws = handshake($gw, '192.0.2.1', worker => $worker);

        is($ws->status, 429, "worker $worker has no more for it");
        like($ws->header('Retry-After'), qr/^(?:[1-9]|[1-5]\d|60)$/,
             'Retry-After: within a minute');
        is($ws->body->{code}, 'rate_limited', 'rate_limited');
    }

    is(handshake($gw, '192.0.2.2')->status, 101, 'another address may');

    is(handshake($gw, "2001:db8:0:1::$_")->status, 101, "IPv6 $_")
        for 1 .. 3;
    is(handshake($gw, '2001:db8:0:1:ffff::4')->status, 429,
       'one /64 is one address');
    is(handshake($gw, '2001:db8:0:2::1')->status, 101, 'another /64 may');
    is(handshake($gw, '::ffff:192.0.2.1')->status, 429,
       'IPv4 in IPv6 is IPv4');

    my $rest = $gw->rest(key => $key, headers => from('192.0.2.1'));

    $gw->rest->problem($rest->get('/sessions'), 429, 'rate_limited');
    is($rest->get('/health/ready')->status, 200, 'health is for all');
    is($gw->rest(key => $key, headers => from('192.0.2.9'))
          ->get('/sessions')->status, 200, 'another address has its session');

    $gw->reload;
    is(handshake($gw, '192.0.2.1')->status, 429, 'a reload forgets nothing');

    is(metrics($gw)->value('rs_connections_refused_total',
                           reason => 'address_rate'), 5, 'counted');
    $gw->check_log;
};


subtest 'credentials that are not good' => sub {
    my $gw = RS::Gateway->new(redis => $redis, server => $REALIP,
                              http => 'rs_address_rate 1r/m burst=4;');
    my $good = $gw->rest(key => $key, headers => from('192.0.2.1'));

    is($good->get('/sessions')->status, 200, 'good keys cost nothing')
        for 1 .. 6;

    # a wrong key is refused by the store, a malformed one before it

    $gw->rest->problem($good->with(key => $redis->api_key =~ s/.{4}$/aaaa/r)
                            ->get('/sessions'), 401, 'unauthenticated')
        for 1 .. 2;
    is($good->with(key => 'nonsense')->get('/sessions')->status, 401,
       'malformed') for 1 .. 2;
    $gw->rest->problem($good->get('/sessions'), 429, 'rate_limited');

    # a handshake and a ticket that is not good: two

    my @ws = map { $gw->signal('rs.ticket.default.nonsense',
                               headers => ['X-Real-IP: 192.0.2.2']) } 1 .. 2;

    is($_->expect_close, 4401, 'a bad ticket') for @ws;
    is(handshake($gw, '192.0.2.2')->status, 429, 'that was all');

    # so it is with a device's signature

    for (1 .. 2) {
        my $ws = handshake($gw, '192.0.2.3');
        my $device = RS::Device->new(id => 'dev_' . 'a' x 26,
                                     host => 'localhost');

        $ws->send_json($device->hello($ws->expect('challenge')));
        is($ws->expect_close, 4401, 'a bad signature');
    }

    is(handshake($gw, '192.0.2.3')->status, 429, 'that was all');

    # an enrolment takes one, and another one for what is not good

    my $rest = $gw->rest(headers => from('192.0.2.4'));
    my $body = { enrollment => 'ret_default_' . 'a' x 26 . '_' . 'a' x 52,
                 public_key => RS::Device->new()->public_key, name => 'a' };
    my @status = map { $rest->post('/devices', $body)->status } 1 .. 5;

    is($status[-1], 429, "enrolments end: @status");
    $gw->check_log;
};


subtest 'a tenant' => sub {
    my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                              server => $METRICS_LOCATION,
                              http => 'rs_tenant_rate 1r/m burst=8;');
    my $rest = $gw->rest(key => $key);
    my $device = RS::Device->enroll($rest);                      # one

    $device->connect($gw, worker => 1);

    # whoever names a tenant without a key of it takes nothing

    is($rest->with(key => $redis->api_key =~ s/.{4}$/aaaa/r)
            ->post('/enrollments', {})->status, 401, 'not a key')
        for 1 .. 9;

    my $r = $rest->post('/sessions', {                           # two
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    is($r->status, 201, 'a session') or diag($r->content);

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $host = $device->join($gw, $device->expect('invite'), worker => 1);
    my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);

    $ws->expect('welcome');
    $host->expect('joined');

    for my $id (1 .. 3) {                                        # to eight
        $ws->send_json({ type => 'signal', id => $id, data => $id });
        $ws->expect('ack');
        $host->expect('signal');
        $host->send_json({ type => 'signal', id => $id, data => $id });
        $host->expect('ack');
    }

    $ws->send_json({ type => 'input', data => 1 });
    is($host->expect('input')->{data}, 1, 'input is not counted here');

    $ws->send_json({ type => 'signal', id => 4, data => 4 });
    is($ws->expect_close, 1008, 'one more closes with 1008');
    is($ws->error->{code}, 'rate_limited', 'rate_limited');

    my $refused = $rest->post('/enrollments', {});

    $rest->problem($refused, 429, 'rate_limited');
    cmp_ok($refused->header('Retry-After'), '>', 1, 'Retry-After');
    is($rest->get('/sessions')->status, 200, 'reading is not limited');
    is($gw->rest(key => $redis->api_key(tenant => 'other'))
          ->post('/enrollments', {})->status, 201, 'another tenant may');

    is(metrics($gw)->value('rs_tenant_limited_total'), 2, 'counted');
    $gw->check_log;
};


subtest 'the bucket fills again' => sub {
    my $gw = RS::Gateway->new(redis => $redis, server => $REALIP,
                              http => 'rs_address_rate 10r/s burst=1;');
    wait_until {
        handshake($gw, '192.0.2.1');
        handshake($gw, '192.0.2.1')->status == 429;
    } 10, 'the burst is used up';

    wait_until { handshake($gw, '192.0.2.1')->status == 101 } 5,
        'a token is there again';
    pass('after a tenth of a second');
    $gw->check_log;
};

done_testing();
