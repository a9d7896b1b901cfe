# Copyright (C) rs-gateway contributors

# Several servers in agent.conf: the next one serves while the first does not,
# or is not of the fleet, and the agent goes back when that is well again; a
# session's invitation reaches it on either side.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Agent;
use RS::Gateway;
use RS::Pki;
use RS::Redis;
use RS::Util qw(top tempdir wait_until);

my $dir = tempdir();
my $pki = RS::Pki->new();
my $redis = RS::Redis->new();

system(top('tools', 'rs-identity') . " new $dir/id >/dev/null") == 0
    or die 'rs-identity';


sub gateway {
    my ($http) = @_;
    my $gw = RS::Gateway->new(redis => $redis, tls => 1, http => $http);

    $pki->issue("$gw->{dir}/tls");
    $gw->reload;

    return $gw;
}


# one host, two names: the log tells the servers apart by them

my $one = gateway("rs_identity_file $dir/id;");
my $two = gateway("rs_identity_file $dir/id;");
my $first = $one->base;
my $second = $two->base =~ s/127\.0\.0\.1/localhost/r;
my $rest = $two->rest(key => $redis->api_key);
my $agent = RS::Agent->new(ca => $pki->ca)->enroll($rest, $first);
my $online = 0;


# the nth time that it is online, and where

sub comes_online {
    my ($host, $name) = @_;

    $online++;
    $agent->wait_log(qr/(?:online as \S+ at .*?){$online}/s, 40);
    is(($agent->log =~ /online as \S+ at (\S+)/g)[-1], $host, $name);

    return;
}


# an invitation is answered on the channel: here with a rejection, for there
# is no desktop

sub invited {
    my ($name) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $agent->id } });

    is($r->status, 201, "$name: a session");

    my $id = $r->json->{id};

    ok((wait_until {
            $rest->get("/sessions/$id")->json->{state} eq 'ended'
        } 20, 'an answer of the agent'), 'the agent was asked, and answered');

    return;
}


$agent->start(server => "$first;$second", server_probe => 1);
comes_online('127.0.0.1', 'the first server');
invited('there');

$one->stop;
comes_online('localhost', 'the first is down: the second');
invited('there');

$one->start;
comes_online('127.0.0.1', 'the first is well again: back to it');
like($agent->log, qr/\Q$first\E is well again/, 'and the log says so');
invited('there');

# the whole fleet

$_->stop for $one, $two;
$agent->wait_log(qr/the next server is \Q$second\E.*the next server is \Q$first\E/s);
$two->start;
comes_online('localhost', 'what is back first serves');
$one->start;
comes_online('127.0.0.1', 'and the first one in the end');
$agent->stop;

# whoever is on the first one's place without the fleet's identity

my $bad = gateway('');

$online = 0;
$agent->start(server => $bad->base . ";$second", server_probe => 1);
comes_online('localhost', 'a first server that is not of the fleet');
like($agent->log, qr/shows the identity none/, 'it is refused');
$agent->stop;

# a rejection of the device is not asked for twice

my $r = $rest->delete('/devices/' . $agent->id);

is($r->status, 204, 'the device is removed');
$agent->start(server => "$first;$second", server_probe => 1);
$agent->wait_log(qr/the gateway says unauthenticated/);
$agent->wait_log(qr/control channel down \(4401/);
unlike($agent->log, qr/the next server/, 'a refusal speaks for all of them');
$agent->stop;

$_->check_log, $_->stop for $one, $two, $bad;
$redis->stop;
done_testing();
