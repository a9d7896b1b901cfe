# Copyright (C) rs-gateway contributors

# A worker that was called dead is back: others who had asked for it meanwhile
# learn of it soon, not with their own next lease call.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $key = $redis->api_key;
my $away = RS::Gateway->new(node => 'away', redis => $redis,
                            http => 'rs_lease_ttl 3s;');
my $other = RS::Gateway->new(node => 'other', redis => $redis,
                             http => 'rs_lease_ttl 3s;');
my $device = RS::Device->enroll($other->rest(key => $key), name => 'desk');


sub dev { return 'rs:{default}:dev:' . $device->id }
sub owner { return $redis->call('HGET', dev(), 'owner') }


sub leased {
    my ($node) = @_;

    return scalar grep { /^\Q$node\E\./ }
                  @{ $redis->call('ZRANGE', 'rs:{w}:lease', 0, -1) };
}


$device->connect($away);

my $owner = owner();

my ($worker) = $away->workers;

kill 'STOP', $worker or die "$worker: $!";
wait_until { !leased('away') } 20, 'the lease running out';
wait_until { owner() eq '' } 20, 'its duties being walked';

# it renews its own lease each twenty seconds

my $slow = RS::Gateway->new(node => 'slow', redis => $redis,
                            http => 'rs_lease_ttl 60s;');
my $rest = $slow->rest(key => $key);


sub online {
    my $r = $rest->get('/devices/' . $device->id);

    return $r->status == 200 ? $r->json->{online} : die $r->content;
}


# the record as it was before it was walked

$redis->call('HSET', dev(), 'owner', $owner);
ok(eval { wait_until { !online() } 5 }, 'offline, its worker is not live');

kill 'CONT', $worker or die "$worker: $!";
wait_until { leased('away') } 20, 'the lease';

ok(eval { wait_until { online() } 5 }, 'online again');

$_->quit for $away, $other, $slow;
$_->check_log(allow => qr/called dead|is down/) for $away;
$_->check_log for $other, $slow;

done_testing();
