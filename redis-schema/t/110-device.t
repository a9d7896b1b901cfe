#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Enrolments and devices: made, read, changed, removed, on and off line.

use strict;
use warnings;

use FindBin;
use JSON::PP qw(decode_json);
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $w1 = 'n1.0.00000000000000aa';
my $w2 = 'n2.0.00000000000000bb';


my $grp = $s->group();


sub create {
    my ($id, $secret, $idem, $body, %opt) = @_;

    return $s->fcall('rs_enrollment_create',
                     [$s->{key}, "enr:$id", 'enrs', "idem:$idem", 'enrx',
                      'grps'],
                     'enrollments:write', $id, $secret, $opt{uses} // 1,
                     $opt{ttl_s} // 3600, $grp, '["a","b"]', 'auto', $body,
                     0, '');
}


sub enrol {
    my ($enr, $secret, $dev) = @_;

    return $s->fcall('rs_device_create', ["enr:$enr", "dev:$dev", 'devs',
                                          'grps', 'gdev', 'audit'],
                     $secret, $dev, 'cHVi', 'desk', '{"os":"linux"}', 0, '',
                     '');
}


sub uses {
    my ($enr) = @_;

    return RS::Schema::obj($s->fcall_ro('rs_enrollment_get',
                                        [$s->{key}, "enr:$enr"], '')->[1])
           ->{uses};
}


# enrolments

my ($id, $secret, $idem) = (random_id('enr_'), map { RS::Schema::hash() } 1, 2);
my $r = create($id, $secret, $idem, 'body');
my $now = RS::Schema::obj($r->[2])->{created_at};

is_deeply([@$r[0, 1], @{ $r->[2] }],
          ['ok', 'created', id => $id, max_uses => 1, uses => 0,
           expires_at => $now + 3600, created_at => $now, group_id => $grp,
           tags => '["a","b"]', approval => 'auto', kind => 'desktop'],
          'an enrolment');
cmp_ok(abs($now - time()), '<', 60, 'made now');
cmp_ok($s->ttl("enr:$id"), '>', 7190, 'kept for an hour after its end');
cmp_ok($s->ttl("idem:$idem"), '>', 86390, 'its Idempotency-Key for a day');
is($s->ttl('enrs'), -1, 'the index for ever');

my $again = create($id, 'new', $idem, 'body');

is_deeply($again, ['ok', 'repeated', $r->[2]], 'repeated: the same');
is(enrol($id, $secret, random_id('dev_'))->[0], 'enrollment_invalid',
   'the first secret is replaced');
is_deeply(create(random_id('enr_'), 'x', $idem, 'body'),
          ['ok', 'repeated', $id], 'repeated with another id: the first one');
is_deeply(create($id, 'x', $idem, 'other'), ['idempotency_mismatch'],
          'another body');
is_deeply($s->fcall('rs_enrollment_renew', [$s->{key}, "enr:$id"],
                    'enrollments:write', $secret), ['ok', $r->[2]],
          'renewed: the new secret counts');
is_deeply($s->fcall_ro('rs_enrollment_get', [$s->{key}, "enr:$id"],
                       'enrollments:read'), ['ok', $r->[2]], 'read');

for my $f (['rs_enrollment_renew', 'x'], ['rs_enrollment_get']) {
    my ($name, @argv) = @$f;

    is_deeply($s->fcall($name, [$s->{key}, 'enr:' . random_id('enr_')], '',
                        @argv), ['not_found'], "$name: unknown");
}


# devices

my $dev = random_id('dev_');

is_deeply(enrol(random_id('enr_'), $secret, $dev), ['enrollment_invalid'],
          'unknown enrolment');
is_deeply(enrol($id, 'wrong', $dev), ['enrollment_invalid'], 'wrong secret');
is(uses($id), 0, 'a refusal is no use');

$r = enrol($id, $secret, $dev);
$now = RS::Schema::obj($r->[1])->{created_at};

my @fresh = (id => $dev, name => 'desk', tags => '["a","b"]',
             group_id => $grp, meta => '{"os":"linux"}',
             public_key => 'cHVi', created_at => $now);

is_deeply($r, ['ok', [@fresh, connected_at => '', last_seen_at => '',
                      agent => '', owner => '', version => 1, epoch => 0,
                      enrollment_id => $id, key_history => '', old_key => '',
                      kind => 'desktop', load => '']],
          'a device');
is_deeply([$s->ttl("dev:$dev"), $s->ttl('devs')], [-1, -1], 'lives for ever');
is(uses($id), 1, 'the enrolment is used');
is_deeply(enrol($id, $secret, random_id('dev_')), ['enrollment_invalid'],
          'used up');

my $many = random_id('enr_');

create($many, $secret, RS::Schema::hash(), '', uses => 3);
is_deeply(enrol($many, $secret, $dev), ['conflict'], 'an id that is taken');
is(uses($many), 0, 'is no use either');

is_deeply([map { enrol($many, $secret, random_id('dev_'))->[0] } 1 .. 4],
          [('ok') x 3, 'enrollment_invalid'], 'three uses');

# codes: wrong ones are counted, and then the right one is none any more

my $code = $s->enrollment(tries => 3);

is_deeply(enrol($code->{id}, 'wrong', random_id('dev_')),
          ['enrollment_invalid'], 'a wrong code') for 1, 2;
is(enrol($code->{id}, $code->{secret}, random_id('dev_'))->[0], 'ok',
   'the right one at the last try');
is_deeply(enrol($code->{id}, $code->{secret}, random_id('dev_')),
          ['enrollment_invalid'], 'once');

$code = $s->enrollment(tries => 3);
enrol($code->{id}, 'wrong', random_id('dev_')) for 1 .. 3;
is_deeply(enrol($code->{id}, $code->{secret}, random_id('dev_')),
          ['enrollment_invalid'], 'after three wrong ones it is void');
is_deeply($s->fcall('rs_enrollment_create',
                    [$s->{key}, "enr:$code->{id}", 'enrs',
                     'idem:' . RS::Schema::hash(), 'enrx', 'grps'],
                    'enrollments:write', $code->{id}, RS::Schema::hash(), 1,
                    600, '', '[]', 'auto', '', 0, 5), ['conflict'],
          'nor is its id given to another one while it is there');

my $revoked = $s->enrollment();

is_deeply($s->fcall('rs_enrollment_delete',
                    [$s->{key}, "enr:$revoked->{id}", 'enrs', 'enrx'], '',
                    $revoked->{id}), ['ok'], 'revoked');
is($s->redis()->call('ZSCORE', $s->key('enrs'), $revoked->{id}), undef,
   'not listed');
is_deeply(enrol($revoked->{id}, $revoked->{secret}, random_id('dev_')),
          ['enrollment_invalid'], 'then of no use');
is_deeply([$s->writes(sub {
    $s->fcall('rs_enrollment_delete',
              [$s->{key}, "enr:$revoked->{id}", 'enrs', 'enrx'], '', $revoked->{id});
})], [1, ['not_found']], 'revoked again: a write, for replicas to confirm');
is($s->redis()->call('ZSCORE', $s->key('enrs'), $revoked->{id}), undef,
   'that leaves nothing');

my $late = $s->enrollment();

$s->redis()->call('HSET', $s->key("enr:$late->{id}"), 'expires_at', time());
is_deeply(enrol($late->{id}, $late->{secret}, random_id('dev_')),
          ['enrollment_invalid'], 'expired');


# changing

sub patch {
    return $s->fcall('rs_device_patch', [$s->{key}, "dev:$dev", 'grps',
                                         'gdev'],
                     'devices:write', @_);
}

is_deeply(RS::Schema::obj(patch(1, 'name', 'new', 'tags', '[]')->[1]),
          { %{ RS::Schema::obj($r->[1]) }, name => 'new', tags => '[]',
            version => 2 }, 'patched');
is_deeply(patch(1, 'name', 'x'), ['precondition_failed'], 'an old version');
is_deeply(patch(2, 'owner', 'x'), ['unknown_field'], 'not a field to patch');
is(RS::Schema::obj(patch(2)->[1])->{version}, 3, 'patched with nothing');
is(RS::Schema::obj($s->fcall_ro('rs_device_get', [$s->{key}, "dev:$dev"], '')
                   ->[1])->{name}, 'new', 'read back');

for my $f (['rs_device_patch', ["dev:" . random_id('dev_'), 'grps', 'gdev'], 1],
           ['rs_device_get', ["dev:" . random_id('dev_')]],
           ['rs_device_delete', ["dev:" . random_id('dev_'), 'devs',
                                 "dses:$dev", 'gdev'], $dev, ''])
{
    my ($name, $keys, @argv) = @$f;

    is_deeply($s->fcall($name, [$s->{key}, @$keys], '', @argv), ['not_found'],
              "$name: unknown");
}


# on and off line

my ($sub1, $sub2) = ($s->subscribe($w1), $s->subscribe($w2));

is_deeply($s->online($dev, "$w1.1"), ['ok', 1, []], 'on line');

my $d = RS::Schema::obj($s->fcall_ro('rs_device_get', [$s->{key}, "dev:$dev"],
                                     '')->[1]);

is_deeply([@$d{qw(owner agent epoch version)}],
          ["$w1.1", '{"version":"0.1.0"}', 1, 3], 'is seen so');
cmp_ok(abs($d->{connected_at} - time()), '<', 60, 'since now');
is_deeply([$sub1->got()], [], 'nobody was there before');

is_deeply($s->online($dev, "$w2.7"), ['ok', 2, []], 'on line elsewhere');
is_deeply([$sub1->got()],
          [{ version => 'rs1', kind => 'fen', tenant => 'default',
             session => '-', position => '-', from => '-', to => "$w1.1",
             id => '-', body => 'replaced', fields => 8 }],
          'the old socket is fenced, once');
is_deeply([$sub2->got()], [], 'the new one is not');
is_deeply($s->online($dev, "$w2.7"), ['ok', 3, []], 'again, same socket');
is_deeply([$sub2->got()], [], 'does not fence itself');
is_deeply($s->online($dev, "$w1.1", 1), ['replaced'],
          'announced again by who had it before');
is_deeply($s->online($dev, "$w1.1", 3), ['replaced'],
          'or whose place was lost by a failover');
is_deeply([$sub2->got()], [], 'that does not fence the newer one');
is($s->redis()->call('HGET', $s->key("dev:$dev"), 'owner'), "$w2.7",
   'which stays');

sub offline {
    return $s->offline($dev, @_);
}

is_deeply(offline("$w1.1"), ['ok', 'stale'], 'the fenced one does not count');
is_deeply(offline(''), ['ok', 'stale'], 'nor nobody');
is_deeply(offline("$w2.7"), ['ok', 'gone'], 'off line');
is_deeply(offline("$w2.7"), ['ok', 'stale'], 'off line again');
is_deeply($s->offline(random_id('dev_'), "$w2.7"), ['ok', 'stale'],
          'an unknown device');
is_deeply($s->online(random_id('dev_'), "$w1.2"), ['not_found'],
          'an unknown device is not on line');

$s->online($dev, "$w1.9");

my $x = $s->session($dev);
my $old = $s->session($dev);

$s->redis()->call('ZADD', $s->key("dses:$dev"), time() - 1, $old->{id});
is_deeply($s->online($dev, "$w1.10"), ['ok', 5, [$x->{id}]],
          'back on line: its live sessions');
$sub1->got();

# its key

my $own = $s->address();

$s->online($dev, $own);

sub rotate {
    my ($from, $to, %opt) = @_;

    return $s->fcall('rs_device_rotate', ["dev:$dev", 'audit'],
                     $opt{address} // $own, $from, $to, "sig-$to",
                     '192.0.2.7');
}


sub fields {
    return RS::Schema::obj($s->fcall_ro('rs_device_get',
                                        [$s->{key}, "dev:$dev"], '')->[1]);
}


is_deeply(rotate('cHVi', 'k1', address => "$w2.99"), ['replaced'],
          'another socket than the device\'s');
is_deeply(rotate('other', 'k1'), ['conflict'], 'another key than it has');
is_deeply(rotate('cHVi', 'k1'), ['ok', 'rotated'], 'another key');
is_deeply(rotate('cHVi', 'k1'), ['ok', 'already'], 'said again');
is(fields()->{public_key}, 'k1', 'the key there is');
is(fields()->{old_key}, 'cHVi', 'and the one before');

my $line = ($s->audit())[-1];

is_deeply([@$line{qw(actor actor_id verb object outcome detail addr)}],
          ['device', $dev, 'agent:rotate', $dev, 'allow', 'cHVi -> k1',
           '192.0.2.7'], 'the audit has it');

my $key = $s->key("dev:$dev");

for my $i (2 .. 6) {
    rotate('k' . ($i - 1), "k$i");
}

is_deeply(rotate('k6', 'k7'), ['limit_reached'], 'a few in an hour');

for my $i (7 .. 10) {
    $s->redis()->call('HSET', $key, 'rotations_at', time() - 3600);
    is_deeply(rotate('k' . ($i - 1), "k$i"), ['ok', 'rotated'],
              'an hour later');
}

my $history = decode_json(fields()->{key_history});

is(scalar @$history, 8, 'eight statements are kept');
is_deeply([map { "$_->{old} $_->{new} $_->{signature}" } @$history],
          [map { "k$_ k" . ($_ + 1) . ' sig-k' . ($_ + 1) } 2 .. 9],
          'the latest ones, in order');
cmp_ok(abs($history->[7]{created_at} - time()), '<', 60, 'with their time');

sub mismatch {
    return $s->fcall('rs_device_mismatch', ["dev:$dev", 'audit'],
                     '192.0.2.9', @_);
}

my $lines = $s->audit();

is_deeply(mismatch('unknown'), ['ok', 'audited'], 'a wrong key');
is_deeply(mismatch('unknown'), ['ok', 'counted'], 'again') for 1 .. 20;
is(scalar(my @l = $s->audit()), $lines + 1, 'one line');

$line = ($s->audit())[-1];

is_deeply([@$line{qw(actor actor_id verb object outcome reason addr detail)}],
          ['unknown', '', 'agent:connect', $dev, 'deny',
           'device_key_mismatch', '192.0.2.9',
           'a key that is not this device\'s'], 'that says so');

$s->redis()->call('HSET', $key, 'mismatch_at', time() - 60);
is_deeply(mismatch('retired'), ['ok', 'audited'], 'a minute later');
is((($s->audit())[-1])->{detail},
   'the key before the last rotation, 21 times', 'with how many there were');
is_deeply($s->fcall('rs_device_mismatch', ['dev:' . random_id('dev_'),
                                           'audit'], 'x', 'unknown'),
          ['not_found'], 'of no device there is none');
is_deeply($s->fcall('rs_device_rotate', ['dev:' . random_id('dev_'), 'audit'],
                    $own, 'a', 'b', 'c', 'd'), ['not_found'], 'nor a key');

$s->online($dev, "$w1.10");
$sub1->got();

# removal

sub remove {
    return $s->fcall('rs_device_delete', [$s->{key}, "dev:$dev", 'devs',
                                          "dses:$dev", 'gdev'], 'devices:write',
                     $dev, @_);
}

is_deeply(remove('2'), ['precondition_failed'], 'an old version');
is_deeply(remove('3'), ['ok', "$w1.10", [$x->{id}]], 'removed');
is_deeply([map { "$_->{kind} $_->{to} $_->{body}" } $sub1->got()],
          ["fen $w1.10 device_removed"], 'its socket is fenced');
is($s->exists("dev:$dev"), 0, 'is gone');
is($s->redis()->call('ZSCORE', $s->key('devs'), $dev), undef, 'not listed');
is_deeply(remove('3'), ['ok', '', [$x->{id}]],
          'removed again: what is still to be ended');
is_deeply([$sub1->got()], [], 'nobody is fenced again');
$s->fcall('rs_device_unlink', ["dses:$dev", 'uses:'], $_) for $x->{id}, $old->{id};
is($s->exists("dses:$dev"), 0, 'all have ended');
is_deeply([$s->writes(sub { remove('') })], [1, ['not_found']],
          'removed again: a write, for replicas to confirm');
is($s->redis()->call('ZSCORE', $s->key('devs'), $dev), undef,
   'that leaves nothing');
is_deeply($s->online($dev, "$w1.11"), ['not_found'], 'cannot come back');

$s->check_catalogue();

done_testing();
