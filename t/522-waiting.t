# Copyright (C) rs-gateway contributors

# What can happen while a replica is waited for: the client goes, Redis goes,
# nginx reloads, an invitation comes, too many others come.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(sha256_hex);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until start within);
use RS::WS;

my $primary = RS::Redis->new(acl => 1, port => 1);
my $replica = RS::Redis->new();

$replica->replicate($primary);

my $conf = 'rs_redis_timeout 4s; rs_redis_wait 1 2s;';
my $gw = RS::Gateway->new(redis => $primary, http => $conf);
my $rest = $gw->rest(key => $primary->api_key);
my $token = $rest->post('/enrollments', { max_uses => 100 })->json->{token};


sub device {
    my ($name) = @_;

    return RS::Device->enroll($rest, name => $name, token => $token);
}


my $device = device('desk');

$device->connect($gw);


sub session {
    my ($dev, $n) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $dev->id },
        participants => [map { { role => 'viewer' } } 1 .. ($n // 1)] });

    die $r->content if $r->status != 201;

    return ($r->json->{id},
            map { $_->{ticket} // () } @{ $r->json->{participants} });
}


sub key { return 'rs:{default}:' . join ':', @_ }


# has the store seen this ticket?

sub used {
    my ($ticket) = @_;
    my ($secret) = $ticket =~ /(.{52})$/;

    return !$primary->call('EXISTS', key('tkt', sha256_hex($secret)));
}


# the handshake is sent, nothing is read

sub enter {
    my ($ticket, $node) = @_;
    my $ws = RS::WS->connect(port => ($node // $gw)->port);

    $ws->raw($ws->request(path => '/rs/v1/signal',
                          protocols => ['rs.v1', "rs.ticket.$ticket"]));

    return $ws;
}


# a WAIT is under way: the worker has read the answers it is for

sub confirming {
    return $primary->call('INFO', 'clients') =~ /^blocked_clients:[1-9]/m;
}


# a join that is done, and waits for the replica

sub waiting {
    my ($ticket, $node) = @_;
    my $ws = enter($ticket, $node);

    wait_until { used($ticket) && confirming() } 5, 'the join being done';

    return $ws;
}


sub answer {
    my ($ws) = @_;

    $ws->read_answer() == 101 or die 'not upgraded';

    my $m = $ws->recv(8)->{json};

    return $m->{code} // $m->{type};
}


# a hello that is done, and waits

sub helloing {
    my ($dev) = @_;

    $dev->send_json($dev->hello($dev->open($gw)));
    wait_until { owner($dev) && confirming() } 5, 'the hello being done';

    return;
}


sub owner { return $primary->call('HGET', key('dev', $_[0]->id), 'owner') }


# a call over a connection of its own, not answered yet

sub call {
    my ($method, $path) = @_;
    my $s = $gw->socket();

    print {$s} "$method /rs/v1$path HTTP/1.1\r\nHost: localhost\r\n"
               . "Authorization: Bearer $rest->{key}\r\n"
               . "Connection: close\r\n\r\n";
    $s->flush;

    return $s;
}


sub answered {
    my ($s) = @_;
    local $/;
    local $SIG{ALRM} = sub { die "no answer\n" };

    alarm 10;
    my $text = readline($s) // '';
    alarm 0;

    return $text;
}


# nobody waits before

sub freeze {
    wait_until {
        $primary->call('INFO', 'clients') =~ /^blocked_clients:0\b/m
    } 5, 'the end of all WAITs';

    return $replica->freeze;
}


sub thaw {
    $replica->thaw;
    wait_until { $primary->call('WAIT', 1, 100) } 10, 'the replica';

    return;
}


sub state { return $rest->get("/sessions/$_[0]")->json->{state} }


subtest 'an invitation comes' => sub {
    my $dev = device('invited');

    freeze();
    helloing($dev);

    my ($id) = session($dev);

    thaw();

    is($dev->ws->recv()->{json}{type}, 'welcome', 'the welcome comes first');
    is($dev->expect('invite')->{session}{id}, $id, 'then the invite');
    $dev->ws->send_close(1000);
};


subtest 'the client goes' => sub {
    my $dev = device('impatient');
    my ($id, $ticket) = session($device);
    my ($end) = session($device);
    my $revoked = $rest->post('/enrollments', {})->json->{id};

    freeze();

    my $ws = waiting($ticket);

    # these come behind it, over the same link

    my @calls = map { call('DELETE', $_) }
                "/sessions/$end", "/enrollments/$revoked";

    $ws->socket->close;
    $_->close for @calls;

    thaw();

    wait_until {
        join(' ', map { $_->{state} }
                  @{ $rest->get("/sessions/$id")->json->{participants} })
            eq 'invited left'
    } 5, 'the part to leave';
    pass('who was joined has left');

    wait_until {
        state($end) eq 'ended'
            && $rest->get("/enrollments/$revoked")->status == 404
    } 5, 'what was asked behind it';

    freeze();
    helloing($dev);
    $dev->ws->socket->close;
    thaw();
    wait_until { !owner($dev) } 5, 'the device to be off line';
    pass('the device is off line');

    freeze();

    my $call = call('DELETE', "/sessions/$id");

    wait_until { state($id) eq 'ended' } 5, 'the end being done';
    $call->close;
    thaw();
    is($rest->delete("/sessions/$id")->status, 204, 'the session has ended');
};


subtest 'others come' => sub {
    my ($id, @tickets) = session($device, 12);
    my $node = RS::Gateway->new(redis => $primary,
                                http => "$conf rs_redis_inflight 8;");

    freeze();

    my $start = start();
    my $first = waiting(shift @tickets, $node);
    my @queued = map { enter($_, $node) } @tickets;
    my %count;

    # 8 are queued, the others are refused; when the WAIT is over, those in
    # the queue are too old to be sent

    $count{ answer($_) }++ for $first, @queued;
    is_deeply(\%count, { uncertain => 1, unavailable => 11 },
              'each is answered');
    within($start, 3.5, 'by the end of the first WAIT');
    thaw();

    is(scalar(grep { used($_) } @tickets), 0, 'those not sent did nothing');
    is(answer(enter($tickets[0])), 'welcome', 'and can come again');
    $node->quit;
    $node->check_log;
};


subtest 'Redis goes' => sub {
    my $dev = device('lost');
    my ($id, $ticket, $behind) = session($device, 2);
    my ($end) = session($device);

    freeze();

    my $ws = waiting($ticket);
    my $queued = enter($behind);

    is($queued->read_answer(), 101, 'one more waits behind it');
    $primary->kill;

    is(answer($ws), 'uncertain', 'what was done is uncertain');
    is($queued->recv()->{json}{code}, 'unavailable', 'what was not sent');

    $primary->start;
    $replica->thaw;
    wait_until { $primary->call('WAIT', 1, 100) } 20, 'the replica';
    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'readiness';
    $device->connect($gw);

    # the same for a device and REST

    freeze();
    helloing($dev);

    my $call = call('DELETE', "/sessions/$end");

    $primary->kill;
    is($dev->ws->expect_close(), 1013, 'the device comes again');
    is($dev->ws->error->{code}, 'uncertain', 'it was uncertain');
    like(answered($call), qr/ 503 .*"code":"(?:unavailable|uncertain)"/s,
         'the call, too');

    $primary->start;
    $replica->thaw;
    wait_until { $primary->call('WAIT', 1, 100) } 20, 'the replica';
    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'readiness';
    is($rest->delete("/sessions/$end")->status, 204, 'works again');
};


subtest 'nginx reloads' => sub {
    my $dev = device('reloaded');

    $device->connect($gw);

    my ($id, $ticket, $behind) = session($device, 2);
    my ($old) = $gw->workers();

    freeze();
    helloing($dev);

    my $ws = enter($ticket);
    my $call = call('DELETE', "/sessions/$id");

    $gw->reload();
    thaw();

    is($ws->read_answer(), 101, 'the join');
    isnt($ws->expect_close(), 1011, 'is answered');
    like(answered($call), qr{^HTTP/1\.1 (?:204|503) }, 'the call, too');
    isnt($dev->ws->expect_close(), 1011, 'and the device');

    wait_until { !grep { $_ == $old } $gw->children() } 15, 'its end';
    pass('the old worker has ended');

    $dev->connect($gw);
    is(answer(enter((session($dev))[1])), 'welcome', 'the new one serves');
};


subtest 'Redis does not let us wait' => sub {
    $device->connect($gw);

    my ($id, $ticket) = session($device);

    $primary->call('ACL', 'SETUSER', 'rs-gateway', '-wait');
    is(answer(enter($ticket)), 'uncertain', 'nothing is confirmed');
    ok($gw->wait_log(qr/a call ended with "NOPERM [^"]*'wait'/),
       'the log says why');
    $primary->call('ACL', 'SETUSER', 'rs-gateway', '+wait');
    is($rest->delete("/sessions/$id")->status, 204, 'until it may');
};

$gw->quit;
$gw->check_log;

done_testing();
