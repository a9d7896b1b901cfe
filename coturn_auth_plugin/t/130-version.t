#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Which coturn is served what: before 4.13 a stranger's user name can end it
# through its database, so strict and statsdb take the guard, and a coturn
# whose version nobody knows is taken for an old one.

use strict;
use warnings;

use FindBin;
use IO::Select;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(now wait_until);


sub request {
    return join '', '*' . @_ . "\r\n", map { '$' . length() . "\r\n$_\r\n" } @_;
}


# What a connection gets that begins with these words and says the password:
# the answers, and "closed" if that is what comes.

sub greet {
    my ($turn, $which, @first) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $turn->{"${which}_port"})
        or die "connect: $@";
    my $text = '';
    my $end = now() + 10;

    syswrite($s, (@first ? request(@first) : '')
                 . request('AUTH', $turn->{db_password})
                 . request('keys', 'x'));

    while ($text !~ /\*0\r\n\z/ && now() < $end) {
        IO::Select->new($s)->can_read(0.1) or next;
        sysread($s, $text, 4096, length $text) or return $text . 'closed';
    }

    return $text;
}


sub served  { return is(greet(@_[0, 1], @{ $_[3] // [] }),
                        (@{ $_[3] // [] } ? "+OK\r\n" : '') . "+OK\r\n*0\r\n",
                        $_[2]) }
sub refused { return is(greet(@_[0, 1], @{ $_[3] // [] }), 'closed', $_[2]) }


# ---- by what the configuration says

my @guard = ('RS.GUARD', '1');
my $redis = RS::Redis->new(acl => 1);

for my $mode (qw(compat strict)) {
    for my $version (qw(4.6.1 4.12.9 auto 4.13.0 4.18.0 5.0.1)) {
        my $turn = RS::Turn->new(start => 0, mode => $mode, redis => $redis,
                                 authd_conf => { coturn_version => $version });
        my $what = "$mode, $version:";
        my $old = $version =~ /^4\.(?:6|12)|auto/;

        $turn->start_authd();

        ($old && $mode eq 'strict' ? \&refused : \&served)
            ->($turn, 'userdb', "$what userdb without the guard");
        ($old ? \&refused : \&served)
            ->($turn, 'statsdb', "$what statsdb without the guard");

        for my $which (qw(userdb statsdb)) {
            served($turn, $which, "$what $which with it", \@guard);

            next if !$old || ($mode eq 'compat' && $which eq 'userdb');

            refused($turn, $which, "$what $which: $_->[0] $_->[1] is not it",
                    $_)
                for ['RS.GUARD', '2'], ['rs.guard', '1'], ['RS.GUARD', ''],
                    ['PING', 'RS.GUARD'];
        }

        if ($version eq 'auto') {
            $turn->wait_log(qr/refused coturn as long as its version is not/,
                            10);

        } elsif ($old) {
            $turn->wait_log(qr/refused coturn \Q$version\E without the guard: /,
                            10);
            like($turn->authd_log, qr/preload rs-turn-guard\.so into turnserver/,
                 "$what the log says what to do");
        }

        cmp_ok($turn->metric('rs_turn_connections_refused_total',
                             reason => 'guard'), '>', 0, "$what counted")
            if $old;

        $turn->check_logs();
        $turn->stop();
    }
}


# ---- by what coturn's CLI says

# It gets the lists of peers when it comes back after it was refused, so not
# in its first 5 s.

sub wait_peers {
    my ($turn) = @_;
    my $s = $turn->session();

    wait_until {
        my $client = $turn->client($turn->credential($s));
        my $code = $client->allocate();

        if (!$code) {
            $code = $client->permit($turn->relay_ip . ':9');
            $client->refresh(0);
        }

        $client->close();
        $code == 0
    } 20, 'the lists of peers';

    return;
}


for my $mode (qw(compat strict)) {
    my $turn = RS::Turn->new(mode => $mode, redis => $redis,
                             authd_conf => { coturn_version => 'auto' });
    my $version = $turn->version();
    my $unguarded = $turn->below('4.13') ? \&refused : \&served;

    $turn->wait_sync();
    wait_until {
        $turn->metric('rs_turn_coturn_info', version => $version)
    } 10, 'the version';
    pass("$mode: its CLI says that it is $version");


    # what was refused comes again: early versions each 5 s, later ones when
    # they have something to tell

    wait_peers($turn);

    my $r = $turn->uclient($turn->credential($turn->session()));

    is($r->{lost}, 0, "$mode: relays") or diag($r->{text});
    wait_until { $turn->metric('rs_turn_events_total', type => 'new') } 20,
        'statsdb';
    pass("$mode: it tells of its allocations");

    $unguarded->($turn, 'statsdb', "$mode: statsdb without the guard");

    # the next one may be another

    $turn->stop_turnserver();
    wait_until { !defined $turn->metric('rs_turn_coturn_info') } 10,
        'nobody knows';
    refused($turn, 'statsdb', "$mode: gone, so not known");

    $turn->start_turnserver();
    wait_until {
        $turn->metric('rs_turn_coturn_info', version => $version)
    } 20, 'the version again';

    my $told = $turn->metric('rs_turn_events_total', type => 'new');

    wait_peers($turn);
    $r = $turn->uclient($turn->credential($turn->session()));
    is($r->{lost}, 0, "$mode: after its restart too") or diag($r->{text});
    wait_until {
        $turn->metric('rs_turn_events_total', type => 'new') > $told
    } 20, 'statsdb again';
    pass("$mode: and tells");

    $turn->check_logs();
    $turn->stop();
}

done_testing();
