# Copyright (C) rs-gateway contributors

# rs_metrics: its format, what it counts, of two workers as one; a reload and
# the death of a worker lose nothing and leave no gauge behind.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Rest;
use RS::Stream;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                          http => 'rs_lease_ttl 3s;',
                          server => $METRICS_LOCATION);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');
my ($ws, $host, $session, $last);


# the counters of now, none of them below what it was

sub grown {
    my ($name) = @_;
    my $m = metrics($gw);
    my $now = $m->counters;
    my @less = $last ? grep { ($now->{$_} // -1) < $last->{$_} } keys %$last
                     : ();

    is("@less", '', "$name: no counter is less than it was");
    $last = $now;

    return $m;
}


subtest 'format' => sub {
    my $plain = RS::Rest->new(base => $gw->base =~ s{/rs/v1$}{}r);
    my $get = $plain->get('/metrics');
    my $head = RS::Stream->connect(port => $gw->port);

    $head->write("HEAD /metrics HTTP/1.1\r\nHost: a\r\n"
                 . "Connection: close\r\n\r\n");
    $head = $head->read_all;

    is($get->status, 200, 'GET');
    is($get->header('Content-Type'),
       'text/plain; version=0.0.4; charset=utf-8', 'type');
    like($head, qr{^HTTP/1\.1 200 }, 'HEAD');
    like($head, qr{\r\n\r\n\z}, 'HEAD has no body');
    is($plain->post('/metrics', {})->status, 405, 'POST');

    my $m = metrics($gw);

    is($m->value('rs_build_info'), 1, 'version');
    is($m->value('rs_workers'), 2, 'workers');
    is($m->value('rs_draining'), 0, 'not draining');
    cmp_ok(scalar keys %{ $m->families }, '>', 35, 'families');
    cmp_ok($m->value('rs_problems_total', code => 'not_found'), '==', 0,
           'a counter that is 0 is shown');
};


subtest 'counts of two workers' => sub {
    $device->connect($gw, worker => 1);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });
    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };

    $session = $r->json->{id};
    $host = $device->join($gw, $device->expect('invite'), worker => 1);
    $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);
    $ws->expect('welcome');

    $ws->send_json({ type => 'signal', id => 1, data => { a => 1 } });
    $ws->expect('ack');
    $host->expect('signal');
    $ws->send_json({ type => 'signal', id => 1, data => { a => 1 } });
    $ws->expect('ack');
    $ws->send_json({ type => 'nonsense' });
    $ws->expect('error');
    $ws->send_json({ type => 'input', data => { k => 1 } });
    $host->expect('input');

    my $bad = $gw->signal('rs.ticket.default.nonsense', worker => 0);

    $bad->expect_close(4401);
    $gw->rest->get('/sessions');
    is($rest->get('/signal')->status, 426, 'a bad handshake');

    is(metrics($gw, worker => 0)->value('rs_acks_total'),
       metrics($gw, worker => 1)->value('rs_acks_total'),
       'either worker tells the same');

    my $m = grown('traffic');
    my %wanted = (
        'rs_connections kind=agent' => 1,
        'rs_connections kind=participant' => 2,
        'rs_connections_pending' => 0,
        'rs_connections_opened_total kind=agent' => 1,
        'rs_connections_opened_total kind=participant' => 3,
        'rs_connections_closed_total reason=unauthenticated' => 1,
        'rs_connections_closed_total reason=none' => 0,
        'rs_connections_refused_total reason=handshake' => 1,
        'rs_joins_total result=ok' => 2,
        'rs_joins_total result=refused' => 1,
        'rs_resumes_total result=ok' => 0,
        'rs_device_logins_total result=ok' => 1,
        'rs_messages_received_total type=signal' => 2,
        'rs_messages_received_total type=input' => 1,
        'rs_messages_received_total type=hello' => 1,
        'rs_messages_bad_total' => 1,
        'rs_acks_total' => 2,
        'rs_duplicates_total' => 1,
        'rs_unsent_total' => 0,
        'rs_envelopes_bad_total' => 0,
        'rs_sessions_created_total' => 1,
        'rs_invites_total' => 1,
        'rs_problems_total code=unauthenticated' => 1,
        'rs_problems_total code=upgrade_required' => 1,
        'rs_redis_up' => 2,
        'rs_redis_lost_total' => 0,
        'rs_send_queue_bytes' => 0,
    );

    for (sort keys %wanted) {
        my ($name, @labels) = split / /;

        is($m->value($name, map { split /=/ } @labels), $wanted{$_}, $_);
    }

    cmp_ok($m->value('rs_messages_delivered_total'), '>=', 2, 'delivered');
    cmp_ok($m->value('rs_received_bytes_total'), '>', 100, 'bytes in');
    cmp_ok($m->value('rs_sent_bytes_total'), '>', 1000, 'bytes out');
    cmp_ok($m->value('rs_redis_call_seconds_count'), '>', 5, 'calls');
    cmp_ok($m->value('rs_lease_age_seconds'), '<', 15, 'lease');

    # input came over a socket or a channel, whichever the test runs with

    my $carried = $m->value('rs_envelopes_total', carrier => 'ipc',
                            direction => 'in')
                  + $m->value('rs_envelopes_total', carrier => 'redis',
                              direction => 'out');

    is($carried, 1, 'input went from worker to worker');
};


subtest 'reload' => sub {
    my $before = metrics($gw)->value('rs_acks_total');

    $gw->reload;
    is($_->expect_close, 1012, 'sent away') for $ws, $host, $device->ws;

    my $m = grown('reload');

    is($m->value('rs_acks_total'), $before, 'acks of the old workers count');

    # two are also the old ones, before the new ones are there

    wait_until {
        my $now = metrics($gw);

        $now->value('rs_workers') == 2
            && $now->value('rs_connections_closed_total',
                           reason => 'going_away') == 3
    } 10, 'old workers end';

    $m = grown('old workers gone');
    $rest->delete("/sessions/$session");
    is(metrics($gw)->value('rs_sessions_ended_total'), 1, 'a session ends');

    is($m->value('rs_connections', kind => 'agent'), 0, 'no agent is left');
    is($m->value('rs_connections', kind => 'participant'), 0,
       'no participant is left');
    is($m->value('rs_connections_closed_total', reason => 'going_away'), 3,
       'they were sent away');
};


subtest 'a killed worker' => sub {
    $device->connect($gw, worker => 0);

    is(grown('again')->value('rs_connections', kind => 'agent'), 1,
       'one agent');

    my $reaped = metrics($gw)->value('rs_workers_reaped_total');

    $gw->kill_worker(0);

    wait_until {
        my $m = metrics($gw);

        $m->value('rs_workers') == 2
            && $m->value('rs_connections', kind => 'agent') == 0
            && $m->value('rs_redis_up') == 2
    } 10, 'its gauges are gone, those of its successor are there';

    my $m = grown('SIGKILL');

    is($m->value('rs_connections_opened_total', kind => 'agent'), 2,
       'what it counted is there');

    wait_until {
        metrics($gw)->value('rs_workers_reaped_total') > $reaped
    } 20, 'somebody takes its duties over';

    $device->connect($gw, worker => 1);
    is(grown('successor')->value('rs_connections', kind => 'agent'), 1,
       'its successor counts from 0');
};


subtest 'drain' => sub {
    my $admin = $gw->rest(key => $redis->api_key(scopes => 'node:drain'));

    is($admin->post('/drain?node=' . $gw->node)->status, 200, 'drain');
    is(metrics($gw)->value('rs_draining'), 1, 'told');
    is($admin->delete('/drain?node=' . $gw->node)->status, 200, 'no drain');
    is(metrics($gw)->value('rs_draining'), 0, 'told');
};


subtest 'without Redis' => sub {
    $redis->stop;

    wait_until { metrics($gw)->value('rs_redis_up') == 0 } 10, 'told as down';

    is($rest->get('/sessions')->status, 503, 'a call is refused');
    is(RS::WS->connect(port => $gw->port)
             ->upgrade(path => '/rs/v1/agent', protocols => ['rs.v1']), 503,
       'an upgrade is refused');
    is(metrics($gw)->value('rs_connections_refused_total',
                           reason => 'unavailable'), 1, 'and counted as that');
    cmp_ok(grown('no Redis')->value('rs_problems_total',
                                    code => 'unavailable'), '>=', 1,
           'and counted');

    $redis->start;

    wait_until { metrics($gw)->value('rs_redis_up') == 2 } 10, 'told as up';
    grown('Redis again');
};


subtest 'a zone of another size begins anew' => sub {
    $gw->reload(http => 'rs_lease_ttl 3s; rs_zone rs 2m;');

    wait_until { metrics($gw)->value('rs_workers') == 2 } 10, 'old workers end';
    is(metrics($gw)->value('rs_acks_total'), 0, 'nothing is left');
};

$gw->check_log(allow => qr{exited on signal 9});

done_testing();
