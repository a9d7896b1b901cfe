# Copyright (C) rs-gateway contributors

# What must not come back to life after a failover is told when a replica has
# confirmed it: the ticket that was used, the session that ended, the TURN
# credential that was revoked, the device that was removed or has a newer
# socket, what became of a recording.  When none does in time, that is told as
# such, and nothing else stands still.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until start within tempdir write_file);
use RS::WS;

my $primary = RS::Redis->new(acl => 1, port => 1);
my $replica = RS::Redis->new();

$replica->replicate($primary);

my $secret = write_file(tempdir() . '/secret',
                        'p8Kd3mWq7ZtRv2Nx9LbHf5YcJg4TsQa6');
my $gw = RS::Gateway->new(redis => $primary, workers => 2,
                          http => 'rs_redis_wait 1 400ms;',
                          location => "rs_turn_server eu turn:turn.test;
                                       rs_turn_secret_file $secret;");
my $key = $primary->api_key;
my $rest = $gw->rest(key => $key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);


# a session: its id, the ticket of its controller, the device's invite

sub session {
    my ($dev) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $dev->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };

    return ($r->json->{id}, $p->{ticket}, $dev->expect('invite'));
}


sub refused {
    my ($ws, $close, $code, $name) = @_;
    my $start = start();

    is($ws->expect_close(), $close, "$name: closed $close");
    is($ws->error->{code}, $code, "$name: $code");
    within($start, 1, "$name: within a second");

    return;
}


sub states {
    my ($id) = @_;

    return join ' ', map { "$_->{role} $_->{state}" }
                     @{ $rest->get("/sessions/$id")->json->{participants} };
}


# what revokes the credential of this user name

sub revoke {
    my ($name) = @_;

    return $rest->request('POST', '/turn/keys/' . $primary->key_id($key)
                                  . "/credentials/$name/revoke");
}


# a session with its host and its recorder, which records

sub recorded {
    my ($keeper, $name) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }],
        policy => { recording => 'required' } });
    my $s = { id => $r->json->{id}, rec => 'rec_' . $name x 26 };

    die $r->content if $r->status != 201;

    $s->{host} = $device->join($gw, invited($device, $s));
    $s->{keeper} = $keeper->join($gw, invited($keeper, $s));
    is(said($keeper, $s, 'begin'), 'ok', 'it records');

    return $s;
}


sub invited {
    my ($dev, $s) = @_;
    my $m;

    do {
        $m = $dev->expect('invite');
    } while ($m->{session}{id} ne $s->{id});

    return $m;
}


# what a recorder says, and the answer: ok, or the code of an error

sub said {
    my ($keeper, $s, $op, %more) = @_;

    %more = (duration_ms => 1500, bytes => 4096, sha256 => 'a1' x 32,
             gaps => 0, %more) if $op eq 'end';
    $more{session_id} = $s->{id} if $op ne 'gone';
    $keeper->send_json({ type => 'recording', op => $op,
                         recording_id => $s->{rec}, %more });

    while (1) {
        my $m = $keeper->ws->recv()->{json};

        return $m->{code} if $m->{type} eq 'error';
        return 'ok' if $m->{type} eq 'recording' && $m->{op} eq 'ok'
                       && $m->{to} eq $op;
    }
}


sub state_of { return $rest->get("/recordings/$_[0]{rec}")->json->{state} }


sub waits { return $primary->calls('wait') }


subtest 'confirmed' => sub {
    my $names = $primary->call('CLIENT', 'LIST');
    my $links = () = $names =~ /name=rs-gateway-confirmed /g;

    is($links, 2, 'a link of its own for each worker');

    my $before = waits();
    my ($id, $ticket, $invite) = session($device);
    my $host = $device->join($gw, $invite, worker => 1);
    my $ws = $gw->signal("rs.ticket.$ticket", worker => 0);

    $ws->expect('welcome');
    is($host->expect('joined')->{type}, 'joined', 'both are in');
    cmp_ok(waits(), '>=', $before + 2, 'confirmed by the replica');

    $before = waits();
    $ws->send_json({ type => 'signal', id => 1, data => 'x' });
    $ws->expect('ack');
    refused($gw->signal("rs.ticket.$ticket", worker => 1), 4401,
            'unauthenticated', 'the ticket, again');
    is(waits(), $before, 'messages and refusals do not wait');

    is($rest->delete("/sessions/$id")->status, 204, 'ended');
    is($ws->expect_close(), 4410, 'the socket is told');
    cmp_ok(waits(), '>', $before, 'the end was confirmed');
};


subtest 'no replica confirms' => sub {
    my ($id, $ticket) = session($device);
    my ($other) = session($device);
    my $gone = RS::Device->enroll($rest, name => 'gone');
    my $late = RS::Device->enroll($rest, name => 'late');
    my $enrollment = $rest->post('/enrollments', {})->json;
    my $turn = $rest->get('/turn?service=turn')->json->{username};
    my ($turn_id) = $turn =~ /(ses_\w+)/;
    my $live = $gone->connect($gw, worker => 0);
    my ($last, $t2) = session($gone);
    my $guest = $gw->signal("rs.ticket.$t2", worker => 1);

    my $w = $guest->expect('welcome');
    my ($name) = map { $_->{username} // () } @{ $w->{ice}{iceServers} };

    $replica->freeze;

    for my $revoked ($turn, $name, $turn, $name) {
        my $start = start();

        $rest->problem(revoke($revoked), 503, 'uncertain');
        within($start, 1, 'in time');
    }

    is($primary->call('HGET', "rs:{default}:ses:$turn_id", 'state'), 'ended',
       'credentials are void here');

    refused($gw->signal("rs.ticket.$ticket", worker => 0), 1013, 'uncertain',
            'a join');
    wait_until { states($id) eq 'host invited controller left' } 5,
               'the part to leave at once';
    pass('who was not let in has left');
    isnt($rest->get("/sessions/$id")->json->{state}, 'ended',
         'the session stays, for the next one');
    refused($gw->signal("rs.ticket.$ticket", worker => 1), 4401,
            'unauthenticated', 'the ticket is used up');

    $late->send_json($late->hello($late->open($gw, worker => 1)));
    refused($late->ws, 1013, 'uncertain', 'a device');
    wait_until {
        !$rest->get('/devices/' . $late->id)->json->{online}
    } 5, 'the device to be offline';
    pass('which is offline then');

    for my $path ("/sessions/$other", "/enrollments/$enrollment->{id}",
                  '/devices/' . $gone->id)
    {
        my $start = start();
        my $r = $rest->delete($path);

        $rest->problem($r, 503, 'uncertain', detail =>
            'done here, not yet confirmed by a replica; repeat the call');
        like($r->header('Retry-After'), qr/^\d+$/, 'Retry-After');

        # the device, then its session: one after the other

        within($start, $path =~ /devices/ ? 2 : 1, 'in time');
        isnt($rest->get($path)->json->{state} // 'gone', 'waiting_host',
             'done here');
    }

    is($live->expect_close(), 4403, 'the removed device is fenced');
    is($guest->expect_close(), 4410, 'its session has ended');
    is($rest->get("/sessions/$last")->json->{end_reason}, 'device_removed',
       'for that reason');
    like($gw->error_log, qr/0 replicas have confirmed within 400 ms/,
         'the log says so');

    # the call is repeated, the other worker may get it

    $rest->problem($rest->delete("/sessions/$other"), 503, 'uncertain');
    $rest->problem($rest->delete("/enrollments/$enrollment->{id}"), 503,
                   'uncertain');

    $replica->thaw;
    wait_until { $primary->call('WAIT', 1, 100) } 5, 'the replica';

    is(revoke($turn)->status, 204, 'revoked once more: done');
    is(revoke($name)->status, 204, 'a participant, too');
    is($replica->call('HGET', "rs:{default}:ses:$turn_id", 'state'), 'ended',
       'the replica has it');
    is(scalar @{ $replica->call('ZRANGE', 'rs:{default}:trev', 0, -1) }, 1,
       'and him');

    is($rest->delete("/sessions/$other")->status, 204, 'repeated: done');
    is($rest->delete("/enrollments/$enrollment->{id}")->status, 404,
       'repeated: gone, and that is confirmed');
    is($rest->delete('/devices/' . $gone->id)->status, 404, 'the device too');

    $late->connect($gw, worker => 0);
    pass('the device comes again');
};


subtest 'what a recorder will not say twice' => sub {
    my $keeper = RS::Device->enroll($rest, name => 'keeper',
                                    enrollment => { kind => 'recorder' });

    $keeper->connect($gw, worker => 0);
    $keeper->send_json({ type => 'load', capacity => 9, used => 0,
                         queued => 0, queue => 0 });
    wait_until { $rest->get('/devices/' . $keeper->id)->json->{load} } 5,
               'its load';

    my ($kept, $live) = map { recorded($keeper, $_) } 'a', 'b';

    is($rest->delete("/sessions/$kept->{id}")->status, 204, 'one is over');
    $replica->freeze;

    for my $i (1, 2) {
        is(said($keeper, $kept, 'end', reason => 'ended'), 'uncertain',
           'its end is not confirmed');
        is(state_of($kept), 'kept', 'but known here');
    }

    is(said($keeper, $live, 'end', reason => 'disk_full'), 'uncertain',
       'one that ends too soon, neither');
    is(eval { $live->{host}->expect('ended')->{reason} }, 'recorder_lost',
       'it is lost all the same');
    is(said($keeper, $kept, 'gone'), 'uncertain', 'that it is gone, neither');

    $replica->thaw;
    wait_until { $primary->call('WAIT', 1, 100) } 5, 'the replica';

    is(said($keeper, $kept, 'gone'), 'ok', 'said again: taken');
    is(said($keeper, $live, 'end', reason => 'disk_full'), 'ok', 'this, too');
    is_deeply([map { state_of($_) } $kept, $live], ['gone', 'incomplete'],
              'as the catalogue says');
};


subtest 'a ticket has one use, whoever comes at once' => sub {
    my ($id, $ticket) = session($device);

    # one for each worker, the others as the kernel spreads them

    my @sockets = map {
        RS::WS->connect(port => $gw->port, socket => $gw->socket(@$_))
    } [worker => 0], [worker => 1], ([]) x 48;
    my %count;

    $_->raw($_->request(path => '/rs/v1/signal', protocols =>
                        ['rs.v1', "rs.ticket.$ticket"])) for @sockets;

    for my $ws (@sockets) {
        die 'not upgraded' if $ws->read_answer() != 101;

        my $m = $ws->recv()->{json};

        $count{ $m->{code} // $m->{type} }++;
    }

    is_deeply(\%count, { welcome => 1, unauthenticated => 49 },
              'exactly one of 50');
    $rest->delete("/sessions/$id");
};


subtest 'many at once share a WAIT' => sub {
    my $token = $rest->post('/enrollments', { max_uses => 200 })->json
                     ->{token};
    my @devices = map {
        RS::Device->enroll($rest, name => "d$_", token => $token)
    } 1 .. 200;
    my @hellos = map { $_->hello($_->open($gw)) } @devices;
    my $before = waits();

    $devices[$_]->send_json($hellos[$_]) for 0 .. $#devices;
    $_->expect('welcome') for @devices;

    my $n = waits() - $before;

    note("$n WAITs for 200 hellos");
    cmp_ok($n, '>=', 1, 'confirmed');
    cmp_ok($n, '<=', 50, 'by far fewer WAITs than devices');
};

$gw->quit;
$gw->check_log;

done_testing();
