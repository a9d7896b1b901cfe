# Copyright (C) rs-gateway contributors

# Watching: who holds a ticket hears of devices and sessions, from whichever
# worker of whichever node they change, and of what his caller may see only;
# whoever may nothing any more, or does not read, is closed.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use Socket qw(SOL_SOCKET SO_RCVBUF);

use RS::Device;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $a = RS::Gateway->new(redis => $redis, workers => 2,
                         server => $METRICS_LOCATION);
my $b = RS::Gateway->new(redis => $redis);
my $key = $redis->api_key;
my $rest = $a->rest(key => $key);


sub watch {
    my ($gw, $with, %opt) = @_;
    my $r = $with->post('/watch');

    is($r->status, 201, 'a ticket') or diag($r->content);

    return $gw->ws('/watch', protocols => ['rs.v1', 'rs.ticket.'
                                                    . $r->json->{ticket}],
                   %opt);
}


# The next of these messages: "<type> <id> <change>".

sub next_of {
    my ($ws) = @_;

    while (1) {
        my $m = $ws->recv(20) // die 'nothing comes';

        die 'closed with ' . ($m->{code} // 'nothing') if !$m->{json};

        my %m = %{ $m->{json} };

        return "$m{type} $m{id} $m{change}" if $m{type} =~ /^(?:dev|ses)/;
        return $m{type} if $m{type} eq 'resync';
    }
}


# Reads until it is told; what comes before it does not matter.

sub told {
    my ($ws, $what) = @_;
    my $name = "told: $what";

    for (1 .. 50) {
        return pass($name) if next_of($ws) eq $what;
    }

    return fail($name);
}


subtest 'two workers and another node' => sub {
    my @ws = (watch($a, $rest, worker => 0), watch($a, $rest, worker => 1),
              watch($b, $b->rest(key => $key)));

    for (@ws) {
        my $welcome = $_->expect('welcome');

        is_deeply([@$welcome{qw(api_version sessions)}], [1, JSON::true()],
                  'welcome');
    }

    my $dev = RS::Device->enroll($rest);
    my $id = $dev->id;

    is(next_of($_), "device $id new", 'enrolled') for @ws;

    my $socket = $dev->connect($b);

    is(next_of($_), "device $id online", 'online, at the other node') for @ws;

    my $r = $rest->get("/devices/$id");

    is($rest->patch("/devices/$id", { name => 'x' }, $r->header('ETag'))
       ->status, 200, 'renamed');
    is(next_of($_), "device $id changed", 'renamed') for @ws;

    my $s = $rest->post('/sessions', { host => { type => 'device',
                                                 device_id => $id } });
    my $ses = $s->json->{id};

    is(next_of($_), "session $ses new", 'a session') for @ws;
    is($rest->delete("/sessions/$ses")->status, 204, 'ended');
    told($_, "session $ses ended") for @ws;

    $socket->close();
    told($_, "device $id offline") for @ws;

    is($rest->delete("/devices/$id")->status, 204, 'removed');
    told($_, "device $id gone") for @ws;

    is(metrics($a)->value('rs_connections', kind => 'watcher'), 2,
       'they are counted');

    $_->send_json({ type => 'bye' }) for @ws;
    is($_->expect_close, 1000, 'bye') for @ws;
    wait_until {
        metrics($a)->value('rs_connections', kind => 'watcher') == 0
    } 20, 'nobody watches';
};


subtest 'a ticket' => sub {
    my $ticket = $rest->post('/watch')->json->{ticket};
    my @p = (protocols => ['rs.v1', "rs.ticket.$ticket"]);

    is($a->ws('/signal', @p)->expect_close, 4401, 'is none of a session');

    my $ws = $a->ws('/watch', @p);

    $ws->expect('welcome');
    is($b->ws('/watch', @p)->expect_close, 4401, 'is good once');
    is($a->ws('/watch', protocols => ['rs.v1'])->expect_close, 4401,
       'is wanted');
    is($a->ws('/watch', protocols => ['rs.v1', 'rs.ticket.x'])->expect_close,
       4401, 'and a whole one');

    my $bound = $a->rest(key => $key, headers => {
        Origin => $a->base =~ s{/rs/v1$}{}r })->post('/watch')->json->{ticket};

    is($a->ws('/watch', protocols => ['rs.v1', "rs.ticket.$bound"])
       ->expect_close, 4401, "is the page's that asked for it");

    $ws->send_json({ type => 'signal', id => 1, data => {} });
    is($ws->expect('error')->{code}, 'unknown_type', 'nothing is to be said');
    $ws->send_json({ type => 'ping' });
    $ws->expect('pong');
    $ws->send_text('nonsense');
    is($ws->expect_close, 1007, 'nor nonsense');

    my $weak = $a->rest(key => $redis->api_key(scopes => 'ice'));

    $weak->problem($weak->post('/watch'), 403, 'forbidden');
    $weak->problem($weak->with(key => undef)->post('/watch'), 401,
                   'unauthenticated');
};


subtest 'what is granted, and taken' => sub {
    my $group = $rest->post('/groups', { name => 'shop' })->json->{id};
    my $made = $rest->post('/keys', {
        name => 'given', scopes => ['devices:read', 'sessions:read'],
        granted => JSON::true() })->json;
    my $given = $a->rest(key => $made->{key});
    my $ws = watch($a, $given);

    is($ws->expect('welcome')->{sessions}, JSON::false(), 'nothing yet');

    my $hidden = RS::Device->enroll($rest);
    my $grant = $rest->post('/grants', {
        subject => "key:$made->{id}", group_id => $group,
        verbs => ['devices:read'] })->json->{id};

    is(next_of($ws), 'resync', 'it is granted a group; the other device was '
       . 'not told');

    my $dev = RS::Device->enroll($rest, enrollment => { group_id => $group });

    is(next_of($ws), 'device ' . $dev->id . ' new', 'one of the group');

    my $socket = $hidden->connect($a);
    my $seen = $dev->connect($b);

    is(next_of($ws), 'device ' . $dev->id . ' online', 'of the group only');

    my $r = $rest->get('/devices/' . $dev->id);

    $rest->patch('/devices/' . $dev->id, { group_id => undef },
                 $r->header('ETag'));
    is(next_of($ws), 'device ' . $dev->id . ' gone', 'out of the group');

    $rest->delete("/grants/$grant");
    is(next_of($ws), 'resync', 'the grant is taken');
    $rest->delete("/keys/$made->{id}");
    is($ws->expect_close(5), 4401, 'and the key');

    $_->close() for $socket, $seen;
};


subtest 'nothing is told between a change of rights and its answer' => sub {
    my $group = $rest->post('/groups', { name => 'yard' })->json->{id};
    my $made = $rest->post('/keys', {
        name => 'taken', scopes => ['devices:read'],
        granted => JSON::true() })->json;

    $rest->post('/grants', {
        subject => "key:$made->{id}", group_id => $group,
        verbs => ['devices:read'] });

    my @ws = (watch($a, $a->rest(key => $made->{key})), watch($a, $rest));

    $_->expect('welcome') for @ws;

    my $id = 'dev_' . 'b' x 26;

    # at once, so that no answer can come between

    $redis->call('MULTI');
    $redis->call('HDEL', 'rs:{default}:gsub', "key:$made->{id}");
    $redis->call('PUBLISH', 'rs:watch', 'default who - - changed');
    $redis->call('PUBLISH', 'rs:watch', "default dev $id $group online");
    $redis->call('EXEC');

    is(next_of($_), 'resync', 'the lists are to be read') for @ws;

    $redis->call('PUBLISH', 'rs:watch', "default dev $id $group offline");
    is(next_of($ws[1]), "device $id offline", 'who may hears again');

    $_->close() for @ws;
};


# A ticket that a user asked for.

sub user_watch {
    my ($id) = @_;

    # those that were not used

    $redis->call('DEL', $_) for @{ $redis->call('KEYS',
                                                'rs:{default}:wat:*') };

    my $ticket = $rest->post('/watch')->json->{ticket};
    my ($wat) = @{ $redis->call('KEYS', 'rs:{default}:wat:*') };

    $redis->call('HSET', $wat, 'auth', "rs:{default}:usr:$id", 'caller',
                 JSON->new->encode({
                     kind => 'user', id => $id, name => 'Ana', iat => time(),
                     verb => 'devices:read', also => [], subjects => [],
                     tenant => ['devices:read'], granted => [] }));

    return $b->ws('/watch', protocols => ['rs.v1', "rs.ticket.$ticket"]);
}


subtest 'one user does not take all the sockets there are' => sub {
    my ($ana, $bob) = map { 'usr_' . $_ x 26 } 'a', 'b';
    my @ws;

    for (1 .. 32) {
        push @ws, user_watch($ana);
        $ws[-1]->expect('welcome');
    }

    is(user_watch($ana)->expect_close, 1013, 'one more');

    my $other = user_watch($bob);

    ok($other->expect('welcome'), 'of another user');

    my $first = shift @ws;

    $first->send_json({ type => 'bye' });
    is($first->expect_close, 1000, 'one goes');
    push @ws, user_watch($ana);
    ok($ws[-1]->expect('welcome'), 'and another one may come');
    $_->close() for @ws, $other;
};


subtest 'a key that ends' => sub {
    my $made = $rest->post('/keys', { name => 'short', ttl_s => 3,
                                      scopes => ['devices:read'] })->json;
    my $ws = watch($a, $a->rest(key => $made->{key}));

    $ws->expect('welcome');
    is($ws->expect_close(20), 4401, 'ends its watchers');
};


subtest 'a slow reader' => sub {
    my $gw = RS::Gateway->new(redis => $redis, workers => 1,
                              location => 'rs_message_size 1k; rs_send_queue 4k;',
                              server => $METRICS_LOCATION);
    my $socket = $gw->socket();

    # what its kernel takes is not much, and then nothing is read

    setsockopt($socket, SOL_SOCKET, SO_RCVBUF, 4096) or die "SO_RCVBUF: $!";

    my $ws = watch($gw, $rest, socket => $socket);
    my $other = watch($gw, $rest);

    $_->expect('welcome') for $ws, $other;

    my $line = 'default dev dev_' . 'a' x 26 . ' - online';
    my $n = 0;

    wait_until {
        for (1 .. 50) {
            $redis->call('PUBLISH', 'rs:watch', $line) for 1 .. 10;
            $n += 10;

            next_of($other) for 1 .. 10;
        }

        metrics($gw)->value('rs_connections', kind => 'watcher') < 2
    } 120, 'its end';

    ok($n > 100, "after $n lines it is closed, whoever reads goes on");
    $redis->call('PUBLISH', 'rs:watch', $line);
    is(next_of($other), 'device dev_' . 'a' x 26 . ' online', 'and hears');
    $gw->check_log();
    $gw->stop();
};


subtest 'the subscription is lost' => sub {
    my $ws = watch($a, $rest);

    $ws->expect('welcome');
    $redis->call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    is(next_of($ws), 'resync', 'what may have been missed is to be read');

    my $dev = RS::Device->enroll($rest);

    told($ws, 'device ' . $dev->id . ' new');
    $ws->close();
    wait_until { $a->all_answer('/health/ready', 200) } 20, 'both workers';
};


subtest 'a line that is none' => sub {
    $redis->call('PUBLISH', 'rs:watch', $_)
        for '', 'x', "default dev dev_\x01 - new", 'default dev - - new';
    $a->wait_log(qr/rs watch: a line of \d+ bytes is malformed/, 10);
    pass('is told as such');
};


subtest 'a reload' => sub {
    my $ws = watch($a, $rest);

    $ws->expect('welcome');
    $a->reload();
    is($ws->expect_close, 1012, 'sends its watchers away');
};

$_->check_log() for $a, $b;

done_testing();
