# Copyright (C) rs-gateway contributors

# A device's key: changed by a statement of the old one, which anybody can
# follow; wrong statements change nothing.  A stolen id with another key is
# refused, and the audit of the tenant says so, once a minute; the right key
# is not locked out by that, and a removed device's is of no use.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Crypt::PK::Ed25519 ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Redis;
use RS::Util qw(base64url base64url_decode wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                          server => $METRICS_LOCATION);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest);


sub new_key {
    my $key = Crypt::PK::Ed25519->new();

    $key->generate_key();

    return $key;
}


sub text_of { return base64url($_[0]->export_key_raw('public')) }


# what the device says to have another key; %opt puts something wrong into it

sub rotate {
    my ($d, $new, %opt) = @_;
    my $old = $opt{by} // $d->{key};
    my $text = join "\0", 'rs-device-key-v1', $opt{tenant} // $d->tenant,
                    $opt{id} // $d->id, text_of($opt{from} // $d->{key}),
                    text_of($new);

    return { type => 'rotate', public_key => text_of($new),
             signature => base64url($old->sign_message($text)),
             proof => base64url(($opt{prover} // $new)->sign_message($text)) };
}


sub record { return $rest->get('/devices/' . $_[0]->id)->json }

sub audit {
    return grep { ($_->{reason} // '') eq 'device_key_mismatch' }
           @{ $rest->get('/audit?limit=200')->json->{items} };
}


# A device that was never asked to

my $first = text_of($device->{key});

is(record($device)->{public_key}, $first, 'the key it was enrolled with');
is_deeply(record($device)->{key_history}, [], 'no history');

my $ws = $device->connect($gw);
my $second = new_key();
my $stranger = new_key();

for (['not by its key', by => $stranger],
     ['not by the new one', prover => $stranger],
     ['from another key', from => $stranger],
     ['of another device', id => 'dev_' . 'a' x 26],
     ['of another tenant', tenant => 'other'])
{
    my ($name, %opt) = @$_;

    $ws->send_json(rotate($device, $second, %opt));
    is($ws->expect('error')->{code}, 'invalid_value', "refused: $name");
}

is(record($device)->{public_key}, $first, 'the key is as it was');

$ws->send_json(rotate($device, $second));
is($ws->expect('rotated')->{public_key}, text_of($second), 'changed');
$ws->send_json(rotate($device, $second));
is($ws->expect('rotated')->{public_key}, text_of($second),
   'said again, answered again');

$device->{key} = $second;

my $third = new_key();

$ws->send_json(rotate($device, $third));
$ws->expect('rotated');
$device->{key} = $third;
$ws->close;
$device->connect($gw);
pass('the new key is let in');

my $record = record($device);
my $at = $first;

is($record->{public_key}, text_of($third), 'it is in the record');
is(scalar @{ $record->{key_history} }, 2, 'and how it came there');

for my $st (@{ $record->{key_history} }) {
    my $pk = Crypt::PK::Ed25519->new();

    $pk->import_key_raw(base64url_decode($st->{old}), 'public');
    is($st->{old}, $at, 'a statement of the key before');
    ok($pk->verify_message(base64url_decode($st->{signature}),
                           join "\0", 'rs-device-key-v1', 'default',
                           $device->id, $st->{old}, $st->{new}),
       'which anybody can verify');
    $at = $st->{new};
}

is($at, $record->{public_key}, 'they lead to the key there is');

my ($line) = grep { $_->{verb} eq 'agent:rotate' }
             @{ $rest->get('/audit?limit=200')->json->{items} };

is($line->{actor}{id}, $device->id, 'the audit has the change');

# one after the other on one socket: a second one waits for nobody

for my $i (1 .. 4) {
    my $key = new_key();

    $device->ws->send_json(rotate($device, $key));
    $device->expect('rotated');
    $device->{key} = $key;
}

$device->ws->send_json(rotate($device, new_key()));
is($device->expect('error')->{code}, 'limit_reached', 'six in an hour');


# A stolen id, another key

sub steal {
    my (%opt) = @_;
    my $c = $device->open($gw, %opt);

    $device->ws->send_json($device->hello($c, %opt));

    return ($device->expect('error'), $device->ws->expect_close);
}

my $true = $device->ws;
my @answer = steal(key => $stranger);

is($answer[0]{code}, 'unauthenticated', 'refused');
is($answer[1], 4401, 'closed');
steal(key => $stranger) for 1 .. 5;

my ($unknown, $code) = steal(key => $stranger,
                             device_id => 'dev_' . 'b' x 26);

is_deeply([$unknown, $code], \@answer,
          'as a device that does not exist');

wait_until { audit() } 10, 'a line of the audit';

my @lines = audit();

is(scalar @lines, 1, 'one line for all six');
is($lines[0]{object}, $device->id, 'it names the device');
is($lines[0]{outcome}, 'deny', 'and that it was refused');
is($lines[0]{address}, '127.0.0.1', 'and from where');
is($lines[0]{actor}{id}, undef, 'but not who: nobody knows');
is(metrics($gw)->value('rs_device_key_mismatches_total'), 6,
   'the metric has each');

# whoever shows a key that was retired is told of as that

my $other = RS::Device->enroll($rest, name => 'other');
my $retired = $other->{key};

$other->connect($gw);

my $next = new_key();

$other->ws->send_json(rotate($other, $next));
$other->expect('rotated');
$other->{key} = $next;
$other->ws->close;

my $c = $other->open($gw);

$other->ws->send_json($other->hello($c, key => $retired));
is($other->expect('error')->{code}, 'unauthenticated', 'a retired key');
wait_until { audit() == 2 } 10, 'its line';
is((grep { $_->{object} eq $other->id } audit())[0]{detail},
   'the key before the last rotation', 'which says so');

# the right key is not locked out, and its socket was not touched

$true->send_json({ type => 'ping' });
is($true->expect('pong')->{type}, 'pong', 'the socket of the device lives');
$device->connect($gw);
pass('the right key is let in');


# Removed: its socket is closed, neither key is of use, and nothing is audited
# of what is no device

my $live = $device->ws;

is($rest->delete('/devices/' . $device->id)->status, 204, 'removed');
is($live->expect('error')->{code}, 'device_removed', 'its socket is told');
is($live->expect_close, 4403, 'and closed');

for my $key ($device->{key}, $second) {
    is((steal(key => $key))[0]{code}, 'unauthenticated', 'no key is let in');
}

# a change that is under way when it is removed changes nothing

my $late = RS::Device->enroll($rest, name => 'late');

$late->connect($gw);
$late->ws->send_json(rotate($late, new_key()));
$rest->delete('/devices/' . $late->id);
$late->ws->expect_close;
is($rest->get('/devices/' . $late->id)->status, 404,
   'a removed device is not brought back by its key');

$gw->check_log;
$gw->stop;
$redis->stop;
done_testing();
