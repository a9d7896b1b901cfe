# Copyright (C) rs-gateway contributors

# Sessions that are kept: a recorder is asked in, nobody speaks before it
# records, and each way to lose it; a reload is none.  What it has kept is
# listed, opened by a pipe and deleted, by whom it is for.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Pipe;
use RS::Redis;
use RS::Util qw(wait_until random_id start within);

# nobody pings here: at the second node one who is silent is lost soon

my $redis = RS::Redis->new(acl => 1, conf => 'enable-debug-command local');
my ($gw, $quick) = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_->[0]",
                     http => 'rs_lease_ttl 5s;', location => "
        rs_recorder_grace 1s;
        rs_message_rate 1000 burst=2000;
        rs_log_rate 64m;
        rs_log_size 16m;
        rs_recorder_timeout $_->[1];
        rs_recorder_wait $_->[2];
    ")
} [1, '60s', '30s'], [2, '2s', '2s'];
my $root = $gw->rest(key => $redis->api_key(name => 'root'));
my $device = RS::Device->enroll($root, name => 'desk');

$device->connect($gw, worker => 0);

my $sha = 'a1' x 32;


sub recorder {
    my (%opt) = @_;
    my $r = RS::Device->enroll($root, name => 'keeper',
                               enrollment => { kind => 'recorder' });

    here($r, %opt);

    return $r;
}


sub here {
    my ($r, %opt) = @_;

    $r->connect($opt{gw} // $gw, worker => $opt{worker} // 1);
    $r->send_json({ type => 'load', capacity => $opt{capacity} // 100,
                    used => 0, queued => 0, queue => 0 });
    wait_until {
        my $o = $root->get('/devices/' . $r->id)->json;

        $o->{online} && $o->{load}
    } 5, 'its load';

    return;
}


sub away {
    my ($r) = @_;

    $r->ws->reset();
    wait_until { !$root->get('/devices/' . $r->id)->json->{online} } 10,
               'off line';

    return;
}


sub gone {
    my ($r, $rec) = @_;

    return $r->send_json({ type => 'recording', op => 'gone',
                           recording_id => $rec });
}


sub ask {
    my (%policy) = @_;

    return $root->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }, { role => 'viewer' }],
        policy => \%policy });
}


sub invited {
    my ($who, $id, $seconds) = @_;
    my $invite;

    do {
        $invite = $who->expect('invite', $seconds);
    } while ($invite->{session}{id} ne $id);

    return $invite;
}


sub status { return $root->get("/sessions/$_[0]")->json }


# A session with its host, a controller and its recorder, which records.
# opt: at (where the recorder is), guests (a node for each).

sub session {
    my ($recorder, $policy, %opt) = @_;
    my $r = ask(recording => $policy->[0], $policy->[1]
                ? (recorder_lost => $policy->[1]) : ());
    my $s = { id => $r->json->{id} };
    my @at = @{ $opt{guests} // [$gw] };

    die $r->content if $r->status != 201;

    $s->{rec} = 'rec_' . substr(random_id('rec_'), 4);
    $s->{host} = $device->join($opt{host} // $gw, invited($device, $s->{id}));
    $s->{host_welcome} = $device->welcome;
    $s->{invite} = invited($recorder, $s->{id});
    $s->{keeper} = $recorder->join($opt{at} // $gw, $s->{invite},
                                   worker => $opt{worker} // 1);
    $s->{keeper_welcome} = $recorder->welcome;
    $recorder->send_json({ type => 'accept', session_id => $s->{id} });

    for my $i (0 .. $#at) {
        my $ticket = $r->json->{participants}[$i]{ticket};

        $s->{guests}[$i] = $at[$i]->signal("rs.ticket.$ticket");
        $s->{welcomes}[$i] = $s->{guests}[$i]->expect('welcome');
    }

    begin($recorder, $s) if !$opt{silent};

    return $s;
}


sub begin {
    my ($recorder, $s) = @_;

    $recorder->send_json({ type => 'recording', op => 'begin',
                           session_id => $s->{id},
                           recording_id => $s->{rec} });

    my $m = $recorder->expect('recording');

    is_deeply([@{$m}{qw(op to recording_id)}], ['ok', 'begin', $s->{rec}],
              'it records');

    return;
}


sub over {
    my ($recorder, $s, %more) = @_;

    $recorder->send_json({ type => 'recording', op => 'end',
        session_id => $s->{id}, recording_id => $s->{rec}, reason => 'ended',
        duration_ms => 61500, bytes => 4096, sha256 => $sha, gaps => 0,
        %more });

    # the answer to what it said before may come first

    my $m;

    do {
        $m = $recorder->expect('recording');
    } while (($m->{to} // '') ne 'end');

    return $m;
}


# the next state that says something of the recording, or what the session
# does

sub kept_state {
    my ($ws, $want) = @_;
    my $m;

    do {
        $m = $ws->expect('state', 10);
    } while (($m->{recording} // '') ne $want);

    return $m;
}


# without a recorder

my $r = ask(recording => 'required');

$root->problem($r, 409, 'recorder_offline');
is($r->json->{pointer}, '/policy/recording', 'what is wanted');
$r = ask(recording => 'optional');
is($r->status, 201, 'one that need not be kept');
is($r->json->{recording}, undef, 'is not');
is_deeply($r->json->{policy}{recording}, 'optional', 'though it might');
invited($device, $r->json->{id});
$root->delete('/sessions/' . $r->json->{id});

$root->request('PUT', '/policies/default', body => { recording => 'off' });
$r = ask(recording => 'optional');
$root->problem($r, 403, 'forbidden');
is($r->json->{pointer}, '/policy/recording', 'a policy says off');
$root->delete('/policies/default');

my $keeper = recorder();

$device->send_json({ type => 'recording', op => 'gone',
                     recording_id => 'rec_' . 'a' x 26 });
is($device->expect('error')->{code}, 'conflict', 'a desktop records nothing');


subtest 'nobody speaks before it records' => sub {
    my $s = session($keeper, ['required'], silent => 1);
    my ($ana) = @{ $s->{guests} };
    my $host = $s->{host_welcome}{self};
    my $i = $s->{invite};

    is($i->{role}, 'recorder', 'it is asked in as what it is');
    is_deeply([@{ $i->{session} }{qw(kind host)}],
              ['device', { type => 'device', device_id => $device->id }],
              'and told of whom');
    is_deeply([@{ $i->{session}{policy} }{qw(recording recorder_lost)}],
              ['required', 'end'], 'and of the policy');
    is(status($s->{id})->{state}, 'waiting_recorder', 'the session waits');
    is_deeply(status($s->{id})->{recording},
              { state => 'waiting', recording_id => undef }, 'it says so');
    is($s->{welcomes}[0]{session}{state}, 'waiting_recorder',
       'who comes is told');
    is($s->{welcomes}[0]{session}{recording}, 'waiting', 'why');
    is_deeply([map { $_->{role} } @{ $s->{welcomes}[0]{peers} }],
              ['host', 'recorder'], 'with whom');
    is(scalar @{ $root->get('/sessions?state=waiting_recorder')
                   ->json->{items} }, 1, 'found by its state');

    $ana->send_json({ type => 'signal', id => 1, to => $host,
                      data => 'offer' });

    my $m = $ana->expect('error');

    is_deeply([@{$m}{qw(code id)}], ['not_recorded', 1], 'a guest');
    like($m->{message}, qr/recorded/, 'in words');
    $s->{host}->send_json({ type => 'signal', id => 1, data => 'x' });
    is($s->{host}->expect('error')->{code}, 'not_recorded', 'the host to all');
    $ana->send_json({ type => 'pipe', with => $host, name => 'p' x 26,
                      id => 7 });
    $m = $ana->expect('error');
    is_deeply([@{$m}{qw(code id)}], ['not_recorded', 7], 'nor by a pipe');

    $ana->send_json({ type => 'input', data => 'blind' });
    is($ana->expect('error')->{code}, 'not_recorded', 'nor by input');

    $s->{keeper}->send_json({ type => 'signal', id => 1, to => $host,
                              data => 'watch' });
    is($s->{keeper}->expect('ack')->{id}, 1, 'the recorder may');
    is($s->{host}->expect('signal')->{data}, 'watch', 'with the host');
    $s->{host}->send_json({ type => 'signal', id => 1, data => 'answer',
                            to => $s->{keeper_welcome}{self} });
    is($s->{keeper}->expect('signal')->{data}, 'answer', 'and back');
    is(scalar(grep { $_->{type} eq 'signal' } $ana->seen), 0,
       'of which a guest hears nothing');

    begin($keeper, $s);

    for my $ws ($ana, $s->{host}, $s->{keeper}) {
        is(kept_state($ws, 'on')->{session_state}, 'connecting',
           'all are told that it records');
    }

    is_deeply(status($s->{id})->{recording},
              { state => 'on', recording_id => $s->{rec} }, 'REST says so');
    $ana->send_json({ type => 'signal', id => 1, to => $host,
                      data => 'offer' });
    is($ana->expect('ack')->{id}, 1, 'what was refused goes, sent again');
    is($s->{host}->expect('signal')->{data}, 'offer', 'and comes');

    $ana->send_json({ type => 'input', data => 'seen' });
    is($s->{host}->expect('input')->{data}, 'seen', 'so does input');

    is($root->get("/recordings/$s->{rec}")->json->{state}, 'recording',
       'it is in the catalogue');
    $root->problem($root->post("/recordings/$s->{rec}/pipes", {}), 409,
                   'conflict');
    $root->problem($root->delete("/recordings/$s->{rec}"), 409, 'conflict');

    $ana->send_json({ type => 'bye' });
    is($s->{host}->expect('ended')->{reason}, 'left',
       'host and recorder do not keep it alive');
    is_deeply([@{ over($keeper, $s) }{qw(op to)}], ['ok', 'end'],
              'what was kept is told after it');

    my $kept = $root->get("/recordings/$s->{rec}")->json;

    is_deeply([@{$kept}{qw(session_id device_id recorder_id state duration_ms
                           bytes sha256 gaps expires_at)}],
              [$s->{id}, $device->id, $keeper->id, 'kept', 61500, 4096, $sha,
               0, undef], 'all of it');

    $keeper->send_json({ type => 'recording', op => 'end',
        session_id => $s->{id}, recording_id => $s->{rec}, reason => 'ended',
        duration_ms => 9, bytes => 9, sha256 => 'b2' x 32, gaps => 0 });
    $m = $keeper->expect('error');
    is($m->{code}, 'conflict', 'no other one comes in its place');
    like($m->{message}, qr/another sha256/, 'in words');
    is(over($keeper, $s)->{op}, 'ok', 'the same one, said again, is taken');
    is_deeply($root->get("/recordings/$s->{rec}")->json, $kept, 'it stays');
};


# a controller who does not read has not heard that nobody may speak

subtest 'who does not read' => sub {
    my $r = ask(recording => 'required');
    my $s = { id => $r->json->{id}, rec => random_id('rec_') };
    my ($ana, $bob) = map { $gw->signal("rs.ticket.$_->{ticket}") }
                      @{ $r->json->{participants} }[0, 1];
    my $w = $ana->expect('welcome');
    my $to = $w->{self};

    $bob->expect('welcome');
    $ana->reset();

    # more than any buffer of the kernel takes, which she is to catch up with

    for my $i (1 .. 240) {
        $bob->send_json({ type => 'signal', id => $i, to => $to,
                          data => 'x' x 60000 });
        $bob->expect('ack');
    }

    $ana = $gw->signal("rs.resume.$w->{resume}.$w->{position}");
    $ana->expect('welcome');
    select(undef, undef, undef, 0.3);
    $s->{host} = $device->join($gw, invited($device, $s->{id}));

    my $host = $device->welcome->{self};

    $s->{keeper} = $keeper->join($gw, invited($keeper, $s->{id}),
                                 worker => 1);
    is(status($s->{id})->{state}, 'waiting_recorder', 'the session waits');

    $ana->send_json({ type => 'input', data => 'blind', to => $host });
    select(undef, undef, undef, 0.3);
    begin($keeper, $s);
    kept_state($_, 'on') for $s->{host}, $ana;
    is(scalar(grep { $_->{type} eq 'error' } $ana->seen), 0,
       'she had not heard of it');
    is(scalar(grep { $_->{type} eq 'input' } $s->{host}->seen), 0,
       'nor has the host heard from her');
    $ana->send_json({ type => 'input', data => 'seen', to => $host });
    is($s->{host}->expect('input')->{data}, 'seen', 'now he does');
    $root->delete("/sessions/$s->{id}");
    over($keeper, $s);
};


subtest 'lost: it ends' => sub {
    for my $case (
        ['its socket is killed', sub { $_[0]{keeper}->reset() }],
        ['it says bye', sub { $_[0]{keeper}->send_json({ type => 'bye' }) }],
        ['it says that it failed', sub {
            $keeper->send_json({ type => 'recording', op => 'failed',
                session_id => $_[0]{id}, reason => 'error' }) }],
        ['it stops', sub {
            over($keeper, $_[0], reason => 'disk_full', gaps => 1) }],
        ['it is silent', sub { }, at => $quick])
    {
        my ($name, $way, %opt) = @$case;
        my $s = session($keeper, ['required'], %opt);
        my $start = start();

        $way->($s);
        is(eval { $s->{host}->expect('ended', 10)->{reason} },
           'recorder_lost', "$name: the session ends");
        within($start, 5, 'in time');
        is(status($s->{id})->{end_reason}, 'recorder_lost', 'and says why');
        is(eval { $s->{guests}[0]->expect('ended', 5)->{reason} },
           'recorder_lost', 'to all');
        over($keeper, $s, reason => 'lost')
            if $root->get("/recordings/$s->{rec}")->json->{state}
               eq 'recording';
        is($root->get("/recordings/$s->{rec}")->json->{state}, 'incomplete',
           'what there is is not all');
    }
};


subtest 'a broken socket has its grace' => sub {
    my $s = session($keeper, ['required']);
    my $w = $s->{keeper_welcome};

    $s->{keeper}->reset();
    wait_until {
        $redis->call('HGET', "rs:{default}:mem:$s->{id}", "a:$w->{self}")
            eq ''
    } 5, 'away';

    my $back = $gw->signal("rs.resume.$w->{resume}.$w->{position}");

    is($back->expect('welcome')->{self}, $w->{self}, 'it is back in time');
    is_deeply([@{ status($s->{id}) }{qw(state recording)}],
              ['connecting', { state => 'on', recording_id => $s->{rec} }],
              'and nothing has happened');
    $root->delete("/sessions/$s->{id}");
    over($keeper, $s);
};


subtest 'lost: it is marked' => sub {
    for my $policy (['required', 'mark'], ['optional']) {
        my $s = session($keeper, $policy);

        $s->{keeper}->reset();
        is(kept_state($s->{guests}[0], 'lost')->{session_state}, 'connecting',
           "@$policy: all are told");
        is_deeply(status($s->{id})->{recording},
                  { state => 'lost', recording_id => $s->{rec} }, 'REST, too');
        $s->{guests}[0]->send_json({ type => 'signal', id => 1, data => 'x' });
        is($s->{guests}[0]->expect('ack')->{id}, 1, 'it goes on');

        my $invite = invited($keeper, $s->{id});

        over($keeper, $s, reason => 'lost', gaps => 1);

        my $again = $keeper->join($gw, $invite);

        isnt($keeper->welcome->{self}, $s->{keeper_welcome}{self},
             'a recorder is asked in again');
        $s->{rec} = 'rec_' . substr(random_id('rec_'), 4);
        begin($keeper, $s);
        is(kept_state($s->{guests}[0], 'on')->{session_state}, 'connecting',
           'it records again');
        $root->delete("/sessions/$s->{id}");
        is($again->expect('ended')->{reason}, 'deleted', 'until the end');
        over($keeper, $s);
    }
};


subtest 'the recorder is restarted' => sub {
    my $s = session($keeper, ['required', 'mark']);

    $s->{keeper}->reset();
    $keeper->ws->reset();
    kept_state($s->{guests}[0], 'lost');
    wait_until {
        !$root->get('/devices/' . $keeper->id)->json->{online}
    } 10, 'off line';
    is($root->get("/recordings/$s->{rec}")->json->{state}, 'incomplete',
       'what it wrote is not all, as far as anybody knows');
    here($keeper);

    my $invite = invited($keeper, $s->{id});

    ok($invite, 'it is asked in when it is here again');
    over($keeper, $s, reason => 'recovered');
    $s->{keeper} = $keeper->join($gw, $invite);
    $s->{rec} = 'rec_' . substr(random_id('rec_'), 4);
    begin($keeper, $s);
    kept_state($s->{guests}[0], 'on');
    $root->delete("/sessions/$s->{id}");
    over($keeper, $s);
};


subtest 'before it records' => sub {
    my $other = recorder(gw => $quick, worker => 0, capacity => 4);
    my $s = session($keeper, ['required'], silent => 1);

    $s->{keeper}->reset();
    ok(invited($keeper, $s->{id}), 'lost: it is asked in again');
    $keeper->send_json({ type => 'reject', session_id => $s->{id},
                         reason => 'busy' });
    ok(invited($other, $s->{id}), 'it says no: another one is');
    $other->send_json({ type => 'recording', op => 'failed',
                        session_id => $s->{id}, reason => 'disk_full' });
    ok(invited($keeper, $s->{id}), 'which has failed: the first one');
    is(status($s->{id})->{state}, 'waiting_recorder', 'it waits still');
    $keeper->send_json({ type => 'recording', op => 'failed',
                         session_id => $s->{id}, reason => 'host_refused',
                         detail => 'the device lets no recorder in' });
    is($s->{host}->expect('ended')->{reason}, 'recorder_lost',
       'nobody is left: it ends');
    is(status($s->{id})->{end_detail}, 'host_refused', 'and says what it was');

    $s = session($keeper, ['optional'], silent => 1);
    is(status($s->{id})->{state}, 'connecting', 'optional: nobody waits');
    $keeper->send_json({ type => 'recording', op => 'failed',
                         session_id => $s->{id}, reason => 'no_media' });
    is(kept_state($s->{guests}[0], 'off')->{session_state}, 'connecting',
       'without one it goes on');
    $root->delete("/sessions/$s->{id}");

    # one that takes part and never says that it records

    $s = session($keeper, ['required'], silent => 1, host => $quick);

    my $start = start();

    is(eval { $s->{host}->expect('ended', 15)->{reason} }, 'recorder_lost',
       'it does not wait for ever');
    within($start, 6, 'in time');
    is(status($s->{id})->{end_detail}, 'timeout', 'and says why');
};


subtest 'it ends before it was recorded' => sub {
    my $r = ask(recording => 'optional');
    my $id = $r->json->{id};

    invited($keeper, $id);
    $keeper->send_json({ type => 'accept', session_id => $id });
    $root->delete("/sessions/$id");
    is($keeper->expect('revoke')->{session_id}, $id, 'it is told');
    ok(wait_until {
        ($redis->call('HGET', 'rs:{default}:rses', $keeper->id) // '')
            !~ /$id/
    } 5, 'no more of its sessions');
};


subtest 'it goes before it has joined' => sub {
    for my $case (['its channel', sub { $_[0]->ws->reset() }, 3],
                  ['its worker', sub { $quick->kill_worker(0) }, 12])
    {
        my ($what, $how, $s) = @$case;
        my $other = recorder(gw => $quick, worker => 0, capacity => 500);
        my $id = ask(recording => 'required')->json->{id};

        invited($other, $id);

        my $start = start();

        $how->($other);
        ok(eval { invited($keeper, $id, 3 * $s) }, "$what: another one is");
        within($start, $s, 'soon');
        is(status($id)->{recording}{state}, 'waiting', 'it waits for that one');
        $root->delete("/sessions/$id");
        wait_until { $quick->all_answer('/health/ready', 200) } 10, 'ready';
        $root->delete('/devices/' . $other->id);
    }
};


subtest 'it is removed' => sub {
    my $old = recorder(gw => $quick, worker => 0, capacity => 500);
    my $s = session($old, ['required', 'mark'], at => $quick);
    my $later = ask(recording => 'optional')->json->{id};

    kept_state($s->{guests}[0], 'on');

    my $i = invited($old, $later);

    is($root->delete('/devices/' . $old->id)->status, 204, 'its device');
    is(eval { $s->{keeper}->expect_close() }, 4409, 'it sees no more');
    ok(kept_state($s->{guests}[0], 'lost'), 'which all are told');

    my $w = $s->{keeper_welcome};

    is($quick->signal("rs.resume.$w->{resume}.$w->{position}")
             ->expect_close(), 4401, 'nor does it come back');
    is($quick->signal("rs.ticket.$i->{ticket}")->expect_close(), 4401,
       'by a ticket neither');
    ok(invited($keeper, $_), 'another one is asked in') for $s->{id}, $later;
    $root->problem($root->delete('/devices/' . $old->id), 404, 'not_found');
    $root->delete("/sessions/$_") for $s->{id}, $later;
};


subtest 'a reload, a worker and a node' => sub {
    my $s = session($keeper, ['required']);
    my @old = $gw->workers();

    $gw->reload();
    ok($s->{keeper}->expect('goaway'), 'it is sent away');
    is($s->{keeper}->expect_close(), 1012, 'with the others');
    wait_until { !grep { -e "/proc/$_" } @old } 10, 'end of the old workers';

    # longer than its grace: who was sent away has the time all have

    wait_until {
        $redis->call('HGET', "rs:{default}:mem:$s->{id}",
                     "a:$s->{keeper_welcome}{self}") eq ''
    } 5, 'away';
    my $until = RS::Util::now() + 2;
    wait_until { RS::Util::now() > $until } 10, 'its grace';
    is(status($s->{id})->{state}, 'connecting', 'the session goes on');

    my $w = $s->{keeper_welcome};
    my $back = $quick->signal("rs.resume.$w->{resume}.$w->{position}",
                              worker => 0);

    $w = $back->expect('welcome');
    is($w->{self}, $s->{keeper_welcome}{self}, 'it is back, at another node');
    $back->send_json({ type => 'ping' });
    is(status($s->{id})->{recording}{state}, 'on', 'and records');

    # killed while it is there: it comes back to another one

    $quick->kill_worker(0);
    $back = $gw->signal("rs.resume.$w->{resume}.$w->{position}", worker => 1);
    is($back->expect('welcome')->{self}, $w->{self}, 'its worker is killed');
    is(status($s->{id})->{recording}{state}, 'on', 'it records on');

    # killed with it

    my ($h) = $s->{host_welcome};

    $device->connect($gw, worker => 0);
    $s->{host} = $quick->signal("rs.resume.$h->{resume}.$h->{position}",
                                worker => 1);
    $s->{host}->expect('welcome');
    my $start = start();
    $gw->kill_worker(1);
    $back->reset();
    is(eval { $s->{host}->expect('ended', 25)->{reason} }, 'recorder_lost',
       'lost with its worker: the session ends');
    within($start, 5 + 2 + 1 + 3, 'a lease later');
    wait_until { eval { $gw->all_answer('/health/ready', 200) } } 15, 'ready';
    here($keeper);
    over($keeper, $s, reason => 'lost');
};


subtest 'two nodes' => sub {
    my $s = session($keeper, ['required'], guests => [$quick, $gw],
                    silent => 1);

    begin($keeper, $s);
    is(kept_state($_, 'on')->{session_state}, 'connecting', 'told at each')
        for @{ $s->{guests} };
    $root->delete("/sessions/$s->{id}");
    over($keeper, $s);
};


subtest 'a host that is a browser' => sub {
    my $r = $root->post('/sessions', {
        host => { type => 'browser' }, participants => [{ role => 'viewer' }],
        policy => { recording => 'required' } });
    my $s = { id => $r->json->{id},
              rec => 'rec_' . substr(random_id('rec_'), 4) };
    my $invite = invited($keeper, $s->{id});

    is_deeply($invite->{session}{host},
              { type => 'browser', device_id => undef }, 'the recorder');

    my $ws = $keeper->join($gw, $invite);
    my $code = $root->post("/sessions/$s->{id}/help")->json->{code};
    my $help = $gw->rest->post('/help', { code => $code });
    my $host = $gw->signal('rs.ticket.' . $help->json->{ticket});

    is($host->expect('welcome')->{session}{state}, 'waiting_recorder',
       'it waits as a device does');
    begin($keeper, $s);
    is(kept_state($host, 'on')->{session_state}, 'connecting', 'and goes on');
    $root->delete("/sessions/$s->{id}");
    over($keeper, $s);
};


subtest 'a host that is rendered' => sub {
    my $d = RS::Device->enroll($root, name => 'browsers',
                               enrollment => { kind => 'renderer' });

    here($d);

    my $r = $root->post('/sessions', {
        host => { type => 'render', url => 'https://example.com/' },
        policy => { recording => 'required' } });

    is($r->status, 201, 'made') or diag($r->content);

    my $s = { id => $r->json->{id},
              rec => 'rec_' . substr(random_id('rec_'), 4) };
    my $invite = invited($keeper, $s->{id});

    is_deeply([@{ $invite->{session}{host} }{qw(type url device_id)}],
              ['render', 'https://example.com/', $d->id], 'the recorder');

    my $ws = $keeper->join($gw, $invite);
    my $host = $d->join($gw, invited($d, $s->{id}));

    is($d->welcome->{session}{state}, 'waiting_recorder', 'it waits, too');
    begin($keeper, $s);
    is(kept_state($host, 'on')->{session_state}, 'connecting', 'and goes on');
    $root->delete("/sessions/$s->{id}");
    over($keeper, $s);
};


subtest 'a failover forgets that it records' => sub {
    my $s = session($keeper, ['required'], silent => 1);
    my @old = $redis->session_copy($s->{id});

    begin($keeper, $s);
    kept_state($s->{guests}[0], 'on');
    $redis->fail_over($s->{id}, @old);
    ok($s->{keeper}->expect('resync', 10), 'the recorder is told');
    wait_until {
        (status($s->{id})->{state} // '') eq 'waiting_recorder'
            && $root->get('/devices/' . $keeper->id)->json->{online}
            && $quick->all_answer('/health/ready', 200)
            && $gw->all_answer('/health/ready', 200)
    } 10, 'what is forgotten';
    begin($keeper, $s);
    is(kept_state($s->{host}, 'on')->{session_state}, 'connecting',
       'said again it is known again');
    is($root->get("/recordings/$s->{rec}")->json->{state}, 'recording',
       'the same recording');
    $s->{keeper}->reset();
    is(eval { $s->{host}->expect('ended', 10)->{reason} }, 'recorder_lost',
       'and lost as before');
    over($keeper, $s, reason => 'lost');
};


# the catalogue, and who may what with it

my %key = map { $_ => $gw->rest(key => $redis->api_key(scopes => $_)) }
          qw(recordings:read recordings:delete sessions:read);
my $foreign = $gw->rest(key => $redis->api_key(tenant => 'other'));
my $s = session($keeper, ['required']);

$root->delete("/sessions/$s->{id}");
over($keeper, $s, expires_at => 1990000000);

my $path = "/recordings/$s->{rec}";

subtest 'the catalogue' => sub {
    my $read = $key{'recordings:read'};

    is($read->get($path)->json->{expires_at}, 1990000000, 'one');
    is($read->get("/recordings?session_id=$s->{id}")->json->{items}[0]{id},
       $s->{rec}, 'by its session');
    is($read->get('/recordings?limit=2&device_id=' . $device->id)
         ->json->{items}[0]{id}, $s->{rec}, 'by its device, the newest first');
    is_deeply($read->get('/recordings?device_id=' . random_id('dev_'))
                ->json->{items}, [], 'another device has none');
    $root->problem($read->get('/recordings?device_id=x'), 422,
                   'invalid_value');
    $root->problem($read->get('/recordings/rec_' . 'z' x 26), 404,
                   'not_found');

    for my $no ($key{'sessions:read'}, $key{'recordings:delete'}) {
        $root->problem($no->get($path), 403, 'forbidden');
        $root->problem($no->get('/recordings'), 403, 'forbidden');
        $root->problem($no->post("$path/pipes", {}), 403, 'forbidden');
    }

    $root->problem($read->delete($path), 403, 'forbidden');

    for my $call ([get => $path], [delete => $path],
                  [post => "$path/pipes", {}])
    {
        my ($method, @args) = @$call;

        $root->problem($foreign->$method(@args), 404, 'not_found');
    }

    is_deeply($foreign->get('/recordings')->json->{items}, [],
              'another tenant has none');
};


sub audited {
    my (%want) = @_;

    return grep { my $l = $_; !grep { ($l->{$_} // '') ne $want{$_} }
                                    keys %want }
           @{ $root->get('/audit?order=newest&limit=200')->json->{items} };
}


subtest 'it is opened' => sub {
    my $r = $key{'recordings:read'}->post("$path/pipes", {});

    is($r->status, 201, 'a pipe');

    my $open = $keeper->expect('tunnel');

    is_deeply([@{$open}{qw(op tunnel_id pipe_id target)}],
              ['open', @{ $r->json }{qw(tunnel_id pipe_id)},
               { recording => $s->{rec} }], 'the recorder is asked');

    my $host = RS::Pipe::leg({}, $gw, 'host', ticket => $open->{ticket});
    my $client = RS::Pipe::leg({}, $gw, 'client',
                               ticket => $r->json->{ticket});

    $host->send_frame(opcode => 2, payload => 'tar');
    is(RS::Pipe::message($client), 'tar', 'what it sends comes');
    $host->send_frame(opcode => 2, payload => '');
    is(RS::Pipe::message($client), '', 'with its end');
    $client->send_frame(opcode => 2, payload => '');
    $host->send_close(1000);
    is($client->expect_close(), 1000, 'closed');

    wait_until {
        $root->get('/tunnels/' . $r->json->{tunnel_id})->status == 404
    } 5, 'it is over with its pipe';

    is(scalar audited(verb => 'recordings:read', object => $s->{rec},
                      outcome => 'allow'), 1, 'who opened it is in the audit');
    is(scalar audited(verb => 'recordings:read', object => $s->{rec},
                      outcome => 'deny'), 4, 'and who might not');

    $r = $root->post("$path/pipes", {});
    $open = $keeper->expect('tunnel');
    $keeper->send_json({ type => 'tunnel', op => 'refused',
        tunnel_id => $open->{tunnel_id}, pipe_id => $open->{pipe_id},
        reason => 'busy' });
    $client = RS::Pipe::leg({}, $gw, 'client', ticket => $r->json->{ticket});
    is($client->expect_close(), 1013, 'it may refuse');
};


subtest 'it is deleted' => sub {
    my $del = $key{'recordings:delete'};

    is($del->delete($path)->status, 204, 'to be deleted');

    my $m = $keeper->expect('recording');

    is_deeply([@{$m}{qw(op recording_id)}], ['delete', $s->{rec}],
              'its recorder is told');
    ok($root->get($path)->json->{deleted_at}, 'it is known to go');
    $root->problem($root->post("$path/pipes", {}), 409, 'conflict');
    is($del->delete($path)->status, 204, 'asked again');
    $keeper->expect('recording');

    # it is told again when it is here again

    $keeper->ws->reset();
    wait_until {
        !$root->get('/devices/' . $keeper->id)->json->{online}
    } 10, 'off line';
    $root->problem($root->post("/recordings/$s->{rec}/pipes", {}), 409,
                   'conflict');
    here($keeper);
    is($keeper->expect('recording')->{recording_id}, $s->{rec}, 'again');

    $keeper->send_json({ type => 'recording', op => 'gone',
                         recording_id => $s->{rec} });
    is_deeply([@{ $keeper->expect('recording') }{qw(op to)}], ['ok', 'gone'],
              'it is');
    is($root->get($path)->json->{state}, 'gone', 'which is known');
    is($del->delete($path)->status, 204, 'there is nothing to do');
    is(scalar audited(verb => 'recordings:delete', object => $s->{rec},
                      outcome => 'allow'), 3, 'in the audit');

    my @all = @{ $root->get('/recordings?limit=200')->json->{items} };
    my ($kept) = grep { $_->{state} eq 'kept' } @all;

    $keeper->ws->reset();
    wait_until {
        !$root->get('/devices/' . $keeper->id)->json->{online}
    } 10, 'off line';
    $root->problem($root->post("/recordings/$kept->{id}/pipes", {}), 409,
                   'device_offline');
    is($root->delete("/recordings/$kept->{id}")->status, 204,
       'one whose recorder is away');
    here($keeper);
    is($keeper->expect('recording')->{recording_id}, $kept->{id},
       'is deleted when that is back');
};


# one that nobody knows is gone as well

$keeper->send_json({ type => 'recording', op => 'gone',
                     recording_id => 'rec_' . 'a' x 26 });
is($keeper->expect('recording')->{op}, 'ok', 'of one that is not known');

# nor is its end said for ever

is_deeply([@{ over($keeper, { %$s, rec => 'rec_' . 'b' x 26 }) }
             {qw(op to recording_id)}],
          ['ok', 'end', 'rec_' . 'b' x 26], 'the end of one that is not known');
$root->problem($root->get('/recordings/rec_' . 'b' x 26), 404, 'not_found');


# more than is told at once to a recorder that is here again

subtest 'much to do' => sub {
    # nobody else is here to be given its sessions

    away($keeper);

    my $busy = recorder(capacity => 200);
    my $rdel = 'rs:{default}:rdel:' . $busy->id;
    my (@ses, %told);

    for my $i (1 .. 90) {
        my $r = $root->post('/sessions', {
            host => { type => 'browser' },
            participants => [{ role => 'controller' }],
            policy => { recording => 'optional' } });

        push @ses, $r->json->{id};
    }

    invited($busy, $_) for @ses;
    away($busy);

    # nobody wrote these: that they are gone is taken all the same

    my @rec = map { random_id('rec_') } 1 .. 250;

    $redis->call('ZADD', $rdel, map { (17, $_) } @rec);
    here($busy, capacity => 200);

    # 20 words without an answer are the most

    my ($flight, @later) = (0);

    while (keys %told < @ses + @rec || $flight) {
        my $f = $busy->ws->recv(5);
        my $m = $f ? $f->{json} : undef;

        last if !$m || !$m->{type};

        if ($m->{type} eq 'invite') {
            $told{ $m->{session}{id} }++;

        } elsif (($m->{op} // '') eq 'delete') {
            $told{ $m->{recording_id} }++;
            push @later, $m->{recording_id};

        } elsif (($m->{op} // '') eq 'ok') {
            $flight--;
        }

        while ($flight < 20 && @later) {
            gone($busy, shift @later);
            $flight++;
        }
    }

    is(scalar(grep { $told{$_} } @ses), 90, 'each session');
    is(scalar(grep { $told{$_} } @rec), 250, 'each deletion');
    is(scalar(grep { $_ > 1 } values %told), 0, 'once');
    wait_until { !$redis->call('ZCARD', $rdel) } 5, 'all are gone';

    # what it does not delete holds up nothing, and is told once

    away($busy);
    $redis->call('ZADD', $rdel, map { (17, $_) } @rec);
    here($busy, capacity => 200);

    my ($n, $last) = (0, 0);

    for my $i (1 .. 12) {
        $busy->send_json({ type => 'load', capacity => 200, used => $i,
                           queued => 0, queue => 0 });

        while (my $f = $busy->ws->recv(0.3)) {
            last if !$f->{json};
            $n++ if ($f->{json}{op} // '') eq 'delete';
        }

        last if $n == 250 && $last == $n;
        $last = $n;
    }

    is($n, 250, 'all of those, once');
    $root->delete("/sessions/$_") for @ses;
    away($busy);
    here($keeper);
};


# what a recorder says wrongly

for my $case (
    [{ op => 'begin', session_id => random_id('ses_'),
       recording_id => 'rec_' . 'a' x 26 }, 'not_found'],
    [{ op => 'failed', session_id => $s->{id}, reason => 'error' },
     'session_ended|not_found'],
    [{ op => 'begin', recording_id => 'rec_' . 'a' x 26 }, 'invalid_value'],
    [{ op => 'erase' }, 'invalid_value'])
{
    my ($body, $code) = @$case;

    $keeper->send_json({ type => 'recording', %$body });
    like($keeper->expect('error')->{code}, qr/^(?:$code)$/,
         "$body->{op}: $code");
}

$_->check_log(allow => qr/exited on signal 9/) for $gw, $quick;

done_testing();
