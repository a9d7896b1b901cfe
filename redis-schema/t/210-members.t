#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Coming and going: invite, join, state, away, bye, lost, and the race of two
# for one ticket.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $w1 = 'n1.0.00000000000000aa';
my $w2 = 'n2.0.00000000000000bb';
my ($sub1, $sub2) = ($s->subscribe($w1), $s->subscribe($w2));
my $name = "B\xc3\xbcro \"1\"\\ / \x01\xf0\x9f\x98\x80";
my $dev = $s->device(online => "$w1.1", name => $name);
my $json = JSON::PP->new->utf8;


# Envelopes since the last time, in short.

sub heard {
    my ($sub) = @_;

    return map { "$_->{kind} $_->{position} $_->{from} $_->{to}" } $sub->got();
}


sub mem {
    my ($x, @fields) = @_;

    return $s->redis()->call('HMGET', $s->key("mem:$x->{id}"), @fields);
}


sub states {
    my ($x) = @_;
    my ($ses, @par) = $s->get($x);

    return [$ses->{state}, map { $_->{state} } @par];
}


# invite

my $x = $s->session($dev, roles => ['controller', 'viewer']);
my ($ctl, $vwr) = @{ $x->{pars} };
my $tkt = RS::Schema::hash();
my $r = $s->invite($x, $tkt, "$w1.1");
my ($ses, $host) = $s->get($x);

is_deeply([$r->[0], RS::Schema::obj($r->[1]), RS::Schema::obj($r->[2]),
           @$r[3, 4]], ['ok', $ses, $host, $s->{key_id}, 'console'],
          'the invitation: session, host, who asks');
is($host->{name}, $name, 'the host has the device\'s name');
cmp_ok(abs($s->ttl("tkt:$tkt") - 59), '<=', 2, 'its ticket');
is_deeply($s->fcall('rs_invite', ["ses:$x->{id}", "par:$x->{id}",
                                  "mem:$x->{id}", "dses:$dev",
                                  'tkt:' . RS::Schema::hash()],
                    "$w1.1", random_id('dev_'), 60), ['not_found'],
          'another device is not invited');

my $stray = random_id('ses_');

$s->redis()->call('ZADD', $s->key("dses:$dev"), time() + 60, $stray);
is_deeply($s->invite({ id => $stray, dev => $dev }, RS::Schema::hash()),
          ['not_found'], 'to a session that is not there');
is($s->redis()->call('ZSCORE', $s->key("dses:$dev"), $stray), undef,
   'and the device has it no more');

my $e = $s->session($dev);

$s->expire($e);
is_deeply($s->invite($e, RS::Schema::hash()), ['session_ended'],
          'to a session that is over');
is($s->redis()->call('ZSCORE', $s->key("dses:$dev"), $e->{id}), undef,
   'and the device has it no more');


# join

heard($_) for $sub1, $sub2;
is_deeply($s->join($x, RS::Schema::hash(), "$w1.5"), ['unauthenticated'],
          'an unknown ticket');

my $other = $s->session($dev);

is_deeply($s->join($other, $x->{tickets}[0], "$w1.5"), ['unauthenticated'],
          'a ticket of another session');
is($s->exists("tkt:$x->{tickets}[0]"), 1, 'is not used up by that');

heard($sub1);
$r = $s->join($x, $x->{tickets}[0], "$w2.10");
($ses, my @par) = $s->get($x);
is_deeply([@$r[0, 2, 3], RS::Schema::obj($r->[4]),
           map { RS::Schema::obj($_) } @{ $r->[5] }],
          ['ok', $ctl, '1-0', $ses, @par], 'joined: self, position, who is in');
cmp_ok(abs($r->[1] - time()), '<', 60, 'now');
is_deeply(states($x), [qw(waiting_host invited joined invited)],
          'waits for the host');
is($par[1]{joined_at}, $r->[1], 'since now');
is_deeply(mem($x, map { "$_:$ctl" } qw(a i r l)),
          ["$w2.10", 0, $x->{resume}{"$w2.10"}, undef], 'is a member');
is_deeply([heard($sub2)], ["evt 1-0 $ctl -"], 'its own worker is told');
is_deeply([heard($sub1)], [], 'no other is');
is_deeply($s->join($x, $x->{tickets}[0], "$w2.11"), ['unauthenticated'],
          'a ticket counts once');

$r = $s->join($x, $tkt, "$w1.20");
is($r->[3], '1-2', 'the host: joined and state');

my @env = $sub2->got();
my $told = JSON::PP->new->decode(
    qq(["B\x{fc}ro \\"1\\"\\\\ / \\u0001\\ud83d\\ude00"]))->[0];

is_deeply([map { $json->decode($_->{body}) } @env],
          [{ type => 'joined', peer => { id => $x->{host}, role => 'host',
             name => $told, state => 'joined',
             guest => JSON::PP::false } },
           { type => 'state', session_state => 'connecting' }],
          'each in its place, any name');
is_deeply([map { "$_->{version} $_->{kind} $_->{tenant} $_->{session} "
                 . "$_->{position} $_->{from} $_->{to} $_->{id}" } @env],
          ["rs1 evt default $x->{id} 1-1 $x->{host} - -",
           "rs1 evt default $x->{id} 1-2 $x->{host} - -"], 'two envelopes');
is(scalar(heard($sub1)), 2, 'the other worker has them too, once');
is_deeply(states($x), [qw(connecting joined joined invited)], 'connecting');
is_deeply($s->invite($x, RS::Schema::hash()), ['conflict'],
          'a host that is in is not invited');
$s->append($x, $x->{host}, "$w1.20", 1);
heard($_) for $sub1, $sub2;

my $anon = $s->session($dev, name => '');

$s->guest_join($anon, 0, "$w2.12");
is_deeply($json->decode(($sub2->got())[-1]{body})->{peer}{name}, undef,
          'no name is null');

my $broken = $s->session($dev);

$s->redis()->call('HDEL', $s->key("par:$broken->{id}"), $broken->{pars}[0]);
is_deeply($s->join($broken, $broken->{tickets}[0], "$w2.13"),
          ['unauthenticated'], 'a participant that is not there');

my $gone = $s->session($dev);

$s->redis()->call('DEL', $s->key("ses:$gone->{id}"));
is_deeply($s->join($gone, $gone->{tickets}[0], "$w2.14"), ['session_ended'],
          'a session that is not there');


# two for one ticket, at once on two connections

my $wins = 0;

for my $round (1 .. 50) {
    my $y = $s->session($s->device(online => "$w1.1"));
    my @links = map { $s->connect() } 1, 2;

    $_->call('PING') for @links;

    for my $i (0, 1) {
        my @words = $s->command($s->join_call($y, $y->{tickets}[0],
                                              "$w2.3$i"));
        my $text = CORE::join('', '*' . @words . "\r\n",
                              map { '$' . length($_) . "\r\n$_\r\n" } @words);

        print { $links[$i]{link} } $text;
    }

    $_->{link}->flush() for $round % 2 ? @links : reverse @links;

    my @got = sort map { RS::Redis::_reply($_->{link})->[0] } @links;

    $wins++ if "@got" eq 'ok unauthenticated';
}

is($wins, 50, 'one wins, each time');


# a new ticket of who is in

heard($_) for $sub1, $sub2;
my $again = RS::Schema::hash();

$s->fcall('rs_participant_retry', [$s->{key}, "ses:$x->{id}", "par:$x->{id}",
                                   "tkt:$again"], '', $ctl, 60);
$s->append($x, $ctl, "$w2.10", 7);
is($s->join($x, $again, "$w1.21")->[2], $ctl, 'joins again');
is_deeply([grep { /^fen/ } heard($sub2)], ["fen - - $w2.10"],
          'the socket it had is fenced');
is_deeply(mem($x, "a:$ctl", "i:$ctl"), ["$w1.21", 0], 'its ids start anew');
is_deeply($s->leave($x, $ctl, "$w2.10", 'bye'), ['ok', 'stale', $dev],
          'what the old socket does is stale');


# state

heard($_) for $sub1, $sub2;
my $path = '{"kind": "relay","rtt_ms":12,"protocol":"udp"}';

is_deeply($s->state($x, $ctl, "$w2.10", $path), ['replaced'],
          'not from another socket');
is_deeply($s->state($x, random_id('par_'), "$w1.21", $path), ['replaced'],
          'nor from nobody');
is_deeply($s->state($x, $ctl, "$w1.21", $path), ['ok', '1-6'], 'a path');
@env = $sub1->got();
is($env[0]{body}, qq({"type":"state","session_state":"active","peer":"$ctl",)
                  . qq("path":$path}), 'as it was given; the session is active');
is(scalar @env, 1, 'one envelope for two members of one worker');
($ses, @par) = $s->get($x);
is_deeply([$ses->{state}, $ses->{path}, map { $_->{path} } @par],
          ['active', $path, '', $path, ''], 'kept');
is_deeply($s->state($x, $x->{host}, "$w1.20", ''), ['ok', '1-7'], 'no path');
is(($sub1->got())[0]{body},
   qq({"type":"state","session_state":"active","peer":"$x->{host}"}),
   'is left out');


# away and lost

is_deeply($s->leave($x, $ctl, "$w1.99", 'away'), ['ok', 'stale', $dev],
          'away: not from another socket');
is_deeply($s->leave($x, $ctl, '', 'away'), ['ok', 'stale', $dev],
          'nor from none');
heard($_) for $sub1, $sub2;
is_deeply($s->leave($x, $ctl, "$w1.21", 'away'), ['ok', 'away', $dev], 'away');
is_deeply([heard($sub1), heard($sub2)], [], 'nobody is told');
is_deeply(states($x), [qw(active joined away invited)], 'is away');
is_deeply(mem($x, "a:$ctl", "l:$ctl"), ['', "$w1.21"], 'a member, elsewhere');
is_deeply($s->leave($x, $ctl, "$w1.21", 'away'), ['ok', 'stale', $dev],
          'away twice');
is($s->append($x, $ctl, "$w1.21", 8)->[0], 'unavailable',
   'who is away sends nothing');
is($s->append($x, $ctl, "$w1.20", 8)->[0], 'replaced', 'nor from elsewhere');
is($s->state($x, $ctl, "$w1.21", '{}')->[0], 'unavailable', 'nor a path');
is($s->append($x, $ctl, '', 8)->[0], 'replaced', 'with no address neither');
is($s->append($x, $x->{host}, "$w1.20", 1, to => $ctl)->[0], 'ok',
   'but may receive');

# back, away again: what the first socket's timer says is stale

$r = $s->resume($x, $ctl, $x->{resume}{"$w1.21"}, '1-6', "$w2.40");
is($r->[0], 'ok', 'back');
is_deeply($s->leave($x, $ctl, "$w2.40", 'away'), ['ok', 'away', $dev],
          'away again');
is_deeply($s->leave($x, $ctl, "$w1.21", 'lost'), ['ok', 'stale', $dev],
          'lost: not by the timer of the time before');

$s->guest_join($x, 1, "$w2.41");
heard($_) for $sub1, $sub2;
is_deeply($s->leave($x, $ctl, "$w2.40", 'lost'), ['ok', 'left', $dev],
          'lost: one of two guests');
@env = $sub2->got();
is_deeply([map { $_->{body} } @env],
          [qq({"type":"left","peer":"$ctl","reason":"lost","control":)
           . '{"holder":null,"requests":[],"locked":false}}'],
          'others are told, and that nobody has control');
is(scalar(heard($sub1)), 1, 'the host too');
is_deeply(states($x), [qw(active joined left joined)], 'has left');
is_deeply(mem($x, map { "$_:$ctl" } qw(a i r l)), [(undef) x 4],
          'is no member');
is_deeply($s->leave($x, $ctl, "$w2.40", 'lost'), ['ok', 'stale', $dev],
          'lost twice');
is_deeply($s->resume($x, $ctl, $x->{resume}{"$w2.40"}, '1-6', "$w2.42"),
          ['unauthenticated'], 'too late to come back');

# bye of the last guest

is_deeply($s->leave($x, $vwr, "$w2.41", 'bye'), ['ok', 'ended', $dev, ''],
          'the last guest leaves: the session is over');
is_deeply([map { $_->{body} } $sub1->got()],
          [qq({"type":"left","peer":"$vwr","reason":"bye"}),
           '{"type":"ended","reason":"left"}'], 'the host is told both');
is_deeply(states($x), [qw(ended left left left)], 'nobody is in');
is(($s->get($x))[0]{end_reason}, 'left', 'because they left');
is_deeply($s->leave($x, $x->{host}, "$w1.20", 'bye'), ['ok', 'stale', $dev],
          'afterwards nothing is done');
is_deeply($s->leave({ id => random_id('ses_') }, $ctl, "$w1.1", 'bye'),
          ['ok', 'stale', ''], 'nor in a session that is not there');


# the host goes

for my $case (['bye', 'left'], ['lost', 'host_lost']) {
    my ($mode, $reason) = @$case;
    my $y = $s->session($dev);

    $s->host_join($y, "$w1.50");
    $s->append($y, $y->{host}, "$w1.50", 1);
    $s->guest_join($y, 0, "$w2.51");
    heard($_) for $sub1, $sub2;

    is_deeply($s->leave($y, $y->{host}, "$w1.50", $mode),
              ['ok', 'ended', $dev, ''], "host, $mode");
    is_deeply([map { $_->{body} } $sub2->got()],
              [qq({"type":"left","peer":"$y->{host}","reason":"$mode"}),
               qq({"type":"ended","reason":"$reason"})], "ends: $reason");
    is_deeply([heard($sub1)], [], 'no rvk for a host that was in');
}

# a guest's join comes to nothing: the session waits for the next one

{
    my $y = $s->session($dev, roles => ['controller', 'viewer']);

    $s->host_join($y, "$w1.60");
    $s->guest_join($y, 0, "$w2.61");
    heard($_) for $sub1, $sub2;

    is_deeply($s->leave($y, '', "$w2.61", 'undone'), ['ok', 'left', $dev],
              'an undone join');
    is_deeply([map { $_->{body} } $sub1->got()],
              [qq({"type":"left","peer":"$y->{pars}[0]","reason":"lost",)
               . '"control":{"holder":null,"requests":[],"locked":false}}'],
              'is lost to the others');
    is(($s->get($y))[0]{state}, 'connecting', 'the session goes on');
    ok($s->guest_join($y, 1, "$w2.62"), 'with the next one');
    is_deeply($s->leave($y, $y->{pars}[1], "$w2.62", 'lost'),
              ['ok', 'ended', $dev, ''], 'until that one is lost');
    heard($_) for $sub1, $sub2;
}

# the last guest goes before the host has come

my $y = $s->session($dev);

$s->guest_join($y, 0, "$w2.60");
heard($sub1);
is_deeply($s->leave($y, $y->{pars}[0], "$w2.60", 'bye'),
          ['ok', 'ended', $dev, ''], 'gone before the host came');
is_deeply([map { "$_->{kind} $_->{session} $_->{to} $_->{body}" }
           $sub1->got()], ["rvk $y->{id} $w1.1 left"],
          'the device need not come');

# a guest who is away is not gone

$y = $s->session($dev, roles => ['controller', 'viewer']);
$s->host_join($y, "$w1.70");
$s->guest_join($y, 0, "$w2.71");
$s->guest_join($y, 1, "$w2.72");
$s->leave($y, $y->{pars}[0], "$w2.71", 'away');
is_deeply($s->leave($y, $y->{pars}[1], "$w2.72", 'bye'), ['ok', 'left', $dev],
          'one is away: the session goes on');

# its worker has nobody else and is told nothing

is_deeply($s->resume($y, $y->{pars}[0], $y->{resume}{"$w2.71"}, '1-4',
                     "$w2.73")->[0], 'ok', 'one is back');
is_deeply($s->leave($y, $y->{host}, "$w1.70", 'away'), ['ok', 'away', $dev],
          'and the host away');
heard($_) for $sub1, $sub2;
$s->append($y, $y->{pars}[0], "$w2.73", 1);
is_deeply([scalar(heard($sub1)), scalar(heard($sub2))], [0, 1],
          'a worker without a member is told nothing');
$s->resume($y, $y->{host}, $y->{resume}{"$w1.70"}, '1-4', "$w1.71");
$s->append($y, $y->{pars}[0], "$w2.73", 2);
is_deeply([scalar(heard($sub1)), scalar(heard($sub2))], [1, 1],
          'until its member is back');

# addresses, for what goes from worker to worker

is_deeply($s->route($y), ['ok', $y->{host}, { $y->{host} => "$w1.71",
          $y->{pars}[0] => "$w2.73" }], 'the members\' addresses');
$s->leave($y, $y->{host}, "$w1.71", 'away');
is_deeply($s->route($y), ['ok', $y->{host}, { $y->{pars}[0] => "$w2.73" }],
          'who is away has none');
is_deeply($s->route({ id => random_id('ses_') }), ['session_ended'],
          'of a session that is not there');
$s->resume($y, $y->{host}, $y->{resume}{"$w1.71"}, '1-4', "$w1.71");

# a participant whose record is lost does nothing

$s->redis()->call('HDEL', $s->key("par:$y->{id}"), $y->{host});
is_deeply($s->state($y, $y->{host}, "$w1.71", '{}'), ['replaced'],
          'no record: state');
is_deeply($s->leave($y, $y->{host}, "$w1.71", 'away'), ['ok', 'stale', $dev],
          'no record: leave');
is_deeply($s->resume($y, $y->{host}, $y->{resume}{"$w1.71"}, '1-4',
                     "$w1.72"), ['unauthenticated'], 'no record: resume');

# in a session that is over

$s->expire($y);
is_deeply($s->leave($y, $y->{pars}[0], "$w2.73", 'bye'),
          ['ok', 'stale', $dev], 'expired: leave');
is_deeply($s->state($y, $y->{pars}[0], "$w2.73", '{}'), ['session_ended'],
          'expired: state');
is_deeply($s->state({ id => random_id('ses_') }, $y->{host}, "$w1.70", '{}'),
          ['session_ended'], 'not there: state');
is_deeply($s->route($y), ['session_ended'], 'expired: addresses');

$s->check_catalogue();

done_testing();
