# Copyright (C) rs-gateway contributors

# GET /events: what happens on any node, in order, once; on from where a
# reader was, over reload, restart of Redis and drain; only what it may see;
# and who does not read, or too often, is sent away.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

use RS::Device;
use RS::Events;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Util qw(wait_until random_id);

my $redis = RS::Redis->new(acl => 1);
my $a = RS::Gateway->new(redis => $redis, workers => 2, http =>
                         'rs_events_readers 20;', location =>
                         'rs_events_heartbeat 1s;',
                         server => $METRICS_LOCATION);
my $b = RS::Gateway->new(redis => $redis, location =>
                         'rs_events_heartbeat 1s;');
my $rest = $a->rest(key => $redis->api_key);
my $dev = RS::Device->enroll($rest);


sub rename_device {
    my ($name) = @_;
    my $r = $rest->get('/devices/' . $dev->id);

    $r = $rest->patch('/devices/' . $dev->id, { name => $name },
                      $r->header('ETag'));
    return $r->status == 200 || die $r->content;
}


subtest 'on all nodes, in order' => sub {
    my @e = (RS::Events->new($rest), RS::Events->new($rest),
             RS::Events->new($b->rest(key => $rest->{key})));

    like($e[0]->head, qr/^Cache-Control: no-store\r$/m, 'not to be kept');
    like($e[0]->head, qr/^X-Accel-Buffering: no\r$/m, 'nor collected');
    is($e[0]->retry, 2000, 'when to come back');

    my $ws = $dev->connect($b);
    my $s = $rest->post('/sessions', { host => { type => 'device',
                                                 device_id => $dev->id } });
    my $ses = $s->json->{id};

    $dev->expect('invite');
    is($rest->delete("/sessions/$ses")->status, 204, 'ended');
    $ws->close();

    for my $e (@e) {
        my @got = map { $e->next } 1 .. 4;

        is_deeply([map { $_->{event} } @got],
                  [qw(device.online session.created session.ended
                      device.offline)], 'what happened');
        is_deeply([map { $_->{data}{type} } @got],
                  [map { $_->{event} } @got], 'as the object says');
        is_deeply([map { $_->{data}{id} } @got], [map { $_->{id} } @got],
                  'and its id');
        is($got[1]{data}{data}{session_id}, $ses, 'which session');
        is($got[0]{data}{tenant}, 'default', 'whose');
    }

    is(metrics($a)->value('rs_event_readers'), 2, 'readers are counted');
    ok(metrics($a)->value('rs_events_sent_total') >= 8, 'and events');
    $_->close() for @e;
    ok(wait_until { metrics($a)->value('rs_event_readers') == 0 } 20,
       'who leaves is gone');
};


subtest 'from where it was' => sub {
    my $e = RS::Events->new($rest);
    my $from = $e->position;

    like($from, qr/^\d+-\d+$/, 'it begins with a position');
    $e->close();
    rename_device("n$_") for 1 .. 5;

    $e = RS::Events->new($b->rest(key => $rest->{key}), last => $from);
    is($e->next->{data}{data}{name}, "n$_", "n$_") for 1 .. 3;
    $from = $e->position;
    $e->close();

    $e = RS::Events->new($rest, after => $from);
    is($e->next->{data}{data}{name}, "n$_", "n$_, after the one before")
        for 4, 5;
    $e->close();

    $e = RS::Events->new($rest, last => $from, after => '0-0');
    is($e->next->{data}{data}{name}, 'n4', 'the header counts');
    $e->close();

    $e = RS::Events->new($rest, after => '0-0');
    is($e->next->{event}, 'device.enrolled', 'all there are');
    $e->close();

    $e = RS::Events->new($rest, after => '1-1');
    is($e->next->{event}, 'lost', 'one too old: something is missing');
    is($e->next->{event}, 'device.enrolled', 'then what there is');
    $e->close();

    for my $bad ('x', '1', '1-2-3', '-1-0') {
        $rest->problem($rest->get("/events?after=$bad"), 422,
                       'invalid_value');
    }

    $rest->problem($rest->get('/events', { 'Last-Event-ID' => 'x' }), 422,
                   'invalid_value');
    $rest->problem($rest->get('/events?x=y'), 422, 'unknown_field');
};


subtest 'more than one page, and more than rs_send_queue' => sub {
    my $gw = RS::Gateway->new(redis => $redis, location =>
                              'rs_message_size 1k; rs_send_queue 2k;');
    my $e = RS::Events->new($rest);
    my $from = $e->position;
    my $n = 0;

    $e->close();
    $redis->call('XADD', 'rs:{default}:ev', '*', 't', 'x.y', 'w', 'd', 'g', '',
                 'b', qq("type":"x.y","n":$_})) for 1 .. 450;

    $e = RS::Events->new($gw->rest(key => $rest->{key}), last => $from);
    $n++ while $n < 450 && $e->next('x.y')->{data}{n} == $n + 1;
    is($n, 450, 'all of them, in order');
    $e->beat;
    is($gw->rest(key => $rest->{key})->get('/health/live')->status, 200,
       'nothing else waits');
    $e->close();
    $gw->stop;
};


subtest 'who may' => sub {
    my $group = $rest->post('/groups', { name => 'shop' })->json->{id};
    my $made = $rest->post('/keys', {
        name => 'given', scopes => ['devices:read', 'sessions:read'],
        granted => JSON::true() })->json;
    my $given = $a->rest(key => $made->{key});
    my $e = RS::Events->new($given);

    rename_device('hidden');
    $e->beat;

    my $grant = $rest->post('/grants', {
        subject => "key:$made->{id}", group_id => $group,
        verbs => ['devices:read'] })->json->{id};
    my $seen = RS::Device->enroll($rest, enrollment => {
        group_id => $group });

    rename_device('hidden again');

    my $ws = $seen->connect($a);

    is($e->next->{data}{data}{device_id}, $seen->id, 'what is granted')
        for 1, 2;
    is($e->position, (RS::Events->new($rest))->position,
       'its position is past what it may not see');

    is($rest->delete("/grants/$grant")->status, 204, 'the grant is taken');
    $ws->close();
    wait_until { !$rest->get('/devices/' . $seen->id)->json->{online} } 10,
               'offline';
    $e->beat;
    is($rest->delete("/keys/$made->{id}")->status, 204, 'the key is taken');

    my $end = $e->next;

    is_deeply([$end->{event}, $end->{data}{code}],
              ['end', 'unauthenticated'], 'its stream ends');
    ok($e->ended, 'and so does the answer');

    my $weak = $a->rest(key => $redis->api_key(scopes => 'ice'));

    $weak->problem($weak->get('/events'), 403, 'forbidden');
    $weak->problem($weak->with(key => undef)->get('/events'), 401,
                   'unauthenticated');
};


subtest 'how many' => sub {
    my @e = map { RS::Events->new($rest, socket => $a->socket(worker => 0)) }
            1 .. 16;

    $rest->problem($rest->request('GET', '/events',
                                  socket => $a->socket(worker => 0)), 429,
                   'limit_reached');

    my @keys = map { $redis->api_key() } 1, 2;

    push @e, map { RS::Events->new($a->rest(key => $keys[0]),
                                   socket => $a->socket(worker => 0)) } 1 .. 4;
    $rest->problem($a->rest(key => $keys[1])->request('GET', '/events',
                       socket => $a->socket(worker => 0)), 503, 'overloaded');
    $_->close() for @e;
};


subtest 'a client that does not read' => sub {
    my $gw = RS::Gateway->new(redis => $redis, location =>
                              'rs_events_heartbeat 1s; send_timeout 1s;',
                              server => $METRICS_LOCATION);
    my $socket = $gw->socket();
    my $with = $gw->rest(key => $rest->{key});

    setsockopt($socket, SOL_SOCKET, SO_RCVBUF, 4096) or die "SO_RCVBUF: $!";

    my $slow = RS::Events->new($with, socket => $socket);
    my $other = RS::Events->new($with);
    my $text = 'x' x 3000;
    my $n = 0;

    wait_until {
        for (1 .. 200) {
            $n++;
            $redis->call('XADD', 'rs:{default}:ev', '*', 't', 'x.y', 'w', 'd',
                         'g', '', 'b', qq("type":"x.y","n":$n,"t":"$text"}));
        }

        $redis->call('PUBLISH', 'rs:watch', 'default dev dev_' . 'a' x 26
                                            . ' - changed');
        1 while $other->next('x.y')->{data}{n} < $n;
        metrics($gw)->value('rs_event_readers_slow_total') > 0;
    } 60, 'it is cut off';

    is(metrics($gw)->value('rs_event_readers'), 1, 'one reader is left');
    rename_device('heard');
    is($other->next('device.updated')->{data}{data}{name}, 'heard',
       'who reads goes on');
    $other->close();
    $gw->check_log();
    $gw->stop();
};


subtest 'reload and drain' => sub {
    my $e = RS::Events->new($rest);
    my $other = RS::Events->new($b->rest(key => $rest->{key}));

    $a->start_reload();

    my $end = $e->next('end');

    is($end->{data}{code}, 'going_away', 'the old worker says so');
    ok($end->{retry} >= 2000 && $end->{retry} < 4000, 'and when to come back');
    ok($e->ended, 'a whole answer');
    rename_device('between');
    $e = RS::Events->new($rest, last => $e->position);
    is($e->next->{data}{data}{name}, 'between', 'nothing is missed');

    my $root = $b->rest(key => $redis->api_key(scopes => '* node:drain'));

    is($root->post('/drain')->status, 200, 'a node is drained');
    is($other->next('end')->{data}{code}, 'going_away', 'its readers leave');
    $root->problem($root->get('/events'), 503, 'draining');
    is($root->delete('/drain')->status, 200, 'no more');
    $e->close();
};


subtest 'Redis goes and comes back' => sub {
    my $e = RS::Events->new($rest);

    $redis->stop();
    $e->beat for 1 .. 2;
    pass('the stream goes on');
    $redis->start();
    wait_until { $a->all_answer('/health/ready', 200) } 20, 'both workers';

    rename_device('after');
    is($e->next->{data}{data}{name}, 'after', 'what happens then');
    $redis->call('DEL', 'rs:{default}:ev');
    rename_device('forgotten');
    is($e->next->{event}, 'lost', 'a server that has forgotten');
    is($e->next->{data}{data}{name}, 'forgotten', 'and what it has');
    $e->close();
};


$_->quit for $a, $b;
$_->check_log for $a, $b;
$redis->stop();

done_testing();
