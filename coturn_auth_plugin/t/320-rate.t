#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What the daemon costs coturn, as a test that a busy machine passes: ten times
# the bound of an answer's latency, and less than half of the rate.  bench/turn
# measures.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Turn;
use RS::TurnBench;

use constant { P99_US => 200, SLACK => 10, RATIO => 0.4 };

my $bench = RS::TurnBench->new();
my $whole = RS::Turn->whole;

for my $mode (qw(compat strict)) {

    # others use the machine too: the best of three is the daemon's

    my ($a) = sort { $a->{p99} <=> $b->{p99} }
              map { $bench->answers($mode, $whole ? 20000 : 5000) } 1 .. 3;

    diag(sprintf '%s: an answer takes p50 %.1f us, p99 %.1f us, max %.1f us',
         $mode, @$a{qw(p50 p99 max)});
    cmp_ok($a->{p99}, '<', P99_US * SLACK, "$mode: the 99th percentile");
}

my $rates = $bench->rates(rounds => $whole ? 9 : 5,
                          allocations => $whole ? 1000 : 400);

for my $mode (qw(compat strict)) {
    my $ratio = RS::TurnBench::ratio(@$rates{$mode, 'plain'});

    diag(sprintf '%s: %.0f allocations/s of %.0f/s without: %.2f', $mode,
         RS::TurnBench::median(@{ $rates->{$mode} }),
         RS::TurnBench::median(@{ $rates->{plain} }), $ratio);
    cmp_ok($ratio, '>', RATIO, "$mode: the rate of allocations");
}

$_->check_logs() for values %{ $bench->{turn} };

done_testing();
