
# Copyright (C) rs-gateway contributors

# Sentinels that do not agree: the newest failover counts, whoever tells of
# it, and also while the old primary serves on as if nothing had happened.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::FakeSentinel;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until now);

my ($one, $two) = map { RS::Redis->new(port => 1) } 1 .. 2;
my @fakes = map { RS::FakeSentinel->new() } 1 .. 3;

$_->say($one->port, 5) for @fakes;

my $gw = RS::Gateway->new(
    http => 'rs_redis_wait off;',
    redis_conf => 'sentinel://' . join(',', map { '127.0.0.1:' . $_->port }
                                            @fakes) . '/rs-main');


sub ids {
    my ($redis) = @_;

    my @ids = $redis->call('CLIENT', 'LIST')
              =~ /^id=(\d+) .*name=rs-gateway-/mg;

    return @ids;
}


# commands and messages lead there, nothing to the other one

sub leads_to {
    my ($redis, $what) = @_;
    my ($other) = grep { $_ != $redis } $one, $two;

    return ok(eval {
        wait_until {
            ids($redis) == 2 && ids($other) == 0
                && $gw->rest->get('/health/ready')->status == 200
        } 5;
    }, $what) || diag($gw->error_log);
}


# the same links as before, for longer than it takes to ask all Sentinels

sub stays {
    my ($redis, $what) = @_;
    my @before = ids($redis);
    my $end = now() + 2.5;

    return ok(eval {
        wait_until {
            "@{[ ids($redis) ]}" eq "@before" or die 'other links';
            now() > $end
        } 5;
    }, $what) || diag($@, $gw->error_log);
}


sub cut {
    my ($redis) = @_;

    $redis->call('CLIENT', 'KILL', 'ID', $_) for ids($redis);

    return;
}


leads_to($one, 'all agree');

$fakes[0]->say($two->port, 4);
stays($one, 'one lags behind: nothing happens');
cut($one);
leads_to($one, 'nor does anybody who connects now go there');

$fakes[1]->say($two->port, 6);
leads_to($two, 'one knows of a failover: the links move, though the old '
               . 'primary serves');
like($gw->error_log, qr/is down: Sentinel names another primary/,
     'the log says why');

stays($two, 'the others lag behind: nothing happens');
cut($two);
leads_to($two, 'nor does anybody who connects now go back');

$fakes[2]->say($one->port, 6);
stays($two, 'the same failover with another address: nothing happens');

# set up anew: their count has begun again

$_->say($one->port, 1) for @fakes;
stays($two, 'all know less than we do: links that stand stay');
cut($two);
leads_to($one, 'who connects now believes them');

# one alone, which may be the one that is cut off

$_->say($one->port, 2) for @fakes;
stays($one, 'a new number');
$_->silence for @fakes[0, 1];
$fakes[2]->say($two->port, 1);

ok(eval {
    $gw->wait_log(qr/for Sentinel is down: no reply within/, 5);
}, 'two Sentinels are silent');

cut($one);

ok(eval {
    $gw->wait_log(qr/is down: no Sentinel is as far as failover 2/, 5);
}, 'one alone that knows less is not believed') or diag($gw->error_log);
is(scalar ids($two), 0, 'nobody goes there');

$_->say($one->port, 2) for @fakes[0, 1];
leads_to($one, 'until the others are back');

$gw->quit;
$gw->check_log;

done_testing();
