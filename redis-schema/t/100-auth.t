#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# API keys: who may call, and what a missing scope or a revoked key gives.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $dev = $s->device(online => $s->address());
my $x = $s->session($dev);
my $e = $s->enrollment();
my ($ses, $enr) = ($x->{id}, $e->{id});
my ($some, $some_id) = $s->api_key("ice devices:read", 'some');
my $absent = 'key:' . RS::Schema::hash();

is_deeply($s->fcall('rs_auth', [$s->{key}], 'sessions:write'),
          ['ok', $s->{key_id}, 'console', ['*'], [], []], 'a key with *');
is_deeply($s->fcall('rs_auth', [$some], 'ice'),
          ['ok', $some_id, 'some', ['devices:read', 'ice'], [], []],
          'a key with this scope');
is($s->fcall('rs_auth', [$some], 'devices:read')->[1], $some_id,
   'and with the other');
is_deeply($s->fcall('rs_auth', [$absent], ''), ['ok', '', '', [], [], []],
          'the gateway itself: the key is not read');

for my $scope ('devices:write', 'devices', 'devices:rea', '*', 'ic', '.*') {
    is_deeply($s->fcall_ro('rs_auth', [$some], $scope), ['forbidden'],
              "a key without $scope");
}

# each function that takes a key, with one that is unknown and one too weak

my @idem = ('idem:' . RS::Schema::hash());
my $par = random_id('par_');
my $tkt = 'tkt:' . RS::Schema::hash();
my @calls = (
    ['rs_auth', [], 'sessions:write'],
    ['rs_index_list', ['sess'], 'sessions:read', '', 10],
    ['rs_session_retry', ["ses:$ses", "par:$ses", $tkt], 'sessions:write', 1,
     60],
    ['rs_session_get', ["ses:$ses", "par:$ses", "use:$ses"],
     'sessions:read'],
    ['rs_session_end', [RS::Schema::ses_keys($ses), 'turn'], 'sessions:write',
     'deleted', '', '', ''],
    ['rs_participant_add', ["ses:$ses", "par:$ses", @idem, $tkt, 'uin:'],
     'sessions:write', $par, 'viewer', '', '', 60, ''],
    ['rs_participant_retry', ["ses:$ses", "par:$ses", $tkt],
     'sessions:write', $x->{pars}[0], 60],
    ['rs_turn_session', ['ses:' . random_id('ses_'), 'turn'],
     'sessions:write', '', 60, 60, '', 0],
    ['rs_turn_revoke', ["ses:$ses", "par:$ses", 'turn', 'trev'],
     'sessions:write', '', '', $x->{pars}[0]],
    ['rs_enrollment_create', ["enr:$enr", 'enrs', @idem, 'enrx', 'grps'],
     'enrollments:write', $enr, 'x', 1, 60, '', '', 'auto', '', 0, ''],
    ['rs_enrollment_renew', ["enr:$enr"], 'enrollments:write', 'x'],
    ['rs_enrollment_get', ["enr:$enr"], 'enrollments:read'],
    ['rs_enrollment_delete', ["enr:$enr", 'enrs', 'enrx'], 'enrollments:write', $enr],
    ['rs_device_get', ["dev:$dev"], 'devices:read:'],
    ['rs_device_patch', ["dev:$dev", 'grps', 'gdev'], 'devices:write', 1, 'name', 'x'],
    ['rs_device_delete', ["dev:$dev", 'devs', "dses:$dev", 'gdev'], 'devices:write',
     $dev, ''],
);

my $before = $s->dump();

for my $call (@calls) {
    my ($name, $keys, @argv) = @$call;

    is_deeply($s->fcall($name, [$absent, @$keys], @argv), ['unauthenticated'],
              "$name: unknown key");
    is_deeply($s->fcall($name, [$some, @$keys], @argv), ['forbidden'],
              "$name: scope not held");
}

for my $opt ([auth => $absent, 'unauthenticated'], [auth => $some, 'forbidden']) {
    my $c = $s->session_call($dev, $opt->[0] => $opt->[1]);

    is_deeply($s->fcall(@{ $c->{call} }), [$opt->[2]],
              "rs_session_create: $opt->[2]");
}

is($s->dump(), $before, 'nothing was written by any of them');

is_deeply($s->fcall('rs_key_delete', [$some, 'keys']), ['ok'], 'key deleted');
is_deeply($s->fcall_ro('rs_auth', [$some], 'ice'), ['unauthenticated'],
          'its next call is refused');
is_deeply($s->fcall('rs_key_delete', [$some, 'keys']), ['not_found'],
          'deleted again');
is_deeply($s->fcall_ro('rs_key_list', ['keys']),
          ['ok', [[$s->{key_id}, $s->{key} =~ s/^key://r]]], 'and not listed');
is_deeply($s->fcall_ro('rs_key_get', [$some]), ['not_found'], 'nor read');
is($s->ttl($s->{key}), -1, 'a key lives for ever');

my $k = RS::Schema::obj($s->fcall_ro('rs_key_get', [$s->{key}])->[1]);

is_deeply([@$k{qw(id name scopes)}], [$s->{key_id}, 'console', '*'],
          'a key, read');
cmp_ok(abs($k->{created_at} - time()), '<', 60, 'made now');

is_deeply($s->fcall('rs_key_put', [$some], $some_id, 'bare', 'ice', '', ''),
          ['ok'],
          'a key that is not listed');
is($s->fcall_ro('rs_auth', [$some], 'ice')->[0], 'ok', 'works');
is_deeply($s->fcall('rs_key_delete', [$some]), ['ok'], 'and goes');

# the list is bounded

$s->redis()->call('HSET', $s->key('keys'),
                  map { (random_id('key_'), 'x') } 1 .. 999);
is_deeply($s->fcall('rs_key_put', [$some, 'keys'], $some_id, 'x', '*', '',
                    ''),
          ['limit_reached'], 'a thousand keys are enough');
is_deeply($s->fcall('rs_key_put', [$s->{key}, 'keys'], $s->{key_id}, 'new',
                    '*', '', ''), ['ok'], 'one of them can be renamed');

done_testing();
