# Copyright (C) rs-gateway contributors

# A node is drained by REST: all its workers refuse new sockets at once and
# send away those they have, REST goes on, and it can be called off.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(now wait_until);
use RS::WS;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, drain => '1s');
my $all = $gw->rest(key => $redis->api_key);
my $rest = $gw->rest(key => $redis->api_key(scopes => 'node:drain'));


sub state {
    my $r = $rest->get('/drain');

    is($r->status, 200, 'GET /drain');

    return $r->json;
}


# workers of before a reload look as well, as long as they are there

sub each_says {
    my ($what, $times) = @_;
    my $log = $gw->error_log;

    for my $pid ($gw->workers) {
        return 0 if (() = $log =~ / $pid#\d+: \Q$what\E/g) < $times;
    }

    return 1;
}


sub refused {
    my ($worker) = @_;
    my $ws = RS::WS->connect(port => $gw->port,
                             socket => $gw->socket(worker => $worker));
    my $status = $ws->upgrade(path => '/rs/v1/agent',
                              protocols => ['rs.v1']);

    is($status, 503, "worker $worker: a new socket is refused");
    is($ws->body->{code}, 'draining', 'with the reason');
    like($ws->header('Retry-After') // '', qr/^\d+$/, 'and Retry-After');

    return;
}


# whether the gateway keeps a connection for the next call

sub kept {
    my $s = $gw->socket(worker => 0);
    my ($head, $more) = ('');

    $s->blocking(1);
    syswrite $s, "GET /rs/v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    $head .= $more
        while $head !~ /\r\n\r\n/ && sysread $s, $more, 4096;
    like($head, qr/^HTTP\/1\.1 200 /, 'an answer');

    return $head !~ /^Connection: close\r$/mi;
}


subtest 'who may' => sub {
    is($all->post('/drain')->status, 403, 'not whoever may do all else');
    is($gw->rest->post('/drain')->status, 401, 'not without a key');
    is($rest->get('/devices')->status, 403, 'that scope allows nothing else');

    my $r = $rest->post('/drain?node=another');

    is($r->status, 421, 'not another node');
    is($r->json->{code}, 'wrong_node', 'and says so');
    ok(!state()->{draining}, 'nothing has happened');
};


my @devices = map { RS::Device->enroll($all, name => "desk $_") } 0 .. 3;


sub connect_all {
    $devices[$_]->connect($gw, worker => $_ % 2) for 0 .. 3;

    return;
}


subtest 'drain' => sub {
    connect_all();

    my $r = $all->post('/sessions', {
        host => { type => 'device', device_id => $devices[0]->id },
        participants => [{ role => 'controller' }] });
    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}");

    $ws->expect('welcome');
    is_deeply(state()->{connections}, { participants => 1, agents => 4 },
              'what the workers have');
    ok($gw->all_answer('/health/ready', 200), 'all are ready');

    $r = $rest->post('/drain?node=' . $gw->node);
    is($r->status, 200, 'it is begun');
    is($r->json->{node}, $gw->node, 'by this node');
    ok($r->json->{draining}, 'which is draining');
    like($r->json->{draining_at}, qr/^\d{10}$/, 'since now');

    ok($gw->all_answer('/health/ready', 503), 'no worker is ready');
    ok($gw->all_answer('/health/live', 200), 'all live');
    is($gw->rest->get('/health/ready')->json->{code}, 'draining', 'why');
    refused($_) for 0, 1;

    for my $socket ($ws, map { $_->ws } @devices) {
        is($socket->expect('goaway', 4)->{after_ms}, 0, 'told to leave');
        is($socket->expect_close, 1012, 'and closed');
    }

    is_deeply(state()->{connections}, { participants => 0, agents => 0 },
              'nobody is left');
    is($all->get('/devices')->status, 200, 'REST goes on');

    my $since = state()->{draining_at};

    is($rest->post('/drain')->json->{draining_at}, $since,
       'once more changes nothing');
};


subtest 'a reload does not end it' => sub {
    $gw->{ready} = 0;
    $gw->reload();
    ok(state()->{draining}, 'it is draining');
    refused($_) for 0, 1;
};


subtest 'called off' => sub {
    is($rest->delete('/drain?node=another')->status, 421, 'not another node');
    ok(state()->{draining}, 'nothing has happened');

    my $r = $rest->delete('/drain?node=' . $gw->node);

    is($r->status, 200, 'it is ended');
    is($r->json->{draining}, JSON::false, 'it is not draining');
    is($r->json->{draining_at}, undef, 'since no time');
    ok($gw->all_answer('/health/ready', 200), 'all are ready');
    connect_all();
    is(state()->{connections}{agents}, 4, 'and take sockets');
};


subtest 'balancers first' => sub {
    for my $bad ('301', '-1', '1.5', 'soon') {
        is($rest->post("/drain?after_s=$bad")->status, 422, "after_s=$bad");
    }

    is($rest->get('/drain?after_s=1')->json->{code}, 'unknown_field',
       'only where it begins');
    ok(!state()->{draining}, 'nothing has happened');
    ok(kept(), 'connections are kept');

    my $start = now();

    is($rest->post('/drain?after_s=8&node=' . $gw->node)->status, 200,
       'it is begun');
    ok($gw->all_answer('/health/ready', 503), 'no worker is ready');
    ok(!kept(), 'who calls again comes by the balancer');

    my @late = map { RS::Device->enroll($all, name => "late $_") } 0, 1;

    for my $i (0, 1) {
        $late[$i]->connect($gw, worker => $i);
        pass("worker $i: a new socket is still taken");
    }

    is(state()->{connections}{agents}, 6, 'nobody is told to leave');

    for my $device (@devices, @late) {
        $device->expect('goaway', 16);
        $device->ws->expect_close;
    }

    cmp_ok(now() - $start, '>=', 7, 'and then all are');
    refused($_) for 0, 1;
    $rest->delete('/drain');

    # a second call that says nothing begins at once

    $rest->post('/drain?after_s=300');
    ok($gw->all_answer('/health/ready', 503), 'later');
    $rest->post('/drain');
    refused($_) for 0, 1;
    $rest->delete('/drain');
    ok($gw->all_answer('/health/ready', 200), 'all are ready');
    connect_all();
};


subtest 'called off half way' => sub {
    $gw->{ready} = 1;
    $gw->reload(drain => '60s');
    $_->expect('goaway', 4), $_->ws->expect_close for @devices;
    connect_all();
    $rest->post('/drain');
    wait_until { each_says('rs drain of 2 sockets over 60000ms', 1) } 3,
               'both workers following';
    $rest->delete('/drain');
    wait_until { each_says('rs drain called off', 1) } 3,
               'both workers having heard';

    for my $device (@devices) {
        $device->send_json({ type => 'ping' });
        is($device->expect('pong')->{type}, 'pong', 'a socket stays');
    }
};


subtest 'the end while draining' => sub {
    my @old = $gw->workers();

    $rest->post('/drain');
    wait_until { each_says('rs drain of 2 sockets over 60000ms', 2) } 3,
               'both workers following';
    $_->ws->close for @devices;
    $gw->quit();
    ok(!grep({ -e "/proc/$_" } @old), 'the workers have ended');
};


$gw->check_log();

done_testing();
