# Copyright (C) rs-gateway contributors

# REST: enrolments and devices, from the token to the removal; lists, ETags,
# Idempotency-Key, tenants.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(now wait_until base64url random_id);

my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $foreign = $gw->rest(key => $redis->api_key(tenant => 'other'));
my $nobody = $gw->rest();


# each a millisecond after the last one, by which lists are ordered

sub device {
    my $start = now();

    wait_until { now() - $start > 0.002 } 1, 'another millisecond';

    return RS::Device->enroll($rest, @_);
}


# every id of a list, page by page

sub all_of {
    my ($path, $limit) = @_;
    my ($cursor, @ids, $pages);

    do {
        my $r = $rest->get("$path" . ($path =~ /\?/ ? '&' : '?')
                           . "limit=$limit"
                           . (defined $cursor ? "&cursor=$cursor" : ''));

        die $r->content if $r->status != 200;
        die 'a page too large' if @{ $r->json->{items} } > $limit;

        push @ids, map { $_->{id} } @{ $r->json->{items} };
        $cursor = $r->json->{next_cursor};
        die 'no end' if ++$pages > 50;
    } while (defined $cursor);

    return @ids;
}


subtest 'an enrolment' => sub {
    my $group = $redis->group;
    my $r = $rest->post('/enrollments', {
        max_uses => 2, ttl_s => 60, group_id => $group,
        tags => ['till', 'front'] });

    is($r->status, 201, 'made');

    my $e = $r->json;
    my $token = delete $e->{token};

    like($e->{id}, qr/^enr_[a-z2-7]{26}$/, 'id');
    is($r->header('Location'), "/rs/v1/enrollments/$e->{id}", 'Location');
    is($e->{expires_at} - $e->{created_at}, 60, 'its life');
    like($token, qr/^rse_default_[a-z2-7]{26}_[a-z2-7]{52}$/, 'the token');
    is(substr($token, 12, 26), substr($e->{id}, 4), 'names its enrolment');
    is_deeply($rest->get("/enrollments/$e->{id}")->json, $e,
              'read again: the same, without the token');
    unlike($redis->dump, qr/\Q$token\E/, 'which is kept nowhere');
    unlike($redis->dump, qr/\Q@{[ substr $token, -52 ]}\E/, 'nor its secret');

    my $d = RS::Device->enroll($rest, token => $token, name => 'till 1',
                               meta => { serial => '4711', slots => 3,
                                         spare => JSON::true(),
                                         note => undef });

    is_deeply([@{ $d->record }{qw(name tags group_id)}],
              ['till 1', ['till', 'front'], $group],
              'a device has its tags and group');
    is_deeply($d->record->{meta},
              { serial => '4711', slots => 3, spare => JSON::true(),
                note => undef }, 'and its own meta');
    is($rest->get("/enrollments/$e->{id}")->json->{uses}, 1, 'one use');

    ok(RS::Device->enroll($rest, token => $token), 'the second use');
    refused($token, 'the third');
    refused(substr($token, 0, -1) . (substr($token, -1) eq 'a' ? 'b' : 'a'),
            'another secret');
    is($rest->get("/enrollments/$e->{id}")->json->{uses}, 2, 'two uses');

    $rest->problem($foreign->get("/enrollments/$e->{id}"), 404, 'not_found');
    $rest->problem($foreign->delete("/enrollments/$e->{id}"), 404,
                   'not_found');

    is($rest->delete("/enrollments/$e->{id}")->status, 204, 'revoked');
    $rest->problem($rest->get("/enrollments/$e->{id}"), 404, 'not_found');
    $rest->problem($rest->delete("/enrollments/$e->{id}"), 404, 'not_found');
};


sub refused {
    my ($token, $name, %more) = @_;
    my $r = $nobody->post('/devices', {
        enrollment => $token, name => 'x',
        public_key => RS::Device->new->public_key, %more });

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return $rest->problem($r, 403, 'enrollment_invalid',
                          pointer => '/enrollment')
           || diag($name);
}


subtest 'a token that is none' => sub {
    my $token = $rest->post('/enrollments', {})->json->{token};

    refused('x', 'no form');
    refused($redis->api_key, 'an API key');
    refused($token . 'a', 'too long');
    refused($token =~ s/default/other/r, 'of another tenant');
    refused('rse_default_' . random_id('') . '_' . 'a' x 52, 'of nobody');

    my $e = $rest->post('/enrollments', { ttl_s => 1 })->json;

    wait_until {
        my $r = $rest->get("/enrollments/$e->{id}");
        time() > $e->{expires_at}
    } 5, 'the end of an enrolment';

    refused($e->{token}, 'over');

    my $revoked = $rest->post('/enrollments', {})->json;

    $rest->delete("/enrollments/$revoked->{id}");
    refused($revoked->{token}, 'revoked');

    ok(RS::Device->enroll($rest, token => $token), 'the right one works');
};


subtest 'one use is one use, whoever comes at the same time' => sub {
    my $token = $rest->post('/enrollments', {})->json->{token};
    my @streams = map {
        $nobody->start('POST', '/devices',
                       socket => $gw->socket(worker => $_ % 2),
                       body => { enrollment => $token, name => "d$_",
                                 public_key => RS::Device->new->public_key })
    } 1 .. 6;
    my @status = sort map { $nobody->finish($_, 5)->status } @streams;

    is_deeply(\@status, [201, (403) x 5], 'one device');
};


subtest 'a device that enrols wrongly' => sub {
    my $token = $rest->post('/enrollments', {})->json->{token};
    my $key = RS::Device->new->public_key;

    my $wrong = sub {
        my ($pointer, $code, %more) = @_;
        my %body = (enrollment => $token, name => 'x', public_key => $key,
                    %more);

        delete $body{$_} for grep { !defined $body{$_} } keys %body;
        $rest->problem($nobody->post('/devices', \%body), 422, $code,
                       pointer => $pointer);
    };

    $wrong->('/public_key', 'invalid_value', public_key => undef);
    $wrong->('/public_key', 'invalid_value',
             public_key => base64url('x' x 31));
    $wrong->('/public_key', 'invalid_value', public_key => "$key=");
    $wrong->('/public_key', 'invalid_value',
             public_key => base64url("\0" x 32));
    $wrong->('/name', 'invalid_value', name => '');
    $wrong->('/name', 'invalid_value', name => "a\nb");
    $wrong->('/name', 'invalid_value', name => 'x' x 129);
    $wrong->('/meta', 'invalid_value', meta => { a => {} });
    $wrong->('/meta', 'invalid_value', meta => { a => [1] });
    $wrong->('/meta', 'invalid_value', meta => { a => "\x01" });
    $wrong->('/meta', 'invalid_value', meta => { "\x01" => 1 });
    $wrong->('/meta', 'invalid_value', meta => { a => 'x' x 4096 });
    $wrong->('/owner', 'unknown_field', owner => 'x');

    ok(RS::Device->enroll($rest, token => $token),
       'none of them used the token');
};


subtest 'a device is changed by whom has its version' => sub {
    my $group = $redis->group;
    my $d = device(enrollment => { tags => ['a'], group_id => $group });
    my $path = '/devices/' . $d->id;
    my $etag = $rest->get($path)->header('ETag');

    is($etag, '"1"', 'the first version');

    $rest->problem($rest->patch($path, { name => 'n' }), 428,
                   'precondition_required');

    for my $other ('"2"', '*', '1', '"01"', 'W/"1"', '"1", "2"', '""') {
        $rest->problem($rest->patch($path, { name => 'n' }, $other), 412,
                       'precondition_failed');
    }

    my $r = $rest->patch($path, { name => 'new', tags => ['b', 'c'] }, $etag);

    is($r->status, 200, 'changed');
    is($r->header('ETag'), '"2"', 'the next version');
    is_deeply([@{ $r->json }{qw(name tags group_id)}],
              ['new', ['b', 'c'], $group], 'what was not named stays');
    is_deeply($rest->get($path)->json, $r->json, 'read again');
    $rest->problem($rest->patch($path, { name => 'x' }, $etag), 412,
                   'precondition_failed');

    $r = $rest->patch($path, { tags => undef, group_id => undef }, '"2"',
                      { 'Content-Type' => 'application/json' });
    is_deeply([@{ $r->json }{qw(name tags group_id)}], ['new', [], undef],
              'null clears');

    $rest->problem($rest->patch($path, { name => undef }, '"3"'), 422,
                   'invalid_value', pointer => '/name');
    $rest->problem($rest->patch($path, { meta => {} }, '"3"'), 422,
                   'unknown_field', pointer => '/meta');
    $rest->problem($rest->patch($path, { tags => 'a' }, '"3"'), 422,
                   'invalid_value', pointer => '/tags');
    $rest->problem($rest->patch($path, \'[]', '"3"'), 400, 'invalid_json');
    $rest->problem($rest->patch($path, { name => 'x' }, '"3"',
                                { 'Content-Type' => 'text/plain' }), 415,
                   'unsupported_media_type');
    $rest->problem($foreign->patch($path, { name => 'x' }, '"3"'), 404,
                   'not_found');
    is($rest->get($path)->header('ETag'), '"3"', 'nothing else was changed');

    my @streams = map {
        $rest->start('PATCH', $path, body => { name => "w$_" },
                     headers => { 'If-Match' => '"3"' },
                     socket => $gw->socket(worker => $_ % 2))
    } 1 .. 4;

    is_deeply([sort map { $rest->finish($_, 5)->status } @streams],
              [200, 412, 412, 412], 'of four at once one wins');

    $rest->problem($rest->delete($path, { 'If-Match' => '"3"' }), 412,
                   'precondition_failed');
    is($rest->delete($path, { 'If-Match' => '"4"' })->status, 204, 'removed');
    $rest->problem($rest->get($path), 404, 'not_found');
    $rest->problem($rest->delete($path), 404, 'not_found');
};


subtest 'presence' => sub {
    my $d = device(name => 'here');
    my $path = '/devices/' . $d->id;
    my $before = $rest->get($path)->json;

    ok(!$before->{online}, 'offline at first');
    is_deeply([@{$before}{qw(connected_at last_seen_at agent)}],
              [undef, undef, undef], 'never seen');

    $d->connect($gw, worker => 0, hello => {
        agent => { name => 'rs-agent', version => '1', os => 'linux' } });

    for my $worker (0, 1) {
        my $r = $rest->request('GET', $path,
                               socket => $gw->socket(worker => $worker));

        ok($r->json->{online}, "worker $worker: online");
        is($r->json->{agent}{name}, 'rs-agent', 'what it said of itself');
        cmp_ok($r->json->{connected_at}, '>=', $before->{created_at}, 'when');
    }

    is_deeply([all_of('/devices?online=true', 200)], [$d->id],
              'the only one online');
    ok(!grep({ $_ eq $d->id } all_of('/devices?online=false', 3)),
       'not among the others');

    $d->ws->close();
    wait_until { !$rest->get($path)->json->{online} } 5, 'offline again';
    ok($rest->get($path)->json->{last_seen_at}, 'seen');
};


subtest 'a device removed is closed and its sessions end' => sub {
    my $d = device(name => 'gone');
    my $ws = $d->connect($gw);
    my $s = $rest->post('/sessions', {
        host => { type => 'device', device_id => $d->id },
        participants => [{ role => 'controller' }] })->json;
    my $peer = $gw->signal("rs.ticket.$s->{participants}[0]{ticket}");

    $peer->expect('welcome');

    is($rest->delete('/devices/' . $d->id)->status, 204, 'removed');
    is($peer->expect('ended')->{reason}, 'device_removed', 'the peer hears');
    $peer->expect_close(4410);
    $ws->expect_close(4403);

    my $after = $rest->get("/sessions/$s->{id}")->json;

    is($after->{state}, 'ended', 'the session has ended');
    is($after->{end_reason}, 'device_removed', 'why');
};


subtest 'lists: newest first, each once, by pages of any size' => sub {
    my @made = reverse map { device(name => "l$_")->id } 1 .. 7;

    for my $limit (1, 2, 3, 7, 200) {
        my @got = all_of('/devices', $limit);
        my %seen;

        is_deeply([@got[0 .. 6]], \@made, "limit $limit: newest first")
            or diag("@got");
        is(scalar(grep { $seen{$_}++ } @got), 0, 'none twice');
    }

    my $r = $rest->get('/devices?limit=3');
    my $cursor = $r->json->{next_cursor};

    $rest->delete("/devices/$made[2]");
    is_deeply([map { $_->{id} }
                   @{ $rest->get("/devices?limit=2&cursor=$cursor")
                           ->json->{items} }],
              [@made[3, 4]], 'a cursor outlives its object');
    $rest->problem($rest->get('/sessions?cursor=' . $cursor . 'A'), 422,
                   'invalid_value');
    is_deeply($foreign->get('/devices')->json,
              { items => [], next_cursor => undef },
              'another tenant sees nothing');
};


subtest 'filters' => sub {
    my ($one, $two) = map { $redis->group } 1 .. 2;
    my $a = device(enrollment => { tags => ['red', 'café', 'a b'],
                                   group_id => $one })->id;
    my $b = device(enrollment => { tags => ['red'], group_id => $two })->id;

    is_deeply([all_of('/devices?tag=red', 2)], [$b, $a], 'by tag');
    is_deeply([all_of('/devices?tag=a+b', 200)], [$a], 'one with a space');
    is_deeply([all_of('/devices?tag=a%20b', 200)], [$a], 'or so');
    is_deeply([all_of("/devices?group_id=$one", 200)], [$a], 'by group');
    is_deeply([all_of("/devices?group_id=$one&tag=red", 200)], [$a],
              'by both');
    is_deeply([all_of("/devices?group_id=$two&tag=blue", 200)], [],
              'by none');
};


subtest 'Idempotency-Key' => sub {
    my %key = ('Idempotency-Key' => 'enrol-1');
    my $first = $rest->post('/enrollments', { max_uses => 2, ttl_s => 60 },
                            \%key);
    my $again = $rest->post('/enrollments',
                            \'{ "ttl_s": 60, "max_uses": 2 }', \%key);

    is($again->status, 201, 'repeated');
    is($again->json->{id}, $first->json->{id}, 'the same enrolment');
    isnt($again->json->{token}, $first->json->{token}, 'a new token');
    is($again->header('Location'), $first->header('Location'), 'Location');
    refused($first->json->{token}, 'the old one is void');
    ok(RS::Device->enroll($rest, token => $again->json->{token}),
       'the new one works');

    $rest->problem($rest->post('/enrollments', { max_uses => 3 }, \%key),
                   422, 'idempotency_mismatch');

    my $other = $gw->rest(key => $redis->api_key);

    isnt($other->post('/enrollments', { max_uses => 3 }, \%key)->json->{id},
         $first->json->{id}, 'another API key, another enrolment');
    is(scalar(grep { $_ eq $first->json->{id} } all_of('/enrollments', 50)),
       1, 'made once');

    $rest->delete('/enrollments/' . $first->json->{id});
    $rest->problem($rest->post('/enrollments',
                               { max_uses => 2, ttl_s => 60 }, \%key),
                   404, 'not_found');
};


subtest 'an API key may do what it was made for' => sub {
    my %call = (
        'devices:read'      => ['GET', '/devices'],
        'devices:write'     => ['DELETE', '/devices/dev_' . 'a' x 26],
        'enrollments:read'  => ['GET', '/enrollments'],
        'enrollments:write' => ['POST', '/enrollments'],
        'sessions:read'     => ['GET', '/sessions'],
        'sessions:write'    => ['DELETE', '/sessions/ses_' . 'a' x 26],
        'ice'               => ['POST', '/ice'],
    );

    for my $scope (sort keys %call) {
        my $may = $gw->rest(key => $redis->api_key(scopes => $scope));

        for my $wanted (sort keys %call) {
            my $r = $may->request(@{ $call{$wanted} });

            if ($wanted eq $scope) {
                isnt($r->status, 403, "$scope may");

            } else {
                $rest->problem($r, 403, 'forbidden');
            }
        }
    }

    my $key = $redis->api_key(scopes => 'devices:read ice');
    my $two = $gw->rest(key => $key);

    is($two->get('/devices')->status, 200, 'two scopes: the first');
    is($two->post('/ice')->status, 200, 'the second');

    my ($stored) = grep { $redis->call('HGET', $_, 'scopes')
                          eq 'devices:read ice' }
                   $redis->keys('rs:{default}:key:*');

    $redis->call('FCALL', 'rs_key_delete', 1, $stored);
    $rest->problem($two->get('/devices'), 401, 'unauthenticated');
};


unlike($gw->error_log, qr/rsk_|rse_/, 'no credential in error.log');
$gw->check_log;
done_testing();
