# Copyright (C) rs-gateway contributors

# nginx reloads, a worker is killed: sockets are told to come back, and come
# back to the same session with nothing lost; old workers end.

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
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }] });
my $session = $r->json->{id};
my $host = $device->join($gw, $device->expect('invite'), worker => 1);
my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);
my $welcome = $ws->expect('welcome');
my $host_welcome = $device->welcome;

# per participant, over resumes

my %id = (host => 0, ws => 0);


sub say {
    my ($who, $socket, $data) = @_;

    $socket->send_json({ type => 'signal', id => ++$id{$who},
                         data => $data });

    return $socket->expect('ack')->{id};
}


# the next message for the participant; its position is where to resume

sub heard {
    my $m = $ws->expect('signal');

    $welcome->{position} = $m->{position};

    return $m->{data};
}


sub resumed {
    my ($w) = @_;
    my $socket = $gw->signal("rs.resume.$w->{resume}.$w->{position}");
    my $position = $w->{position};

    %$w = %{ $socket->expect('welcome') };
    $w->{position} = $position;

    return $socket;
}


say(host => $host, 'before');
is(heard(), 'before', 'a message before');

subtest 'reload' => sub {
    my @old = $gw->workers();

    $gw->reload();

    for my $case (['the participant', $ws], ['the host', $host],
                  ['the device', $device->ws]) {
        my ($name, $socket) = @$case;

        ok($socket->expect('goaway'), "$name: goaway");
        is($socket->expect_close(), 1012, "$name: close 1012");
    }

    wait_until { !grep { -e "/proc/$_" } @old } 10, 'end of the old workers';
    pass('the old workers have ended');

    $host = resumed($host_welcome);
    say(host => $host, 'after');
    $ws = resumed($welcome);
    is(heard(), 'after', 'what was missed arrives');

    $device->connect($gw);
    ok($rest->get('/devices/' . $device->id)->json->{online},
       'the device is online again');
};


subtest 'a worker is killed' => sub {
    my $index = $gw->worker_of($ws->socket);

    $ws->send_json({ type => 'ping' });
    $ws->expect('pong');
    $gw->kill_worker($index);
    is(eval { $ws->expect_close(5); 1 }, undef, 'its socket breaks');

    wait_until {
        eval { $gw->all_answer('/health/ready', 200) }
    } 10, 'readiness';

    # the host's may have been on the same worker

    $host = resumed($host_welcome);
    say(host => $host, 'meanwhile');
    $ws = resumed($welcome);
    is(heard(), 'meanwhile', 'the participant gets what it missed, once');
};


subtest 'quit with live sockets' => sub {
    $gw->quit();
    ok(!$gw->alive, 'nginx has ended');
    ok($ws->expect('goaway'), 'goaway');
    is($ws->expect_close(), 1012, 'close 1012');
};


$gw->check_log(allow => qr/exited on signal 9/);

done_testing();
