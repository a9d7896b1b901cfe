# Copyright (C) rs-gateway contributors

# Two machines with one device key take each other's place: after a few times
# in a minute the key is refused for a while, and the audit says so, once.  One
# machine that comes back again and again is not.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new(acl => 1);
my @node = map { RS::Gateway->new(redis => $redis) } 1, 2;
my $rest = $node[0]->rest(key => $redis->api_key);


sub machine {
    my ($name) = @_;

    return hello => { agent => { name => 'rs-agent', instance => $name } };
}


sub audit {
    my $all = $redis->call('XRANGE', 'rs:{default}:audit', '-', '+');

    return [grep { { @{ $_->[1] } }->{verb} eq 'agent:connect' } @$all];
}


# one machine: sockets that were never closed, as far as the gateway knows

my $device = RS::Device->enroll($rest, name => 'restless');
my @sockets;

for my $i (1 .. 12) {
    push @sockets, $device->connect($node[$i % 2], machine('one'));
}

is(scalar @{ audit() }, 0, 'one machine that comes back and back');

# one that closes what it had

$device = RS::Device->enroll($rest, name => 'flaky');

for my $i (1 .. 12) {
    my $ws = $device->connect($node[$i % 2]);

    $ws->reset();
    wait_until {
        $redis->call('HGET', 'rs:{default}:dev:' . $device->id, 'owner') eq ''
    } 5, 'the device being offline';
}

is(scalar @{ audit() }, 0, 'one on a bad network');


# two machines, each coming back as soon as it is replaced

$device = RS::Device->enroll($rest, name => 'cloned');

my @ws;

for my $i (0 .. 6) {
    $ws[$i] = $device->connect($node[$i % 2], machine("m$i"));
    is($ws[$i - 1]->expect_close(), 4409, "the other one is replaced, $i")
        if $i;
}

my $challenge = $device->open($node[1]);
my $late = $device->ws;

$late->send_json($device->hello($challenge, machine('m7')));
is($late->expect_close(), 4403, 'enough: refused');
is($late->error->{code}, 'device_quarantined', 'and told why');
like($late->error->{message}, qr/\b(?:299|300) s\b/, 'and for how long');
is($ws[6]->expect_close(), 4403, 'the other one goes as well');
is($ws[6]->error->{code}, 'device_quarantined', 'for the same reason');

$challenge = $device->open($node[0]);
$device->ws->send_json($device->hello($challenge, machine('m6')));
is($device->ws->expect_close(), 4403, 'neither gets in');
ok(!$rest->get('/devices/' . $device->id)->json->{online}, 'it is offline');

my $audit = audit();

is(scalar @$audit, 1, 'one line of audit');

my %line = @{ $audit->[0][1] };

is_deeply([@line{qw(actor object outcome reason)}],
          ['device', $device->id, 'deny', 'device_quarantined'], 'about it');

my @warned = map { $_->error_log =~ /\[warn\].*is quarantined/g } @node;

is(scalar @warned, 1, 'and one in the log');

$redis->call('HSET', 'rs:{default}:dev:' . $device->id, 'quarantine', time());
$device->connect($node[0], machine('m1'));
ok($rest->get('/devices/' . $device->id)->json->{online},
   'it ends by itself');

$_->check_log() for @node;

done_testing();
