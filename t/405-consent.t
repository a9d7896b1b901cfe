# Copyright (C) rs-gateway contributors

# The person at a device is asked: what a device says of it, what everybody
# in the session hears, and what is on record.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(random_id wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, location => <<'END');
    rs_stun_server stun:turn.example.net:3478;
END
my $rest = $gw->rest(key => $redis->api_key(name => 'help desk'));
my $device = RS::Device->enroll($rest, name => 'reception-pc');
my $other = RS::Device->enroll($rest, name => 'another');

$device->connect($gw, worker => 1);
$other->connect($gw, worker => 0);


# the session, its participant and his socket; the host has joined

sub both {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'viewer', name => 'Ana' }] });
    my $s = $r->json;
    my $host = $device->join($gw, $device->expect('invite'), worker => 1);
    my ($p) = grep { $_->{ticket} } @{ $s->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);

    $ws->expect('welcome');
    $host->expect('joined');

    return ($s, $p, $ws, $host);
}


sub say {
    my ($d, $s, $p, $state) = @_;

    $d->send_json({ type => 'consent', session_id => $s->{id},
                    participant_id => $p->{id}, state => $state });
}


sub state_of { return $rest->get("/sessions/$_[0]{id}")->json->{state} }


sub audited {
    my ($s) = @_;
    my $lines = $redis->call('XRANGE', 'rs:{default}:audit', '-', '+');

    return grep { $_->{verb} eq 'consent' && $_->{object} eq $s->{id} }
           map { { @{ $_->[1] } } } @$lines;
}


subtest 'asked, and allowed' => sub {
    my ($s, $p, $ws) = both();

    say($device, $s, $p, 'waiting');
    is($ws->expect('state')->{session_state}, 'waiting_consent',
       'everybody hears that somebody is asked');
    is(state_of($s), 'waiting_consent', 'REST says so, too');

    say($device, $s, $p, 'given');
    is($ws->expect('state')->{session_state}, 'connecting', 'it goes on');

    my @lines = audited($s);

    is(scalar @lines, 1, 'one line on record');
    is("@{ $lines[0] }{qw(actor actor_id outcome detail)}",
       'device ' . $device->id . " allow $p->{id}", 'who said what of whom');

    $rest->delete("/sessions/$s->{id}");
};


subtest 'denied' => sub {
    my ($s, $p, $ws) = both();

    say($device, $s, $p, 'waiting');
    $ws->expect('state');
    say($device, $s, $p, 'denied');
    $device->send_json({ type => 'reject', session_id => $s->{id},
                         reason => 'consent_denied',
                         detail => 'the person at the device said no' });

    is($ws->expect('ended')->{reason}, 'consent_denied', 'the end says why');
    is($ws->expect_close(), 4410, 'closed 4410');
    is($rest->get("/sessions/$s->{id}")->json->{end_reason},
       'consent_denied', 'REST: why');
    is((audited($s))[0]{outcome}, 'deny', 'on record');
};


subtest 'ended by the person there, later' => sub {
    my ($s, $p, $ws, $host) = both();

    $host->send_json({ type => 'state', path => {
        kind => 'direct', protocol => 'udp', local => 'host',
        remote => 'host', rtt_ms => 1 } });
    is($ws->expect('state')->{session_state}, 'active', 'active');

    $device->send_json({ type => 'reject', session_id => $s->{id},
                         reason => 'consent_denied', detail => 'enough' });
    is($ws->expect('ended')->{reason}, 'consent_denied', 'over');
};


subtest 'not theirs to say' => sub {
    my ($s, $p, $ws) = both();

    say($other, $s, $p, 'given');
    is($other->expect('error')->{code}, 'not_found',
       'another device knows no such session');

    say($device, { id => random_id('ses_') }, $p, 'given');
    is($device->expect('error')->{code}, 'not_found', 'there is none');

    $device->send_json({ type => 'consent', session_id => $s->{id},
                         participant_id => $p->{id}, state => 'perhaps' });
    is($device->expect('error')->{code}, 'invalid_value',
       'and no such answer');

    $ws->send_json({ type => 'consent', session_id => $s->{id},
                     participant_id => $p->{id}, state => 'given' });
    is($ws->expect('error')->{code}, 'unknown_type',
       'a participant cannot consent to himself');

    is(state_of($s), 'connecting', 'nothing came of it');
    is(scalar(audited($s)), 0, 'nor is anything on record');

    $rest->delete("/sessions/$s->{id}");
};


done_testing();
