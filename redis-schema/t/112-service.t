#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Services: devices of another kind, how busy they are, and who gets the next
# session.

use strict;
use warnings;

use FindBin;
use JSON::PP qw(decode_json);
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $w = 'n1.0.00000000000000aa';
my $other = 'n2.1.00000000000000bb';


sub get {
    my ($dev) = @_;

    return RS::Schema::obj($s->fcall('rs_device_get', [$s->{key}, "dev:$dev"],
                                     'devices:read')->[1]);
}


# A renderer that is here and has said so.

sub renderer {
    my ($address, @places) = @_;
    my $dev = $s->device(kind => 'renderer', online => $address);

    is_deeply($s->load($dev, $address, @places), ['ok', 'renderer'],
              'a renderer');

    return $dev;
}


sub delete_device {
    my ($dev) = @_;

    return $s->fcall('rs_device_delete',
                     [$s->{key}, "dev:$dev", 'devs', "dses:$dev", 'gdev',
                      "dtun:$dev", 'svcs'], 'devices:write', $dev, '')->[0];
}


# kinds

my $e = $s->enrollment(kind => 'recorder');

is(RS::Schema::obj($s->fcall('rs_enrollment_get', [$s->{key}, "enr:$e->{id}"],
                             'enrollments:read')->[1])->{kind},
   'recorder', 'an enrolment has a kind');
is_deeply($s->fcall('rs_device_create',
                    ["enr:$e->{id}", 'dev:' . random_id('dev_'), 'devs',
                     'grps', 'gdev', 'audit'],
                    $e->{secret}, random_id('dev_'), 'cHVi', 'r', '{}', 0, '',
                    ''),
          ['enrollment_invalid'], 'a gateway of before enrols desktops alone');

my $desktop = $s->device(online => "$w.1");

is_deeply([@{ get($desktop) }{qw(kind load)}], ['desktop', ''], 'a desktop');
is_deeply($s->load($desktop, "$w.1", 1, 0, 0, 0), ['conflict'],
          'which has no places');
$redis->call('HDEL', $s->key("dev:$desktop"), 'kind', 'load');
is(get($desktop)->{kind}, 'desktop', 'as one of before is');
$s->dies_like(qr/"printer" is no kind/, 'no other kind', 'rs_service_place',
              ['svcs'], 'printer', 0, 4, '');


# a service is no host of a session that names it

my $one = renderer("$w.2", 2, 0, 0, 1);

is_deeply($s->fcall(@{ $s->session_call($one)->{call} }), ['invalid_value'],
          'a renderer is not asked into a session by its name');
is_deeply(decode_json(get($one)->{load}),
          { capacity => 2, used => 0, queued => 0, queue => 1 },
          'what it said is known');


# what it says is taken of its socket alone

is_deeply($s->load($one, "$w.3", 9, 0, 0, 0), ['replaced'],
          'not of a socket that is none any more');
is_deeply($s->load(random_id('dev_'), "$w.2", 1, 0, 0, 0), ['not_found'],
          'nor of nobody');
is_deeply($s->load($one, "$w.2", 999999, 0, 0, 1), ['ok', 'renderer'],
          'more places than there can be');
is(decode_json(get($one)->{load})->{capacity}, 1000, 'are fewer');
$s->load($one, "$w.2", 2, 0, 0, 1);


# the one with the most places

is_deeply($s->place(kind => 'recorder'), ['device_offline'],
          'no service of another kind');
is_deeply($s->place(), ['ok', [$one, "$w.2"]], 'the only one');

my $two = renderer("$w.4", 3, 0, 0, 0);
my $never = $s->device(kind => 'renderer', online => "$w.5");

is_deeply($s->place(), ['ok', [$two, "$w.4", $one, "$w.2"]],
          'the one with more places first; none that has not spoken');
is_deeply($s->place(count => 1), ['ok', [$two, "$w.4"]], 'so many at most');
is_deeply($s->place(without => $two), ['ok', [$one, "$w.2"]], 'but this one');
$s->load($two, "$w.4", 3, 1, 0, 0);

my %first;

$first{ $s->place(by => $_)->[1][0] }++ for 1 .. 10;
is_deeply(\%first, { $one => 5, $two => 5 }, 'equals take turns');

$s->load($two, "$w.4", 3, 3, 0, 0);
is_deeply($s->place(), ['ok', [$one, "$w.2"]],
          'one without a place and a queue gets none');
$s->load($one, "$w.2", 2, 2, 0, 1);
is_deeply($s->place(), ['ok', [$one, "$w.2"]], 'one may wait');
$s->load($one, "$w.2", 2, 2, 1, 1);
is_deeply($s->place(), ['renderers_full'], 'all are full');
is_deeply($s->place(without => $one), ['renderers_full'],
          'also when one is left out');


# an answer that is owed

my $ses = random_id('ses_');
my $now = time();

$s->load($one, "$w.2", 1, 0, 0, 0);
$redis->call('HSET', $s->key('svcs'), $one,
             "renderer $w.2 1 0 0 0 $ses\@" . ($now + 60));
is_deeply($s->place(), ['renderers_full'], 'what was given counts');
is_deeply($s->taken($one, random_id('ses_')), ['ok', 'stale'],
          'another answer');
is_deeply($s->taken($one, $ses), ['ok', 'taken'], 'its answer');
is_deeply($s->taken($one, $ses), ['ok', 'stale'], 'which comes once');
is_deeply($s->place(), ['ok', [$one, "$w.2"]], 'then what it says counts');
$redis->call('HSET', $s->key('svcs'), $one,
             "renderer $w.2 1 0 0 0 $ses\@" . ($now - 1));
is_deeply($s->place(), ['ok', [$one, "$w.2"]],
          'and without an answer for long, too');
is_deeply($s->taken(random_id('dev_'), $ses), ['ok', 'stale'],
          'an answer of nobody');


# it goes

is_deeply($s->offline($one, "$w.2"), ['ok', 'gone', [], $one], 'one goes');
is_deeply([@{ get($one) }{qw(owner load)}], ['', ''], 'and says nothing more');
$s->load($two, "$w.4", 3, 3, 0, 0);
is_deeply($s->place(), ['renderers_full'], 'it is not here');
$s->offline($two, "$w.4");
is_deeply($s->place(), ['device_offline'], 'nobody is');
$s->online($one, "$w.6");
is_deeply($s->place(), ['device_offline'], 'here, it has to speak first');
$s->load($one, "$w.6", 1, 0, 0, 0);
is_deeply($s->place(), ['ok', [$one, "$w.6"]], 'it speaks');

# its sockets go in another order than they came

$s->online($one, "$w.7");
is_deeply($s->offline($one, "$w.7"), ['ok', 'gone', [], $one],
          'the next one is gone before it spoke');
is_deeply($s->place(), ['device_offline'], 'what the one before said as well');
is_deeply($s->offline($one, "$w.6"), ['ok', 'stale'], 'that is the older one');

$s->online($one, "$w.8");
$s->load($one, "$w.8", 1, 0, 0, 0);
$s->online($one, "$other.9");
is_deeply($s->offline($one, "$w.8"), ['ok', 'stale'],
          'the one that spoke is gone, the next one is here');
is_deeply($s->place(), ['device_offline'], 'and has to speak first');
$s->load($one, "$other.9", 1, 0, 0, 0);
$s->offline($one, "$w.8");
is_deeply($s->place(), ['ok', [$one, "$other.9"]], 'then it counts');
$s->online($one, "$w.10");
is_deeply($s->fcall('rs_device_offline', ["dev:$one", "own:$other", 'svcs',
                                          "dses:$one"], $other, 1),
          ['ok', 'stale'], 'where it spoke is a worker that died');
is_deeply($s->place(), ['device_offline'], 'the same');

# two machines with one key: it is nowhere

my $n = 20;

$redis->call('HDEL', $s->key("dev:$one"), 'flaps', 'flaps_at');

for (1 .. 8) {
    my $r = $s->online($one, "$w." . $n++);

    last if $r->[0] ne 'ok';

    $s->load($one, "$w." . ($n - 1), 1, 0, 0, 0);
}

is($redis->call('HGET', $s->key("dev:$one"), 'owner'), '', 'quarantine');
$s->offline($one, "$w." . ($n - 2));
is_deeply($s->place(), ['device_offline'], 'nothing is given to it');
$redis->call('HDEL', $s->key("dev:$one"), 'quarantine');
is(delete_device($one), 'ok', 'removed');
is_deeply($s->place(), ['device_offline'], 'it is gone');
is($redis->call('HEXISTS', $s->key('svcs'), $one), 0, 'without a trace');


# no more than 64 of a kind

delete_device($_) for $two, $never;
$s->device(kind => 'renderer') for 1 .. 64;

eval { $s->device(kind => 'renderer') };
like($@, qr/limit_reached/, '65 renderers are too many');
like($s->device(kind => 'recorder'), qr/^dev_/, 'a recorder is not');
like($s->device(), qr/^dev_/, 'nor a desktop');


delete_device($_) for @{ $redis->call('HKEYS', $s->key('svcs')) };
is($redis->call('EXISTS', $s->key('svcs')), 0, 'all are removed');

$s->check_catalogue();

done_testing();
