#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Watching: tickets, what a caller may see, and what is told of each change.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $listener = $s->subscribe('rs:watch');


# what is told of a call

sub told {
    my ($what, $name) = @_;

    is_deeply([map { "@$_" } $listener->got()], $what, $name);
}


sub ticket {
    my ($auth, $ends, $verb) = @_;
    my $hash = RS::Schema::hash();
    my $r = $s->fcall('rs_watch_create', [$auth, "wat:$hash"],
                      $verb // 'devices:read', 60, $ends // '');

    return $r->[0] eq 'ok' ? $hash : $r;
}


# a ticket is good once, by either of its hashes

my $none = RS::Schema::hash();
my $t = ticket($s->{key}, 1790000000);

cmp_ok(abs($s->ttl("wat:$t") - 59), '<=', 2, 'a ticket');
is_deeply($s->fcall('rs_watch_open', ["wat:$none", "wat:$none"]),
          ['unauthenticated'], 'another one');

my $open = $s->fcall('rs_watch_open', ["wat:$none", "wat:$t"]);
my ($hash) = $s->{key} =~ /^key:(.*)$/;

is_deeply([@$open[0 .. 2], $open->[4]], ['ok', 'key', $hash, 1790000000],
          'whose it is, and until when');
is_deeply($s->fcall('rs_watch_open', ["wat:$t", "wat:$none"]),
          ['unauthenticated'], 'it is used up');

# what he may see is asked with the caller of the ticket

is_deeply($s->fcall('rs_watch_check', [$s->{key}], $open->[3]),
          ['ok', $s->{key_id}, '*', '*', ''], 'all of the tenant');

my ($group, $other) = map { $s->group(name => $_) } 'one', 'two';
my ($given, $given_id) = $s->api_key('devices:read sessions:read', 'given',
                                     granted => 1);
my $check = sub { [@{ $s->fcall('rs_watch_check', [$given],
                                'devices:read') }[2, 3]] };

is_deeply($check->(), ['', ''], 'nothing granted yet');

my $grant = $s->grant("key:$given_id", $group, 'devices:read');

is_deeply($check->(), [$group, ''], 'devices of a group');
$s->grant("key:$given_id", $other, 'devices:read sessions:read');
is_deeply([map { CORE::join(' ', sort split(/ /, $_)) } @{ $check->() }],
          [CORE::join(' ', sort $group, $other), $other], 'and of another');
$s->grant("key:$given_id", '*', 'sessions:read');
is($check->()[1], '*', 'of all groups');

is_deeply(ticket((($s->api_key('ice', 'ice'))[0])), ['forbidden'],
          'who may see no devices watches none');

my ($short) = $s->api_key('devices:read', 'short',
                          expires_at => time() + 100);

cmp_ok(abs($s->fcall('rs_watch_check', [$short], 'devices:read')->[4]
           - time() - 100), '<', 5, 'a key that ends');
is_deeply($s->fcall('rs_watch_check', ['key:' . RS::Schema::hash()],
                    'devices:read'), ['unauthenticated'], 'one that is gone');

# what is told

$listener->got();

my $dev = $s->device();

told(["default dev $dev - new"], 'a new device');

my $at = $s->address();

$s->online($dev, $at);

told(["default dev $dev - online"], 'it comes');
$s->fcall('rs_device_patch', [$s->{key}, "dev:$dev", 'grps', 'gdev'],
          'devices:write', 1, 'group_id', $group);
told(["default dev $dev - gone", "default dev $dev $group changed"],
     'it goes to a group: who saw it before is told, too');
$s->fcall('rs_device_patch', [$s->{key}, "dev:$dev", 'grps', 'gdev'],
          'devices:write', 2, 'name', 'x');
told(["default dev $dev $group changed"], 'its name');

my $x = $s->session($dev);

told(["default ses $x->{id} $group new"], 'a session');
$s->host_join($x, $s->address());
like("@{ ($listener->got())[-1] }", qr/^default ses $x->{id} $group changed$/,
     'the host joins');
$s->end($x);
told(["default ses $x->{id} $group ended"], 'its end');
$s->offline($dev, $at);
told(["default dev $dev $group offline"], 'the device goes');
$s->offline($dev, $at);
told([], 'once');

$s->fcall('rs_device_delete', [$s->{key}, "dev:$dev", 'devs', "dses:$dev",
                               'gdev'], 'devices:write', $dev, '');
told(["default dev $dev $group gone"], 'it is removed');

# rights

$s->fcall('rs_grant_delete', [$s->{key}, 'grants'], 'grants:write', $grant);
told(['default who - - changed'], 'a grant goes');
$s->fcall('rs_grant_delete', [$s->{key}, 'grants'], 'grants:write', $grant);
told([], 'once');
$s->fcall('rs_key_delete', [$given, 'keys']);
told(['default who - - changed'], 'a key goes');

my $user = 'usr:' . random_id('usr_');

$s->fcall('rs_user_revoke', [$s->{key}, $user, 'uses:x', 'uin:x'],
          'users:write', 'all');
told(['default who - - changed'], "a user's tokens are void");

done_testing();
