#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Tunnels and pipes: who may, tickets of two sides, what is told and left in
# the audit, and what ends them.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $W1 = 'n1.0.00000000000000aa';
my $W2 = 'n2.1.00000000000000bb';
my $here = $s->subscribe($W1);
my $there = $s->subscribe($W2);
my $watch = $s->subscribe('rs:watch');
my $dev = $s->device(online => "$W1.3");


sub v4 { return '4' . sprintf '%02x' x 4, split /\./, $_[0] }


sub told {
    return [map { "@$_[1, 2, 4]" } grep { $_->[1] eq 'tun' } $watch->got()];
}


sub pips {
    my ($sub) = @_;

    return [map { "$_->{session} $_->{to} $_->{body}" }
            grep { $_->{kind} eq 'pip' } $sub->got()];
}


sub get {
    my ($tun, $auth) = @_;
    my $r = $s->fcall('rs_tunnel_get', [$auth // $s->{key}, "tun:$tun",
                                        "pips:$tun"], 'tunnels:read');

    return $r->[0] eq 'ok' ? RS::Schema::obj($r->[1]) : $r->[0];
}


sub patch {
    my ($tun, @fields) = @_;

    return $s->fcall('rs_tunnel_patch', [$s->{key}, "tun:$tun", "pips:$tun"],
                     'tunnels:write', @fields);
}


sub gone {
    my ($tun, $reason) = @_;

    return $s->fcall('rs_tunnel_delete', [$s->{key}, "tun:$tun", 'tuns',
                                          'tunx', "dtun:$dev", "pips:$tun",
                                          "adm:$tun"],
                     'tunnels:write', $tun, $reason // 'deleted');
}


sub line { return +($s->audit())[-1] }


# a tunnel is for who made it, and for nobody else, unless he says so

my $tun = $s->tunnel($dev);
my $t = get($tun);

is_deeply([@{$t}{qw(device_id target protocol label users addresses by_id
                    idle_s version opened pipes)}],
          [$dev, '127.0.0.1:22', 'tcp', 'ssh', $s->{key_id}, '', $s->{key_id},
           600, 1, 0, 0], 'a tunnel is for who made it');
is_deeply(told(), ["tun $tun new"], 'watchers are told');
is_deeply([@{ line() }{qw(verb object detail outcome)}],
          ['tunnels:write', $tun, "$dev tcp 127.0.0.1:22", 'allow'],
          'and so is the audit');
cmp_ok(abs($s->ttl("tun:$tun") - 3600), '<=', 2, 'it lives as long as asked');

my ($other, $other_id) = $s->api_key('tunnels:use tunnels:read', 'other');

is($s->pipe($tun, $dev, auth => $other)->{reply}[0], 'forbidden',
   'another key may not');
is_deeply([@{ line() }{qw(verb object outcome reason actor_id)}],
          ['tunnels:use', $tun, 'deny', 'forbidden', $other_id],
          'which the audit says');
$here->got();

my $p = $s->pipe($tun, $dev);

is($p->{reply}[0], 'ok', 'who made it may');
is($p->{reply}[1], "$W1.3", 'and is told where the device is');
is_deeply(pips($here), ["$p->{id} $W1.3 open"], 'whose worker is told');
is(get($tun)->{pipes}, 1, 'a pipe');
is(get($tun)->{opened}, 1, 'the first');
is_deeply([@{ (grep { $_->{verb} eq 'tunnels:use' } $s->audit())[-1] }
           {qw(object detail outcome)}], [$tun, $p->{id}, 'allow'],
          'in the audit');


# what the device's worker gets, once, and only where the device is

is_deeply($s->pipe_offer($p, "$W1.4"), ['conflict'], 'not its socket');

my $r = $s->pipe_offer($p, "$W1.3");

is_deeply([@$r[0 .. 7]], ['ok', $tun, '127.0.0.1:22', 'tcp', 'ssh', 'key',
                          $s->{key_id}, 'console'],
          'for whom, and what');
is_deeply($s->pipe_offer($p, "$W1.3"), ['conflict'], 'once');


# tickets: each for its side, once, while it counts

is_deeply($s->pipe_attach($p, 'client', "$W2.9", ticket => RS::Schema::hash()),
          ['unauthenticated'], 'a third party');
is_deeply($s->pipe_attach($p, 'client', "$W2.9", ticket => $p->{host}),
          ['unauthenticated'], 'the ticket of the other side');
is_deeply($s->pipe_attach($p, 'host', "$W1.9", ticket => $p->{client}),
          ['unauthenticated'], 'and the other way round');

$r = $s->pipe_attach($p, 'client', "$W2.9", nonce => 'n' x 64, bound => $p->{client},
                     ticket => RS::Schema::hash());
is_deeply([@$r[0 .. 9]], ['ok', 'first', 'tunnel', $tun, $dev, '', '', '',
                          'tcp', 600], 'the client, by the bound hash');
is_deeply([@$r[11 .. 16]], ['key', $s->{key} =~ s/^key://r, $p->{scope}, 'key',
                            $s->{key_id}, 'console'], 'who he is');
is_deeply($s->pipe_attach($p, 'client', "$W2.9"), ['unauthenticated'],
          'a ticket counts once');

$r = $s->pipe_attach($p, 'host', "$W1.10");
is_deeply([@$r[1, 5 .. 7]], ['second', "$W2.9", 'unix', 'n' x 64],
          'the host learns where the client is, and what to show there');
is($redis->call('HEXISTS', $s->key("pip:$p->{id}"), 'nonce'), 0,
   'the nonce is told once');

my $late = $s->pipe($tun, $dev);

$redis->call('HSET', $s->key("pip:$late->{id}"), 'client_until', time());
is_deeply($s->pipe_attach($late, 'client', "$W2.11"), ['unauthenticated'],
          'a ticket whose time is over');


# what he may is asked again, with the caller that opened it

is($s->pipe_check($p)->[0], 'ok', 'he may');
$s->dies_like(qr/of another caller/, 'nobody else is asked for', 'rs_pipe_check',
              [$s->{key}, "pip:$p->{id}", "tun:$tun", "dev:$dev",
               "pips:$tun"], 'tunnels:read', '');

my $before = scalar $s->audit();

$redis->call('DEL', $s->key("tun:$tun"));
is_deeply($s->pipe_check($p), ['tunnel_ended'], 'the tunnel is over');
is(scalar $s->audit(), $before, 'no line of a question');


# bytes and reasons are in the audit once, whichever side says it first

$tun = $s->tunnel($dev);
$p = $s->pipe($tun, $dev);
$s->pipe_offer($p, "$W1.3");
$s->pipe_attach($p, 'client', "$W2.20");
$s->pipe_attach($p, 'host', "$W1.21");
is_deeply($s->pipe_gone($p, 'client', "$W2.99"), ['ok', 'stale'],
          'not its socket');
is_deeply($s->pipe_gone($p, 'host', "$W1.21", up => 7, down => 9,
                        code => 'pipe_broken'), ['ok', 'gone'], 'it ends');
is_deeply($s->pipe_gone($p, 'client', "$W2.20"), ['ok', 'stale'], 'once');

my $l = line();

is_deeply([@{$l}{qw(actor_id verb object outcome reason addr rid)}],
          [$s->{key_id}, 'pipe:end', $tun, 'allow', 'pipe_broken',
           '192.0.2.1', 'r1'], 'a line of who opened it');
like($l->{detail}, qr/^\Q$p->{id}\E up 7 down 9 s \d+$/, 'with the bytes');
is_deeply([@{ get($tun) }{qw(up down pipes)}], [7, 9, 0], 'and the sum');
is_deeply($s->pipe_check($p), ['not_found'], 'it is over');


# the device says no: told to the client where it is, or when it comes

for my $when ('first', 'late') {
    $p = $s->pipe($tun, $dev);
    $s->pipe_offer($p, "$W1.3");
    $s->pipe_attach($p, 'client', "$W2.30") if $when eq 'first';
    is_deeply($s->pipe_refuse($p, "$W1.4", 'target_refused'), ['ok', 'stale'],
              "$when: not its socket");
    $there->got();
    is_deeply($s->pipe_refuse($p, "$W1.3", 'target_refused'),
              ['ok', 'refused'], "$when: refused");
    is_deeply(pips($there), $when eq 'first'
              ? ["$p->{id} $W2.30 cut target_refused"] : [], "$when: told");
    is_deeply($s->pipe_attach($p, 'client', "$W2.31"),
              [$when eq 'late' ? 'target_refused' : 'unauthenticated'],
              "$when: or when it comes");
    is_deeply([@{ line() }{qw(verb object outcome reason)}],
              ['pipe:refuse', $tun, 'deny', 'target_refused'],
              "$when: in the audit");
}

# the client goes before the device has come: that is told, too

$p = $s->pipe($tun, $dev);
$s->pipe_offer($p, "$W1.3");
$s->pipe_attach($p, 'client', "$W2.32");
$here->got();
$s->pipe_gone($p, 'client', "$W2.32");
is_deeply(pips($here), ["$p->{id} $W1.3 cut pipe_broken"],
          'a device that need not come any more');
is(get($tun)->{pipes}, 0, 'none is left');


# the list: addresses, users, edited while open

my $list = $s->tunnel($dev, addresses => '10.0.0.0/8', users => "$s->{key_id} $other_id",
                      nets => v4('10.0.0.0') . '-' . v4('10.255.255.255'));
my %peer = (
    '10.1.2.3' => 'ok', '11.0.0.0' => 'forbidden', '9.255.255.255' => 'forbidden',
    '10.255.255.255' => 'ok',
);

is($s->pipe($list, $dev, peer => v4($_))->{reply}[0], $peer{$_}, "from $_")
    for sort keys %peer;
is($s->pipe($list, $dev)->{reply}[0], 'forbidden', 'from nowhere');
is($s->pipe($list, $dev, peer => '6' . '2001' . '0' x 28)->{reply}[0], 'forbidden',
   'from IPv6');

$p = $s->pipe($list, $dev, peer => v4('10.0.0.1'), auth => $other,
              max => 64);
is($p->{reply}[0], 'ok', 'somebody of the list');
is($s->pipe_check($p, undef, v4('10.0.0.2'))->[0], 'ok', 'another address of it');
is_deeply($s->pipe_check($p, undef, v4('11.0.0.2')), ['forbidden'],
          'one that is not');
told();
is($s->fcall('rs_tunnel_patch', [$s->{key}, "tun:$list", "pips:$list"],
             'tunnels:write', 7, 'users', '')->[0], 'precondition_failed',
   'another version');
is(patch($list, 1, 'target', 'x')->[0], 'unknown_field', 'not the target');
is(patch($list, 1, 'users', $s->{key_id})->[0], 'ok', 'the list is changed');
is_deeply(told(), ["tun $list changed"], 'all workers are told');
is_deeply($s->pipe_check($p, undef, v4('10.0.0.2')), ['forbidden'],
          'he may no more');
is(patch($list, '', 'users', '', 'addresses', '', 'nets', '')->[0], 'ok',
   'no list');
is(get($list)->{users}, $s->{key_id}, 'is for who made it');
is($s->pipe($list, $dev, auth => $other)->{reply}[0], 'forbidden',
   'never for all');


# grants, keys and the device's group

my ($group, $elsewhere) = map { $s->group(name => $_) } 'one', 'two';
my ($given, $given_id) = $s->api_key('tunnels:read tunnels:write tunnels:use '
                                     . 'devices:read', 'given', granted => 1);
my $grant = $s->grant("key:$given_id", $group,
                      'tunnels:read tunnels:write tunnels:use devices:read');
my $desk = $s->device(group_id => $group, online => "$W1.60");

is($s->tunnel($dev, auth => $given), 'not_found', 'not of his devices');

my $his = $s->tunnel($desk, auth => $given);

like($his, qr/^tun_/, 'of one that is');
is(get($tun, $given), 'not_found', 'he does not see the others');
$p = $s->pipe($his, $desk, auth => $given);
is($s->pipe_check($p)->[0], 'ok', 'he may');
is($s->fcall('rs_device_patch', [$s->{key}, "dev:$desk", 'grps', 'gdev'],
             'devices:write', 1, 'group_id', $elsewhere)->[0], 'ok',
   'the device is moved');
is_deeply($s->pipe_check($p), ['forbidden'], 'he may no more');
is($s->pipe($his, $desk, auth => $given)->{reply}[0], 'not_found',
   'nor open another one');
$s->fcall('rs_device_patch', [$s->{key}, "dev:$desk", 'grps', 'gdev'],
          'devices:write', 2, 'group_id', $group);
is($s->pipe_check($p)->[0], 'ok', 'it is back');
$s->fcall('rs_grant_delete', [$s->{key}, 'grants'], 'grants:write', $grant);
is_deeply($s->pipe_check($p), ['forbidden'], 'the grant is gone');
$s->fcall('rs_key_revoke', [$s->{key}, $given, 'keys'], 'keys:write',
          $given_id);
is_deeply($s->pipe_check($p), ['unauthenticated'], 'the key is gone');


# a user whose tokens are void

my $usr = random_id('usr_');
my %ana = (kind => 'user', id => $usr, name => 'Ana', iat => time() - 5,
           subjects => ["user:$usr"], granted => [],
           tenant => ['tunnels:read', 'tunnels:write', 'tunnels:use', 'devices:read']);
my $as = sub { RS::Schema::caller_json(%ana, verb => $_[0]) };
my $hers = $s->tunnel($dev, auth => "usr:$usr", scope => $as->('tunnels:write'));

$p = $s->pipe($hers, $dev, auth => "usr:$usr", scope => $as->('tunnels:use'),
              ends => time() + 100);
is($s->pipe_check($p)->[0], 'ok', 'a user');
cmp_ok($s->pipe_check($p)->[1], '<=', time() + 100, 'until the token ends');
$s->fcall('rs_user_revoke', [$s->{key}, "usr:$usr", "uses:$usr",
                             "uin:$usr"], 'users:write', 'all');
is_deeply($s->pipe_check($p), ['unauthenticated'], 'signed out');


# an API key's end is a pipe's

my ($short) = $s->api_key('*', 'short', expires_at => time() + 50);
my $brief = $s->tunnel($dev, auth => $short);

cmp_ok(RS::Schema::obj($redis->call('HGETALL', $s->key(
    "pip:" . $s->pipe($brief, $dev, auth => $short)->{id})))->{ends_at}, '<=',
    time() + 50, 'a key that ends');


# bounds

gone($_) for @{ $redis->call('ZRANGE', $s->key("dtun:$dev"), 0, -1) };
is($redis->call('ZCARD', $s->key("dtun:$dev")), 0, 'all are deleted');

my @few = map { $s->tunnel($dev, max => 2) } 1 .. 3;

like($few[1], qr/^tun_/, 'two tunnels of a device');
is($few[2], 'limit_reached', 'and no third one');
is($s->tunnel($dev, quota => 2), 'limit_reached', 'nor of a tenant');
$redis->call('ZADD', $s->key("dtun:$dev"), time() - 1, $few[0]);
like($s->tunnel($dev, max => 2), qr/^tun_/, 'one that is over makes room');
is($s->pipe($few[1], $dev, max => 1)->{reply}[0], 'ok', 'one pipe');
is($s->pipe($few[1], $dev, max => 1)->{reply}[0], 'limit_reached',
   'and no second one');
$redis->call('ZADD', $s->key("pips:$few[1]"), time() - 1, $_)
    for @{ $redis->call('ZRANGE', $s->key("pips:$few[1]"), 0, -1) };
is($s->pipe($few[1], $dev, max => 1)->{reply}[0], 'ok',
   'one whose worker died makes room');


# what is deleted, and a device that is not there

is_deeply(gone($few[1]), ['ok', $dev, '', $few[1]], 'deleted');
is_deeply(gone($few[1]), ['not_found'], 'once');
is($s->exists("pips:$few[1]"), 0, 'with its pipes');
$s->offline($dev, "$W1.3");
is($s->pipe($few[0], $dev)->{reply}[0], 'device_offline', 'nobody is there');
$s->online($dev, "$W1.70");
$p = $s->pipe($few[0], $dev);

my @remove = ('rs_device_delete', [$s->{key}, "dev:$dev", 'devs', "dses:$dev",
                                   'gdev', "dtun:$dev"], 'devices:write',
              $dev, '');
my $r3 = $s->fcall(@remove);

is_deeply([sort @{ $r3->[3] }],
          [sort @{ $redis->call('ZRANGE', $s->key("dtun:$dev"), 0, -1) }],
          'a device that is removed leaves its tunnels to be ended');
is_deeply($s->pipe_check($p), ['device_removed'], 'nothing goes on');
is_deeply([sort @{ $s->fcall(@remove)->[3] }], [sort @{ $r3->[3] }],
          'and again, until they are');
gone($_) for @{ $r3->[3] };
is_deeply($s->fcall(@remove), ['not_found'], 'then it is gone');


# a session's pipe: its host and one of the others, while both are in

my $host_dev = $s->device(online => "$W1.80");
my $x = $s->session($host_dev, roles => ['controller', 'viewer']);
my $host = $s->host_join($x, "$W1.81");
my ($a, $b) = map { $s->guest_join($x, $_, "$W2.9$_") } 0, 1;
my ($ana, $bo) = @{ $x->{pars} };
my $sp = { id => random_id('pip_'), object => $x->{id} };

is_deeply($s->pipe_join($sp, $x, $ana, "$W2.1", $x->{host}), ['replaced'],
          'not its socket');
is_deeply($s->pipe_join($sp, $x, $ana, $a, $bo), ['forbidden'],
          'two guests');
is_deeply($s->pipe_join($sp, $x, $ana, $a, random_id('par_')),
          ['unknown_peer'], 'a stranger');
is_deeply($s->pipe_join($sp, $x, $ana, $a, $ana), ['unknown_peer'],
          'with itself');
is_deeply([@{ $s->pipe_join($sp, $x, $ana, $a, $x->{host}) }[0, 1]],
          ['ok', 'client'], 'a guest and the host');
is_deeply($s->pipe_join({ %$sp }, $x, $bo, $b, $x->{host}), ['conflict'],
          'the name is taken');
is_deeply([@{ $s->pipe_join($sp, $x, $x->{host}, $host, $ana) }[0, 1]],
          ['ok', 'host'], 'the host');
is_deeply($s->pipe_join({ id => random_id('pip_'), object => $x->{id} }, $x,
                        $bo, $b, $x->{host}, 1), ['limit_reached'],
          'so many of a session');
is($s->pipe_attach($sp, 'client', "$W2.100")->[2], 'session', 'it comes');
is_deeply($s->pipe_join($sp, $x, $ana, $a, $x->{host}), ['conflict'],
          'no other ticket for a side that has come');
is($s->pipe_attach($sp, 'host', "$W1.101")->[1], 'second', 'both');
is($s->pipe_check($sp, '')->[0], 'ok', 'both are in');
$s->leave($x, $ana, $a, 'away');
is($s->pipe_check($sp, '')->[0], 'ok', 'one is away');
$s->leave($x, $ana, $a, 'bye');
is_deeply($s->pipe_check($sp, ''), ['session_ended'], 'one has left');
$s->end($x);
is_deeply($s->pipe_check($sp, ''), ['session_ended'], 'all is over');
is_deeply($s->pipe_join({ id => random_id('pip_'), object => $x->{id} }, $x,
                        $bo, $b, $x->{host}), ['session_ended'],
          'and none can be had');

$s->check_catalogue();

done_testing();
