#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The control token: who gets it, who may give, take and lock it, who is told,
# and what is left of it when its holder leaves or the store fails over.

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
my $dev = $s->device(online => "$w1.1");
my $json = JSON::PP->new->utf8;
my $n = 10;


# A session with its host and these others in it; each with the address of its
# socket, on two workers in turn.

sub session {
    my (@roles) = @_;
    my $x = $s->session($dev, roles => [@roles]);
    my $tkt = RS::Schema::hash();

    $s->invite($x, $tkt, "$w1.1");
    $x->{at}{ $x->{host} } = "$w1." . ++$n;
    $s->join($x, $tkt, $x->{at}{ $x->{host} });

    for my $i (0 .. $#roles) {
        $x->{at}{ $x->{pars}[$i] } = ($i % 2 ? $w1 : $w2) . '.' . ++$n;
        $x->{told}{$i} = $s->join($x, $x->{tickets}[$i],
                                  $x->{at}{ $x->{pars}[$i] });
    }

    return ($x, @{ $x->{pars} });
}


sub control {
    my ($x, $par, $op, $to, %o) = @_;
    my $r = $s->control($x, $par, $o{at} // $x->{at}{$par}, $op, $to, %o);

    return $r->[0] eq 'ok' ? $r->[1] : $r->[0];
}


# holder, locked, requests..., as names

sub is_control {
    my ($x, $name, $holder, $locked, @asked) = @_;
    my ($ses) = $s->get($x);
    my $c = $json->decode($ses->{control});

    return is_deeply([$c->{holder}, $c->{locked} ? 1 : 0, @{ $c->{requests} }],
                     [$holder, $locked, @asked], $name);
}


sub events {
    my ($sub) = @_;

    return map { $json->decode($_->{body}) }
           grep { $_->{kind} eq 'evt' } $sub->got();
}


# who gets it

my ($x, $a, $b, $v) = session('controller', 'controller', 'viewer');

is_control($x, 'the first controller has it', $a, 0);

my ($ses, @par) = $s->get($x);

is_deeply([map { $_->{moderator} } @par], ['', 1, '', ''],
          'and is who the session was made for');
is_deeply($json->decode(RS::Schema::obj($x->{told}{0}[4])->{control}),
          { holder => $a, requests => [], locked => JSON::PP::false() },
          'its own welcome says so');
is_deeply([grep { $_->{type} eq 'joined' } events($sub1)]->[1]{control},
          { holder => $a, requests => [], locked => JSON::PP::false() },
          'and what the others are told of its coming');

$sub2->got();
is(control($x, $b, 'request'), 'said', 'another one asks');
is_control($x, 'and waits', $a, 0, $b);

my @told = map { [events($_)] } $sub1, $sub2;

is_deeply($told[0], [{ type => 'control', holder => $a, requests => [$b],
                       locked => JSON::PP::false(), op => 'request',
                       by => $b }], 'a worker is told');
is_deeply($told[1], $told[0], 'and so is the other one');

my $log = $s->range($x, '1-0')->[1][-1];

is_deeply([@$log[1 .. 4]], ['evt', '', '', ''], 'it is in the log, of nobody');
is_deeply($json->decode($log->[5]), $told[0][0], 'as it was told');

is(control($x, $b, 'request'), 'same', 'asks once more');
is(control($x, $a, 'request'), 'same', 'who has it asks');
is_deeply([events($sub1)], [], 'which nobody is told');
is(control($x, $v, 'request'), 'forbidden', 'a viewer asks');
is(control($x, $x->{host}, 'request'), 'forbidden', 'the host need not');

is(control($x, $b, 'grant', $b), 'forbidden', 'nobody gives it to himself');
is(control($x, $a, 'grant', $v), 'forbidden', 'a viewer is given none');
is(control($x, $a, 'grant', random_id('par_')), 'unknown_peer', 'a stranger');
is(control($x, $a, 'grant', $b), 'said', 'who has it gives it');
is_control($x, 'it has changed hands', $b, 0);
is(control($x, $a, 'request'), 'said', 'and is asked for again');
is(control($x, $b, 'release'), 'said', 'and let go');
is_control($x, 'who asked has it', $a, 0);
is(control($x, $a, 'release'), 'said', 'let go');
is_control($x, 'nobody has it', undef, 0);
is(control($x, $b, 'request'), 'said', 'asked for');
is_control($x, 'and had at once', $b, 0);
is(control($x, $a, 'request'), 'said', 'asked for');
is(control($x, $a, 'release'), 'said', 'and no longer wanted');
is_control($x, 'no one asks', $b, 0);


# who may take and lock it

is(control($x, $b, 'take'), 'forbidden', 'a guest takes nothing');
is(control($x, $b, 'lock'), 'forbidden', 'nor locks');
is(control($x, $b, 'unlock'), 'forbidden', 'nor unlocks');
is(control($x, $a, 'take'), 'said', 'a moderator takes it');
is_control($x, 'and has it', $a, 0);
is(control($x, $x->{host}, 'take'), 'said', 'the person at the device, too');
is_control($x, 'the host has it, and who had it is first in line',
           $x->{host}, 0, $a);
is(control($x, $x->{host}, 'release'), 'said', 'given back');
is_control($x, 'as it was', $a, 0);
control($x, $x->{host}, 'take');
is(control($x, $a, 'release'), 'said', 'or no longer wanted');
is_control($x, 'the host alone', $x->{host}, 0);
is(control($x, $a, 'lock'), 'said', 'a moderator locks it');
is_control($x, 'locked', $x->{host}, 1);
is(control($x, $a, 'lock'), 'same', 'once');
is(control($x, $b, 'request'), 'control_locked', 'it cannot be asked for');
is(control($x, $x->{host}, 'grant', $b), 'said', 'the host gives it');
is(control($x, $b, 'grant', $a), 'control_locked',
   'who got it does not pass it on');
is(control($x, $b, 'release'), 'said', 'but lets it go');
is_control($x, 'to nobody', undef, 1);
is(control($x, $x->{host}, 'unlock'), 'said', 'the host unlocks it');
is(control($x, $b, 'request'), 'said', 'asked for');
is(control($x, $a, 'request'), 'said', 'and by another');
is(control($x, $a, 'lock'), 'said', 'locked');
is(control($x, $b, 'release'), 'said', 'let go');
is_control($x, 'waits', undef, 1, $a);
is(control($x, $a, 'unlock'), 'said', 'unlocked');
is_control($x, 'goes to who waited', $a, 0);


# who comes and goes

is(control($x, $b, 'request'), 'said', 'asked for');
is(add(random_id('par_'), RS::Schema::hash())->{moderator}, '',
   'who is asked for besides is no moderator');
is(add(random_id('par_'), RS::Schema::hash(), '')->{moderator}, 1,
   'but who is nobody by name, for that is the asker');
$sub1->got();
is($s->leave($x, $a, $x->{at}{$a}, 'away')->[1], 'away', 'its holder is away');
is_control($x, 'and keeps it', $a, 0, $b);
is($s->leave($x, $a, $x->{at}{$a}, 'lost')->[1], 'left', 'and lost');
is_control($x, 'who asked has it', $b, 0);
is_deeply([events($sub1)]->[-1],
          { type => 'left', peer => $a, reason => 'lost',
            control => { holder => $b, requests => [],
                         locked => JSON::PP::false() } },
          'which the others are told with it');

sub add {
    my ($id, $ticket, $name) = @_;

    return RS::Schema::obj($s->fcall('rs_participant_add',
        [$s->{key}, "ses:$x->{id}", "par:$x->{id}",
         'idem:' . RS::Schema::hash(), "tkt:$ticket", 'uin:'],
        'sessions:write', $id, 'controller', $name // 'Cy', '', 60,
        '')->[2]);
}


my $tkt = RS::Schema::hash();
my $c = random_id('par_');

add($c, $tkt);
$s->join($x, $tkt, $x->{at}{$c} = "$w2." . ++$n);
is_control($x, 'who comes later takes it from nobody', $b, 0);
is((grep { $_->{id} eq $c } $s->get($x))[0]{moderator}, '',
   'and is no moderator, for there was one');
is(control($x, $c, 'request'), 'said', 'asks');
$s->leave($x, $c, $x->{at}{$c}, 'bye');
is_control($x, 'and is forgotten when it has left', $b, 0);
is(control($x, $c, 'request'), 'replaced', 'who has left says nothing');
is(control($x, $b, 'request', undef, at => "$w2.99"), 'replaced',
   'nor a socket of before');
$s->leave($x, $b, $x->{at}{$b}, 'away');
is(control($x, $b, 'request'), 'unavailable',
   'who was called away is brought back first');
$s->end($x);
is(control($x, $b, 'request'), 'session_ended', 'it is over');
$s->dies_like(qr/"steal" is nothing to do/, 'no such thing', 'rs_control',
              ["ses:$x->{id}", "par:$x->{id}", "mem:$x->{id}",
               "log:$x->{id}"],
              $b, $x->{at}{$b}, 'steal', '', RS::Schema::REPLID(), 1000);


# a failover: what the new server knows is said once, in the new epoch

($x, $a, $b) = session('controller', 'controller');

is(control($x, $a, 'grant', $b), 'said', 'given');

my $pos = ($s->get($x))[0]->{pos};
my $other = 'd' x 40;

$s->redis()->call('HSET', $s->key("ses:$x->{id}"), 'control',
                  qq({"holder":"$a","requests":[],"locked":false}));

my $r = $s->sync($x, $a, $x->{at}{$a}, $pos, replid => $other);

is_deeply([map { [$_->[0], $json->decode($_->[5])] } @{ $r->[2] }],
          [['2-0', { type => 'control', holder => $a, requests => [],
                     locked => JSON::PP::false() }]],
          'a grant that is lost');
is_deeply([map { $_->[0] } @{ $s->sync($x, $b, $x->{at}{$b}, $pos,
                                       replid => $other, epoch => 2)->[2] }],
          ['2-0'], 'is taken back once');


# moderators: the user whose session it is, and administrators who come as
# themselves; not whom they ask for besides

sub as {
    my ($uid, $tenant, $fn, $keys, $verb, @args) = @_;

    return $s->fcall($fn, ["usr:$uid", @$keys], RS::Schema::caller_json(
        kind => 'user', id => $uid, name => 'Ada', iat => time(),
        verb => $verb, also => [], subjects => ["user:$uid"],
        tenant => $tenant, granted => ['sessions:read', 'sessions:write']),
        @args);
}


my ($ada, $eve) = map { 'usr_' . $_ x 26 } 'a', 'e';
my $group = [qw(sessions:read sessions:write devices:read)];
my $call = $s->session_call($dev, user => $ada,
                            roles => ['controller', 'controller']);
my ($fn, $keys, $verb, @args) = @{ $call->{call} };

# the first one is he himself
$args[19] = $ada;
shift @$keys;
$r = as($ada, $group, $fn, $keys, $verb, @args);
is_deeply([map { RS::Schema::obj($_)->{moderator} } @{ $r->[6] }], [1, ''],
          'whose session it is, and whom he asks for');

sub join_as {
    my ($uid, $tenant, $external) = @_;

    return RS::Schema::obj(as($uid, $tenant, 'rs_participant_add',
        ["ses:$call->{id}", "par:$call->{id}", 'idem:' . RS::Schema::hash(),
         'tkt:' . RS::Schema::hash(), "uin:$uid"],
        'sessions:write', random_id('par_'), 'controller', 'E', $external,
        60, '')->[2])->{moderator};
}


is(join_as($eve, $group, $eve), 1, 'an administrator as himself');
is(join_as($eve, $group, 'ext'), '', 'not whom he lets in');
is(join_as($ada, $group, $ada), 1, 'the first one once more');
$s->grant("user:$eve", '*', 'sessions:read sessions:write');
is(join_as($eve, [], $eve), '', 'nor who may it where a grant says so');


# a session of before this version

($x, $a, $b) = session('controller', 'controller');

$s->redis()->call('HDEL', $s->key("ses:$x->{id}"), 'control');
is(control($x, $b, 'request'), 'said', 'a session made without it');
is_control($x, 'has it from then on', $b, 0);

$s->check_catalogue();

done_testing();
