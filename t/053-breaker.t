
# Copyright (C) rs-gateway contributors

# A Redis that does not answer, or only slowly: what is under way ends in
# time, what comes then is refused at once and not after a timeout each, and
# all of it ends by itself.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Proxy;
use RS::Redis;
use RS::Util qw(wait_until now);

my $redis = RS::Redis->new();
my $key = $redis->api_key;
my $gw = RS::Gateway->new(redis => $redis);
my $rest = $gw->rest(key => $key);


sub ready {
    my ($gw, $what) = @_;

    return ok(eval {
        wait_until { $gw->rest->get('/health/ready')->status == 200 } 20;
    }, $what) || diag($@, $gw->error_log);
}


# a call and its time

sub call {
    my ($rest, $write) = @_;

    return $write ? $rest->post('/enrollments', {}) : $rest->get('/sessions');
}


# For so many seconds each call is refused, nearly all of them at once: those
# of the first moments may find a link that has just lost its server.

sub refused_at_once {
    my ($gw, $seconds, $what) = @_;
    my $rest = $gw->rest(key => $key);
    my $end = now() + $seconds;
    my (%status, @slow, $n);

    wait_until {
        my $r = call($rest, ++$n % 2);

        $status{ $r->status }++;
        push @slow, sprintf '%.2f', $r->seconds if !$r->within(0.2);
        now() > $end
    } $seconds + 2;

    is_deeply([keys %status], [503], "$what: all are refused")
        or diag(explain(\%status));
    is("@slow", '', "$what: at once");
    cmp_ok($n, '>', 20, "$what: $n of them");

    return;
}


sub first_ends_in_time {
    my ($gw, $what) = @_;
    my $r = call($gw->rest(key => $key), 1);

    is($r->status, 503, "$what: a call under way ends");
    ok($r->within(1), "$what: within a second") or diag($r->seconds);
    like($r->header('Retry-After'), qr/^\d+$/, "$what: with Retry-After");

    return;
}


sub connections {
    return ($redis->call('INFO', 'stats')
            =~ /total_connections_received:(\d+)/)[0];
}


is(call($rest)->status, 200, 'a call');


subtest 'stopped' => sub {
    my $before = connections();

    $redis->freeze;
    first_ends_in_time($gw, 'stopped');
    refused_at_once($gw, 4, 'stopped');

    # a socket is refused while it is still HTTP

    my $ws = eval { $gw->signal('rs.ticket.default.x') };

    is($ws, undef, 'no upgrade');
    like($@, qr/503/, 'but 503');
    is($gw->rest->get('/health/live')->status, 200, 'the worker lives');

    $redis->thaw;
    ready($gw, 'thawed: ready');
    is(call($rest)->status, 200, 'a call');
    cmp_ok(connections() - $before, '<', 40, 'connected with patience');
};


# Reads are answered and INFO is, writes are not: such a link is not up.

subtest 'CLIENT PAUSE WRITE' => sub {
    $redis->call('CLIENT', 'PAUSE', 30000, 'WRITE');
    first_ends_in_time($gw, 'writes paused');
    refused_at_once($gw, 2, 'writes paused');
    $redis->call('CLIENT', 'UNPAUSE');
    ready($gw, 'the pause is over: ready');
    is(call($rest, 1)->status, 201, 'a call');
};


subtest 'CLIENT PAUSE ALL' => sub {
    # nobody can end it

    $redis->call('CLIENT', 'PAUSE', 8000, 'ALL');
    first_ends_in_time($gw, 'all paused');
    refused_at_once($gw, 2, 'all paused');
    ready($gw, 'the pause is over: ready');
    is(call($rest, 1)->status, 201, 'a call');
};


subtest 'slow' => sub {
    my $proxy = RS::Proxy->new(to => $redis->socket);
    my $gw = RS::Gateway->new(
        node => 'slow', redis_conf => 'redis://127.0.0.1:' . $proxy->port,
        http => 'rs_lease_ttl 3s; rs_redis_slow 300ms; rs_redis_timeout 9s;',
        server => 'location = /metrics { rs_metrics; }');
    my $rest = $gw->rest(key => $key);
    my $ups = sub { scalar(() = $gw->error_log =~ /for commands is up/g) };
    my $gauge = sub {
        my $text = $gw->rest->raw("GET /metrics HTTP/1.1\r\nHost: a\r\n"
                                  . "Connection: close\r\n\r\n")->content;
        return ($text =~ /^\Q$_[0]\E(?:\{[^}]*\})? (\d+)$/m)[0];
    };

    is(call($rest)->status, 200, 'a call');

    # slower than the bound, but within rs_redis_timeout

    $proxy->slow(450);

    my ($r, $answered);

    ok(eval {
        wait_until {
            $r = call($rest, 1);
            $answered++ if $r->status == 201;
            $r->within(1) or die 'a call took ' . $r->seconds . ' s';
            $r->status == 503
        } 20;
    }, 'in the end a call is refused') or diag($@);

    cmp_ok($answered, '>', 3, "after $answered that were slow");
    ok($r->within(0.2), 'at once') or diag($r->seconds);
    like($gw->error_log,
         qr/is slow, commands are refused: answers take \d+ ms on average/,
         'the log says why');

    refused_at_once($gw, 4, 'slow');
    is($gauge->('rs_redis_slow'), 1, 'rs_redis_slow');
    is($gauge->('rs_bus_up'), 1, 'rs_bus_up');
    is($ups->(), 1, 'the link is the same');

    # more than rs_lease_ttl has passed

    my @leases = grep { /^slow\./ }
                 @{ $redis->call('ZRANGEBYSCORE', 'rs:{w}:lease',
                                 1000 * time, '+inf') };

    is(scalar @leases, 1, 'the lease was renewed');
    $gw->rest->problem($gw->rest->get('/health/ready'), 503, 'unavailable');

    $proxy->slow(0);
    ready($gw, 'quick again: ready');
    is(call($rest, 1)->status, 201, 'a call');
    is($ups->(), 1, 'the link is the same');
    like($gw->error_log, qr/answers in time again, commands are taken/,
         'the log says so');
    is($gauge->('rs_redis_slow'), 0, 'rs_redis_slow');

    $gw->quit;
    $gw->check_log;
};


$gw->quit;
$gw->check_log;

done_testing();
