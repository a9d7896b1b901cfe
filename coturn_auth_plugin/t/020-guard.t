#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# User names made to break things reach coturn's database: it lives, in both
# modes.  Without the guard an old one does not, and the daemon says so.
#
# A user name is told to the database when a session ends: with TCP at once,
# with UDP 60 s after a session that never authenticated; so a full run stays
# for 65 s.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(now wait_until);

use constant CYCLE => 5;        # s, of coturn's own questions

my @names = (
    '%s' x 8, '%n' x 8, '%s%n%s%n%p%d', '%n', '%s' x 256, '%n' x 256,
    '%.0s%n' x 80, '%1$s%2$n', '%*d' x 20, '%99999999s', '%b%b%b', '%',
    '%%n', ' ', 'a b', ' %s %n ', "a\r\nFLUSHALL\r\n", "\r\n*1\r\n\$4\r\nPING",
    "\xff\xfe\xfd%n", "\xc3\x28%s", "\x80" x 513, 'A' x 513, '%' x 513,
    ('x' x 511) . '%n', "\t%s\e[2J", '../../../etc/passwd', '0', ':', '::%s',
    '18446744073709551616:default.%n.%s', '../%s/allocation/1/status',
    '9999999999:default.ses_%s.par_%n', "'; DROP TABLE users; --",
);

my $redis = RS::Redis->new(acl => 1);


# A request with a user name, behind the one that gets a nonce.  What comes
# back, if anything, is coturn's affair.

sub attack {
    my ($turn, $name, $proto) = @_;

    eval {
        my $c = $turn->client({ username => $name, password => '%s%n' },
                              proto => $proto, timeout => 1);

        $c->allocate();
        $c->close();
    };

    return;
}


sub stays_alive {
    my ($turn, $seconds) = @_;
    my $end = now() + $seconds;

    wait_until { now() >= $end || !$turn->turnserver->alive() }
               $seconds + 10, 'the end of the time';

    return $turn->turnserver->alive();
}


my @turns = map { RS::Turn->new(mode => $_, redis => $redis,
                                secret => 'derived') } qw(compat strict);
my $n = 0;

for my $turn (@turns) {
    for my $i (0 .. 99) {
        attack($turn, $names[$i % @names], $i % 2 ? 'tcp' : 'udp');
        $n++;
        last if !$turn->turnserver->alive();
    }
}

is($n, 200, '200 attacks were made');

my $seconds = RS::Turn->whole() ? 65 : 2 * CYCLE;
my $end = now() + $seconds;

for my $turn (@turns) {
    my $left = $end - now();

    ok(stays_alive($turn, $left > 0 ? $left : 0),
       "$turn->{mode}: coturn is alive after $seconds s");
    like($turn->cli('ps'), qr/Total sessions: /, 'and answers');
    is($turn->client({ username => 'x', password => 'x' })->allocate(), 401,
       'and asks its database');

    $turn->check_logs();
    is_deeply([$turn->turn_log() =~ /(Redis connection broken)/], [],
              'no connection was lost over it');
}

$_->stop() for @turns;


# without the guard

if (RS::Turn->below('4.13')) {
    my $turn = RS::Turn->new(mode => 'strict', redis => $redis, guard => 0);

    $turn->wait_log(qr/refused coturn .*rs-turn-guard\.so/);
    attack($turn, '%s' x 200, 'udp') for 1 .. 3;
    ok($turn->turnserver->alive(), 'no guard: what is refused harms nobody');
    $turn->check_logs();
    $turn->stop();

    # a daemon which was told that this is a new one serves it: statsdb has the
    # name when a connection ends, the keys of strict mode have it at once

    my %seam = (compat => 'tcp', strict => 'udp');

    for my $mode (sort keys %seam) {
        $turn = RS::Turn->new(mode => $mode, redis => $redis, guard => 0,
                              authd_conf => { coturn_version => '4.18.0' });

        for my $i (1 .. 100) {
            attack($turn, $names[$i % @names], $seam{$mode});
            last if !$turn->turnserver->alive();
        }

        ok(eval { $turn->turnserver->wait(10); 1 },
           "$mode without the guard: coturn dies of it");
        is($turn->turnserver->{status} & 127, 11, 'of a segmentation fault');
        $turn->stop_authd();
    }
}

done_testing();
