# Copyright (C) rs-gateway contributors

# Adoption: a code that is read out and typed in makes one machine a device,
# for ten minutes and five tries; and the real agent does so by "--adopt", with
# files that are the service's even when root says it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Agent;
use RS::Device;
use RS::Gateway;
use RS::Pki;
use RS::Redis;
use RS::Util qw(wait_until);

my $pki = RS::Pki->new();
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, tls => 1);

$pki->issue("$gw->{dir}/tls");
$gw->reload;

my $rest = $gw->rest(key => $redis->api_key);


sub code {
    my (%opt) = @_;
    my $r = $rest->post('/enrollments', { code => JSON::true(), %opt });

    is($r->status, 201, 'a code') or diag($r->content);

    return $r->json;
}


# a device that shows this; the answer

sub adopt {
    my ($code, $client) = @_;

    return ($client // $gw->rest)->post('/devices', {
        enrollment => $code, public_key => RS::Device->new->public_key,
        name => 'till' });
}


sub refused {
    my ($code, $name) = @_;

    $gw->rest->problem(adopt($code), 403, 'enrollment_invalid');

    return;
}


# another last character

sub other {
    my ($code) = @_;

    return $code =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/er;
}


subtest 'a code' => sub {
    my $e = code(tags => ['till']);

    like($e->{token}, qr/^[A-Z2-7]{5}-[A-Z2-7]{5}$/, 'ten characters');
    is($e->{max_uses}, 1, 'for one machine');
    is($e->{expires_at} - $e->{created_at}, 600, 'and ten minutes');
    is($rest->get("/enrollments/$e->{id}")->json->{id}, $e->{id},
       'it is an enrolment');
    ok(!(grep { index($_, substr($e->{token}, 6)) >= 0 } $redis->dump),
       'which holds nothing of its secret half');

    my $r = adopt(lc($e->{token}) =~ s/-/ /r);

    is($r->status, 201, 'as it was heard') or diag($r->content);
    is_deeply($r->json->{device}{tags}, ['till'], 'with its tags');
    refused($e->{token});
    is($rest->get("/enrollments/$e->{id}")->json->{uses}, 1, 'used up');
};


subtest 'five tries' => sub {
    my $e = code();

    refused(other($e->{token})) for 1 .. 4;
    is(adopt($e->{token})->status, 201, 'the fifth is right');

    $e = code();
    refused(other($e->{token})) for 1 .. 5;
    refused($e->{token});
};


subtest 'what it cannot be' => sub {
    for my $case ([{ max_uses => 2 }, '/max_uses'], [{ ttl_s => 601 }, '/ttl_s'],
                  [{ code => 1 }, '/code'])
    {
        my ($more, $where) = @$case;

        $rest->problem($rest->post('/enrollments',
                                   { code => JSON::true(), %$more }),
                       422, 'invalid_value', pointer => $where);
    }

    my %key = ('Idempotency-Key' => 'one-code');
    my $ask = sub {
        return $rest->post('/enrollments', { code => JSON::true() }, \%key);
    };

    is($ask->()->status, 201, 'a code with a key');
    $rest->problem($ask->(), 409, 'conflict');

    my $e = code(ttl_s => 1);

    wait_until { time > $e->{expires_at} } 5, 'its end';
    refused($e->{token});

    $e = code();
    is($rest->delete("/enrollments/$e->{id}")->status, 204, 'taken back');
    refused($e->{token});
    refused($_) for 'ABCDE-FGHJK', 'ABCDE', 'rse_x', "a/b/ABCDE-FGHJK";
};


subtest 'of a tenant' => sub {
    my $acme = $gw->rest(key => $redis->api_key(tenant => 'acme'));
    my $e = $acme->post('/enrollments', { code => JSON::true() })->json;

    like($e->{token}, qr{^acme/[A-Z2-7]{5}-[A-Z2-7]{5}$}, 'names it');

    my ($bare) = $e->{token} =~ m{/(.*)};

    refused($bare);
    $gw->rest->problem(adopt($e->{token}, $gw->rest(
        headers => { 'X-RS-Tenant' => 'default' })), 403,
        'enrollment_invalid');
    is(adopt($bare, $gw->rest(headers => { 'X-RS-Tenant' => 'acme' }))
       ->json->{tenant}, 'acme', 'or the place does');
};


subtest 'rs-agent --adopt' => sub {
    my $agent = RS::Agent->new(ca => $pki->ca);
    my $e = code();

    $agent->conf();

    my ($out, $status) = $agent->run('--adopt', other($e->{token}),
                                     $gw->base);

    is($status, 1, 'a wrong code');
    like($out, qr/403 enrollment_invalid/, 'is said');
    is($agent->state('device.conf'), '', 'and the machine is nobody\'s still');

    ($out, $status) = $agent->run('--adopt', $e->{token});
    is($status, 2, 'without a URL');
    like($out, qr/wants the gateway's URL/, 'what is missing');

    chown 65534, 65534, "$agent->{dir}/state", glob "$agent->{dir}/state/*"
        if $> == 0;
    chmod 0755, $agent->{dir};

    ($out, $status) = $agent->run('--adopt', lc $e->{token}, $gw->base);
    is($status, 0, 'the right one') or diag($out);
    like($out, qr/^adopted as dev_\w+ at https:/m, 'adopted');

    my ($id) = $out =~ /(dev_\w+)/;

    is($rest->get("/devices/$id")->json->{name}, 'test agent', 'a device');

    SKIP: {
        skip 'only root can give files away', 2 if $> != 0;

        is((stat "$agent->{dir}/state/$_")[4], 65534,
           "$_ is of the directory's owner")
            for 'device.conf', 'device.key';
    }

    ($out, $status) = $agent->run('--adopt', $e->{token}, $gw->base);
    is($status, 1, 'once more');
    like($out, qr/already enrolled as \Q$id\E/, 'it is one already');
};

$gw->check_log();

done_testing();
