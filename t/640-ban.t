# Copyright (C) rs-gateway contributors

# Who shows credentials that are not good is sent away: by all workers of all
# nodes, for longer each time, before anything of a credential is looked at;
# and nobody else is.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Util qw(top wait_until);

my $redis = RS::Redis->new();
my $key = $redis->api_key;
my $wrong = $key =~ s/.{4}$/aaaa/r;
my $REALIP = "$METRICS_LOCATION set_real_ip_from 127.0.0.1; "
             . 'real_ip_header X-Real-IP;';


sub gateway {
    my ($ban, %opt) = @_;

    return RS::Gateway->new(redis => $redis, server => $REALIP,
                            http => "rs_ban $ban;", %opt);
}


sub from {
    my ($gw, $address, %opt) = @_;

    return $gw->rest(key => $key, headers => { 'X-Real-IP' => $address }, %opt);
}


sub handshake {
    my ($gw, $address, $path, @protocols) = @_;
    my $ws = RS::WS->connect(port => $gw->port);

    $ws->upgrade(path => "/rs/v1/$path", protocols => ['rs.v1', @protocols],
                 headers => ["X-Real-IP: $address"]);

    return $ws;
}


# A device's login from an address; how it ended.

sub login {
    my ($gw, $address, $device) = @_;
    my $ws = handshake($gw, $address, 'agent');

    return $ws->status if $ws->status != 101;

    $ws->send_json($device->hello($ws->expect('challenge'),
                                  sign_host => 'localhost'));

    my $m = $ws->recv(20)->{json};

    return 'welcome' if $m->{type} eq 'welcome';
    return "$m->{code} " . $ws->expect_close;
}


subtest 'an address' => sub {
    my $gw = gateway('failures=4 window=1h time=6s max=1h', workers => 2);
    my $rest = from($gw, '192.0.2.1');

    # REST, a ticket, an enrolment: whatever it is

    $gw->rest->problem($rest->with(key => $wrong)->get('/sessions'), 401,
                       'unauthenticated');
    is($rest->with(key => 'nonsense')->get('/sessions')->status, 401,
       'malformed');
    is($rest->with(key => undef)->get('/sessions')->status, 401,
       'none at all: that is no try') for 1 .. 9;
    is(handshake($gw, '192.0.2.1', 'signal', 'rs.ticket.default.x')
       ->expect_close, 4401, 'a bad ticket');
    is($rest->get('/sessions')->status, 200, 'not yet');

    my $begin = time();

    is($rest->with(key => undef)->post('/devices', {
           enrollment => 'rse_default_' . 'a' x 26 . '_' . 'a' x 52,
           public_key => RS::Device->new()->public_key,
           name => 'a' })->status, 403, 'a bad enrolment');

    for (1 .. 8) {
        my $r = $rest->get('/sessions');

        $gw->rest->problem($r, 429, 'rate_limited');
        like($r->header('Retry-After'), qr/^[1-6]$/, 'Retry-After');
    }

    is(handshake($gw, '192.0.2.1', $_)->status, 429, $_) for qw(signal agent);
    is($rest->with(key => 'nonsense')->get('/sessions')->status, 429,
       'a bad key is not looked at');
    is($rest->get('/health/ready')->status, 200, 'health is for all');
    is(from($gw, '192.0.2.2')->get('/sessions')->status, 200,
       'so is the rest of the world');

    wait_until { $rest->get('/sessions')->status == 200 } 20, 'it ends';
    cmp_ok(time() - $begin, '>=', 5, 'not at once');

    $rest->with(key => 'nonsense')->get('/sessions') for 1 .. 4;

    my $r = $rest->get('/sessions');

    is($r->status, 429, 'the second ban');
    cmp_ok($r->header('Retry-After'), '>', 6, 'is twice as long');
    cmp_ok($r->header('Retry-After'), '<=', 12, 'and no longer');

    # IPv6: its /64

    from($gw, "2001:db8:0:1::$_", key => 'nonsense')->get('/sessions')
        for 1 .. 4;
    is(from($gw, '2001:db8:0:1:ffff::1')->get('/sessions')->status, 429,
       'one /64 is one address');
    is(from($gw, '2001:db8:0:2::1')->get('/sessions')->status, 200,
       'another /64 is not');

    my $m = metrics($gw);

    is($m->value('rs_failures_total', of => 'address'), 12, 'failures');
    is($m->value('rs_bans_total'), 3, 'bans');
    is($m->value('rs_connections_refused_total', reason => 'banned'), 2,
       'upgrades refused');
    cmp_ok($m->value('rs_banned_total'), '>=', 13, 'all that was refused');
    $gw->check_log;
};


subtest 'tickets to watch' => sub {
    my $gw = gateway('failures=3 window=1h');

    for my $address ('192.0.2.7', '192.0.2.8') {
        my @p = $address =~ /7$/ ? () : ('rs.ticket.'
            . (from($gw, '192.0.2.6')->post('/watch')->json->{ticket}
               =~ s/.{20}$/'A' x 20/er));

        for (1 .. 3) {
            my $ws = handshake($gw, $address, 'watch', @p);

            is($ws->expect_close, 4401, "$address: none, or a wrong one");
        }

        wait_until { handshake($gw, $address, 'watch', @p)->status == 429 }
            20, 'are counted';
    }

    $gw->check_log;
};


subtest 'good callers' => sub {
    my $gw = gateway('failures=2 window=1h');
    my $rest = from($gw, '192.0.2.10');
    my $device = RS::Device->enroll($rest);
    my $before = $redis->keys('rs:{b}:*');

    is($rest->get('/sessions')->status, 200, 'a key') for 1 .. 5;
    is(login($gw, '192.0.2.10', $device), 'welcome', 'a device');
    is($redis->keys('rs:{b}:*'), $before, 'are not told of to Redis');
    is($redis->call('HLEN', 'rs:{b}:ban:a:192.0.2.10'), 0, 'nothing of them');
    $gw->check_log;
};


subtest 'who has signed out' => sub {
    my $issuer = RS::Issuer->new();
    my $gw = gateway('failures=2 window=1h', location => $issuer->conf
                     . ' rs_oidc_role admin admins;');
    my $anna = from($gw, '192.0.2.77',
                    key => $issuer->token(groups => ['admins']));

    is($anna->post('/me/sign-out')->status, 204, 'signs out');

    # other pages of hers go on for a while, others sit in the same office

    is($anna->get('/sessions')->status, 401, 'her token is void')
        for 1 .. 5;
    is(from($gw, '192.0.2.77')->get('/sessions')->status, 200,
       'which is no guess');
    from($gw, '192.0.2.77', key => $issuer->token . 'A')->get('/sessions')
        for 1 .. 2;
    is(from($gw, '192.0.2.77')->get('/sessions')->status, 429,
       'a token that is none of the issuer is one');
    $gw->check_log;
};


subtest 'exempt' => sub {
    my $gw = gateway('failures=1 window=1h; rs_ban_exempt 198.51.100.0/24 '
                     . '2001:db8:ff::/48');

    for my $address ('198.51.100.9', '2001:db8:ff:1::9',
                     '::ffff:198.51.100.9')
    {
        from($gw, $address, key => 'nonsense')->get('/sessions') for 1 .. 3;
        is(from($gw, $address)->get('/sessions')->status, 200, $address);
    }

    from($gw, '198.51.101.9', key => 'nonsense')->get('/sessions');
    is(from($gw, '198.51.101.9')->get('/sessions')->status, 429,
       'its neighbour');
    $gw->check_log;
};


subtest 'a device' => sub {
    my $gw = gateway('failures=3 window=1h time=5m', workers => 2);
    my $device = RS::Device->enroll(from($gw, '192.0.2.20'));
    my $thief = RS::Device->new(id => $device->id);
    my $other = RS::Device->enroll(from($gw, '192.0.2.20'));

    is(login($gw, '192.0.2.21', $thief), 'unauthenticated 4401',
       "a wrong key $_") for 1 .. 3;
    is(login($gw, '192.0.2.21', $thief), 'rate_limited 1008',
       'then it is not looked at');
    is(login($gw, '192.0.2.20', $device), 'welcome',
       'the right key is never locked out');
    is(login($gw, '192.0.2.21', $other), 'welcome',
       'nor is who shares the address');
    is(from($gw, '192.0.2.21')->get('/sessions')->status, 200,
       'nor the address');

    # lifted by its id and the address

    my @lift = (top('tools', 'rs-ban'), 'lift', $device->id, '--redis',
                'unix:' . $redis->socket, '--user', 'default');

    is(system(@lift, '--address', '192.0.2.21'), 0, 'rs-ban lift');
    wait_until { login($gw, '192.0.2.21', $device) eq 'welcome' } 10,
        'it is heard of';
    pass('the device may come from there, too');

    # but whoever makes up ids is known by his address

    login($gw, '192.0.2.22', RS::Device->new(id => 'dev_' . $_ x 26))
        for 'a' .. 'c';
    is(login($gw, '192.0.2.22', $other), 429, 'three made up ones');

    is(metrics($gw)->value('rs_failures_total', of => 'device'), 6, 'counted');
    $gw->check_log;
};


subtest 'the fleet' => sub {
    my @gw = map { gateway('failures=4 window=1h time=10m', workers => 2,
                           node => "fleet$_") } 1, 2;
    my $address = '192.0.2.30';

    from($gw[$_ % 2], $address, key => 'nonsense')->get('/sessions')
        for 1 .. 4;

    for my $gw (@gw) {
        wait_until {
            from($gw, $address)->get('/sessions')->status == 429
        } 10, 'each node knows';
        pass('banned on ' . $gw->port);
        is(from($gw, '192.0.2.31')->get('/sessions')->status, 200,
           'nobody else');
    }

    # a node that was not there

    my $late = gateway('failures=4 window=1h', node => 'fleet3');

    wait_until { from($late, $address)->get('/sessions')->status == 429 } 10,
        'a new node asks';
    pass('a new node knows, too');

    # lifted by the administrator

    my @at = ('--redis', 'unix:' . $redis->socket, '--user', 'default');
    my $list = qx(@{[top('tools', 'rs-ban')]} list @at);

    is($?, 0, 'rs-ban list');
    like($list, qr/^\d+\t\Q$address\E$/m, 'it is in the list');
    is(system(top('tools', 'rs-ban'), 'lift', $address, @at), 0, 'rs-ban lift');

    for my $gw (@gw, $late) {
        wait_until {
            from($gw, $address)->get('/sessions')->status == 200
        } 10, 'each node hears';
        pass('lifted on ' . $gw->port);
        $gw->check_log;
    }
};


subtest 'what was said while a node could not hear' => sub {
    my @gw = map { gateway('failures=2 window=1h time=10m', node => "deaf$_") }
             1, 2;
    my $address = '192.0.2.40';

    # its subscription goes; what is published meanwhile is lost

    my ($id) = map { /^id=(\d+) / ? $1 : () }
               grep { /name=rs-gateway-messages/ }
               split /\n/, $redis->call('CLIENT', 'LIST');

    $redis->call('CLIENT', 'KILL', 'ID', $id);
    from($gw[$_], $address, key => 'nonsense')->get('/sessions') for 0, 1;

    for my $gw (@gw) {
        wait_until {
            from($gw, $address)->get('/sessions')->status == 429
        } 20, 'it asks when it is back';
        pass('known on ' . $gw->port);
        $gw->check_log;
    }
};


subtest 'without Redis' => sub {
    my $own = RS::Redis->new();
    my $gw = RS::Gateway->new(redis => $own, workers => 2, server => $REALIP,
                              http => 'rs_ban failures=3 window=1h time=5m;');

    $own->stop;
    wait_until { $gw->all_answer('/health/ready', 503) } 20, 'it is noticed';

    is(from($gw, '192.0.2.50', key => 'nonsense')->get('/sessions')->status,
       401, 'a try') for 1 .. 3;
    is(from($gw, '192.0.2.50', key => 'nonsense')->get('/sessions')->status,
       429, 'the node counts by itself') for 1 .. 4;
    is(from($gw, '192.0.2.51', key => 'nonsense')->get('/sessions')->status,
       401, 'by address');

    $own->start;
    wait_until { $gw->all_answer('/health/ready', 200) } 20, 'back';
    is(from($gw, '192.0.2.50')->get('/sessions')->status, 429,
       'the ban stays when it is back');
    $gw->check_log;
};

done_testing();
