#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What a session has relayed stands in its record, to the byte and once, over
# restarts of the daemon and while Redis is away; who never authenticated
# leaves none.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(random_id wait_until);

my $redis = RS::Redis->new(acl => 1);


# coturn's own word: what it logs of each allocation, added up, as
# { id => "rcvp rcvb sentp sentb" }.  It logs those who never had one, too.

sub logged {
    my ($turn, $s) = @_;
    my (%new, %sum);

    for (split /\n/, $turn->turn_log()) {
        next if !/\Q$s->{id}\E/;

        my ($id) = /\bsession (\d+)/ or next;

        $new{$id + 0} = 1 if /\bnew, realm=/;
        next if !/(?<!peer[ ])usage:[ ]realm=\S+[ ]
                  username=<\S*\Q$s->{id}\E\S*>,[ ]
                  rp=(\d+),[ ]rb=(\d+),[ ]sp=(\d+),[ ]sb=(\d+)/x;

        my @n = ($1, $2, $3, $4);

        $sum{$id + 0}[$_] += $n[$_] for 0 .. 3;
    }

    return { map { ($_ => "@{ $sum{$_} }") } grep { $new{$_} } keys %sum };
}


# the session's record: { id => [names...] }, { id => counters }, ids done

sub recorded {
    my ($s) = @_;
    my %all = @{ $redis->call('HGETALL',
                              "rs:{$s->{tenant}}:use:$s->{id}") };
    my (%names, %count, @done);

    for my $name (sort keys %all) {
        my ($par, $relay, $id, $at) = $name
            =~ m{^(par_\w+)/([\w-]+)/(\d+)-(\d+)$}
            or die "what is \"$name\"";
        my ($count, $done) = $all{$name} =~ /^(\d+ \d+ \d+ \d+) ([01])$/
            or die "$name: $all{$name}";

        push @{ $names{$id} }, $name;
        $count{$id} = $count;
        push @done, $id if $done;
    }

    return (\%names, \%count, \@done);
}


sub same {
    my ($turn, $s, $n, $what) = @_;

    wait_until { @{ (recorded($s))[2] } == $n } 30, "$n totals";

    my ($names, $count) = recorded($s);

    is_deeply($count, logged($turn, $s), "$what: what coturn has counted");
    is_deeply([grep { @{ $names->{$_} } != 1 } keys %$names], [],
              "$what: once");
}


# Another daemon, which knows the allocations, and which coturn tells of them:
# each of its threads connects again when it has something to say, and what it
# says first may be lost.

sub again {
    my ($turn, $clients, $meanwhile) = @_;

    $turn->stop_authd();
    $meanwhile->() if $meanwhile;
    $turn->start_authd();

    my $told = sub {
        $turn->metric('rs_turn_events_total', type => 'refreshed') // 0
    };

    wait_until {
        ($turn->metric('rs_turn_allocations') // -1) == @$clients
            && eval {
                my $n = $told->() + @$clients;

                $_->refresh(600) for @$clients;
                wait_until { $told->() >= $n } 1, 'all of it';
                1
            }
    } 30, 'a daemon that has caught up';
}


sub pair {
    my ($turn, $s) = @_;
    my @pair;

    # coturn's threads connect to a new daemon within 5 s

    for my $par ($s->{host}, $s->{pars}[0]) {
        my $client;

        wait_until {
            $client = $turn->client($turn->credential($s, par => $par));
            $client->allocate() eq '0'
        } 20, 'an allocation';
        push @pair, $client;
    }

    $pair[0]->permit($pair[1]->relay);
    $pair[1]->permit($pair[0]->relay);
    $pair[0]->bind($pair[1]->relay);

    return @pair;
}


sub relay {
    my ($from, $to, $n, $size) = @_;
    my $got = 0;

    for my $i (1 .. $n) {
        $from->send($to->relay, 'x' x $size);
        $got++ if $to->recv(5);
    }

    return $got;
}


for my $mode (qw(compat strict)) {
    my $turn = RS::Turn->new(redis => $redis, mode => $mode);

    $turn->wait_sync();

    # the end is told

    my $s = $turn->session();
    my @p = pair($turn, $s);

    is(relay(@p, 50, 200), 50, "$mode: it relays");
    $_->refresh(0) for @p;
    same($turn, $s, 2, "$mode: a short session");

    # many packets are told now and then

    $s = $turn->session();
    @p = pair($turn, $s);
    is(relay(@p, 2500, 100), 2500, "$mode: many packets");
    $turn->end_session($s);
    same($turn, $s, 2, "$mode: a long one");

    # nobody

    $s = $turn->session();

    for my $user ($turn->credential($s)->{username}, 'a%s%nb', 'x' x 500) {
        my $c = $turn->client({ username => $user, password => 'wrong' });

        isnt($c->allocate(), 0, 'a wrong password');
        $c->close();
    }

    @p = pair($turn, $s);
    $_->refresh(0) for @p;
    same($turn, $s, 2, "$mode: who did not authenticate has no record");

    # a daemon goes, another one comes

    $s = $turn->session();
    @p = pair($turn, $s);
    is(relay(@p, 40, 300), 40, 'before');
    again($turn, \@p, sub { is(relay(@p, 30, 100), 30, 'meanwhile') });
    is(relay(@p, 20, 500), 20, 'afterwards');
    $turn->end_session($s);
    same($turn, $s, 2, "$mode: over a restart");

    # Redis does not answer; nor is it the daemon that saw the end that tells

    $s = $turn->session();
    @p = pair($turn, $s);
    is(relay(@p, 20, 700), 20, 'before');
    wait_until { $turn->metric('rs_turn_allocations') == 2 } 20, 'both';
    $redis->freeze();
    $p[0]->refresh(0);
    wait_until { $turn->metric('rs_turn_allocations') == 1 } 20, 'one to end';
    wait_until { $turn->metric('rs_turn_usage_pending') } 20, 'it';
    again($turn, [$p[1]]);
    $redis->thaw();
    $p[1]->refresh(0);
    same($turn, $s, 2, "$mode: Redis away, and a restart");

    $turn->check_logs();
    $turn->stop();
}

done_testing();
