# Copyright (C) rs-gateway contributors

# A worker that was stopped, or busy, for longer than rs_redis_timeout while
# the answers came: they are there, and so nothing fails.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Proxy;
use RS::Redis;
use RS::Util qw(wait_until now);

my $n = 24;

# a busy machine needs some of it before the worker is stopped

my $timeout = 3;
my $redis = RS::Redis->new(acl => 1, port => 1);
my $proxy = RS::Proxy->new(to => $redis->socket);
my $key = $redis->api_key;


sub functions {
    return $redis->calls('fcall') + $redis->calls('fcall_ro');
}


# The calls reach Redis, their answers are late, and the worker sleeps until
# its deadline is long over.

sub stopped {
    my ($gw, $what, @opt) = @_;
    my $rest = $gw->rest(key => $key);
    my ($worker) = $gw->workers;

    $proxy->slow(250);

    my $before = functions();
    my @calls = map {
        $rest->start($_ % 2 ? ('POST', '/enrollments', body => {})
                            : ('GET', '/sessions'))
    } 1 .. $n;

    wait_until { functions() >= $before + $n } 20, 'Redis has the calls';

    kill 'STOP', $worker or die "$worker: $!";

    my $end = now() + $timeout + 0.7;

    wait_until { now() > $end } $timeout + 5, 'the deadline';
    kill 'CONT', $worker or die "$worker: $!";

    my %status;

    $status{ $rest->finish($_)->status }++ for @calls;

    is_deeply(\%status, { 200 => $n / 2, 201 => $n / 2 },
              "$what: all are answered") or diag(explain(\%status));

    $proxy->slow(0);

    is($rest->get('/health/ready')->status, 200, "$what: ready");
    is($rest->post('/enrollments', {})->status, 201, "$what: a call");
    unlike($gw->error_log, qr/is down|is slow/, "$what: the link stands");

    return;
}


my $gw = RS::Gateway->new(node => 'late',
                          http => "rs_redis_timeout ${timeout}s;",
                          redis_conf => 'redis://127.0.0.1:' . $proxy->port);

stopped($gw, 'once');
stopped($gw, 'again');

$gw->quit;
$gw->check_log;

done_testing();
