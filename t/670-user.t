# Copyright (C) rs-gateway contributors

# REST with a token of the issuer: what a user may by his roles and grants, in
# which tenant, and how he is signed out.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::Redis;
use RS::Util qw(wait_until);

my $issuer = RS::Issuer->new();
my $redis = RS::Redis->new(acl => 1);
my $log = 'log_format ids "$rs_request_id $rs_tenant $rs_actor";';
my $gw = RS::Gateway->new(redis => $redis, workers => 2, http => $log,
                          location => $issuer->conf . '
    access_log logs/ids.log ids;
    rs_oidc_tenant_claim tenants;
    rs_oidc_role observer   watchers;
    rs_oidc_role technician support;
    rs_oidc_role admin      admins;
    rs_oidc_role auditor    auditors;
    rs_oidc_role admin      msp tenant=acme;
');
my $plain = RS::Gateway->new(redis => $redis);
my $root = $gw->rest(key => $redis->api_key(tenant => 'acme'));
my $id = $issuer->user_id('anna');


sub user {
    my ($groups, %more) = @_;

    return $gw->rest(key => $issuer->token(groups => $groups,
        tenants => ['acme'], name => 'Anna', %more));
}


sub told {
    my ($r) = @_;
    my $p = $r->json;

    delete $p->{request_id};

    return [$r->status, $p];
}


subtest 'who he is' => sub {
    my $me = user(['support', 'auditors'])->get('/me')->json;

    is_deeply([@{$me}{qw(kind id name tenant roles grants)}],
              ['user', $id, 'Anna', 'acme', ['technician', 'auditor'], []],
              'me');
    is_deeply([map { [@{$_}{qw(tenant roles)}] } @{ $me->{tenants} }],
              [['acme', ['technician', 'auditor']]], 'where');
    is_deeply([sort @{ $me->{verbs} }], [sort @{ $me->{tenants}[0]{verbs} }],
              'and the same there');
    ok($me->{expires_at} > time, 'for how long');
    ok(grep({ $_ eq 'audit:read' } @{ $me->{verbs} }), 'an auditor');
    ok(!grep({ $_ eq 'audit:read' } @{ $me->{granted} }), 'everywhere');
    ok(grep({ $_ eq 'sessions:control' } @{ $me->{granted} }),
       'where he has a grant');

    is_deeply(user([])->get('/me')->json->{code}, 'forbidden', 'no role');
    is_deeply(user(['admins'], tenants => [])->get('/me')->json->{code},
              'forbidden', 'no tenant');
};


subtest 'who he is not' => sub {
    my $none = $gw->rest(key => 'rsk_acme_' . 'a' x 52)->get('/me');
    my $good = $issuer->token(groups => ['admins'], tenants => ['acme']);
    my @parts = split /[.]/, $good;

    for my $bad ($issuer->token(exp => time - 600), $good . 'A', "$good.x",
                 "$parts[0].$parts[1].", RS::Issuer->new->token(),
                 $issuer->token(aud => 'another'), $issuer->token(sub => undef),
                 'x.y.z', '...', 'rsk_acme_')
    {
        is_deeply(told($gw->rest(key => $bad)->get('/me')), told($none),
                  'one answer');
    }

    is_deeply(told($plain->rest(key => $good)->get('/me')), told($none),
              'where there is no issuer, too');
};


subtest 'a role is of a tenant' => sub {
    my $two = user(['support'], tenants => ['acme', 'other']);
    my $msp = user(['msp', 'support'], tenants => ['acme', 'other']);
    my $in = sub { return { 'X-RS-Tenant' => $_[0] } };

    my $me = $two->get('/me')->json;

    is_deeply([map { $_->{tenant} } @{ $me->{tenants} }], ['acme', 'other'],
              'both are told');
    $two->problem($two->get('/devices'), 400, 'bad_request');
    is($two->get('/devices', $in->('other'))->status, 200, 'one is chosen');

    my $no = $two->get('/devices', $in->('third'));

    $two->problem($no, 403, 'forbidden');
    $redis->call('SET', 'rs:{real}:x', 1);
    is_deeply(told($two->get('/devices', $in->('real'))), told($no),
              'another one: the same whether there is one or not');

    # who tries the names of tenants is in a line of the fleet's

    my $tried = sub {
        return grep { $_->{what} eq 'tenant' }
               map { { @{ $_->[1] } } }
               @{ $redis->call('XRANGE', 'rs:{w}:denied', '-', '+') };
    };

    wait_until { $tried->() >= 2 } 5, 'two lines';
    is_deeply([map { [@{$_}{qw(reason addr detail)}] } ($tried->())[-2, -1]],
              [(['forbidden', '127.0.0.1', $id]) x 2], 'which says who');
    is($redis->call('EXISTS', 'rs:{real}:audit'), 0, 'not of that tenant');

    is_deeply($msp->get('/me', $in->('acme'))->json->{roles},
              ['technician', 'admin'], 'a role of one tenant');
    is_deeply($msp->get('/me', $in->('other'))->json->{roles},
              ['technician'], 'is none in another');
    is($msp->get('/keys', $in->('acme'))->status, 200, 'admin there');
    $msp->problem($msp->get('/keys', $in->('other')), 403, 'forbidden');
};


# two groups of devices; anna is granted one of them

my $till = $root->post('/groups', { name => 'tills' })->json->{id};
my $safe = $root->post('/groups', { name => 'safes' })->json->{id};
my %device;

for my $group ($till, $safe, undef) {
    my $e = $root->post('/enrollments', {
        $group ? (group_id => $group) : () })->json;
    my $d = RS::Device->enroll($root, token => $e->{token}, name => 'desk');

    $d->connect($gw);
    $device{ $group // '' } = $d;
}

my ($granted, $other) = @device{$till, $safe};


sub host {
    my ($d) = @_;

    return (host => { type => 'device', device_id => $d->id });
}


subtest 'a technician does what a grant says, where it says so' => sub {
    my $anna = user(['support']);

    is_deeply($anna->get('/devices')->json->{items}, [], 'without: no device');
    $anna->problem($anna->get('/devices/' . $granted->id), 404, 'not_found');

    my $grant = $root->post('/grants', { subject => "user:$id",
        group_id => $till, verbs => ['devices:read', 'sessions:read',
                                     'sessions:write', 'sessions:view'] });

    is($grant->status, 201, 'a grant');
    is_deeply([map { $_->{id} } @{ $anna->get('/devices')->json->{items} }],
              [$granted->id], 'with it: that device');

    my $hidden = $anna->get('/devices/' . $other->id);

    is_deeply(told($hidden), told($anna->get('/devices/dev_' . 'a' x 26)),
              'another is not there');
    $anna->problem($anna->patch('/devices/' . $granted->id, { name => 'x' },
                                '"1"'), 403, 'forbidden');

    my $r = $anna->post('/sessions', { host($granted),
        participants => [{ role => 'viewer' }] });
    my $s = $r->json;

    is($r->status, 201, 'he may watch it');
    is_deeply([@{ $s->{participants}[0] }{qw(name external_id)}],
              ['Anna', $id], 'as himself');
    is($granted->expect('invite')->{session}{id}, $s->{id}, 'it is invited');

    $anna->problem($anna->post('/sessions', { host($granted),
        participants => [{ role => 'controller' }] }), 403, 'forbidden');
    $anna->problem($anna->post('/sessions', { host($other) }), 404,
                   'not_found', pointer => '/host/device_id');
    $anna->problem($anna->post('/sessions', { host($granted),
        participants => [{ role => 'viewer', name => 'Bob' }] }), 403,
        'forbidden');
    $anna->problem($anna->post('/sessions', { host($granted),
        participants => [{ role => 'viewer',
                           external_id => $issuer->user_id('bob') }] }), 422,
        'invalid_value', pointer => '/participants/0/external_id');

    $root->post('/grants', { subject => 'group:support', group_id => '*',
        verbs => ['sessions:invite', 'sessions:control', 'sessions:write',
                  'sessions:view', 'devices:read', 'sessions:read'] });
    is($anna->post('/sessions', { host($other), participants => [
        { role => 'controller' }, { role => 'viewer', name => 'Bob' }] })
            ->status, 201, 'what his group has, he has');
    $root->delete("/grants/$_->{id}")
        for @{ $root->get('/grants')->json->{items} };
    $anna->problem($anna->get("/sessions/$s->{id}"), 404, 'not_found');
};


subtest 'an observer never controls, whatever is granted' => sub {
    my $bob = user(['watchers'], sub => 'bob');

    $root->post('/grants', { subject => 'group:watchers', group_id => '*',
        verbs => ['sessions:control', 'sessions:write', 'sessions:view',
                  'devices:read', 'sessions:read'] });
    is($bob->post('/sessions', { host($granted), participants => [
        { role => 'viewer' }] })->status, 201, 'he watches');
    $bob->problem($bob->post('/sessions', { host($granted),
        participants => [{ role => 'controller' }] }), 403, 'forbidden');
};


subtest 'an admin gives what he has' => sub {
    my $admin = user(['admins'], sub => 'eve');

    is($admin->get('/devices')->json->{items}[2]{id} && 1, 1, 'sees all');
    is($admin->post('/keys', { name => 'k', scopes => ['devices:read'] })
             ->status, 201, 'a key');
    $admin->problem($admin->post('/keys', { name => 'k', scopes => [$_] }),
                    403, 'forbidden')
        for '*', 'audit:trim';
    $admin->problem($admin->delete('/audit?through=1-1'), 403, 'forbidden');

    my $line = $admin->get('/audit?order=newest&limit=1')->json->{items}[0];

    is_deeply($line->{actor}, { kind => 'user', name => 'Anna',
                                id => $issuer->user_id('eve') },
              'the audit says who');
};


# a token is no newer than its second: whoever signs in again has a later one

sub signed_in {
    my ($r) = @_;
    my $now = time;

    wait_until { time > $now } 3, 'the next second';

    return;
}


sub live_sessions {
    my ($rest) = @_;

    return grep { $_->{state} ne 'ended' }
           @{ $rest->get('/sessions')->json->{items} };
}


subtest 'signing out ends his sessions and refuses his tokens' => sub {
    my $anna = user(['admins'], tenants => ['acme', 'other'],
                    iat => time - 5);
    my $eve = user(['admins'], sub => 'eve');
    my $in = { 'X-RS-Tenant' => 'acme' };

    $root->delete("/sessions/$_->{id}") for live_sessions($root);

    my @s = map { $anna->post('/sessions', { host($granted), participants => [
                  { role => 'controller' }] }, $in)->json } 1 .. 3;
    my $kept = $eve->post('/sessions', { host($granted) })->json;
    my $ws = $gw->signal("rs.ticket.$s[0]{participants}[0]{ticket}");

    $ws->expect('welcome');
    is($anna->post('/me/sign-out')->status, 204, 'signed out');
    is($ws->expect_close(), 4410, 'his socket is closed');
    is_deeply([map { $_->{id} } live_sessions($root)], [$kept->{id}],
              'his sessions have ended, another user\'s has not');
    is_deeply([@{ $root->get("/sessions/$s[1]{id}")->json }
               {qw(end_reason end_detail)}], ['policy', 'signed out'],
              'which says why');
    $anna->problem($anna->get('/devices', { 'X-RS-Tenant' => $_ }), 401,
                   'unauthenticated')
        for 'acme', 'other';
    $anna->problem($anna->post('/me/sign-out'), 401, 'unauthenticated');

    signed_in();
    is(user(['admins'])->get('/devices')->status, 200,
       'who signs in again is in');
    $root->delete("/sessions/$kept->{id}");
};


subtest 'who was revoked in one tenant signs out of the others' => sub {
    my $other = $gw->rest(key => $redis->api_key(tenant => 'other'));
    my $e = $other->post('/enrollments', {})->json;
    my $d = RS::Device->enroll($other, token => $e->{token}, name => 'desk');
    my $anna = user(['admins'], sub => 'both', tenants => ['acme', 'other']);
    my $in = { 'X-RS-Tenant' => 'other' };

    $d->connect($gw);

    my $s = $anna->post('/sessions', { host($d) }, $in)->json;

    is($root->post('/users/' . $issuer->user_id('both') . '/revoke')->status,
       204, 'revoked in the first');
    is($anna->get('/devices', $in)->status, 200, 'still in the second');
    is($anna->post('/me/sign-out')->status, 204, 'signs out');
    $anna->problem($anna->get('/devices', $in), 401, 'unauthenticated');
    is($other->get("/sessions/$s->{id}")->json->{state}, 'ended',
       'and has no session there');
    $anna->problem($anna->post('/me/sign-out'), 401, 'unauthenticated');
};


subtest 'as many sessions as a user can have' => sub {
    my $anna = user(['admins']);
    my @devices = ($granted, $other, $device{''});

    for my $i (0 .. 63) {
        my $r = $anna->post('/sessions', { host($devices[$i % 3]) });

        die $r->content if $r->status != 201;
    }

    $anna->problem($anna->post('/sessions', { host($granted) }), 429,
                   'limit_reached');

    signed_in();

    my $admin = user(['admins'], sub => 'eve');

    is($admin->post("/users/$id/revoke")->status, 204, 'revoked by an admin');
    is_deeply([live_sessions($root)], [], 'nothing of his is left');
    $anna->problem($anna->get('/me'), 401, 'unauthenticated');
    is($admin->post("/users/$id/revoke")->status, 204, 'again: the same');
    is($admin->post('/users/usr_' . 'a' x 26 . '/revoke')->status, 204,
       'somebody who was never here: the same');
    user(['support'], sub => 'bob')
        ->problem(user(['support'], sub => 'bob')->post("/users/$id/revoke"),
                  403, 'forbidden');
};


subtest 'who is revoked is in no session of others any more' => sub {
    my $anna = user(['admins'], sub => 'dora');
    my $colleague = user(['admins'], sub => 'carl');
    my $admin = user(['admins'], sub => 'eve');
    my @ids = map {
        $colleague->post('/sessions', { host($granted) })->json->{id}
    } 1, 2;

    is($anna->post("/sessions/$ids[0]/participants",
                   { role => 'controller' })->status, 201, 'comes into one');
    is($colleague->post("/sessions/$ids[1]/participants",
                        { role => 'viewer' })->status, 201,
       'and the colleague into his own');
    is($admin->post('/users/' . $issuer->user_id('dora') . '/revoke')->status,
       204, 'is revoked');
    is($colleague->get("/sessions/$ids[0]")->json->{state}, 'ended',
       'that session has ended');
    is($colleague->get("/sessions/$ids[0]")->json->{end_detail},
       'user revoked', 'and says why');
    isnt($colleague->get("/sessions/$ids[1]")->json->{state}, 'ended',
         'the other one lives');
    is($admin->post('/users/' . $issuer->user_id('dora') . '/revoke')->status,
       204, 'once more: nothing is left');

    my $fred = user(['admins'], sub => 'fred');

    is($fred->post("/sessions/$ids[1]/participants",
                   { role => 'viewer' })->status, 201, 'another one comes');
    is($fred->post('/me/sign-out')->status, 204, 'and signs out');
    isnt($colleague->get("/sessions/$ids[1]")->json->{state}, 'ended',
         'which ends nothing of others');
    is($colleague->delete("/sessions/$ids[1]")->status, 204, 'ended');
};


subtest 'an API key is no user' => sub {
    $root->problem($root->post('/me/sign-out'), 403, 'forbidden');
};


subtest 'the log says who, and not more' => sub {
    my $anna = $issuer->token(sub => 'cleo', groups => ['admins'],
                              tenants => ['acme'], name => 'Cleo Secret');

    $gw->rest(key => $anna)->get('/devices', { 'X-Request-Id' => 'rid-1' });
    $root->get('/devices', { 'X-Request-Id' => 'rid-2' });

    my $text = sub { RS::Util::read_file($gw->dir . '/logs/ids.log') };

    wait_until { $text->() =~ /^rid-2 .*\n/m } 5, 'the line';
    like($text->(), qr/^rid-1 acme @{[ $issuer->user_id('cleo') ]}$/m,
         'tenant and id');
    like($text->(), qr/^rid-2 acme -$/m, 'of a key the tenant');
    unlike($text->() . $gw->error_log, qr/Cleo|\Q$anna\E/,
           'neither name nor token');
};


$_->check_log for $gw, $plain;
done_testing();
