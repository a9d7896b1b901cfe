# Copyright (C) rs-gateway contributors

# A worker that ends sends its sockets away one after the other: spread over
# rs_drain_time, none forgotten, none on the new workers, and it ends with the
# last of them.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Stream;
use RS::Util qw(now wait_until within);
use RS::WS;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, drain => '3s');
my $rest = $gw->rest(key => $redis->api_key);


# a device, a session on it, both of its participants: three sockets

sub fleet {
    my ($n) = @_;
    my @sockets;

    for my $i (1 .. $n) {
        my $device = RS::Device->enroll($rest, name => "desk $i");

        push @sockets, $device->connect($gw);

        my $r = $rest->post('/sessions', {
            host => { type => 'device', device_id => $device->id },
            participants => [{ role => 'controller' }] });
        my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };

        push @sockets, $device->join($gw, $device->expect('invite')),
             $gw->signal("rs.ticket.$p->{ticket}");
        $sockets[-1]->expect('welcome');
    }

    return @sockets;
}


# reads them all until each was closed, or the time is over; says when each
# got its goaway, and with which words

sub watch {
    my ($seconds, @sockets) = @_;
    my $start = now();
    my @told = map { { ws => $_ } } @sockets;

    while (now() - $start < $seconds && grep { !$_->{close} } @told) {
        for my $t (grep { !$_->{close} } @told) {
            my $m = $t->{ws}->recv(0.002) // next;

            if ($m->{json} && $m->{json}{type} eq 'goaway') {
                $t->{at} = now() - $start;
                $t->{goaway} = $m->{json};

            } elsif ($m->{eof} || $m->{opcode} == 8) {
                $t->{close} = $m->{code} // 'eof';
                $t->{ws}->send_close(1012) if !$m->{eof};
            }
        }
    }

    return @told;
}


sub count(&@) {
    my ($test, @list) = @_;

    return scalar grep { $test->() } @list;
}


subtest 'spread over the time' => sub {
    my ($old) = $gw->workers();
    my @sockets = fleet(8);

    $gw->reload();

    my $start = now();
    my @new = map { $gw->agent } 1 .. 3;
    my @told = watch(8, @sockets);
    my @at = sort { $a <=> $b } map { $_->{at} // 99 } @told;

    is((count { ($_->{close} // '') eq '1012' } @told), 24, 'all are told');
    is((count { $_->{goaway} && $_->{goaway}{after_ms} == 0
                && $_->{goaway}{jitter_ms} == 500 } @told), 24,
       'to come back soon');
    cmp_ok($at[-1], '>', 1.5, 'the last one late in the time');
    cmp_ok($at[-1], '<', 4, 'and not after it');

    # the most within any 600 ms: an equal share would be five

    my $most = 0;

    for my $from (@at) {
        my $n = count { $_ >= $from && $_ < $from + 0.6 } @at;

        $most = $n if $n > $most;
    }

    cmp_ok($most, '<=', 16, 'not in one burst');

    wait_until { !-e "/proc/$old" } 3, 'end of the old worker';
    within($start, 3 + 3, 'the old worker ends in time');

    for my $ws (@new) {
        is($ws->expect('challenge')->{type}, 'challenge',
           'a socket of the new worker');
        is($ws->recv(0.01), undef, 'is not told');
        $ws->close;
    }
};


subtest 'who leaves by himself is not waited for' => sub {
    $gw->reload(drain => '30s');

    my ($old) = $gw->workers();
    my $ws = RS::Device->enroll($rest)->connect($gw);

    $gw->reload();
    ok(-e "/proc/$old", 'the old worker is there');
    $ws->close;
    wait_until { !-e "/proc/$old" } 3, 'end of the old worker';
    pass('and ends with its last socket');
};


subtest 'worker_shutdown_timeout is shorter' => sub {
    $gw->reload(main => 'worker_shutdown_timeout 4s;');

    my ($old) = $gw->workers();
    my @sockets = map { RS::Device->enroll($rest)->connect($gw) } 1 .. 6;

    # who does not answer the close frame has two seconds

    my $mute = RS::Device->enroll($rest)->connect($gw);

    $gw->reload();

    my @told = watch(4, @sockets);

    is((count { ($_->{close} // '') eq '1012' } @told), 6,
       'all are told before it');
    wait_until { !-e "/proc/$old" } 6, 'end of the old worker';
    is($mute->expect('goaway')->{after_ms}, 0, 'the mute one was told');
};


subtest 'cut off by worker_shutdown_timeout' => sub {
    $gw->reload(main => 'worker_shutdown_timeout 1s;');

    my ($old) = $gw->workers();
    my @mute = map { RS::Device->enroll($rest)->connect($gw) } 1 .. 3;

    $gw->reload();
    wait_until { !-e "/proc/$old" } 3, 'end of the old worker';
    pass('the old worker ends');
    $_->expect('goaway') for @mute;
};


subtest 'an upgrade that the end overtakes' => sub {
    $gw->reload(main => '');

    my ($old) = $gw->workers();
    my $device = RS::Device->enroll($rest);

    $device->connect($gw);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });
    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my @half;

    for my $case (['/rs/v1/signal', 'rs.v1', "rs.ticket.$p->{ticket}"],
                  ['/rs/v1/agent', 'rs.v1']) {
        my ($path, @protocols) = @$case;
        my $ws = RS::WS->connect(port => $gw->port);
        my $text = $ws->request(path => $path, protocols => \@protocols);
        my $rest = substr($text, -10, 10, '');

        $ws->raw($text);
        push @half, [$ws, $rest];
    }

    my $plain = RS::Stream->connect(port => $gw->port);

    $plain->write("GET /rs/v1/health/live HTTP/1.1\r\nHost: localhost\r\n");

    # the worker has read the halves when it answers behind them

    $rest->get('/devices');
    $gw->reload();

    for my $case (@half) {
        my ($ws, $rest) = @$case;

        $ws->raw($rest);
        is($ws->read_answer(), 101, 'it is upgraded');
        is($ws->expect('goaway')->{after_ms}, 0, 'and told');
        is($ws->expect_close(), 1012, 'and closed');
    }

    $plain->write("\r\n");
    like($plain->read_until("\r\n\r\n"), qr/^HTTP.* 200 .*Connection: close/s,
         'a request is answered, the connection is not kept');

    my $ws = $gw->signal("rs.ticket.$p->{ticket}");

    is($ws->expect('welcome')->{role}, 'controller', 'the ticket is unused');
    $_->close for $ws, $device->ws;
    wait_until { !-e "/proc/$old" } 5, 'end of the old worker';
};


$gw->reload(drain => '0');
$gw->quit();
$gw->check_log();

done_testing();
