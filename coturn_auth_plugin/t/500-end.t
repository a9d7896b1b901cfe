#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# How the right to relay ends, and what it is limited to: an allocation that is
# kept alive by Refresh, a session that was revoked, one allocation too many,
# credentials nobody issued. In both modes.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(now start within wait_until);

my $redis = RS::Redis->new(acl => 1);


# An allocation. In strict mode a session is refused until the daemon has heard
# of it, and here it is a millisecond old.

sub allocated {
    my ($turn, $c) = @_;
    my $client;

    wait_until {
        $client = $turn->client($c);
        $client->allocate() == 0
    } 5, 'an allocation';

    return $client;
}


# Two ends of one session with allocations that relay to each other.

sub pair {
    my ($turn, @credentials) = @_;
    my @ends = map { allocated($turn, $_) } @credentials;

    $ends[0]->bind($ends[1]->relay) == 0 or die $ends[0]->error;
    $ends[1]->bind($ends[0]->relay) == 0 or die $ends[1]->error;
    RS::TurnClient::relays(@ends, 10) or die 'does not relay';

    return @ends;
}


# What Refresh says without an allocation: there is none, or, where coturn asks
# for the key of this name once more, that there is no such user.

my %none = (compat => 437, strict => 401);


# Its allocation is dead: Refresh says so, and what is sent does not arrive.

sub is_dead {
    my ($mode, $what, $from, $to) = @_;

    subtest "$mode, $what: dead" => sub {
        # they are ended one after the other: this one a moment later

        wait_until { $from->refresh(600) == $none{$mode} } 10, 'its end';
        pass("Refresh: $none{$mode}");
        is(RS::TurnClient::relays($from, $to, 0.5), 0, 'its data is silent');
    };

    return;
}


# The credential says three seconds, and so does its session; what was
# allocated meanwhile is refreshed for as long as that works.

sub kept_alive {
    my ($turn, $mode) = @_;
    my $s = $turn->session(ttl_s => 3);
    my $ends_at = now() + 3;
    my $start = start();
    my @ends = pair($turn, $turn->credential($s, ttl => 3),
                    $turn->credential($s, par => $s->{pars}[0], ttl => 3));
    my $refreshed = 0;

    wait_until {
        my $code = $ends[0]->refresh(600);

        $refreshed++ if !$code;
        $code == $none{$mode}
    } 20, 'the end of what is kept alive';

    # Redis counts in whole seconds

    cmp_ok(now(), '>', $ends_at - 1.1, "$mode: kept alive until then");
    cmp_ok($refreshed, '>', 0, "$mode: by Refresh");
    within($start, 3 + 1 + 1, "$mode: dead a second after its session's end");
    is_dead($mode, 'kept alive', reverse @ends);
    $_->close() for @ends;

    return;
}


sub revoked {
    my ($turn, $mode) = @_;
    my $s = $turn->turn_session(ttl_s => 600);
    my $c = $turn->credential($s);
    my $other = $turn->turn_session(ttl_s => 600);
    my @ends = pair($turn, ($c) x 2);
    my @others = pair($turn, ($turn->credential($other)) x 2);

    $turn->revoke($s);
    wait_until { $ends[0]->refresh(600) == $none{$mode} } 10, 'the end of a revoked one';
    is_dead($mode, 'revoked', $ends[1], $ends[0]);
    is(RS::TurnClient::relays(@others, 5), 1, "$mode: the other one relays");

    # and nothing new: with the same name, and with a later one

    for my $again ($c, $turn->credential($s, ttl => 500)) {
        my $client = $turn->client($again);
        my $code = $client->allocate();

        if ($mode eq 'strict') {
            is($code, 401, 'strict: its Allocate is refused');

        } else {
            wait_until { $client->refresh(600) == 437 } 10, 'its end'
                if $code == 0;
            pass("compat: its Allocate is worth nothing ($code)");
        }

        $client->close();
    }

    is($turn->allocations(session => $s), 0, "$mode: coturn has none of it");
    $_->refresh(0) for @others;
    $_->close() for @ends, @others;
    wait_until { !$turn->metric('rs_turn_allocations') } 10, 'no allocation';

    return;
}


sub none_left {
    my ($turn, $par, @clients) = @_;

    $_->refresh(0) for @clients;
    $_->close() for @clients;
    wait_until { !$turn->allocations(par => $par) } 10, 'their end';
    wait_until { !$turn->metric('rs_turn_allocations') } 10,
               'the daemon hearing of it';

    return;
}


# Two allocations a participant, whatever the credentials are called.

sub quota {
    my ($turn, $mode) = @_;
    my $s = $turn->session(ttl_s => 600);
    my ($par) = @{ $s->{pars} };
    my @c = map { $turn->credential($s, par => $par, ttl => 300 + 10 * $_) }
            0 .. 2;
    my @clients;

    none_left($turn, $par, allocated($turn, $c[0]));

    for my $which (['the same name', 0, 0, 0], ['fresh names', 0, 1, 2]) {
        my ($what, @use) = @$which;
        my @codes;

        @clients = map { $turn->client($c[$_]) } @use;

        # one by one: coturn tells of each

        for my $n (0 .. 2) {
            push @codes, $clients[$n]->allocate();
            wait_until {
                $turn->metric('rs_turn_allocations') >= $n + 1
            } 5, 'the daemon hearing of it' if $n < 2 && !$codes[$n];
        }

        is_deeply([@codes[0, 1]], [0, 0], "$mode, $what: two");

        # refused at once, or ended at once

        wait_until { $turn->allocations(par => $par) <= 2 } 10,
                   'not more than two allocations';
        isnt($codes[2] || $clients[2]->refresh(600), 0,
             "$mode, $what: the third is refused");
        cmp_ok(scalar $turn->allocations(par => $par), '<=', 2,
               "$mode, $what: two are left");

        none_left($turn, $par, @clients);
    }

    return;
}


for my $mode ('compat', 'strict') {
    my $turn = RS::Turn->new(redis => $redis, mode => $mode,
                             authd_conf => { quota => 2, host_quota => 2 });

    $turn->wait_sync();

    kept_alive($turn, $mode);
    revoked($turn, $mode);
    quota($turn, $mode);

    $turn->check_logs();
    $turn->stop();
}

done_testing();
