# Copyright (C) rs-gateway contributors

# /check, for anybody: the address as it is seen, and ICE servers with
# credentials that nobody's session has, this often from an address; nothing of
# it in Redis.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(tempdir write_file);

my $REALIP = 'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;';
my $file = write_file(tempdir() . '/secret',
                      "k3Vb9qTz7Lw2XyRm8Pd5HcJf4NsGa6Ue\n", 0644);
my $TURN = <<"END";
    rs_stun_server stun:turn.example.net:3478;
    rs_turn_server eu turn:turn.example.net:3478 turns:turn.example.net:443;
    rs_turn_secret_file $file;
END
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, server => $REALIP,
                          location => $TURN,
                          http => 'rs_check_rate 1r/m burst=2;');


sub rest {
    my ($address, %headers) = @_;

    return $gw->rest(headers => { 'X-Real-IP' => $address, %headers });
}


subtest 'what is said' => sub {
    my $r = rest('192.0.2.1')->get('/check');

    is($r->status, 200, 'GET');
    is($r->json->{address}, '192.0.2.1', 'his address');
    ok($r->json->{turn}, 'that there is TURN');
    cmp_ok(abs($r->json->{now} - time), '<', 30, 'the time');

    my @before = $redis->call('DBSIZE');

    $r = rest('192.0.2.1')->request('POST', '/check');
    is($r->status, 200, 'POST');

    my $ice = $r->json;
    my ($stun, $turn) = @{ $ice->{iceServers} };

    is($ice->{ttl_s}, 60, 'for a minute');
    is($ice->{iceTransportPolicy}, 'all', 'all ways');
    is_deeply($stun->{urls}, ['stun:turn.example.net:3478'], 'STUN');
    is_deeply($turn->{urls}, ['turn:turn.example.net:3478',
                              'turns:turn.example.net:443'], 'TURN');

    my ($expiry, $rest) = split /:/, $turn->{username};

    cmp_ok($expiry, '<=', time + 60, 'the credential ends within a minute');
    like($rest, qr/^default\.ses_[a-z2-7]{26}\.par_checkcheckcheckcheckchecka$/,
         'of nobody\'s session');
    ok($turn->{credential}, 'and a password');
    is_deeply([$redis->call('DBSIZE')], \@before, 'nothing is in Redis');

    my $again = rest('192.0.2.1')->request('POST', '/check')->json;

    isnt($again->{iceServers}[1]{username}, $turn->{username},
         'another one each time');
};


subtest 'how often' => sub {
    my $problem = sub {
        my ($address, @want) = @_;
        my $r = rest($address)->request('POST', '/check');

        $gw->rest->problem($r, @want);

        return $r;
    };
    my $r = $problem->('192.0.2.1', 429, 'rate_limited');

    like($r->header('Retry-After'), qr/^(?:[1-9]|[1-5]\d|60)$/,
         'Retry-After');
    is(rest('192.0.2.1')->get('/check')->status, 200, 'GET goes on');
    is(rest('192.0.2.2')->request('POST', '/check')->status, 200,
       'another address may');
    is(rest("2001:db8:0:1::$_")->request('POST', '/check')->status, 200,
       "IPv6 $_") for 1, 2;
    $problem->('2001:db8:0:1:2::3', 429, 'rate_limited');
};


subtest 'whose' => sub {
    my $r = rest('192.0.2.3', 'X-RS-Tenant' => 'acme')
            ->request('POST', '/check');

    like($r->json->{iceServers}[1]{username}, qr/^\d+:acme\./,
         'of the tenant that is named');
    $gw->rest->problem(rest('192.0.2.3', 'X-RS-Tenant' => 'A B')
                       ->request('POST', '/check'), 400, 'bad_request');
};


# it needs no store

$redis->stop();
is(rest('192.0.2.4')->request('POST', '/check')->status, 200,
   'without Redis, too');
$redis->start();


# off, and without TURN

my $off = RS::Gateway->new(redis => $redis, location => $TURN);

$off->rest->problem($off->rest->get('/check'), 404, 'not_found');
$off->rest->problem($off->rest->request('POST', '/check'), 404, 'not_found');

my $bare = RS::Gateway->new(redis => $redis, http => 'rs_check_rate 1r/s;');

ok(!$bare->rest->get('/check')->json->{turn}, 'no TURN, which is said');
is_deeply($bare->rest->request('POST', '/check')->json->{iceServers}, [],
          'and none is given');

$_->check_log() for $off, $bare;

done_testing();
