# Copyright (C) rs-gateway contributors

# A new primary lacks what the old one had acknowledged last.  Live sockets
# stay, each is asked to send again though nobody says anything, who resumes at
# a position the new primary never saw is welcome, and nothing is missing.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new(conf => 'enable-debug-command local');
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 0);

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }, { role => 'viewer' }] });
my $id = $r->json->{id};
my $host = $device->join($gw, $device->expect('invite'), worker => 0);
my @ws = map {
    $gw->signal("rs.ticket.$_->{ticket}", worker => 1)
} grep { $_->{ticket} } @{ $r->json->{participants} };
my @welcome = map { $_->expect('welcome') } @ws;
my ($ctl, $viewer) = @ws;


sub say {
    my ($ws, $n, $data) = @_;

    $ws->send_json({ type => 'signal', id => $n, data => $data });

    return $ws->expect('ack')->{id};
}


say($host, 1, 'kept');
is($_->expect('signal')->{data}, 'kept', 'before') for $ctl, $viewer;

my @old = $redis->session_copy($id);

say($host, 2, 'lost');
is($ctl->expect('signal')->{data}, 'lost', 'delivered');
say($ctl, 1, 'lost too');
is($host->expect('signal')->{data}, 'lost too', 'delivered');

my $last = $viewer->expect('signal');

$last = $viewer->expect('signal') if $last->{data} eq 'lost';

# the viewer has heard it all, and its socket breaks

$viewer->reset();
wait_until {
    $redis->call('HGET', "rs:{default}:mem:$id", "a:$welcome[1]{self}") eq ''
} 5, 'the viewer being away';

$redis->fail_over($id, @old);

ok($_->[1]->expect('resync', 10), "$_->[0] is asked to send again")
    for ['the host', $host], ['the controller', $ctl];

is(say($host, 2, 'lost'), 2, 'it does');
is($ctl->expect('signal')->{data}, 'lost', 'what was lost is back');

my $back = $gw->signal("rs.resume.$welcome[1]{resume}.$last->{position}");

is($back->expect('welcome')->{self}, $welcome[1]{self},
   'who had heard what is lost may resume');
is($back->expect('control')->{holder}, $welcome[0]{self},
   'it is told who has control now');
ok($back->expect('resync', 5), 'is asked as well');
is($back->expect('signal')->{data}, 'lost', 'and gets what came since');

is(say($ctl, 1, 'lost too'), 1, 'the other one');
is($_->expect('signal')->{data}, 'lost too', 'is back') for $host, $back;

is(say($back, 1, 'new'), 1, 'and on it goes');
is($_->expect('signal')->{data}, 'new', 'for all') for $host, $ctl;

# nobody was asked twice

is(scalar(grep { $_->{type} eq 'resync' } $_->seen), 0, 'no more resync')
    for $host, $ctl, $back;

$rest->delete("/sessions/$id");
is($_->expect_close(), 4410, 'the end') for $host, $ctl, $back;

$gw->check_log();

done_testing();
