#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# turnserver with the daemon beside it, in both modes and with both kinds of
# secret: what was issued for a session that lives relays, whatever else is
# refused.

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


sub allocate {
    my ($turn, $c, %opt) = @_;
    my $client = $turn->client($c, %opt);
    my $code = $client->allocate();

    $client->refresh(0) if !$code;
    $client->close();

    return $code;
}


for my $how (['compat', 'static'], ['compat', 'derived'],
             ['strict', 'derived'])
{
    my ($mode, $secret) = @$how;
    my $turn = RS::Turn->new(redis => $redis, mode => $mode,
                             secret => $secret, tls => 1);

    $turn->wait_sync();

    my $s = $turn->session();
    my $other = $turn->turn_session(ttl_s => 60);
    my $c = $turn->credential($s);
    my $what = "$mode, $secret:";

    for my $transport (qw(udp tcp)) {
        my $r = $turn->uclient($c, transport => $transport);

        is_deeply([@$r{qw(status sent received lost)}], [0, 40, 40, 0],
                  "$what $transport: 0 packets lost") or diag($r->{text});
    }

    is(allocate($turn, $turn->credential($s, par => $s->{pars}[0])), 0,
       "$what another participant");
    is(allocate($turn, $turn->credential($other)), 0,
       "$what a session without signalling");

    # refused

    is(allocate($turn, { %$c, password => $turn->password($c->{username},
                                                          'x' x 64) }), 401,
       "$what a wrong password");
    is(allocate($turn, $turn->credential($s, ttl => -5)), 401,
       "$what an expired one");
    is(allocate($turn, { %$c, username => "$c->{username}x" }), 401,
       "$what a name it was not issued for");

    my $client = $turn->client($c, realm => 'other.test');

    isnt($client->allocate(), 0, "$what another realm");
    $client->close();

    # an unknown session: strict never lets it in

    if ($mode eq 'strict') {
        is(allocate($turn, $turn->credential({ id => random_id('ses_'),
                                               tenant => 'default',
                                               host => random_id('par_') })),
           401, "$what a session nobody knows");

        $turn->end_session($s);
        wait_until { allocate($turn, $c) == 401 } 5, 'the end of a session';
        pass("$what a session that ended");

        $turn->revoke($other);
        wait_until {
            allocate($turn, $turn->credential($other)) == 401
        } 5, 'the end of a session';
        pass("$what one that was revoked");
    }

    $turn->check_logs();
    $turn->stop();
}

# nobody said which coturn it is: its CLI does

{
    my $turn = RS::Turn->new(redis => $redis, mode => 'strict',
                             authd_conf => { coturn_version => 'auto' });

    $turn->wait_sync();

    my $c = $turn->credential($turn->session());

    wait_until { allocate($turn, $c) == 0 } 30, 'an allocation';
    pass('strict, of a version that was asked for');

    # what tells of allocations is let in, too, when it comes again

    wait_until {
        allocate($turn, $c);
        $turn->metric('rs_turn_events_total', type => 'new')
    } 30, 'an allocation that was told';
    pass('coturn tells the daemon');
    $turn->check_logs();
    $turn->stop();
}

done_testing();
