#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Many sessions of many tenants: how long a listing takes, that answers come
# meanwhile, that it is bounded, and what a snapshot of them costs.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Upstream;
use RS::Util qw(now wait_until tempdir random_id);

use constant { TENANTS => 300, SESSIONS => 10_000 };

my $redis = RS::Redis->new(acl => 1);
my $dir = tempdir() . '/state';
my %conf = (RS::Upstream::conf_of($redis->conf('rs-plugin')),
            state_dir => $dir, resync => 1);
my $until = time() + 600;
my (@s, @zadd);

mkdir $dir, 0700 or die "$dir: $!";

for my $i (0 .. SESSIONS - 1) {
    my $s = { tenant => 't-' . $i % TENANTS, id => random_id('ses_'),
              host => random_id('par_'), par => random_id('par_'),
              until => $until };

    push @s, $s;
    push @{ $zadd[$i % TENANTS] }, $until, "$s->{id}.$s->{host}";
}

for my $t (0 .. TENANTS - 1) {
    $redis->call('ZADD', 'rs:{w}:tens', $until, "t-$t");
    $redis->call('ZADD', "rs:{t-$t}:turn", @{ $zadd[$t] });
}

# one of them has more than a page, and as many revoked

my @large = map { { tenant => 'large', id => random_id('ses_'),
                    host => random_id('par_'), par => random_id('par_'),
                    until => $until } } 1 .. 2500;

$redis->call('ZADD', 'rs:{w}:tens', $until, 'large');
$redis->call('ZADD', 'rs:{large}:turn',
             map { $until, "$_->{id}.$_->{host}" } @large);
$redis->call('ZADD', 'rs:{large}:trev',
             map { $until, "$_->{id}.$_->{par}" } @large);


subtest 'a listing' => sub {
    my $start = now();
    my $up = RS::Upstream->new(%conf);

    $up->wait_in_sync(20);

    is($up->stat('live'), SESSIONS + 2500, 'all of them live');
    is($up->stat('sync_tenants'), TENANTS + 1, 'of all tenants');
    diag(sprintf '%d sessions of %d tenants: listed in %d ms, in sync %.0f ms '
         . 'after the start', SESSIONS + 2500, TENANTS + 1,
         $up->stat('sync_ms'), (now() - $start) * 1000);
    cmp_ok($up->stat('sync_ms'), '<', 10_000, 'within ten times a second');

    is($up->verdict($_), 'ok', 'lives')
        for @s[0, SESSIONS / 2, SESSIONS - 1];
    is($up->verdict($large[$_]), 'revoked', "revoked: $_") for 0, 499, 2499;
    is($up->verdict($large[$_], $large[$_]{host}), 'ok', "and not its host")
        for 0, 2499;

    # listed again and again, written again and again

    my ($max, @ms) = (0);
    my $n = $up->stat('syncs') + 3;
    my $w = $up->stat('written') + 2;

    wait_until {
        $up->verdict($s[rand @s]) eq 'ok' or die 'one is forgotten';
        push @ms, $up->{ms};
        $up->stat('syncs') >= $n && $up->stat('written') >= $w
    } 30, 'listings and snapshots';

    @ms = sort { $a <=> $b } @ms;
    diag(sprintf '%d answers meanwhile: median %.2f ms, p99 %.2f ms, longest '
         . '%.1f ms; a snapshot has %d KB, %d ms', scalar @ms, $ms[@ms / 2],
         $ms[@ms * 0.99], $ms[-1], $up->stat('bytes') / 1000,
         $up->stat('write_ms'));
    cmp_ok($ms[@ms * 0.99], '<', 200, 'answers come meanwhile');

    # one is ended behind our back, in a list of many

    RS::Upstream::end($redis, $large[1234], quiet => 1);
    $up->wait_verdict({ %{ $large[1234] }, par => $large[1234]{host} },
                      'ended', 5);
    is($up->stat('live'), SESSIONS + 2499, 'that one and no other');

    # Redis dies in the middle of listings

    for (1 .. 3) {
        $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        $up->wait_in_sync;
    }

    is($up->stat('live'), SESSIONS + 2499, 'nothing is lost by that');
    $up->check_log;
};


subtest 'a restart without Redis' => sub {
    $redis->stop;

    my $start = now();
    my $up = RS::Upstream->new(%conf);

    is($up->stat('loaded'), 1, 'from the snapshot');
    is($up->stat('live'), SESSIONS + 2499, 'all of them');
    is($up->verdict($large[7]), 'revoked', 'who was revoked is');
    diag(sprintf 'read in %.0f ms', (now() - $start) * 1000);
    $up->check_log;
    $redis->start;
};


subtest 'what is no list' => sub {
    my $up = RS::Upstream->new(%conf, state_dir => tempdir());

    $up->wait_in_sync;

    # a member that no function writes: the listing is not believed

    $redis->call('ZADD', 'rs:{large}:turn', $until, 'nonsense');

    my $n = $up->stat('sync_failures');

    $up->wait_stat(sync_failures => sub { $_[0] > $n + 1 }, 10);
    is($up->stat('live'), SESSIONS + 2499, 'nobody is dead by it');
    $up->wait_log(qr/warning: redis: the listing of sessions broke off: a /);

    my @said = $up->log =~ /warning: redis: the listing/g;

    is(scalar @said, 1, 'said once');
    $redis->call('ZREM', 'rs:{large}:turn', 'nonsense');
    $n = $up->stat('syncs');
    $up->wait_stat(syncs => sub { $_[0] > $n }, 10);
    ok(1, 'and then again');
    $up->check_log;
};


$redis->stop;

done_testing();
