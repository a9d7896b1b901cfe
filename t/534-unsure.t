# Copyright (C) rs-gateway contributors

# A join is carried out and nobody learns of it: its answer is lost, or the
# worker is killed before the welcome.  No ghost stays in the session, and a
# host is asked in again.

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


# Worker 0 has had a device of the tenant, so that it asks for nothing before a
# join; worker 1 has the one that is a host.

sub gateway {
    my (%opt) = @_;
    my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                              http => "rs_lease_ttl 3s; $opt{http}",
                              location => 'rs_resume_grace 4s;');
    my $rest = $gw->rest(key => $redis->api_key);
    my @device = map { RS::Device->enroll($rest, name => "desk $_") } 0, 1;

    $device[$_]->connect($gw, worker => $_) for 0, 1;

    return ($gw, $rest, $device[1]);
}


sub session {
    my ($rest, $device) = @_;
    my $s = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }, { role => 'viewer' }] })
        ->json;

    return ($s, map { $_->{ticket} // () } @{ $s->{participants} });
}


# Redis stands still when the join comes to it; unless the worker knew that
# already, by something else that was not answered: then there was no join.

sub joins {
    my ($gw, $ticket) = @_;

    for (1 .. 9) {
        my $socket = $gw->socket(worker => 0);

        $redis->freeze();

        my $ws = eval { $gw->signal("rs.ticket.$ticket", socket => $socket) };

        return $ws if $ws;

        die $@ if $@ !~ /refused: 503/;
        $redis->thaw();
        wait_until { $gw->all_answer('/health/ready', 200) } 20, 'readiness';
    }

    die 'each join came too late';
}


subtest 'the answer is lost' => sub {
    my ($gw, $rest, $device) = gateway(http => 'rs_redis_timeout 800ms;');
    my ($s, @tickets) = session($rest, $device);
    my $host = $device->join($gw, $device->expect('invite'), worker => 1);
    my $other = $gw->signal("rs.ticket.$tickets[1]", worker => 1);

    $host->expect('joined');

    my $ws = joins($gw, $tickets[0]);

    is($ws->expect_close(5), 1013, 'nobody knows whether it joined');
    $redis->thaw();

    my $peer = $host->expect('joined', 10)->{peer}{id};
    my $left = $host->expect('left', 10);

    is_deeply([@$left{qw(peer reason)}], [$peer, 'lost'],
              'it had joined, and is gone');
    is_deeply([grep { /^a:\Q$peer\E/ }
               @{ $redis->call('HKEYS', "rs:{default}:mem:$s->{id}") }], [],
              'no ghost is left');
    $rest->delete("/sessions/$s->{id}");
    $gw->quit();
    $gw->check_log();
};


subtest 'the answer for the host is lost' => sub {
    my ($gw, $rest, $device) = gateway(http => 'rs_redis_timeout 800ms;');
    my ($s, @tickets) = session($rest, $device);
    my $invite = $device->expect('invite');
    my $ctl = $gw->signal("rs.ticket.$tickets[0]", worker => 1);

    $ctl->expect('welcome');
    is(joins($gw, $invite->{ticket})->expect_close(5), 1013,
       'nobody knows whether the host joined');
    $redis->thaw();
    is($ctl->expect('joined', 10)->{peer}{role}, 'host', 'it had');

    # until the worker has said so there is an invitation for each line

    my $host;

    wait_until {
        my $again = $device->expect('invite', 10);

        $host = eval { $device->join($gw, $again, worker => 1) };
    } 10, 'the host being asked in again';

    $host->send_json({ type => 'signal', id => 1, data => 'here' });
    is($ctl->expect('signal')->{data}, 'here', 'it is asked in again');
    is($rest->delete("/sessions/$s->{id}")->status, 204, 'and no end before');
    is(scalar(grep { $_->{type} eq 'left' } $ctl->seen), 0, 'nobody has left');

    # one that does not come

    ($s, @tickets) = session($rest, $device);
    $invite = $device->expect('invite');
    $ctl = $gw->signal("rs.ticket.$tickets[0]", worker => 1);
    $ctl->expect('welcome');
    joins($gw, $invite->{ticket})->expect_close(5);
    $redis->thaw();
    is($ctl->expect('ended', 15)->{reason}, 'host_lost',
       'one that does not come is lost after the grace');
    $gw->quit();
    $gw->check_log();
};


subtest 'the host\'s worker is killed before the welcome' => sub {
    my ($gw, $rest, $device) = gateway(http => 'rs_redis_timeout 20s;');
    my ($s, @tickets) = session($rest, $device);
    my $invite = $device->expect('invite');
    my $ctl = $gw->signal("rs.ticket.$tickets[0]", worker => 1);

    $ctl->expect('welcome');

    my $lost = joins($gw, $invite->{ticket});

    # its request is on its way when the worker has answered another one

    $rest->request('GET', '/health/live', socket => $gw->socket(worker => 0));
    $gw->kill_worker(0);
    $redis->thaw();
    is($ctl->expect('joined', 10)->{peer}{role}, 'host', 'the host has joined');
    is(eval { $lost->expect_close(5); 1 }, undef, 'and was not welcome');

    my $again = $device->expect('invite', 15);

    is($again->{session}{id}, $s->{id}, 'it is asked in again');

    my $host = $device->join($gw, $again, worker => 1);

    is($device->welcome->{self}, $invite->{participant}, 'as the same one');
    $ctl->send_json({ type => 'signal', id => 1, data => 'offer' });
    is($host->expect('signal')->{data}, 'offer', 'and hears');
    $host->send_json({ type => 'signal', id => 1, data => 'answer' });
    is($ctl->expect('signal')->{data}, 'answer', 'and is heard');

    # nobody waits for the first one any more

    wait_until {
        !grep { @{ $redis->call('ZRANGE', $_, 1, '+inf', 'BYSCORE') } }
              $redis->keys('rs:{default}:own:*')
    } 10, 'no duty that is due';
    is($rest->get("/sessions/$s->{id}")->json->{state}, 'connecting',
       'the session goes on');
    is(scalar(grep { $_->{type} eq 'left' } $ctl->seen), 0, 'nobody has left');
    $gw->stop();
    $gw->check_log(allow => qr/exited on signal 9/);
};

done_testing();
