#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The whole of it: what a gateway mints relays at a coturn that has the daemon
# beside it, and only that; what it ends by REST or by a message is dead there
# as soon; and it shows what was relayed. In both modes.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(now start within wait_until);

my $redis = RS::Redis->new(acl => 1);
my $key = $redis->api_key();

# one after the other, so that both have this device

my ($gw, $rest, $device, $turn, $mode);


sub begin {
    ($mode) = @_;
    $turn = RS::Turn->new(redis => $redis, mode => $mode);
    $turn->wait_sync();

    my $file = $turn->dir() . '/key.secret';
    my $url = sprintf 'turn:%s:%d', $turn->ip, $turn->port;

    $gw = RS::Gateway->new(redis => $redis, http => <<"END");
    rs_check_rate 60r/m;
    rs_turn_server eu $url;
    rs_turn_key_file $file;
    rs_turn_realm ${\ $turn->realm};
END
    $rest = $gw->rest(key => $key);
    $device = RS::Device->enroll($rest, name => "desk $mode");
    $device->connect($gw);

    return;
}


sub credential {
    my ($ice) = @_;
    my ($server) = grep { $_->{username} } @{ $ice->{iceServers} };

    return { username => $server->{username},
             password => $server->{credential} };
}


# A session with its host and a controller, and the credentials of both.

sub session {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $s = { id => $r->json->{id} };

    $s->{host} = $device->join($gw, $device->expect('invite'));
    $s->{guest} = $gw->signal("rs.ticket.$p->{ticket}");
    $s->{c} = [credential($device->welcome->{ice}),
               credential($s->{guest}->expect('welcome')->{ice})];

    return $s;
}


sub allocated {
    my ($c) = @_;
    my $client;

    # in strict mode a session is refused until the daemon has heard of it

    wait_until {
        $client = $turn->client($c);
        $client->allocate() == 0
    } 5, 'an allocation';

    return $client;
}


sub relay {
    my ($s) = @_;
    my @ends = map { allocated($_) } @{ $s->{c} };

    $ends[0]->bind($ends[1]->relay) == 0 or die $ends[0]->error;
    $ends[1]->bind($ends[0]->relay) == 0 or die $ends[1]->error;
    RS::TurnClient::relays(@ends, 10) or die 'does not relay';

    return @ends;
}


sub dead_in_time {
    my ($what, $start, @ends) = @_;

    wait_until {
        $ends[0]->refresh(600) == ($mode eq 'strict' ? 401 : 437)
    } 10, 'its end';
    within($start, 1, "$mode: $what: its allocation is dead");
    is(RS::TurnClient::relays(@ends, 0.5), 0, "$mode: $what: it is silent");

    return;
}


# ---- turnutils_uclient: with what was issued, and with what was not

sub issued {
    my $s = session();
    my $c = $s->{c}[1];

    allocated($c)->refresh(0);

    for my $transport (qw(udp tcp)) {
        my $r = $turn->uclient($c, transport => $transport, n => 50);

        is_deeply([@$r{qw(status sent received lost)}], [0, 100, 100, 0],
                  "$mode: $transport: 0 packets lost") or diag($r->{text});
    }

    my ($expiry, $name) = split /:/, $c->{username}, 2;
    my $expired = time() - 5 . ":$name";
    my $other = substr($c->{password}, 0, 1) eq 'A' ? 'B' : 'A';

    # unstable's tries for 15 s: all at once

    my @cases = (
        ['a wrong password', { %$c, password => $c->{password}
                                                =~ s/^./$other/r }],
        ['an expired one', { username => $expired,
                             password => $turn->password($expired) }],
        ['one of another realm', { %$c, password => $turn->password(
            $c->{username}, RS::Turn::derive($turn->{static}, 'other.test',
                                             int($expiry / 86400))) }],
    );

    push @$_, $turn->uclient_start($_->[1]) for @cases;

    for my $case (@cases) {
        my ($what, undef, $process) = @$case;
        my $r = $turn->uclient_wait($process);

        isnt($r->{status}, 0, "$mode: $what: refused");
        like($r->{text}, qr/Cannot complete Allocation/,
             "$mode: $what: at the allocation");
    }

    # a relay that serves another realm refuses what was minted for ours

    my $client = $turn->client($c, realm => 'other.test');

    isnt($client->allocate(), 0, "$mode: asked of another realm: refused");
    $client->close();
    $rest->delete("/sessions/$s->{id}");

    return;
}


sub shown {
    my $s = session();
    my @ends = relay($s);

    $ends[0]->send($ends[1]->relay, 'x' x 1000) for 1 .. 10;
    $ends[1]->recv(5) for 1 .. 10;
    $_->refresh(0) == 0 or die 'no end' for @ends;

    my $usage;

    wait_until {
        $usage = $rest->get("/sessions/$s->{id}")->json->{relay};
        $usage && $usage->{allocations} == 2
            && $usage->{bytes_received} > 10_000
    } 20, 'what was relayed, in the session';
    pass("$mode: GET /sessions/{id} shows it");
    $rest->delete("/sessions/$s->{id}");
    $_->close() for @ends;

    return;
}


# /check: the server lets it in, and that is all it is good for

sub checked {
    my $r = $gw->rest->request('POST', '/check');
    my $c = credential($r->json);

    my @ends = map { $turn->client($c) } 1, 2;

    is($_->allocate(), 0, "$mode: a check allocates") for @ends;

    for my $end (@ends) {
        wait_until { $end->refresh(600) != 0 } 5, 'its end';
        isnt($end->bind('192.0.2.1:9'), 0, "$mode: and reaches nothing");
        $end->close();
    }

    my $far = time() + 900 . ':' . $c->{username} =~ s/^\d+://r;
    my $longer = $turn->client({ username => $far,
                                 password => $turn->password($far) });

    is($longer->allocate() == 0 ? 'let in' : 'refused',
       $mode eq 'strict' ? 'refused' : 'let in',
       "$mode: one for longer than a minute");
    wait_until { $longer->refresh(600) != 0 } 5, 'its end, too';
    $longer->close();

    return;
}


for my $m ('compat', 'strict') {
    begin($m);
    checked();
    issued();

    my $s = session();
    my @ends = relay($s);
    my $other = session();
    my @others = relay($other);
    my $start = start();

    is($rest->delete("/sessions/$s->{id}")->status, 204, "$mode: DELETE");
    dead_in_time('DELETE of its session', $start, @ends);

    # the guest leaves

    $_->close() for @ends;
    $s = session();
    @ends = relay($s);
    $start = start();
    $s->{guest}->send_json({ type => 'bye' });
    dead_in_time('bye', $start, reverse @ends);

    # a credential is revoked, its participant stays

    $_->close() for @ends;
    $s = session();
    @ends = relay($s);
    $start = start();
    is($rest->request('POST', '/turn/keys/' . $redis->key_id($key)
                              . "/credentials/$s->{c}[1]{username}/revoke")
            ->status, 204, "$mode: revoke");
    dead_in_time('revoked', $start, reverse @ends);
    $s->{guest}->send_json({ type => 'ping' });
    is($s->{guest}->expect('pong')->{type}, 'pong', "$mode: who had it stays");

    is(RS::TurnClient::relays(@others, 5), 1, "$mode: others relay on");

    $_->close() for @ends, @others;
    shown();

    $turn->check_logs();
    $turn->stop();
    $gw->stop();
    $gw->check_log();
}

done_testing();
