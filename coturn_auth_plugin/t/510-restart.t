#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The daemon is killed while others relay: what turnserver.conf denies stays
# denied, media flows, and a daemon that starts again knows within seconds what
# there is, and ends what was allocated before. In both modes.

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

# services of this host, a private network, a cloud's metadata, multicast

my @denied = ('127.0.0.1:80', '10.0.0.1:80', '192.168.1.1:53',
              '169.254.169.254:80', '172.16.0.1:22', '100.64.0.1:80',
              '224.0.0.1:5353', '8.8.8.8:53');


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
               $s->{host}, $s->{pars}[0];

    # coturn asks for the relays that are allowed each 5 s

    wait_until {
        !$ends[0]->bind($ends[1]->relay) && !$ends[1]->bind($ends[0]->relay)
    } 10, 'a channel';
    RS::TurnClient::relays(@ends, 10) or die 'does not relay';

    return @ends;
}


# Still 403, each of them.

sub floor_holds {
    my ($what, $client) = @_;
    my %code = map { $_ => $client->permit($_) } @denied;

    return is_deeply(\%code, { map { $_ => 403 } @denied },
                     "$what: what is denied stays denied");
}


sub flows {
    my ($what, @ends) = @_;

    return is(RS::TurnClient::relays(@ends, 10)
              && RS::TurnClient::relays(reverse(@ends), 10), 1,
              "$what: media flows");
}


for my $mode ('compat', 'strict') {
    my $turn = RS::Turn->new(redis => $redis, mode => $mode);

    $turn->wait_sync();

    my ($s, $other) = map { $turn->session(ttl_s => 600) } 1, 2;
    my @ends = pair($turn, $s);
    my @others = pair($turn, $other);

    floor_holds("$mode, before", $ends[0]);

    # killed, with nothing said to anybody

    $turn->authd->kill();
    flows("$mode, killed", @ends);
    floor_holds("$mode, killed", $ends[0]);
    isnt($turn->client($turn->credential($other))->allocate(), 0,
         "$mode, killed: nobody new is let in");

    # coturn asks for the lists each 5 s

    my $end = now() + 6;

    wait_until { now() > $end } 20;
    floor_holds("$mode, for 6 s", $ends[0]);
    flows("$mode, for 6 s", @ends);
    is($ends[0]->refresh(600), 0, "$mode, for 6 s: allocations live");


    # and again

    my $start = start();

    $turn->start_authd();
    $turn->wait_sync(20);
    wait_until { $turn->metric('rs_turn_cli_up') } 20, 'the CLI';

    my $new = $turn->session(ttl_s => 600);
    my @new = pair($turn, $new);

    within($start, 6, "$mode: recovered");
    flows("$mode, again", @ends);
    floor_holds("$mode, again", $ends[0]);
    wait_until { $turn->metric('rs_turn_allocations') == 6 } 10,
               'allocations from before, and the new ones';
    pass("$mode: it knows the allocations of the time before");

    # a session ends whose allocations were made before

    $start = start();
    $turn->end_session($s);
    wait_until { !$turn->allocations(session => $s) } 10, 'their end';
    within($start, 1, "$mode: an end reaches allocations made before");
    like($ends[0]->refresh(600), $mode eq 'strict' ? qr/^401$/ : qr/^437$/,
         "$mode: they are dead");
    is(RS::TurnClient::relays(@ends, 0.5), 0, "$mode: and silent");
    flows("$mode, the other session", @others);

    # what ended while there was no daemon

    $turn->authd->kill();
    $turn->end_session($other);
    flows("$mode, ended while it is away", @others);
    $turn->start_authd();
    wait_until { !$turn->allocations(session => $other) } 20, 'their end';
    pass("$mode: what ended meanwhile is ended when it is back");
    is(RS::TurnClient::relays(@others, 0.5), 0, "$mode: silent as well");
    flows("$mode, the last session", @new);

    $_->close() for @ends, @others, @new;
    $turn->check_logs();
    $turn->stop();
}

done_testing();
