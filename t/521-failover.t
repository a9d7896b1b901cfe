# Copyright (C) rs-gateway contributors

# The primary dies and a replica takes its place: what was confirmed stays so.
# And what was told as uncertain may indeed be forgotten, and is done when it
# is asked for again.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Proxy;
use RS::Redis;
use RS::Util qw(wait_until);

my ($first, $second) = map { RS::Redis->new(port => 1) } 1 .. 2;
my $third = RS::Redis->new(port => 1);

$second->replicate($first);

my $proxy = RS::Proxy->new(to => $first->socket);
my $gw = RS::Gateway->new(redis_conf => 'redis://127.0.0.1:' . $proxy->port,
                          workers => 2, http => 'rs_redis_wait 1 400ms;');
my $rest = $gw->rest(key => $first->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');
my %old;


sub session {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };

    return { id => $r->json->{id}, ticket => $p->{ticket},
             invite => $device->expect('invite') };
}


# how a socket with this ticket is answered

sub tried {
    my ($ticket) = @_;
    my $ws = $gw->signal("rs.ticket.$ticket");
    my $m = $ws->recv()->{json};

    return ($ws, $m->{code} // $m->{type});
}


sub is_tried {
    my ($ticket, $want, $name) = @_;
    my ($ws, $got) = tried($ticket);

    is($got, $want, $name);

    return $ws;
}


# what the record says of the device's channel

sub owner {
    my ($redis) = @_;

    return $redis->call('HGET', 'rs:{default}:dev:' . $device->id, 'owner');
}


sub state {
    my ($s) = @_;

    return $rest->get("/sessions/$s->{id}")->json->{state};
}


subtest 'confirmed, then the primary dies' => sub {
    my $before = $device->connect($gw, worker => 0);

    @old{qw(address epoch)} = (owner($first), $device->{agent_welcome}{epoch});
    $device->connect($gw, worker => 1);
    is($before->expect_close(), 4409, 'the device has a newer socket');

    my ($used, $ended, $open) = map { session() } 1 .. 3;
    my $host = $device->join($gw, $used->{invite}, worker => 1);
    my $ws = is_tried($used->{ticket}, 'welcome', 'a ticket is used');
    my $e = $rest->post('/enrollments', {})->json;

    is($rest->delete("/sessions/$ended->{id}")->status, 204,
       'a session is ended');
    is($rest->delete("/enrollments/$e->{id}")->status, 204,
       'an enrolment is revoked');

    my $now = owner($first);

    $first->kill;
    $second->promote;
    $third->replicate($second);
    $proxy->lead($second->socket);

    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'the new primary';

    is_tried($used->{ticket}, 'unauthenticated', 'the ticket stays used');
    is_tried($used->{invite}{ticket}, 'unauthenticated', 'that of the invite');
    is(state($ended), 'ended', 'the session stays ended');
    is_tried($ended->{ticket}, 'session_ended', 'nobody gets in');
    $rest->problem($rest->with(key => undef)->post('/devices', {
        enrollment => $e->{token}, name => 'x',
        public_key => $device->public_key }), 403, 'enrollment_invalid');

    is(owner($second), $now, 'the device has the socket it had');

    my ($worker) = $old{address} =~ /^(.*)\./;

    is_deeply($second->call('FCALL', 'rs_device_online', 4,
                            map({ "rs:{default}:$_:" . $device->id }
                                'dev', 'dses'),
                            "rs:{default}:own:$worker", 'rs:{default}:audit',
                            $old{address}, '{}', $old{epoch}),
              ['replaced'], 'the one before stays fenced');

    # and life goes on

    is($ws->say(1, 'x'), 1, 'who was in is in');
    is($host->expect('signal')->{data}, 'x', 'the host, too');
    is_tried($open->{ticket}, 'welcome', 'who was not can come');
};


subtest 'uncertain, then forgotten' => sub {
    my ($s, $t, $u) = map { session() } 1 .. 3;
    my $member = $gw->signal("rs.ticket.$u->{ticket}");
    my $old = $member->expect('welcome');

    # all of it reaches the replica; then the two are cut off

    wait_until { $second->call('WAIT', 1, 1000) } 5, 'the replica';
    $third->promote;

    is_tried($s->{ticket}, 'uncertain', 'a join');
    is_tried($s->{ticket}, 'unauthenticated', 'here, its ticket is used up');
    $rest->problem($rest->delete("/sessions/$t->{id}"), 503, 'uncertain');
    is(state($t), 'ended', 'here, the session has ended');

    # a resume is not waited for

    my $resume = sub {
        return $gw->signal("rs.resume.$_[0]{resume}.$old->{position}");
    };

    $member->socket->close;
    $member = $resume->($old);

    my $new = $member->expect('welcome');

    my $fourth = RS::Redis->new();

    $second->kill;
    $fourth->replicate($third);
    $proxy->lead($third->socket);

    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'the new primary';

    is(state($t), 'waiting_host', 'there, it has not');
    is($rest->delete("/sessions/$t->{id}")->status, 204, 'asked for again');
    is(state($t), 'ended', 'it ends');
    is_tried($s->{ticket}, 'welcome', 'the ticket works');
    is_tried($s->{ticket}, 'unauthenticated', 'once');

    $member->send_json({ type => 'signal', id => 1, data => 'x' });
    is($member->expect_close(), 4409, 'a resume was forgotten');
    is($resume->($new)->expect_close(), 4401, 'its token is not known');
    is($resume->($old)->expect('welcome')->{self}, $old->{self},
       'the one before is: the same participant');
};

$gw->quit;
$gw->check_log;

done_testing();
