#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Bans: what failures of one subject come to, who is told, what is kept.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;

my $s = RS::Schema->new();
my $redis = $s->redis();
my @conf = (3, 60, 10, 60);              # failures, window, time, max


sub fail_of {
    my ($subject, @given) = @_;

    return $s->fcall('rs_ban_fail', ["ban:$subject", 'bans'],
                     @given ? @given : @conf);
}


# Moves what is known of a subject into the past.

sub ago {
    my ($subject, $seconds) = @_;
    my $key = $s->key("ban:$subject");

    $redis->call('HINCRBY', $key, 'since', -$seconds);
    my $n = $redis->call('ZSCORE', $s->key('bans'), $subject);

    $redis->call('ZADD', $s->key('bans'), $n - $seconds, $subject)
        if defined $n;

    return;
}


sub near {
    my ($got, $want, $name) = @_;

    return ok($got <= $want && $got > $want - 5, $name)
           || diag("got $got, want $want");
}


# the table of librs/t/rs_ban.c: seconds since the step before, ban, what

my $a = 'a:192.0.2.1';
my $listener = $s->subscribe('rs:ban');

for my $step (
    [0, 0, 'the first'],
    [0, 0, 'the second'],
    [0, 10, 'the third bans'],
    [10, 0, 'after it, the first'],
    [1, 0, 'the second'],
    [1, 20, 'the third bans for twice as long'],
    [20, 0, 'the first'],
    [1, 0, 'the second'],
    [59, 0, 'after the window it is the first again'],
    [1, 0, 'the second'],
    [1, 40, 'but what was is not forgotten'],
    [40, 0, 'the first'],
    [0, 0, 'the second'],
    [0, 60, 'never above max'],
    [60, 0, 'the first'],
    [0, 0, 'the second'],
    [0, 60, 'and again'],
) {
    my ($later, $ban, $what) = @$step;

    ago($a, $later) if $later;

    my $r = fail_of($a);

    is($r->[0], 'ok', $what);
    is($r->[1], $ban, "$what: $ban s");

    next if !$ban;

    is_deeply([$listener->got()], [[$a, $ban]], 'the fleet is told');
    near(fail_of($a)->[1], $ban, 'one that was under way does not count');
}

near($redis->call('TTL', $s->key("ban:$a")), 180,
     'known until window and max after it');

ago($a, 180);
$redis->call('DEL', $s->key("ban:$a"));      # as its life says

is(fail_of($a)->[1], 0, 'then it begins anew');
near($redis->call('TTL', $s->key("ban:$a")), 60,
     'without a ban only the window is kept');


# the list: who is banned now, the longest first, so many

is_deeply($s->fcall_ro('rs_ban_list', ['bans'], 10)->[1], [],
          'nobody is banned');

fail_of("a:192.0.2.$_", 1, 60, $_, 3600) for 10 .. 14;
fail_of('d:default:dev_' . 'a' x 26 . ':192.0.2.1', 1, 60, 5, 3600);

my @list = @{ $s->fcall_ro('rs_ban_list', ['bans'], 3)->[1] };

is_deeply([@list[0, 2, 4]], [map { "a:192.0.2.$_" } 14, 13, 12], 'a list');
near($list[1], 14, 'with the time that is left');
is(@list, 6, 'as long as was asked for');

is(scalar(my @told = $listener->got()), 6, 'the fleet was told of each');
is_deeply($s->fcall('rs_ban_lift', ['ban:a:192.0.2.14', 'bans']), ['ok'],
          'one is lifted');
is_deeply([$listener->got()], [['a:192.0.2.14', 0]], 'the fleet is told');
is($s->fcall_ro('rs_ban_list', ['bans'], 1)->[1][0], 'a:192.0.2.13',
   'it is in the list no more');
is(fail_of('a:192.0.2.14')->[1], 0, 'and begins anew');
is_deeply($s->fcall('rs_ban_lift', ['ban:a:198.51.100.1', 'bans']),
          ['not_found'], 'another is not known');
is_deeply([$listener->got()], [['a:198.51.100.1', 0]],
          'but who banned it by himself is told');


# what is kept has a bound: that which ends first goes

my $now = $redis->call('TIME')->[0];

$redis->call('ZADD', $s->key('bans'),
             map { $now + 100 + $_, "a:10.0." . int($_ / 200) . '.' . $_ % 200 }
                 1 .. 10000);
fail_of('a:198.51.100.2', 1, 60, 3600, 3600);
is($redis->call('ZSCORE', $s->key('bans'), 'a:198.51.100.2') > 0, 1,
   'one more is kept');
cmp_ok($redis->call('ZCARD', $s->key('bans')), '<=', 10005, 'others go');

$s->dies_like(qr/not a whole number/, 'numbers are numbers', 'rs_ban_fail',
              ['ban:a:1', 'bans'], 'x', 1, 1, 1);
$s->check_catalogue();

done_testing();
