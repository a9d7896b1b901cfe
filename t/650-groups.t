# Copyright (C) rs-gateway contributors

# REST: groups of devices, policies, grants, API keys.  What a body may hold,
# what a caller may give away, and that another tenant's are not there.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(random_id);

my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $foreign = $gw->rest(key => $redis->api_key(tenant => 'other'));
my ($none_grp, $none_key) = ('grp_' . 'a' x 26, 'key_' . 'a' x 26);


sub put {
    my ($path, $body) = @_;

    return $rest->request('PUT', $path, body => $body);
}


# every one of these bodies is refused, and the place is named

sub refuses {
    my ($call, @cases) = @_;

    for my $case (@cases) {
        my ($body, $pointer, $code) = @$case;

        $rest->problem($call->($body), 422, $code // 'invalid_value',
                       pointer => $pointer)
            or diag(JSON->new->canonical->encode($body));
    }

    return;
}


# what an answer says, but for the request's id

sub told {
    my ($r) = @_;
    my $p = $r->content eq '' ? {} : $r->json;

    delete $p->{request_id};

    return [$r->status, $p];
}


# the same for an object of another tenant as for one that never was

sub foreign {
    my ($path, $real, $none, @methods) = @_;

    for my $method (@methods) {
        my %opt = $method eq 'PATCH'
            ? (body => {}, headers => { 'If-Match' => '"1"' }) : ();
        my $r = $foreign->request($method, "$path/$real", %opt);

        is($r->status, 404, "$method $path/{id}: 404");
        is_deeply(told($r),
                  told($foreign->request($method, "$path/$none", %opt)),
                  'word for word as if it never was');
    }

    return;
}


subtest 'groups' => sub {
    my $long = 'x' x 128;

    refuses(sub { $rest->post('/groups', $_[0]) },
            [{}, '/name'], [{ name => '' }, '/name'],
            [{ name => "${long}x" }, '/name'], [{ name => 1 }, '/name'],
            [{ name => "a\nb" }, '/name'], [{ name => undef }, '/name'],
            [{ name => "a\x{202e}b" }, '/name'],
            [{ name => 'a', policy => 'A' }, '/policy'],
            [{ name => 'a', policy => '' }, '/policy'],
            [{ name => 'a', policy => undef }, '/policy'],
            [{ name => 'a', x => 1 }, '/x', 'unknown_field']);

    my $r = $rest->post('/groups', { name => $long });
    my $g = $r->json;

    is($r->status, 201, 'made');
    like($g->{id}, qr/^grp_[a-z2-7]{26}$/, 'id');
    is($r->header('Location'), "/rs/v1/groups/$g->{id}", 'Location');
    is($r->header('ETag'), '"1"', 'ETag');
    is_deeply([@{$g}{qw(name policy)}], [$long, undef], 'as it was asked for');

    $r = $rest->get("/groups/$g->{id}");
    is_deeply($r->json, $g, 'read again');
    is($r->header('ETag'), '"1"', 'its ETag');

    foreign('/groups', $g->{id}, $none_grp, qw(GET PATCH DELETE));
    is_deeply($foreign->get('/groups')->json->{items}, [], 'nor in a list');

    $rest->problem($rest->post('/groups', { name => 'a', policy => 'none' }),
                   404, 'not_found', pointer => '/policy');

    $r = $rest->patch("/groups/$g->{id}", { name => 'shop' }, '"1"');
    is($r->status, 200, 'renamed');
    is($r->header('ETag'), '"2"', 'a new version');
    $rest->problem($rest->patch("/groups/$g->{id}", { name => 'x' }, '"1"'),
                   412, 'precondition_failed');
    $rest->problem($rest->patch("/groups/$g->{id}", { name => undef }, '"2"'),
                   422, 'invalid_value', pointer => '/name');

    is(put('/policies/quiet', {})->status, 201, 'a policy');
    is($rest->patch("/groups/$g->{id}", { policy => 'quiet' }, '"2"')
            ->json->{policy}, 'quiet', 'given to the group');
    $rest->problem($rest->delete('/policies/quiet'), 409, 'conflict');
    is($rest->patch("/groups/$g->{id}", { policy => undef }, '"3"')
            ->json->{policy}, undef, 'and taken');
    is($rest->delete('/policies/quiet')->status, 204, 'then it may go');

    my %key = ('Idempotency-Key' => random_id(''));
    my $one = $rest->post('/groups', { name => 'once' }, { %key })->json;

    is_deeply($rest->post('/groups', { name => 'once' }, { %key })->json,
              $one, 'an Idempotency-Key gives the same group');
    $rest->problem($rest->post('/groups', { name => 'twice' }, { %key }), 422,
                   'idempotency_mismatch');

    is(@{ $rest->get('/groups?limit=1')->json->{items} }, 1, 'a page of one');

    my @ids = map { $_->{id} } @{ $rest->get('/groups')->json->{items} };
    my $page = $rest->get('/groups?limit=1')->json;
    my @paged = $page->{items}[0]{id};

    while (defined $page->{next_cursor} && @paged < 9) {
        $page = $rest->get("/groups?limit=1&cursor=$page->{next_cursor}")
                     ->json;
        push @paged, map { $_->{id} } @{ $page->{items} };
    }

    is_deeply(\@paged, \@ids, 'page by page the same list');
    $rest->problem($rest->get('/groups?cursor=%2F'), 422, 'invalid_value');

    is($rest->delete("/groups/$_")->status, 204, 'removed') for @ids;
    $rest->problem($rest->delete("/groups/$g->{id}"), 404, 'not_found');
};


subtest 'policies' => sub {
    refuses(sub { put('/policies/p', $_[0]) },
            [{ consent => 'maybe' }, '/consent'],
            [{ consent => undef }, '/consent'],
            [{ relay_only => 1 }, '/relay_only'],
            [{ max_ttl_s => 0 }, '/max_ttl_s'],
            [{ max_ttl_s => 1.5 }, '/max_ttl_s'],
            [{ max_ttl_s => '1' }, '/max_ttl_s'],
            [{ view_only => 'no' }, '/view_only'],
            [{ recording => 'always' }, '/recording'],
            [{ recorder_lost => 'stop' }, '/recorder_lost'],
            [{ clipboard => 'up' }, '/clipboard'],
            [{ files => undef }, '/files'],
            [{ sound => 0 }, '/sound'],
            [{ name => 'p' }, '/name', 'unknown_field']);

    for my $name ('P', 'a_b', 'a' x 33, '%20', 'a%2Fb') {
        $rest->problem(put("/policies/$name", {}), 404, 'not_found');
        $rest->problem($rest->get("/policies/$name"), 404, 'not_found');
    }

    my $r = put('/policies/default', { consent => 'required',
                                       relay_only => JSON::true(),
                                       max_ttl_s => 600,
                                       view_only => JSON::true(),
                                       clipboard => 'none',
                                       files => 'from_device',
                                       sound => JSON::false() });

    is($r->status, 201, 'made');
    is($r->header('Location'), '/rs/v1/policies/default', 'Location');

    my $p = $r->json;

    is_deeply([@{$p}{qw(name consent relay_only max_ttl_s)}],
              ['default', 'required', JSON::true(), 600], 'as asked for');
    is_deeply([@{$p}{qw(view_only clipboard files sound)}],
              [JSON::true(), 'none', 'from_device', JSON::false()],
              'so is what may be carried');
    is_deeply([@{$p}{qw(recording recorder_lost)}], [undef, undef],
              'of recording nothing is said');
    is_deeply($rest->get('/policies/default')->json, $p, 'read again');
    is_deeply($rest->get('/policies')->json->{items}, [$p], 'in the list');

    $r = put('/policies/default', { consent => 'none' });
    is($r->status, 200, 'replaced');
    is($r->header('Location'), undef, 'nothing new');
    is_deeply([@{ $r->json }{qw(consent relay_only max_ttl_s)}],
              ['none', JSON::false(), undef], 'all of it');
    is_deeply([@{ $r->json }{qw(view_only clipboard files sound)}],
              [JSON::false(), 'both', 'both', JSON::true()],
              'so that nothing is narrowed');

    $r = put('/policies/default', { recording => 'required',
                                    recorder_lost => 'mark' });
    is_deeply([@{ $r->json }{qw(recording recorder_lost)}],
              ['required', 'mark'], 'or recording is');

    foreign('/policies', 'default', 'none', qw(GET DELETE));
    is($rest->delete('/policies/default')->status, 204, 'removed');
    $rest->problem($rest->delete('/policies/default'), 404, 'not_found');
};


subtest 'grants' => sub {
    my $g = $rest->post('/groups', { name => 'g' })->json->{id};
    my %good = (subject => 'group:support', group_id => $g,
                verbs => ['devices:read']);

    refuses(sub { $rest->post('/grants', { %good, %{ $_[0] } }) },
            (map { [{ subject => $_ }, '/subject'] }
                 '', 'support', 'user:usr_a', "user:$none_key", 'group:',
                 "group:a\nb", 'group:' . 'x' x 129, undef, 1, 'GROUP:x'),
            (map { [{ group_id => $_ }, '/group_id'] }
                 '', 'g', undef, '**', $none_key),
            [{ verbs => [] }, '/verbs'], [{ verbs => 'ice' }, '/verbs'],
            [{ verbs => ['*'] }, '/verbs/0'],
            [{ verbs => ['devices:read', 'ice'] }, '/verbs/1'],
            [{ verbs => ['devices:read', 'devices:read'] }, '/verbs/1'],
            [{ verbs => ['keys:write'] }, '/verbs/0'],
            [{ verbs => [1] }, '/verbs/0'],
            [{ consent => 'maybe' }, '/consent'],
            [{ x => 1 }, '/x', 'unknown_field']);

    for my $name (sort keys %good) {
        my %less = %good;

        delete $less{$name};
        $rest->problem($rest->post('/grants', \%less), 422, 'invalid_value',
                       pointer => "/$name");
    }

    $rest->problem($rest->post('/grants', { %good, group_id => $none_grp }),
                   404, 'not_found', pointer => '/group_id');
    $rest->problem($foreign->post('/grants', \%good), 404, 'not_found',
                   pointer => '/group_id');

    my $r = $rest->post('/grants', { %good, consent => 'notify',
        verbs => ['sessions:view', 'devices:read'] });
    my $made = $r->json;

    is($r->status, 201, 'made');
    is($r->header('Location'), "/rs/v1/grants/$made->{id}", 'Location');
    is_deeply([@{$made}{qw(subject group_id verbs consent created_by)}],
              ['group:support', $g, ['devices:read', 'sessions:view'],
               'notify', $redis->key_id($rest->{key})], 'as asked for');
    is_deeply($rest->get("/grants/$made->{id}")->json, $made, 'read again');
    foreign('/grants', $made->{id}, 'gra_' . 'a' x 26, qw(GET DELETE));

    my $weak = $gw->rest(key => $redis->api_key(
        scopes => 'grants:write devices:read'));

    is($weak->post('/grants', \%good)->status, 201, 'what one has');
    $weak->problem($weak->post('/grants', {
        %good, verbs => ['devices:read', 'sessions:control'] }), 403,
        'forbidden');

    is($rest->post('/grants', { %good, group_id => '*' })->status, 201,
       'of all devices');
    is($rest->delete("/groups/$g")->status, 204, 'the group goes');
    $rest->problem($rest->get("/grants/$made->{id}"), 404, 'not_found');

    my @left = @{ $rest->get('/grants')->json->{items} };

    is_deeply([map { $_->{group_id} } @left], ['*'], 'with its grants');
    is($rest->delete("/grants/$left[0]{id}")->status, 204, 'removed');
    $rest->problem($rest->delete("/grants/$left[0]{id}"), 404, 'not_found');
};


subtest 'API keys' => sub {
    my %good = (name => 'backend', scopes => ['devices:read', 'ice']);

    refuses(sub { $rest->post('/keys', { %good, %{ $_[0] } }) },
            [{ name => '' }, '/name'], [{ name => 'x' x 129 }, '/name'],
            [{ scopes => [] }, '/scopes'], [{ scopes => '*' }, '/scopes'],
            [{ scopes => ['all'] }, '/scopes/0'],
            [{ scopes => ['ice', 'node:drain'] }, '/scopes/1'],
            [{ scopes => ['*', '*'] }, '/scopes/1'],
            [{ scopes => ['ice', 'ice'] }, '/scopes/1'],
            [{ granted => 1 }, '/granted'], [{ ttl_s => 0 }, '/ttl_s'],
            [{ ttl_s => 315360001 }, '/ttl_s'],
            [{ key => 'x' }, '/key', 'unknown_field']);

    my $r = $rest->post('/keys', { %good, ttl_s => 60 });
    my $made = $r->json;
    my $key = delete $made->{key};

    is($r->status, 201, 'made');
    like($key, qr/^rsk_default_[a-z2-7]{52}$/, 'the key');
    is($r->header('Location'), "/rs/v1/keys/$made->{id}", 'Location');
    is_deeply([@{$made}{qw(name scopes granted)}],
              ['backend', $good{scopes}, JSON::false()], 'as asked for');
    is($made->{expires_at} - $made->{created_at}, 60, 'its life');
    is_deeply($rest->get("/keys/$made->{id}")->json, $made, 'read again');
    unlike($redis->dump, qr/\Q$key\E/, 'it is kept nowhere');
    unlike($rest->get('/keys')->content, qr/[0-9a-f]{64}|rsk_/,
           'nor is its hash shown');
    foreign('/keys', $made->{id}, $none_key, qw(GET DELETE));

    my $new = $gw->rest(key => $key);
    my $me = $new->get('/me')->json;

    is_deeply([@{$me}{qw(kind id name tenant tenants roles verbs granted)}],
              ['key', $made->{id}, 'backend', 'default',
               [{ tenant => 'default', roles => [],
                  verbs => $good{scopes} }], [], $good{scopes}, []],
              'it says who it is');
    is($new->get('/devices')->status, 200, 'and works');
    $new->problem($new->get('/keys'), 403, 'forbidden');

    is($rest->delete("/keys/$made->{id}")->status, 204, 'revoked');
    $new->problem($new->get('/devices'), 401, 'unauthenticated');
    $rest->problem($rest->delete("/keys/$made->{id}"), 404, 'not_found');

    my $weak = $gw->rest(key => $redis->api_key(
        scopes => 'keys:write devices:read'));

    is($weak->post('/keys', { name => 'x', scopes => ['devices:read'] })
            ->status, 201, 'what one has can be given');
    $weak->problem($weak->post('/keys', { name => 'x', scopes => [$_] }), 403,
                   'forbidden')
        for 'devices:write', 'ice', '*', 'audit:trim';

    my $short = $rest->post('/keys', { name => 'short', ttl_s => 60,
                                       scopes => ['keys:write', 'ice'] })
                     ->json;
    my $brief = $gw->rest(key => $short->{key});

    $brief->problem($brief->post('/keys', { name => 'x', scopes => ['ice'],
                                            %$_ }), 403, 'forbidden')
        for {}, { ttl_s => 600 };
    is($brief->post('/keys', { name => 'x', scopes => ['ice'], ttl_s => 5 })
             ->status, 201, 'but not for longer than one lives oneself');

    my %once = ('Idempotency-Key' => random_id(''));

    is($rest->post('/keys', { %good }, { %once })->status, 201, 'once');
    $rest->problem($rest->post('/keys', { %good }, { %once }), 409,
                   'conflict');
};


subtest 'who may not, may not' => sub {
    my $weak = $gw->rest(key => $redis->api_key(scopes => 'ice'));

    for my $case (['GET', '/groups'], ['POST', '/groups', { name => 'x' }],
                  ['GET', '/policies'], ['PUT', '/policies/x', {}],
                  ['GET', '/grants'], ['GET', '/keys'], ['GET', '/audit'],
                  ['POST', '/keys', { name => 'x', scopes => ['ice'] }],
                  ['POST', '/grants', { subject => 'group:x', group_id => '*',
                                        verbs => ['devices:read'] }],
                  ['DELETE', '/audit?through=1-1'],
                  ['POST', '/users/usr_' . 'a' x 26 . '/revoke'])
    {
        my ($method, $path, $body) = @$case;

        $weak->problem($weak->request($method, $path,
                                      $body ? (body => $body) : ()), 403,
                       'forbidden');
    }

    is_deeply($weak->get('/me')->json->{verbs}, ['ice'],
              'but knows himself');
};


subtest 'the audit' => sub {
    my $all = $rest->get('/audit?limit=200')->json;
    my ($first, $second) = @{ $all->{items} };

    ok($all->{items}[0]{at} <= $all->{items}[-1]{at}, 'oldest first');

    my @denied = grep { $_->{reason} && $_->{reason} eq 'forbidden'
                        && $_->{verb} eq 'keys:write' } @{ $all->{items} };

    ok(@denied > 0, 'a refusal has its line');
    is($denied[0]{outcome}, 'deny', 'as such');
    is($denied[0]{address}, '127.0.0.1', 'and where from');
    like($denied[0]{request_id}, qr/./, 'and in which request');

    is_deeply($rest->get("/audit?limit=1&cursor=$first->{id}")->json->{items},
              [$second], 'a cursor goes on after its line');
    is($rest->get('/audit?limit=1&order=newest')->json->{items}[0]{at}
       >= $all->{items}[-1]{at}, 1, 'newest first');

    $rest->problem($rest->get($_), 422, 'invalid_value')
        for '/audit?cursor=x', '/audit?order=up', '/audit?limit=0',
            '/audit?cursor=1';
    $rest->problem($rest->delete("/audit$_"), 422, 'invalid_value')
        for '', '?through=', '?through=x', '?through=1-';

    is_deeply($rest->delete("/audit?through=$second->{id}")->json,
              { removed => 2, more => JSON::false() }, 'two lines go');
    is($rest->get('/audit?limit=1')->json->{items}[0]{id},
       $all->{items}[2]{id}, 'the third is the first');
    is_deeply([grep { $_->{actor}{id} ne $redis->key_id($foreign->{key}) }
                    @{ $foreign->get('/audit')->json->{items} }], [],
              'another tenant has its own');
};


$gw->check_log();
done_testing();
