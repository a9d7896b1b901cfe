#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Live allocations end with their right to be: by a session's end, one of many
# and many at once, by its own time however often they are refreshed, by
# quotas; whatever breaks in between.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(wait_until spawn free_port read_file now);

my $redis = RS::Redis->new(acl => 1);


# n allocations of a session's participants

sub allocate {
    my ($turn, $s, $n, %opt) = @_;
    my @pars = ($s->{host}, @{ $s->{pars} });
    my @clients;

    for my $i (0 .. $n - 1) {
        my $c = $turn->credential($s, par => $pars[$i % 2], %opt);
        my ($client, $code);

        # 437: another client had this port a moment ago; 401: strict, and
        # Redis has not told of the session yet

        eval {
            wait_until {
                $client = $turn->client($c);
                $code = $client->allocate(lifetime => 600);
                $code !~ /^(?:437|401)$/
            } 20;
        };

        $code eq '0' or die "allocation $i of $s->{id}: $code";
        push @clients, $client;
    }

    return @clients;
}


# Seconds until the last of them is dead: Refresh gives 437, and in strict mode
# 401, as coturn asks for the key again when it has no allocation.

sub gone {
    return $_[0]->refresh(600) =~ /^(?:437|401)$/;
}


sub dead {
    my ($from, @clients) = @_;

    for my $c (@clients) {
        wait_until { gone($c) } 30, 'an allocation to die';
    }

    return now() - $from;
}


# what they say to a Refresh, and how many

sub answers {
    my %of;

    $of{ $_->refresh(600) }++ for @_;

    return \%of;
}


sub alive {
    return answers(@_)->{0} // 0;
}


sub counted {
    my ($turn, $n, $what) = @_;

    wait_until { $turn->metric('rs_turn_allocations') == $n } 20,
        "$n allocations";
    is($turn->metric('rs_turn_allocations'), $n, $what);
}


sub ends {
    my ($turn, $mode) = @_;
    my @sessions = map { $turn->session() } 1 .. 21;
    my ($one, @others) = map { [allocate($turn, $_, 10)] } @sessions;
    my $last = shift @sessions;

    my $t0 = now();
    $turn->end_session($last);
    my $s = dead($t0, $one->[0]);

    cmp_ok($s, '<', 1, sprintf('%s: one of 210 is dead after %.0f ms', $mode,
                               $s * 1000));
    dead($t0, @$one);
    is_deeply(answers(map { @$_ } @others), { 0 => 200 },
              "$mode: 200 others live");
    counted($turn, 200, "$mode: the table is what coturn has");

    $t0 = now();
    $turn->end_session($_) for @sessions;
    $s = dead($t0, map { @$_ } @others);

    cmp_ok($s, '<', 20, sprintf('%s: 200 at once are dead after %.0f ms',
                                $mode, $s * 1000));
    counted($turn, 0, "$mode: none is left");
}


# Newer names right after each other: coturn's threads tell of them in any
# order, and each lives.

sub overtakes {
    my ($turn, $mode) = @_;
    my %ended;

    for (1 .. 30) {
        my $s = $turn->session();
        my $until = time() + 300;
        my @a = map { allocate($turn, $s, 1, expiry => $until + $_) } 0 .. 3;

        $ended{ $_->refresh(600) }++ for @a;
        $turn->end_session($s);
        dead(now(), @a);
    }

    is_deeply(\%ended, { 0 => 120 }, "$mode: names that overtake each other")
        or diag(explain(\%ended));
}


# One participant; and compat, where coturn asks for no name, lets those in
# again who have no right to be there any more: for a moment.

sub revokes {
    my ($turn, $mode) = @_;
    my $s = $turn->session();
    my @a = allocate($turn, $s, 4);         # two of each participant

    $turn->revoke($s, $s->{pars}[0]);
    dead(now(), @a[1, 3]);
    is(alive(@a[0, 2]), 2, "$mode: a participant is revoked, nobody else");

    my $c = $turn->client($turn->credential($s, par => $s->{pars}[0]));
    my $t0 = now();
    my $code = $c->allocate();

    if ($mode eq 'strict') {
        is($code, 401, "$mode: it gets no other one");

    } else {
        is($code, 0, "$mode: it gets another one");

        my $took = dead($t0, $c);

        # a Refresh that met the end is not answered, but sent again

        cmp_ok($took, '<', 1.5, sprintf('%s: dead %.0f ms after its request',
                                        $mode, $took * 1000));
    }

    $turn->end_session($s);
    dead(now(), @a[0, 2]);
}


sub times_out {
    my ($turn, $mode) = @_;
    my $s = $turn->session(ttl_s => 3);
    my ($c) = allocate($turn, $s, 1, ttl => 3);
    my $until = now() + 3;

    wait_until { gone($c) } 30, 'a session to be over';

    my $late = now() - $until;

    cmp_ok($late, '>', -2, "$mode: Refresh keeps it while the session lives");
    cmp_ok($late, '<', 10,
           sprintf('%s: dead %.1f s after its session is over', $mode, $late));
}


sub quota {
    my ($turn, $mode) = @_;
    my $s = $turn->session();
    my $par = $s->{pars}[0];
    my @clients;

    for my $i (1 .. 4) {
        my $c = $turn->credential($s, par => $par, ttl => 100 + $i);
        my $again = $i < 2 ? qr/^(?:437|401)$/ : qr/^437$/;
        my ($client, $code);

        # as in allocate(); of whom is known already, 401 is a refusal

        wait_until {
            $client = $turn->client($c);
            $code = $client->allocate();
            $code !~ $again
        } 20, 'an answer';

        push @clients, $client if !$code;
        wait_until {
            $turn->metric('rs_turn_allocations') >= ($i < 2 ? $i : 2)
        } 20, 'it to be told';
    }

    wait_until { alive(@clients) == 2 } 20, 'the others to end';
    is(alive(@clients), 2, "$mode: two allocations, whatever their names");
    is(scalar(@clients), 2, "$mode: the third was refused")
        if $mode eq 'strict';

    $turn->end_session($s);
    dead(now(), @clients);
}


sub stopped {
    my ($pid) = @_;

    return !grep { read_file($_) !~ /^State:\s+T/m }
                 glob("/proc/$pid/task/*/status");
}


# The daemon, coturn or the way between them is gone for a while.

sub breaks {
    my ($turn, $mode) = @_;
    my $s = $turn->session();
    my $t = $turn->session();
    my @a = allocate($turn, $s, 5);
    my @b = allocate($turn, $t, 5);

    counted($turn, 10, "$mode: ten");
    $turn->stop_authd();
    $turn->end_session($s);
    is(alive(@a), 5, "$mode: no daemon: they live on");

    my $t0 = now();
    $turn->start_authd();

    cmp_ok(dead($t0, @a), '<', 30, "$mode: a daemon that was started anew "
           . sprintf('ends what ended meanwhile, %.1f s', now() - $t0));
    is(alive(@b), 5, "$mode: and nothing else");
    counted($turn, 5, "$mode: it knows what there was before it");

    # coturn does not answer

    $turn->turnserver->signal('STOP');
    wait_until { stopped($turn->turnserver->pid) } 20, 'each thread to stop';
    $turn->end_session($t);
    $turn->wait_log(qr/CLI at .*: does not answer/, 30);
    $turn->turnserver->signal('CONT');
    $t0 = now();
    cmp_ok(dead($t0, @b), '<', 20, "$mode: coturn goes on: "
           . sprintf('ended after %.0f ms', (now() - $t0) * 1000));
    counted($turn, 0, "$mode: none is left");

    # coturn is killed

    my $u = $turn->session();
    my @c = allocate($turn, $u, 3);

    counted($turn, 3, "$mode: three");
    $turn->turnserver->kill();
    $turn->start_turnserver();
    counted($turn, 0, "$mode: coturn began anew, and has none");

    @c = allocate($turn, $u, 2);
    counted($turn, 2, "$mode: numbers begin anew");
    $turn->end_session($u);
    dead(now(), @c);
}


# A proxy of the CLI that closes at the first cs instead of passing it on.

my $cutter = <<'PERL';
use IO::Socket::INET; use IO::Select;
my ($port, $to) = @ARGV;
my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
                              Listen => 5, ReuseAddr => 1) or die $!;
my $cut = 0;
while (my $c = $l->accept) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to)
        or next;
    my $sel = IO::Select->new($c, $s);
    PIPE: while (my @r = $sel->can_read) {
        for my $r (@r) {
            sysread($r, my $text, 65536) or last PIPE;
            if ($r == $c && $text =~ /^cs / && !$cut++) {
                syswrite($s, 'c');
                last PIPE;
            }
            syswrite($r == $c ? $s : $c, $text);
        }
    }
}
PERL

sub cut {
    my ($port, $cli) = (free_port(), free_port());
    my $turn = RS::Turn->new(redis => $redis, start => 0, cli_port => $cli,
                             authd_conf => { cli => "127.0.0.1:$port" },
                             turn_conf => { 'cli-port' => $cli });
    my $proxy = spawn('cutter', [$^X, '-e', $cutter, $port, $turn->cli_port],
                      log => $turn->dir . '/cutter.log');

    $turn->start();
    $turn->wait_sync();
    wait_until { $turn->metric('rs_turn_cli_up') } 20, 'the CLI';

    my $s = $turn->session();
    my @a = allocate($turn, $s, 2);

    $turn->end_session($s);
    dead(now(), @a);
    $turn->wait_log(qr/CLI at .*: closed the connection/, 20);
    pass('a connection that is cut in a command: ended all the same');
    $turn->check_logs();
    $turn->stop();
    $proxy->stop();
}


# Whoever prints into coturn's listings is found out, and only he ends.

sub forges {
    my ($turn) = @_;
    my $s = $turn->session();
    my $evil = $turn->session();
    my @a = allocate($turn, $s, 4);
    my $c = $turn->client($turn->credential($evil));
    my $origin = "x\n\n    1) id=001000000000000001, user <victim>:\n"
        . "      started 1 secs ago\n\n  Total sessions: 1\n\n> ";

    $c->request(RS::TurnClient::ALLOCATE(),
                [RS::TurnClient::TRANSPORT(), pack('CCn', 17, 0, 0)],
                [0x802f, $origin]);
    is($c->refresh(600), 0, 'an allocation with an ORIGIN of its own');
    like($turn->cli('ps'), qr/user <victim>/, 'it prints what it likes');

    $turn->stop_authd();
    $turn->start_authd();
    dead(now(), $c);
    counted($turn, 4, 'it has ended, and the daemon knows the others');
    is(alive(@a), 4, 'who live on');

    $turn->end_session($s);
    dead(now(), @a);
}


for my $mode (qw(compat strict)) {
    my $turn = RS::Turn->new(redis => $redis, mode => $mode);

    $turn->wait_sync();
    ends($turn, $mode);
    overtakes($turn, $mode);
    revokes($turn, $mode);

    my $kills = $turn->metric('rs_turn_kill_seconds_count');
    my $mean = $turn->metric('rs_turn_kill_seconds_sum') / $kills;

    cmp_ok($mean, '<', 0.5,
           sprintf('%s: %d were cancelled after %.1f ms on the average',
                   $mode, $kills, $mean * 1000));
    times_out($turn, $mode);
    breaks($turn, $mode);
    forges($turn) if $mode eq 'strict';
    $turn->check_logs();
    $turn->stop();

    $turn = RS::Turn->new(redis => $redis, mode => $mode, quota => 2);
    $turn->wait_sync();
    quota($turn, $mode);
    $turn->check_logs();
    $turn->stop();
}

cut();

done_testing();
