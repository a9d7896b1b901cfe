# Copyright (C) rs-gateway contributors

# Quotas of a tenant, by variables: what is above is refused, what ends makes
# room, and another tenant has its own.  And the policy of a session: the
# strictest of all that have a say.

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

my $redis = RS::Redis->new(acl => 1);
my $issuer = RS::Issuer->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, http => '
    map $rs_tenant $quota { default 2; free ""; broken many; }
', location => $issuer->conf . '
    rs_max_sessions $quota;
    rs_max_devices $quota;
    rs_max_enrollments $quota;
    rs_oidc_role technician support;
');
my ($yes, $no) = (JSON::true(), JSON::false());


sub tenant {
    my ($name) = @_;

    return $gw->rest(key => $redis->api_key(tenant => $name));
}


sub full {
    my ($r) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    tenant('x')->problem($r, 429, 'limit_reached');
    ok($r->header('Retry-After'), 'Retry-After');

    return;
}


for my $name ('small', 'other') {
    my $rest = tenant($name);

    subtest "enrolments of $name" => sub {
        my @e = map { $rest->post('/enrollments', {})->json->{id} } 1, 2;

        full($rest->post('/enrollments', {}));
        is($rest->delete("/enrollments/$e[0]")->status, 204, 'one goes');
        is($rest->post('/enrollments', { max_uses => 1 })->status, 201,
           'there is room');
        $rest->delete("/enrollments/$_->{id}")
            for @{ $rest->get('/enrollments')->json->{items} };
    };

    my @devices;

    subtest "devices of $name" => sub {
        my $e = $rest->post('/enrollments', { max_uses => 9 })->json;

        @devices = map { RS::Device->enroll($rest, token => $e->{token}) }
                   1, 2;
        full($gw->rest->post('/devices', {
            enrollment => $e->{token}, name => 'x',
            public_key => RS::Device->new->public_key }));
        is($rest->get("/enrollments/$e->{id}")->json->{uses}, 2,
           'no use was taken');
        is($rest->delete('/devices/' . $devices[1]->id)->status, 204,
           'one goes');
        $devices[1] = RS::Device->enroll($rest, token => $e->{token});
        $_->connect($gw) for @devices;
    };

    subtest "sessions of $name" => sub {
        my %host = (host => { type => 'device',
                              device_id => $devices[0]->id });
        my @s = map { $rest->post('/sessions', \%host)->json->{id} } 1, 2;

        full($rest->post('/sessions', \%host));
        full($rest->post('/ice', {}));
        is($rest->delete("/sessions/$s[0]")->status, 204, 'one ends');
        is($rest->post('/sessions', \%host)->status, 201, 'there is room');
        $rest->delete("/sessions/$_->{id}")
            for @{ $rest->get('/sessions')->json->{items} };
    };
}


subtest 'none, and one that is none' => sub {
    my $free = tenant('free');
    my $broken = tenant('broken');

    is($free->post('/enrollments', {})->status, 201, 'empty: no quota')
        for 1 .. 4;
    $broken->problem($broken->post('/enrollments', {}), 500, 'internal');
    like($gw->error_log, qr/the quota "\$quota" is "many" here/,
         'the log says what is wrong');
};


# the tenant's, the group's, a grant's, and what is asked for

my $rest = tenant('default');
my $strict = RS::Gateway->new(redis => $redis, location => $issuer->conf . '
    rs_oidc_role technician support;
');
my $anna = $strict->rest(key => $issuer->token(groups => ['support']));

$rest->request('PUT', '/policies/quiet', body => { consent => 'notify',
                                                   max_ttl_s => 900 });

my $group = $rest->post('/groups', { name => 'g', policy => 'quiet' })->json;
my $e = $rest->post('/enrollments', { group_id => $group->{id} })->json;
my $device = RS::Device->enroll($rest, token => $e->{token});
my %host = (host => { type => 'device', device_id => $device->id });

$device->connect($gw);


# asked for, by whom -> relay_only, consent, life

sub policy {
    my ($who, $asked, $name, @want) = @_;
    my $r = $who->post('/sessions', { %host, policy => $asked,
                                      ttl_s => 3600 });
    my $s = $r->json;

    is_deeply([@{ $s->{policy} }{qw(relay_only consent)},
               $s->{expires_at} - $s->{created_at}], \@want, $name)
        or diag($r->content);
    is_deeply($device->expect('invite')->{session}{policy}, $s->{policy},
              'the device is told the same');
    is($rest->get("/sessions/$s->{id}")->json->{group_id}, $group->{id},
       'of its group');
    $rest->delete("/sessions/$s->{id}");
    $device->expect('revoke');

    return;
}


subtest 'the strictest policy' => sub {
    policy($rest, {}, 'the group', $no, 'notify', 900);
    policy($rest, { consent => 'none' }, 'not less than the group', $no,
           'notify', 900);
    policy($rest, { consent => 'required', relay_only => $yes },
           'more when asked for', $yes, 'required', 900);

    my $carry = $rest->post('/sessions', { %host, policy => {
        view_only => $yes, clipboard => 'to_device', files => 'none',
        sound => $no } })->json;

    is_deeply([@{ $carry->{policy} }{qw(view_only clipboard files sound)}],
              [$yes, 'to_device', 'none', $no], 'what it may carry');
    is_deeply($device->expect('invite')->{session}{policy}, $carry->{policy},
              'the device is told the same');
    $rest->delete("/sessions/$carry->{id}");
    $device->expect('revoke');

    $rest->request('PUT', '/policies/default', body => {
        relay_only => $yes, max_ttl_s => 600 });
    policy($rest, {}, 'the tenant', $yes, 'notify', 600);
    $rest->delete('/policies/default');

    $rest->post('/grants', { subject => 'group:support',
        group_id => $group->{id}, consent => 'required',
        verbs => ['sessions:write', 'sessions:read', 'devices:read'] });
    policy($anna, {}, 'a grant', $no, 'required', 900);
    policy($rest, {}, 'which is of its subject alone', $no, 'notify', 900);

    my $s = $anna->post('/sessions', \%host)->json;

    is($s->{user_id}, $issuer->user_id('anna'), 'a session says whose it is');
    $rest->problem($rest->post('/sessions', { %host,
        policy => { consent => 'maybe' } }), 422, 'invalid_value',
        pointer => '/policy/consent');
};


subtest 'a group that is not there' => sub {
    my $none = 'grp_' . 'a' x 26;

    $rest->problem($rest->post('/enrollments', { group_id => $none }), 404,
                   'not_found', pointer => '/group_id');
    $rest->problem($rest->patch('/devices/' . $device->id,
                                { group_id => $none }, '"1"'), 404,
                   'not_found', pointer => '/group_id');
    $rest->problem($rest->patch('/devices/' . $device->id,
                                { group_id => 'g' }, '"1"'), 422,
                   'invalid_value', pointer => '/group_id');
    $rest->problem($rest->delete("/groups/$group->{id}"), 409, 'conflict');
    is($rest->patch('/devices/' . $device->id, { group_id => undef }, '"1"')
            ->json->{group_id}, undef, 'it leaves its group');
    is($rest->get('/devices/' . $device->id)->json->{public_key},
       $device->public_key, 'its key is shown');
};


$_->check_log for $gw, $strict;
done_testing();
