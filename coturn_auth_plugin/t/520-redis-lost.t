#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Redis is killed, hangs, or fails over to another server: who is denied stays
# denied, who may come comes as quickly as before, media flows; and afterwards
# a session that ends takes its allocations with it. In both modes.

use strict;
use warnings;

use FindBin;
use List::Util qw(min);
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Sentinel;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(now start within wait_until);

my $seconds = RS::Turn::whole() ? 30 : 4;

my @denied = ('127.0.0.1:80', '10.0.0.1:80', '192.168.1.1:53',
              '169.254.169.254:80', '224.0.0.1:5353', '8.8.8.8:53');


sub allocated {
    my ($turn, $c) = @_;
    my $client;

    wait_until {
        $client = $turn->client($c);
        $client->allocate() == 0
    } 10, 'an allocation';

    return $client;
}


sub pair {
    my ($turn, $s) = @_;
    my @ends = map { allocated($turn, $turn->credential($s, par => $_)) }
               $s->{host} // $s->{pars}[0], $s->{pars}[0];

    $ends[0]->bind($ends[1]->relay) == 0 or die $ends[0]->error;
    $ends[1]->bind($ends[0]->relay) == 0 or die $ends[1]->error;
    RS::TurnClient::relays(@ends, 10) or die 'does not relay';

    return @ends;
}


# The time of an authentication, in ms: the challenge and the answer. That of
# the fastest, for whoever waits for Redis waits each time, and a busy machine
# delays most but not all. coturn forgets an allocation some time after its
# end, hence quotas so large.

my %conf = (authd_conf => { quota => 5000, host_quota => 5000 });


sub latency {
    my ($turn, $s, $n) = @_;
    my @took;

    while (@took < $n) {
        my $client = $turn->client($turn->credential($s));
        my $start = now();
        my $code = $client->allocate();

        next if $code eq '437';         # this port was one's a moment ago
        $code eq '0' or die "no allocation: $code";
        push @took, 1000 * (now() - $start);
        $client->refresh(0) == 0 or die 'no end of an allocation';
        $client->close();
    }

    return min(@took);
}


# All of what must hold, again and again for so long.

sub holds {
    my ($what, $turn, $s, $usual, $for, @ends) = @_;
    my $next = now();
    my $end = $next + $for;
    my (%bad, @latency);

    do {
        for my $peer (@denied) {
            my $code = $ends[0]->permit($peer);

            $bad{"$peer: $code"}++ if $code ne '403';
        }

        $bad{'no media'}++ if !RS::TurnClient::relays(@ends, 5)
                              || !RS::TurnClient::relays(reverse(@ends), 5);
        push @latency, latency($turn, $s, 5);

        # four times a second

        $next += 0.25;
        wait_until { now() > $next } 5;
    } while (now() < $end);

    is_deeply(\%bad, {}, "$what: the denied are denied, media flows");

    my $median = (sort { $a <=> $b } @latency)[@latency / 2];

    $usual = 1 if $usual < 1;
    cmp_ok($median, '<', 10 * $usual,
           sprintf('%s: an allocation takes %.2f ms as before', $what,
                   $median));

    return;
}


# A session ends or is revoked, and the allocations it has had all the time;
# another relays.

sub ends {
    my ($what, $turn, $s, $others, @ends) = @_;
    my $start = start();

    $s->{host} ? $turn->end_session($s) : $turn->revoke($s);
    wait_until { !$turn->allocations(session => $s) } 10, 'their end';
    within($start, 1, "$what: over in Redis, over here");
    is(RS::TurnClient::relays(@ends, 0.5), 0, "$what: it is silent");
    is(RS::TurnClient::relays(@$others, 5), 1, "$what: another one is not");
    $_->close() for @ends;

    return;
}


for my $mode ('compat', 'strict') {
    my $redis = RS::Redis->new(acl => 1);
    my $turn = RS::Turn->new(redis => $redis, mode => $mode, %conf);

    $turn->wait_sync();

    my ($s, $next, $other) = map { $turn->session(ttl_s => 900) } 1 .. 3;
    my @ends = pair($turn, $s);
    my @next = pair($turn, $next);
    my @others = pair($turn, $other);
    my $usual = latency($turn, $other, 21);

    $redis->kill();
    wait_until { !$turn->metric('rs_turn_in_sync') } 10, 'the loss';
    holds("$mode, killed", $turn, $s, $usual, $seconds, @ends);
    $redis->start();
    $turn->use_redis($redis);
    $turn->wait_sync(20);
    ends("$mode, back", $turn, $s, \@others, @ends);

    $redis->freeze();
    holds("$mode, hung", $turn, $next, $usual, $seconds, @next);
    is($turn->metric('rs_turn_in_sync'), 0, "$mode, hung: noticed");
    $redis->thaw();
    $turn->wait_sync(20);
    ends("$mode, thawed", $turn, $next, \@others, @next);

    $_->close() for @others;
    $turn->check_logs();
    $turn->stop();
}


for my $mode ('compat', 'strict') {
    my $trio = RS::Sentinel->new(down_after => 1000);
    my $turn = RS::Turn->new(redis => $trio->primary, mode => $mode,
                             redis_conf => $trio->conf, %conf);

    $turn->wait_sync();

    my $s = $turn->turn_session(ttl_s => 900);
    my $other = $turn->session(ttl_s => 900);
    my @ends = pair($turn, $s);
    my @others = pair($turn, $other);
    my $usual = latency($turn, $other, 21);
    my $primary = $trio->primary;

    # the other one has all of it

    wait_until { $primary->call('WAIT', 1, 100) } 10, 'the replica';

    $primary->kill();
    holds("$mode, failing over", $turn, $s, $usual, 2, @ends);
    $trio->wait_moved(30);
    isnt($trio->primary, $primary, "$mode: another primary");
    $turn->use_redis($trio->primary);
    wait_until {
        $turn->metric('rs_turn_syncs_total', result => 'whole') > 1
            && $turn->metric('rs_turn_in_sync')
    } 20, 'a listing of the new primary';
    ends("$mode, failed over", $turn, $s, \@others, @ends);

    # and a new session comes

    my @new = pair($turn, $turn->session(ttl_s => 900));

    is(RS::TurnClient::relays(@new, 5), 1, "$mode: a new session relays");
    $_->close() for @new, @others;
    $turn->check_logs();
    $turn->stop();
}

done_testing();
