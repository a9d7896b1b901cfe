# Copyright (C) rs-gateway contributors

# A tunnel's port of the gateways, as REST gives it: which one, whom it lets in
# and from where, how long, and that it is another's afterwards.  What comes
# of a connection is asked of the store here, as the gateway asks it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(sha256_hex);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::Redis;
use RS::Util qw(random_id wait_until);

my $redis = RS::Redis->new(acl => 1);
my $issuer = RS::Issuer->new();
my $oidc = $issuer->conf . ' rs_oidc_tenant_claim tenants;
                             rs_oidc_role admin admins;
                             set_real_ip_from 127.0.0.1;
                             real_ip_header X-Real-IP;';
my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                          http => 'rs_tunnel_ports 20000-20002;',
                          location => "$oidc rs_tunnel_ttl 1h;");
my $none = RS::Gateway->new(redis => $redis, location => $oidc);
my $key = $redis->api_key(name => 'help desk');
my $rest = $gw->rest(key => $key);
my $me = $rest->get('/me')->json->{id};
my $device = RS::Device->enroll($rest, name => 'desk');
my $path = '/devices/' . $device->id . '/tunnels';

$device->connect($gw, worker => 1);


sub from { return $_[1]->with(headers => { 'X-Real-IP' => $_[0] }) }


sub tunnel {
    my ($as, %body) = @_;
    my $r = $as->post($path, { target => '127.0.0.1:22', port => \1, %body });

    return $r->status == 201 ? $r->json : $r;
}


sub admit { return $_[0]->post("/tunnels/$_[1]{id}/port", {}) }


sub remove { is($rest->delete("/tunnels/$_[0]{id}")->status, 204, 'removed') }


sub v4 { return '4' . sprintf '%02x' x 4, split /\./, $_[0] }


sub fcall {
    my ($name, $keys, @args) = @_;

    return $redis->call('FCALL', $name, scalar @$keys, @$keys, @args);
}


sub whose { return fcall('rs_port_get', ['rs:{b}:ports'], $_[0])->[2] }


# who is it that comes to the tunnel's port from there?  Whether he may is
# asked of the tunnel's pipes, as him.

sub comes {
    my ($t, $address) = @_;
    my $tun = whose($t->{port}) // return 'no tunnel';
    my $r = fcall('rs_port_enter', [map { "rs:{default}:$_" } "tun:$tun",
                                    "adm:$tun", 'audit'], v4($address));

    return $r->[0] if $r->[0] ne 'ok';

    my ($kind, $id, $caller, $ends) = @$r[1 .. 4];
    my $pip = random_id('pip_');
    my $open = fcall('rs_pipe_open',
                     [map { "rs:{default}:$_" } "$kind:$id", 'gsub', 'audit',
                      "tun:$tun", "pip:$pip", 'dev:' . $device->id,
                      "pips:$tun"],
                     $caller, 'a' x 64, 60, v4($address), $ends, 64);

    return $open->[0] eq 'ok' ? $id : $open->[0];
}


sub patch {
    my ($t, $body) = @_;
    my $etag = $rest->get("/tunnels/$t->{id}")->header('ETag');

    return $rest->request('PATCH', "/tunnels/$t->{id}", body => $body,
                          headers => { 'If-Match' => $etag })->status;
}


sub audited {
    my (%want) = @_;

    return grep { my $l = { %$_, by => $_->{actor}{id} // $_->{actor}{kind} };
                  !grep { ($l->{$_} // '') ne $want{$_} } keys %want }
           @{ $rest->get('/audit?order=newest&limit=200')->json->{items} };
}


my $home = '192.0.2.1';
my $hash = sha256_hex($key);


# without a range, of a shell, or without the wish

$none->rest(key => $key)->problem(tunnel($none->rest(key => $key)), 422,
    'invalid_value', pointer => '/port',
    detail => 'this gateway has no ports for tunnels: "rs_tunnel_ports" is '
              . 'not set');
$rest->problem(tunnel($rest, target => 'shell'), 422, 'invalid_value',
               pointer => '/port');
$rest->problem(tunnel($rest, port => 20001), 422, 'invalid_value',
               pointer => '/port');

my $plain = tunnel($rest, port => \0);

is($plain->{port}, undef, 'a tunnel has none unless that is said');
$rest->problem(admit($rest, $plain), 409, 'conflict',
               detail => 'the tunnel was made without a port');
remove($plain);
is($redis->call('EXISTS', 'rs:{b}:ports'), 0, 'no port was taken');


# who makes it comes in from where he makes it, and from nowhere else

my $t = tunnel(from($home, $rest), label => 'printer', ttl_s => 600);

is($t->{port}, 20000, 'a port of the range');
is($rest->get("/tunnels/$t->{id}")->json->{port}, 20000, 'which is shown');
is($rest->get('/tunnels')->json->{items}[0]{port}, 20000, 'in lists, too');
is(whose(20000), $t->{id}, 'is the tunnel\'s');
is_deeply([@{ fcall('rs_port_get', ['rs:{b}:ports'], 20000) }[1, 3, 4, 5]],
          ['default', $device->id, $t->{expires_at}, 'tcp'],
          'as long as that lives');
is(comes($t, $home), $hash, 'who made it comes in');
is(comes($t, '192.0.2.2'), 'forbidden', 'and nobody else');
is_deeply([map { $_->{address} } audited(object => $t->{id}, outcome => 'deny',
                                         by => 'unknown')],
          ['192.0.2.2'], 'which the audit has');
is(scalar audited(object => $t->{id}, verb => 'tunnels:use',
                  detail => 'port 20000', outcome => 'allow'), 1,
   'as it has that he may');

my $r = admit(from('192.0.2.2', $rest), $t);

is($r->status, 200, 'from another address, when he says so');
is_deeply($r->json, { port => 20000, address => '192.0.2.2',
                      expires_at => $t->{expires_at} }, 'until it ends');
is(comes($t, '192.0.2.2'), $hash, 'he comes in from there');
is(comes($t, $home), $hash, 'and still from the first one');

$r = admit(from('::ffff:192.0.2.3', $rest), $t)->json;
is($r->{address}, '192.0.2.3', 'IPv4 inside of IPv6 is IPv4');
is(comes($t, '192.0.2.3'), $hash, 'and comes in as that');
is(admit(from('2001:db8::1', $rest), $t)->json->{address}, '2001:db8::1',
   'IPv6');
$rest->problem($rest->post("/tunnels/$t->{id}/port", { address => $home }), 422,
               'unknown_field', pointer => '/address');
is($rest->post("/tunnels/$t->{id}/port")->status, 200, 'a body need not be');


# somebody else

my $their = $rest->post('/keys', { name => 'another desk',
                                   scopes => ['*'] })->json->{key};
my $them = $gw->rest(key => $their);
my $they = $them->get('/me')->json->{id};

$rest->problem(admit(from($home, $them), $t), 403, 'forbidden',
               detail => 'the tunnel is not for this caller, or not from '
                         . 'this address');
is(scalar audited(object => $t->{id}, by => $they, outcome => 'deny',
                  reason => 'forbidden'), 1, 'in the audit');
is(comes($t, $home), $hash, 'the address is whose it was');
is(patch($t, { acl => { users => [$me, $they] } }), 200, 'he is listed');
is(admit(from($home, $them), $t)->status, 200, 'he may');
is(comes($t, $home), sha256_hex($their), 'the address is his now');
is(comes($t, '192.0.2.2'), $hash, 'the other one is not');
is($redis->call('HLEN', "rs:{default}:adm:$t->{id}"), 5, 'each is there once');
$rest->problem(admit($gw->rest(key => $redis->api_key(scopes => 'ice')), $t),
               403, 'forbidden');
is(admit($rest, { id => random_id('tun_') })->status, 404, 'no such tunnel');


# the list is edited, the key is gone

is(patch($t, { acl => { users => [$they], addresses => ['192.0.2.0/31'] } }),
   200, 'the list is edited');
is(comes($t, $home), sha256_hex($their), 'he is still on it');
is(comes($t, '192.0.2.2'), 'forbidden', 'who is not comes in no more');
is(admit(from('192.0.2.9', $them), $t)->status, 403, 'from elsewhere: no');
is($rest->delete("/keys/$they")->status, 204, 'his key is deleted');
is(comes($t, $home), 'unauthenticated', 'with it his way in');
remove($t);
is(whose(20000), undef, 'the port is nobody\'s');
is($redis->call('EXISTS', "rs:{default}:adm:$t->{id}"), 0,
   'nobody is let in');
is(comes($t, $home), 'no tunnel', 'and leads nowhere');


# a maker who is not on his own list makes it for others

$t = tunnel(from($home, $rest), acl => { users => [random_id('usr_')] });
is($t->{port}, 20001, 'the next port');
is(comes($t, $home), 'forbidden', 'it is not for him');
is(scalar audited(object => $t->{id}, by => $me, outcome => 'deny'), 0,
   'which is no refusal');
remove($t);


# what is admitted ends with the key, or the token

my $brief = $gw->rest(key => $redis->api_key(expires_at => time() + 100));

$t = tunnel(from($home, $brief));
is($t->{port}, 20002, 'the last port');

my $ends = admit(from($home, $brief), $t)->json->{expires_at};

cmp_ok($ends, '<=', time() + 100, 'with the key');
remove($t);

my $token = $issuer->token(sub => 'anna', groups => ['admins'],
                           tenants => ['default'], exp => time() + 60);
my $anna = from($home, $gw->rest(key => $token));
my $usr = $anna->get('/me')->json->{id};

$t = tunnel($anna);
is($t->{port}, 20000, 'round the range');
is(comes($t, $home), $usr, 'a user comes in');
cmp_ok(admit($anna, $t)->json->{expires_at}, '<=', time() + 60,
       'until the token ends');
$redis->call('HSET', "rs:{default}:adm:$t->{id}", v4($home),
             time() . ($redis->call('HGET', "rs:{default}:adm:$t->{id}",
                                    v4($home)) =~ s/^\d+//r));
is(comes($t, $home), 'forbidden', 'then no more');
is(admit($anna, $t)->status, 200, 'she says it again');
is(comes($t, $home), $usr, 'and comes in');
is($rest->post("/users/$usr/revoke", {})->status, 204, 'she is signed out');
is(comes($t, $home), 'unauthenticated', 'everywhere');


# a tunnel whose time is over

my $short = tunnel(from($home, $rest), ttl_s => 1);

is(comes($short, $home), $hash, 'for a second');
wait_until { comes($short, $home) eq 'no tunnel' } 10, 'then no more';


# the range is used up, and one that is free is taken again

my @all = map { tunnel(from($home, $rest)) } 1 .. 2;

is_deeply([map { $_->{port} } $t, @all], [20000, 20002, 20001],
          'one that has ended is taken again');
$rest->problem(tunnel($rest), 429, 'limit_reached',
               detail => 'all ports of "rs_tunnel_ports" are taken');
is(ref tunnel($rest, port => \0), 'HASH', 'a tunnel without one can be had');

my $before = $redis->call('HGET', 'rs:{b}:ports', 'last');

$rest->problem(tunnel($gw->rest(key => 'rsk_default_' . 'a' x 52)), 401,
               'unauthenticated');
is(tunnel($gw->rest(key => $redis->api_key(scopes => 'tunnels:read '
                                           . 'devices:read')))->status, 403,
   'who may make none');
remove($all[0]);
is($redis->call('HGET', 'rs:{b}:ports', 'last'), $before, 'takes no port');


# the same call again is the same tunnel, with its port

my $idem = { 'Idempotency-Key' => 'again' };
my $body = { target => '127.0.0.1:22', port => \1 };
my $one = $rest->post($path, $body, $idem)->json;

is($one->{port}, 20002, 'the one that was freed');
$redis->call('HDEL', 'rs:{b}:ports', 20002);
is_deeply([@{ $rest->post($path, $body, $idem)->json }{qw(id port)}],
          [@{$one}{qw(id port)}], 'again');
is(whose(20002), $one->{id}, 'the port is kept again');
$redis->call('HSET', 'rs:{b}:ports', 20002, 'other ' . random_id('tun_') . ' '
             . $device->id . ' tcp ' . (time() + 60));
$rest->problem($rest->post($path, $body, $idem), 409, 'conflict');
$redis->call('HDEL', 'rs:{b}:ports', 20002);


# sixteen addresses

is(admit(from("192.0.2.$_", $rest), $one)->status, 200, "address $_")
    for 101 .. 115;
$rest->problem(admit(from('192.0.2.116', $rest), $one), 429, 'limit_reached',
               detail => 'the tunnel\'s port lets in 16 addresses already');
is(admit(from('192.0.2.115', $rest), $one)->status, 200, 'one of them again');


# a device that goes leaves no port

is($rest->delete('/devices/' . $device->id)->status, 204, 'the device goes');
is_deeply([map { whose($_) } 20000 .. 20002], [undef, undef, undef],
          'and all ports are free');

my %seen = map { my %e = @{ $_->[1] }; ($e{t} => $e{b}) }
           @{ $redis->call('XRANGE', 'rs:{default}:ev', '-', '+') };

like($seen{'tunnel.admitted'}, qr/"port":20002,.*"key_id":"\Q$me\E"/,
     'events tell who is let in');

$_->check_log() for $gw, $none;
done_testing();
