# Copyright (C) rs-gateway contributors

# Which tenant a call is for: the credential's, what rs_tenant says, what the
# client says in X-RS-Tenant; and that whoever is not known gets one answer.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis, location => 'rs_audit_reads on;');
my %host = (http => 'map $http_host $named { default ""; "~^acme[.]" acme; }',
            location => 'rs_tenant $named;');
my $named = RS::Gateway->new(redis => $redis, %host);
my $key = $redis->api_key(tenant => 'acme');
my $acme = $named->rest(key => $key);
my $other = $named->rest(key => $redis->api_key(tenant => 'other'));


# what an answer says, but for the request's id

sub told {
    my ($r) = @_;
    my $p = $r->json;

    delete $p->{request_id};

    return [$r->status, $p];
}


sub named {
    my ($rest, $tenant, $host) = @_;

    return $rest->get('/devices', {
        (defined $tenant ? ('X-RS-Tenant' => $tenant) : ()),
        ($host ? (Host => $host) : ()) });
}


subtest 'who is not known gets one answer' => sub {
    my $rest = $named->rest();
    my %told;

    for my $value (undef, '', 'Bearer', 'Bearer ', 'Basic QQ==', 'Bearer x',
                   'Bearer rsk_acme_' . 'a' x 52, 'Bearer rsk_acme_a',
                   'Bearer rsk_none_' . 'a' x 52, "Bearer $key" . 'a',
                   'Bearer eyJhbGciOiJub25lIn0.e30.',
                   'bearer ' . lc substr($key, 0, -1))
    {
        for my $path ('/devices', '/devices/dev_' . 'a' x 26) {
            my $r = $rest->get($path, { Authorization => $value });

            is($r->status, 401, ($value // 'none') . ", $path");
            is($r->header('WWW-Authenticate'), 'Bearer', 'its challenge');
            $told{ JSON->new->canonical->encode(told($r)) }++;
        }
    }

    is(keys %told, 1, 'one answer');
};


subtest 'and leaves a line of the fleet, not of the tenant he named' => sub {
    my $name = 'nobody' . int(rand(1e6));
    my $secret = 'b' x 52;

    is($named->rest(key => "rsk_${name}_$secret")->get('/devices')->status,
       401, 'a key that is none');

    my $lines = sub {
        return @{ $redis->call('XRANGE', 'rs:{w}:denied', '-', '+') };
    };

    wait_until { $lines->() } 5, 'a line';

    my %line = @{ ($lines->())[-1][1] };

    is_deeply([@line{qw(what reason addr detail)}],
              ['bearer', 'unauthenticated', '127.0.0.1', '/devices'],
              'which says what was wrong');
    is_deeply([$redis->keys("rs:{$name}*")], [], 'and no key of his making');
    unlike($redis->dump, qr/$secret|$name/, 'nor what he wrote');
};


subtest 'the header names a tenant' => sub {
    is(named($acme)->status, 200, 'none');
    is(named($acme, 'acme')->status, 200, 'the one that is held');

    my $no = named($acme, 'other');

    $acme->problem($no, 403, 'forbidden');

    for my $tenant ('nobody', 'ACME', '', 'a' x 33, 'acme,other', '*') {
        is_deeply(told(named($acme, $tenant)), told($no),
                  "\"$tenant\": the same as one that exists");
    }

    is_deeply(told($named->rest(key => 'rsk_acme_' . 'a' x 52)
                         ->get('/devices', { 'X-RS-Tenant' => 'other' })),
              told($no), 'whether the key is known or not');
};


subtest 'the configuration names a tenant' => sub {
    is(named($acme, undef, 'acme.example')->status, 200, 'the one held');
    is(named($acme, 'acme', 'acme.example')->status, 200, 'both say so');
    is(named($other, undef, 'localhost')->status, 200, 'empty: any');
    $other->problem(named($other, undef, 'acme.example'), 403, 'forbidden');
    $other->problem(named($other, 'other', 'acme.example'), 403, 'forbidden');
    $acme->problem(named($acme, 'other', 'acme.example'), 403, 'forbidden');
};


subtest 'and of an enrolment token' => sub {
    my $e = $other->post('/enrollments', {})->json;
    my $body = { enrollment => $e->{token}, name => 'x',
                 public_key => RS::Device->new->public_key };
    my $nobody = $named->rest();

    for my $headers ({ Host => 'acme.example' }, { 'X-RS-Tenant' => 'acme' },
                     { 'X-RS-Tenant' => '-/-' })
    {
        $nobody->problem($nobody->post('/devices', $body, $headers), 403,
                         'enrollment_invalid', pointer => '/enrollment');
    }

    is($nobody->post('/devices', $body, { 'X-RS-Tenant' => 'other' })->status,
       201, 'its own');
};


subtest 'a read has its line in the audit when it is wanted' => sub {
    my $lines = sub {
        return @{ $redis->call('XRANGE', 'rs:{acme}:audit', '-', '+') };
    };
    my $rest = $gw->rest(key => $key);
    my $before = $lines->();

    is($acme->get('/devices')->status, 200, 'read without');
    is(scalar $lines->(), $before, 'no line');
    is($rest->get('/devices')->status, 200, 'read with rs_audit_reads');

    my @now = $lines->();

    is(@now, $before + 1, 'a line');

    my %line = @{ $now[-1][1] };

    is_deeply([@line{qw(actor actor_id verb outcome addr)}],
              ['key', $redis->key_id($key), 'devices:read', 'allow',
               '127.0.0.1'], 'which says who and what');
};


$_->check_log for $gw, $named;
done_testing();
