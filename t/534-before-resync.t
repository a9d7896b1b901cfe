# Copyright (C) rs-gateway contributors

# After a failover that lost an acknowledged message, its sender says something
# new before it has read that it is to send again: the new one has to wait, for
# otherwise the lost one would be a repetition of an id below it, for ever.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;

my $redis = RS::Redis->new(conf => 'enable-debug-command local');
my $gw = RS::Gateway->new(redis => $redis);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw);

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] });
my $id = $r->json->{id};
my $host = $device->join($gw, $device->expect('invite'));
my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
my $ctl = $gw->signal("rs.ticket.$p->{ticket}");

$ctl->expect('welcome');
$host->expect('joined');


sub say {
    my ($ws, $n, $data) = @_;

    return $ws->send_json({ type => 'signal', id => $n, data => $data });
}


sub arrives {
    my ($ws, $data, $name) = @_;

    return is($ws->expect('signal')->{data}, $data, $name);
}


say($host, 1, 'kept');
is($host->expect('ack')->{id}, 1, 'one is kept');
arrives($ctl, 'kept', 'and arrives');

my @old = $redis->session_copy($id);

say($host, 2, 'lost');
is($host->expect('ack')->{id}, 2, 'one is acknowledged and lost');
arrives($ctl, 'lost', 'arrives for now');

$redis->fail_over($id, @old);

# nothing is read on the host's socket until it has spoken

ok($ctl->expect('resync', 10), 'the new server is in use');

say($host, 3, 'new');

my $e = $host->expect('error', 5);

is($e->{code}, 'unavailable', 'what is new has to wait');
is($e->{id}, 3, 'just that');

say($host, 4, 'newer');
is($host->expect('error', 5)->{id}, 4, 'and what follows');

say($host, $_->[0], $_->[1]) for [2, 'lost'], [3, 'new'], [4, 'newer'];
is($host->expect('ack')->{id}, $_, "message $_ is taken") for 2 .. 4;
arrives($ctl, $_, "\"$_\" arrives") for 'lost', 'new', 'newer';

# one that has nothing to repeat is not held up once it has answered

say($ctl, 1, 'mine');
is($ctl->expect('ack')->{id}, 1, 'the other one just goes on');
arrives($host, 'mine', 'and is heard');

$_->send_json({ type => 'ping' }) for $host, $ctl;
$_->expect('pong') for $host, $ctl;
is(scalar(grep { $_->{type} eq 'signal' } $host->seen, $ctl->seen), 0,
   'each of them once');

$gw->check_log();

done_testing();
