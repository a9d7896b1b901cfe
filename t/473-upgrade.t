# Copyright (C) rs-gateway contributors

# A binary upgrade: USR2 starts a new master and new workers beside the old
# ones, QUIT ends the old, and the sockets move as in a reload.  And the way
# back: the old master takes over again.

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
my $gw = RS::Gateway->new(redis => $redis, workers => 2, drain => '500ms',
                          daemon => 1,
                          http => 'rs_redis_connect_timeout 5s;');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw);

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] });
my $host = $device->join($gw, $device->expect('invite'), worker => 1);
my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);
my $welcome = $ws->expect('welcome');
my $host_welcome = $device->welcome;
my $id = 0;


sub owner {
    return $redis->call('HGET', 'rs:{default}:dev:' . $device->id, 'owner');
}


# what nobody may notice: REST answers, each time on a connection of its own;
# by a worker that has only just started as well

sub answers {
    my ($name) = @_;
    my $bad = grep { $rest->get('/devices')->status != 200 } 1 .. 30;

    is($bad, 0, "$name: every request is answered");

    return;
}


sub resumed {
    my ($w) = @_;
    my $socket = $gw->signal("rs.resume.$w->{resume}.$w->{position}");
    my $position = $w->{position};

    %$w = %{ $socket->expect('welcome') };
    $w->{position} = $position;

    return $socket;
}


# all sockets are told to come back, and do; a message arrives, once

sub moved {
    my ($name) = @_;

    for my $case (['the participant', $ws], ['the host', $host],
                  ['the device', $device->ws]) {
        my ($who, $socket) = @$case;

        ok($socket->expect('goaway'), "$name: goaway to $who");
        is($socket->expect_close(), 1012, "$name: close 1012");
    }

    $host = resumed($host_welcome);
    $host->send_json({ type => 'signal', id => ++$id, data => "n$id" });
    is($host->expect('ack')->{id}, $id, "$name: the host goes on");
    $ws = resumed($welcome);

    my $m = $ws->expect('signal');

    is($m->{data}, "n$id", "$name: and is heard");
    $welcome->{position} = $m->{position};

    my $before = owner();

    $device->connect($gw);
    isnt(owner(), $before, "$name: the device has another owner");
    is($rest->get('/devices/' . $device->id)->json->{online}, JSON::true,
       "$name: and is online");

    return;
}


sub gone {
    my (@pids) = @_;

    wait_until { !grep { -e "/proc/$_" } @pids } 8, 'their end';

    return;
}


subtest 'upgrade' => sub {
    my @workers = $gw->workers();
    my $old = $gw->upgrade();

    answers('two masters');
    ok(-e "/proc/$old", 'the old master is there');
    is(scalar(grep { -e "/proc/$_" } @workers), 2, 'and its workers');

    $ws->send_json({ type => 'ping' });
    is($ws->expect('pong')->{type}, 'pong', 'and the sockets they have');

    $gw->signal_pid($old, 'QUIT');
    moved('quit');
    answers('while the old workers end');
    gone($old, @workers);
    answers('one master');
    is($gw->old_pid, undef, 'its pid file is gone');
};


subtest 'and back' => sub {
    my @workers = $gw->workers();
    my $old = $gw->upgrade();
    my $new = $gw->pid;
    my @new = $gw->workers();

    # the new one has to take all, and is not liked

    $gw->signal_pid($old, 'WINCH');
    moved('winch');
    gone(@workers);
    answers('the new workers alone');

    $gw->signal_pid($old, 'HUP');
    wait_until {
        $redis->call('ZCARD', 'rs:{w}:lease') >= 4
    } 10, 'workers of the old master';

    $gw->signal_pid($new, 'QUIT');
    moved('quit of the new one');
    gone($new, @new);
    wait_until { $gw->pid == $old } 5, 'the old pid file';
    answers('back');
};


$gw->quit();
ok(!$gw->alive, 'nginx has ended');
$gw->check_log();

done_testing();
