# Copyright (C) rs-gateway contributors

# A worker whose worker_connections are all in use takes no more of its
# neighbours' either: it says so now and then, not for each message, and goes
# on when there is room, with what is new.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Socket::INET ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, ipc => 'on',
                          connections => 32,
                          server => 'client_header_timeout 300s;');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest);

$device->connect($gw, worker => 0);

my $session = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] })->json;
my $host = $device->join($gw, $device->expect('invite'), worker => 1);
my $ws = $gw->signal("rs.ticket.$session->{participants}[0]{ticket}",
                     worker => 0);

$ws->expect('welcome');
$host->expect('joined');


sub alerts {
    return scalar(() = $gw->error_log() =~ /connections are not enough/g);
}


# requests that never end

my @held;

for (1 .. 200) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $gw->port)
        or die "connect: $@";

    wait_until { alerts() || $gw->accepted($s) } 10, 'a connection or none';
    last if alerts();
    next if $gw->worker_of($s) == 0;

    syswrite $s, 'GET /';
    push @held, $s;
}

ok(alerts(), 'a worker without a free connection');

my $before = alerts();

for my $n (1 .. 50) {
    $ws->send_json({ type => 'input', data => "lost $n" });
    $ws->send_json({ type => 'ping' });
    $ws->expect('pong');
}

cmp_ok(alerts() - $before, '<', 10, 'is not heard of for each message');

close $_ for splice @held, 0, 5;

my $first = wait_until {
    $ws->send_json({ type => 'input', data => 'more' });
    $ws->send_json({ type => 'ping' });
    $ws->expect('pong');
    eval { $host->expect('input', 0.1)->{data} }
} 10, 'input over the socket';

ok($first, 'and takes input when it has room');

close $_ for @held;
$gw->quit();
$gw->check_log(allow => qr/connections are not enough/);

done_testing();
