# Copyright (C) rs-gateway contributors

# The real agent changes its key: on demand while it runs, and when it is
# time.  Killed at whatever moment it comes back with the key the gateway has:
# before it asked, after the gateway has the new one, and when a failover of
# the store has brought the old one back.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Crypt::PK::Ed25519 ();
use File::Copy qw(copy);
use Test::More;

use RS::Agent;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pki;
use RS::Redis;
use RS::Util qw(base64url wait_until read_file write_file);

my $pki = RS::Pki->new();
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, tls => 1,
                          server => $METRICS_LOCATION);

$pki->issue("$gw->{dir}/tls");
$gw->reload;

my $rest = $gw->rest(key => $redis->api_key);
my $agent = RS::Agent->new(ca => $pki->ca)->enroll($rest, $gw->base);
my $state = "$agent->{dir}/state";


sub record { return $rest->get('/devices/' . $agent->id)->json }


sub public {
    my ($name) = @_;
    my $text = eval { read_file("$state/$name") } // return;

    return base64url(Crypt::PK::Ed25519->new(\$text)
                     ->export_key_raw('public'));
}


# the store allows a few in an hour, which is not what is tested here

sub hour_later {
    $redis->call('HDEL', 'rs:{default}:dev:' . $agent->id, 'rotations',
                 'rotations_at');
    return;
}


sub asked {
    return metrics($gw)->value('rs_messages_received_total',
                               type => 'rotate');
}


# the gateway and the agent agree, after something happened

sub settled {
    my ($name) = @_;

    $agent->wait_log(qr/from now on|has this device's next key already/);
    ok((wait_until {
            !-e "$state/device.key.next"
                && public('device.key') eq record()->{public_key}
        } 20, $name), "$name: the gateway has the key of device.key");

    return;
}


# On demand, while it runs

my $first = public('device.key');

$agent->start();
$agent->wait_log(qr/online as/);
is(record()->{public_key}, $first, 'the key of the enrolment');

my ($said, $status) = $agent->run('--rotate-key');
my ($short) = $said =~ /the next key is (\S+):/;

is($status, 0, 'a next key is made');
$agent->wait_log(qr/the device's key is \Q$short\E from now on/);
settled('on demand');

my $second = public('device.key');

isnt($second, $first, 'it is another one');
is(public('device.key.old'), $first, 'the one before is kept for a while');
is((stat "$state/device.key")[2] & 0777, 0600, 'for its owner only');
($said) = $agent->run('--fingerprint');
is($said, "$short\n", 'the fingerprint is that of the new one');

is_deeply([map { "$_->{old} $_->{new}" } @{ record()->{key_history} }],
          ["$first $second"], 'and the statement is there to follow');
unlike($agent->log, qr/control channel down/, 'the channel stands');
$agent->stop;

$agent->start();
$agent->wait_log(qr/online as/);
pass('it comes back with it');
$agent->stop;


# When it is time

hour_later();
utime time() - 86400 * 31, time() - 86400 * 31, "$state/device.key";
$agent->start(key_rotation => 30);
settled('after 30 days');
isnt(public('device.key'), $second, 'another key');
$agent->stop;

my $third = public('device.key');

$agent->start(key_rotation => 30);
$agent->wait_log(qr/online as/);
is(public('device.key'), $third, 'and not again');
$agent->stop;


# Killed while the gateway's answer is on its way: the store takes its time

hour_later();
$agent->start();
$agent->wait_log(qr/online as/);

my $asked = asked();

$redis->freeze;
$agent->run('--rotate-key');
wait_until { asked() > $asked } 10, 'the gateway was asked';
$agent->kill;
$redis->thaw;
$agent->start();
settled('killed while the store was asked');
isnt(public('device.key'), $third, 'another key');
$agent->stop;


# Killed before it asked: the gateway has the key of device.key

hour_later();
$agent->run('--rotate-key');

my $before = public('device.key');

$agent->start();
settled('killed before it asked');
isnt(public('device.key'), $before, 'it asked when it was back');
$agent->stop;


# Killed before it heard the answer: the gateway has the next one already

hour_later();
copy("$state/device.key", "$state/saved") or die;
$agent->run('--rotate-key');
$agent->start();
settled('changed once more');
$agent->stop;

my $next = public('device.key');

rename "$state/device.key", "$state/device.key.next" or die;
rename "$state/saved", "$state/device.key" or die;
chmod 0600, "$state/device.key";
unlink "$state/device.key.old";
$agent->start();
$agent->wait_log(qr/has this device's next key already/);
settled('killed before it heard');
is(public('device.key'), $next, 'the next one counts');
$agent->stop;


# The store has forgotten the change: the old one is what the gateway has

my $forgotten = public('device.key');
my $old = public('device.key.old');

$redis->call('HSET', 'rs:{default}:dev:' . $agent->id, 'public_key', $old);
hour_later();
$agent->start();
$agent->wait_log(qr/has forgotten this device's latest key/);
settled('forgotten by a failover');
is(public('device.key'), $forgotten, 'and changed to it again');
$agent->stop;


# Rubbish of a crash while a key was written is no key

hour_later();
write_file("$state/device.key.next", 'rub', 0600);
$agent->start();
$agent->wait_log(qr/online as/);
$agent->run('--rotate-key');
settled('rubbish in the way');
$agent->stop;

$gw->check_log;
$gw->stop;
$redis->stop;
done_testing();
