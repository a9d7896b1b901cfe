#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Sessions that are kept: the recorder that is asked in, what waits for it, all
# ways to lose it, and the catalogue of what was kept.

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
my $own = "own:$w";
my @here = map { $s->subscribe($_) } $w, $other;

my $desk = $s->device(name => 'desk', online => "$w.1");
my $rec = recorder("$w.7", 4);

got();


sub got { return map { $_->got() } @here }


sub recorder {
    my ($address, $places) = @_;
    my $id = $s->device(name => 'recorder', kind => 'recorder',
                        online => $address);

    $s->load($id, $address, $places, 0, 0, 0);

    return $id;
}


sub obj { return { @{ $_[0] } } }


sub ask {
    my ($recording, %opt) = @_;

    return $s->session($opt{dev} // $desk, roles => ['controller', 'viewer'],
                       desktop => "0 both both 1 $recording", %opt);
}


sub refused {
    my ($recording, %opt) = @_;

    return $s->fcall(@{ $s->session_call($opt{dev} // $desk,
                        desktop => "0 both both 1 $recording")->{call} })
             ->[0];
}


sub ses { return ($s->get($_[0]))[0] }


# the recorder's worker was told; asks for what it is to be invited with

sub invite {
    my ($x, $dev, $address) = @_;
    my $tkt = RS::Schema::hash();
    my $r = $s->fcall('rs_invite', ["ses:$x->{id}", "par:$x->{id}",
                                    "mem:$x->{id}", "dses:$dev", "tkt:$tkt",
                                    'rses'],
                      $address, $dev, 60, 'recorder');

    return $r->[0] if $r->[0] ne 'ok';

    return { tkt => $tkt, par => obj($r->[2])->{id},
             role => obj($r->[2])->{role} };
}


sub join_by {
    my ($x, $i, $address) = @_;

    return $s->fcall('rs_join', ["tkt:$i->{tkt}", "ses:$x->{id}",
                                 "par:$x->{id}", "mem:$x->{id}",
                                 "log:$x->{id}", own($address),
                                 "tkt:$i->{tkt}", 'audit'],
                     $address, RS::Schema->REPLID, RS::Schema::hash(),
                     1 << 20, 120000, '192.0.2.1', 'r', 3000, 15000);
}


sub own { return 'own:' . ($_[0] =~ s/\.[^.]*$//r) }


sub begin {
    my ($x, $dev, $id) = @_;

    return $s->fcall('rs_recording_begin',
                     ["ses:$x->{id}", "par:$x->{id}", "mem:$x->{id}",
                      "log:$x->{id}", "rec:$id", 'recs', 'recx', 'audit'],
                     $dev, $id, RS::Schema->REPLID);
}


sub whole { return map { "$_:$_[0]{id}" } qw(ses par mem log) }


sub leave {
    my ($x, $par, $address, $mode) = @_;

    return $s->fcall('rs_leave', [whole($x), own($address), 'turn', 'trev',
                                  'svcs', 'rses'],
                     $par, $address, $mode, RS::Schema->REPLID, 1 << 20,
                     3000);
}


sub lost {
    my ($x, $par, $list) = @_;

    return $s->fcall('rs_lost', [whole($x), $list // $own, 'turn', 'trev',
                                 'svcs', 'rses'],
                     $par, RS::Schema->REPLID);
}


sub failed {
    my ($x, $dev, $why) = @_;

    return $s->fcall('rs_recorder_failed',
                     [whole($x), $own, 'turn', 'trev', 'svcs', 'rses'],
                     $dev, $why, RS::Schema->REPLID);
}


sub ended {
    my ($x, $dev, $id, $reason, %opt) = @_;

    return $s->fcall('rs_recording_end', ["rec:$id", "ses:$x->{id}", 'rses',
                                          'audit'],
                     $dev, $reason, $opt{ms} // 1500, 9000,
                     $opt{sha256} // 'a' x 64, 0, '');
}


sub signal {
    my ($x, $par, $address, $id, $to) = @_;

    return $s->fcall('rs_append', ["ses:$x->{id}", "mem:$x->{id}",
                                   "log:$x->{id}"],
                     $par, $address, $id, $to, '{}', RS::Schema->REPLID,
                     1 << 20, 1)->[0];
}


# what was told: kinds and bodies

sub told {
    return map { my $e = $_; $e->{kind} eq 'evt'
                 ? do { my $b = decode_json($e->{body});
                        $b->{type} eq 'state'
                        ? "state $b->{session_state} "
                          . ($b->{recording} // '-') : $b->{type} }
                 : $e->{kind} eq 'end' ? 'end '
                   . decode_json($e->{body})->{reason}
                 : "$e->{kind} $e->{to}" . ($e->{body} ? " $e->{body}" : '') }
           got();
}


# what a recorder that is here again has

sub given {
    my $r = $s->fcall_ro('rs_recorder_work', ["dev:$rec", 'rses', "rdel:$rec"],
                         "$w.7", 100, '');

    return @{ $r->[1] };
}


# until it records: the host is here at the worker $w, and so is the recorder

sub recorded {
    my ($recording, $n, %opt) = @_;
    my $x = ask($recording, %opt);
    my $i = invite($x, $opt{rec} // $rec, $opt{at} // "$w.7");

    $x->{host_at} = $s->host_join($x);
    $x->{rec_at} = "$w.9$n";
    $x->{rec} = $i->{par};
    join_by($x, $i, $x->{rec_at});
    $x->{guest_at} = $s->guest_join($x, 0);
    $x->{rid} = 'rec_' . substr(random_id('rec_'), 4);
    begin($x, $opt{rec} // $rec, $x->{rid});
    got();

    return $x;
}


# no recorder

my $plain = ask('- -');

is_deeply([@{ ses($plain) }{qw(state rec_state rec_id)}],
          ['waiting_host', '', ''], 'not kept');
is($redis->call('EXISTS', $s->key('rses')), 0, 'and nobody is asked');
$s->end($plain);
got();

$s->offline($rec, "$w.7");
is(refused('required end'), 'recorder_offline', 'required, and there is none');
is(ses(ask('optional -'))->{rec_state}, '', 'optional: it goes without');
$s->online($rec, "$w.7");
is(refused('required end'), 'recorder_offline',
   'one that has not said its load');
$s->load($rec, "$w.7", 1, 1, 0, 0);
is(refused('required end'), 'recorder_offline', 'one without a place');
$s->load($rec, "$w.7", 1, 0, 0, 5);
got();

my $first = ask('required end');

is_deeply([grep { /^inv/ } told()], ["inv $w.1", "inv $w.7"],
          'device and recorder are asked in');
is(ses($first)->{rec_state}, 'waiting', 'it waits');
is(refused('required end'), 'recorder_offline',
   'its queue is none: the place is taken until it answered');
$s->load($rec, "$w.7", 8, 0, 0, 0);

my $second = recorder("$other.7", 8);

got();
is(ask('optional -') && (grep { /^inv/ } told())[1], "inv $other.7",
   'the one with the most free places');
$s->offline($second, "$other.7");
got();


# it is asked in

is(invite($first, random_id('dev_'), "$w.7"), 'not_found', 'not for others');
is($s->fcall('rs_invite', ["ses:$first->{id}", "par:$first->{id}",
                           "mem:$first->{id}", "dses:$rec",
                           'tkt:' . RS::Schema::hash()], "$w.7", $rec,
             60)->[0], 'not_found', 'a worker of before says no recorder in');

my $i = invite($first, $rec, "$w.7");

is($i->{role}, 'recorder', 'as what');
is(invite($first, $rec, "$w.7")->{par}, $i->{par}, 'again: the same one');
is(scalar(() = $s->get($first)), 5, 'one participant is made');


# the host comes: nobody but the two may say anything

my $host = $s->host_join($first);

is_deeply([grep { /^state/ } told()], ['state waiting_recorder waiting'],
          'it waits for the recorder');
is(ses($first)->{state}, 'waiting_recorder', 'the state');

my $ana = $s->guest_join($first, 0);
my $ben = $s->guest_join($first, 1);
my ($a, $b) = @{ $first->{pars} };

$i = invite($first, $rec, "$w.7");
my $at = "$w.91";

is(join_by($first, $i, $at)->[0], 'ok', 'the recorder comes');
is(invite($first, $rec, "$w.7"), 'conflict', 'and is not asked again');
cmp_ok($redis->call('ZSCORE', $s->key($own), "p.$first->{id}.$i->{par}"), '==',
       -3000, 'its grace is its own');
cmp_ok($redis->call('ZSCORE', $s->key($own), "p.$first->{id}.$a"), '<=',
       -100000, 'not that of others');

for my $case (['a controller', $a, $ana, $first->{host}, 'not_recorded'],
              ['a viewer', $b, $ben, $first->{host}, 'not_recorded'],
              ['all', $a, $ana, '', 'not_recorded'],
              ['a controller to the recorder', $a, $ana, $i->{par},
               'not_recorded'],
              ['two guests', $a, $ana, $b, 'not_recorded'],
              ['the host to a guest', $first->{host}, $host, $a,
               'not_recorded'],
              ['the host to all', $first->{host}, $host, '', 'not_recorded'],
              ['the recorder to all', $i->{par}, $at, '', 'not_recorded'],
              ['the recorder to a guest', $i->{par}, $at, $a,
               'not_recorded'],
              ['the recorder to the host', $i->{par}, $at, $first->{host},
               'ok'],
              ['the host to the recorder', $first->{host}, $host, $i->{par},
               'ok'])
{
    my ($name, $par, $address, $to, $want) = @$case;

    is(signal($first, $par, $address, 1, $to), $want, "$name: $want");
}

sub pipe_join {
    my ($x, $par, $address, $with) = @_;

    return $s->fcall('rs_pipe_join', ['pip:' . random_id('pip_'),
                                      "ses:$x->{id}", "par:$x->{id}",
                                      "mem:$x->{id}", "pips:$x->{id}"],
                     $par, $address, $with, RS::Schema::hash(), 60, 60,
                     16)->[0];
}

is(pipe_join($first, $a, $ana, $first->{host}), 'not_recorded',
   'nor by a pipe');
is(pipe_join($first, $i->{par}, $at, $first->{host}), 'ok',
   'but the recorder may');

got();
$s->fcall('rs_state', [whole($first)], $i->{par}, $at,
          '{"kind":"relay"}', RS::Schema->REPLID, 1 << 20);
is(ses($first)->{state}, 'waiting_recorder',
   'that it sees the host is no session of anybody\'s');
is(ses($first)->{path}, '', 'nor the path of the session');
got();


# it records

my $id = 'rec_' . 'a' x 26;

is(begin($first, random_id('dev_'), $id)->[0], 'not_found',
   'another device has no such session');
is_deeply(begin($first, $rec, $id), ['ok', 'begun', 'connecting'], 'begun');
is_deeply([told()], ['state connecting on'], 'everybody is told');
is_deeply([@{ ses($first) }{qw(state rec_state rec_id)}],
          ['connecting', 'on', $id], 'so is who asks');
is_deeply(begin($first, $rec, $id), ['ok', 'again', 'connecting'],
          'said again');
is(begin($first, $rec, 'rec_' . 'b' x 26)->[0], 'conflict',
   'one recording at a time');
is(signal($first, $a, $ana, 1, $first->{host}), 'ok', 'who waited goes on');

$s->fcall('rs_state', [whole($first)], $i->{par}, $at, '{"kind":"relay"}',
          RS::Schema->REPLID, 1 << 20);
is(ses($first)->{state}, 'connecting', 'the recorder makes nothing active');
$s->fcall('rs_state', [whole($first)], $a, $ana, '{"kind":"direct"}',
          RS::Schema->REPLID, 1 << 20);
is_deeply([@{ ses($first) }{qw(state path)}], ['active', '{"kind":"direct"}'],
          'a guest does');

sub stream {
    my ($key, @names) = @_;

    return map { my %e = @{ $_->[1] }; join ' ', map { $e{$_} } @names }
           @{ $redis->call('XRANGE', $s->key($key), '-', '+') };
}

is(scalar(grep { $_ eq 'recording.started' } stream('ev', 't')), 1,
   'one event of it');
ok((grep { $_ eq "device recording:begin $id" }
    stream('audit', 'actor', 'verb', 'object')), 'a line of the audit');


# guests go: host and recorder do not keep it alive

leave($first, $b, $ben, 'bye');
is(ses($first)->{state}, 'active', 'one guest is left');
got();
leave($first, $a, $ana, 'bye');
is_deeply([@{ ses($first) }{qw(state end_reason rec_state rec_id)}],
          ['ended', 'left', 'off', $id], 'the last one ends it');
ok((grep { $_ eq 'recording.stopped' } stream('ev', 't')), 'which is told');

is_deeply(ended($first, $rec, $id, 'ended'), ['ok', 'kept'],
          'what the recorder says of it later');
is(ended($first, random_id('dev_'), $id, 'ended')->[0], 'not_found',
   'not another one');
ok((grep { $_ eq 'recording.kept' } stream('ev', 't')), 'told, too');
unlike($redis->call('HGET', $s->key('rses'), $rec) // '', qr/$first->{id}/,
       'the recorder has it no more');


# lost: as its policy has it

my $x = recorded('required end', 2);

is_deeply(leave($x, $x->{rec}, $x->{rec_at}, 'away'), ['ok', 'away', $desk],
          'its socket is away');
is(ses($x)->{state}, 'connecting', 'nothing yet');
is(lost($x, $x->{rec})->[1], 'stale', 'it is not due');
sub overdue {
    my ($y, $par) = @_;

    $redis->call('ZADD', $s->key($own), 1, "p.$y->{id}.$par");
}
overdue($x, $x->{rec});
got();
is(lost($x, $x->{rec})->[1], 'ended', 'it is lost');
is_deeply([@{ ses($x) }{qw(end_reason end_detail)}],
          ['recorder_lost', 'lost'], 'which ends it');
ok((grep { $_ eq 'end recorder_lost' } told()), 'for all');
is(ended($x, $rec, $x->{rid}, 'lost')->[1], 'kept', 'what there is is kept');
is(obj($s->fcall('rs_recording_get', [$s->{key}, "rec:$x->{rid}", 'svcs'],
                 'recordings:read')->[1])->{state}, 'incomplete',
   'and is not all of it');

$x = recorded('required end', 3);
is(leave($x, $x->{rec}, $x->{rec_at}, 'lost')->[1], 'ended',
   'a silent one is lost at once');

$x = recorded('required end', 3);
is(leave($x, $x->{rec}, $x->{rec_at}, 'bye')->[1], 'ended',
   'so is one that goes');

$x = recorded('required end', 4);
is(ended($x, $rec, $x->{rid}, 'disk_full')->[1], 'live',
   'one that stops is to be told');
got();
is_deeply(failed($x, $rec, 'disk_full'), ['ok', 'ended', $desk, ''],
          'and ends it');
is(ses($x)->{end_detail}, 'disk_full', 'with its word');
ok((grep { $_ eq "fen $x->{rec_at} replaced" } told()), 'its socket is closed');
is(failed($x, $rec, 'disk_full')->[0], 'session_ended', 'once');

for my $recording ('required mark', 'optional -') {
    $x = recorded($recording, 5);
    is(leave($x, $x->{rec}, $x->{rec_at}, 'lost')->[1], 'left',
       "$recording: it goes on");
    is_deeply([grep { /^(?:state|inv)/ } told()],
              ['state connecting lost', "inv $w.7"],
              'says so, and asks again');
    is(ses($x)->{rec_state}, 'lost', 'what it is');
    is(signal($x, $x->{pars}[0], $x->{guest_at}, 1, ''), 'ok',
       'nobody has to wait');

    my $new = invite($x, $rec, "$w.7");

    isnt($new->{par}, $x->{rec}, 'another participant');
    is(join_by($x, $new, "$w.96")->[0], 'ok', 'comes');
    is(begin($x, $rec, 'rec_' . substr(random_id('rec_'), 4))->[1], 'begun',
       'and records');
    is(ses($x)->{rec_state}, 'on', 'again');
    $s->end($x);
}

$x = recorded('required mark', 6);
$s->load($rec, "$w.7", 0, 0, 0, 0);
leave($x, $x->{rec}, $x->{rec_at}, 'lost');
is_deeply([grep { /^inv/ } told()], [], 'nobody has a place');
ok((grep { $_ eq $x->{id} } given()), 'it is asked when it is here again');
is($s->fcall_ro('rs_recorder_work', ["dev:$rec", 'rses', "rdel:$rec"],
                "$w.8", 100, '')->[0], 'replaced', 'not an older socket of it');
is(ref invite($x, $rec, "$w.7"), 'HASH', 'and let in');
$s->end($x);
is(invite($x, $rec, "$w.7"), 'session_ended', 'not into one that is over');
ok(!(grep { $_ eq $x->{id} } given()), 'which it has no more');
$s->load($rec, "$w.7", 8, 0, 0, 0);


# before it has begun: another one, or none

my $two = recorder("$other.7", 8);

$s->load($rec, "$w.7", 100, 0, 0, 0);
got();
$x = ask('required end');
is((grep { /^inv/ } told())[1], "inv $w.7", 'the first');
my $early = invite($x, $rec, "$w.7");
got();
is(failed($x, $rec, 'busy')->[1], 'left', 'it says no');
is_deeply([grep { /^inv/ } told()], ["inv $other.7"], 'the second');
is(failed($x, $rec, 'busy')->[0], 'not_found', 'the first has no word any more');
is(join_by($x, $early, "$w.97")->[0], 'unauthenticated',
   'nor does its ticket let it in');
is(ses($x)->{rec_state}, 'waiting', 'it waits still');
is(failed($x, $two, 'host_refused')->[1], 'ended',
   'a host that lets none in is asked by no other');
is(ses($x)->{end_reason}, 'recorder_lost', 'so it ends');

$x = ask('required end');
is(failed($x, $_, 'busy')->[1], 'left', 'round and round') for $rec, $two, $rec;
is(failed($x, $two, 'busy')->[1], 'ended', 'not for ever');
$s->offline($rec, "$w.7");
$x = ask('required end');
is(failed($x, $two, 'busy')->[1], 'ended', 'nobody else is here');

$x = ask('optional -');
$s->host_join($x);
got();
is(failed($x, $two, 'no_media')->[1], 'left', 'optional: it goes on');
is(ses($x)->{rec_state}, 'off', 'without');
is_deeply([grep { /^state/ } told()], ['state connecting off'], 'says so');

$s->offline($two, "$other.7");
$s->online($rec, "$w.7");
$s->load($rec, "$w.7", 100, 0, 0, 0);

$x = ask('required end');
$s->host_join($x);
got();
overdue($x, 'rec');
is(lost($x, 'rec')->[1], 'ended', 'one that never says that it records');
is_deeply([@{ ses($x) }{qw(end_reason end_detail)}],
          ['recorder_lost', 'timeout'], 'ends it');
ok((grep { /^rvk \Q$w\E\.7/ } told()), 'and is told');

$x = ask('required end');
$s->host_join($x);
$redis->call('ZADD', $s->key($own), 5000, "p.$x->{id}.rec");
is_deeply($s->fcall('rs_adopt', ["ses:$x->{id}", "par:$x->{id}",
                                 "mem:$x->{id}", $own, "own:$other"], 'rec',
                    1000), ['ok', 'adopted', 5000],
          'who walks a dead worker waits on');
is($redis->call('ZSCORE', $s->key("own:$other"), "p.$x->{id}.rec"), 5000,
   'as long');
lost($x, 'rec', "own:$other");
is(ses($x)->{state}, 'ended', 'and ends it');

$x = recorded('required end', 7);
overdue($x, 'rec');
is(lost($x, 'rec')->[1], 'stale', 'of one that records nothing is due');
$s->end($x);

# a recorder that was killed before its welcome is asked again

$x = ask('required end');
$s->host_join($x);
$i = invite($x, $rec, "$w.7");
join_by($x, $i, "$w.98");
got();
is(leave($x, $i->{par}, "$w.98", 'undone')->[1], 'left', 'undone');
is(ses($x)->{rec_state}, 'waiting', 'it waits');
is_deeply([grep { /^inv/ } told()], ["inv $w.7"], 'and it is asked');
$s->end($x);


# it takes nobody's place

$x = $s->session($desk, roles => ['controller', 'viewer'], max_par => 3,
                 desktop => '0 both both 1 required end');
$i = invite($x, $rec, "$w.7");
$s->host_join($x);
$s->guest_join($x, $_) for 0, 1;
is($s->fcall('rs_participant_add',
             [$s->{key}, "ses:$x->{id}", "par:$x->{id}",
              'idem:' . RS::Schema::hash(), 'tkt:' . RS::Schema::hash(),
              'uin:'], 'sessions:write', random_id('par_'), 'viewer', '', '',
             60, '')->[0], 'participants_full', 'three are all');
is(join_by($x, $i, "$w.97")->[0], 'ok', 'but the recorder comes');
$s->end($x);


# consent that is asked for meanwhile

$x = ask('required end', consent => 'required');
$s->host_join($x);
$i = invite($x, $rec, "$w.7");
join_by($x, $i, "$w.99");
sub consent {
    my ($what) = @_;

    return $s->fcall('rs_session_consent',
                     ["ses:$x->{id}", "mem:$x->{id}", "log:$x->{id}", 'audit'],
                     $x->{pars}[0], $what, $desk, RS::Schema->REPLID)->[1];
}
is(consent('waiting'), 'waiting_recorder', 'consent is asked for');
is(begin($x, $rec, 'rec_' . 'c' x 26)->[2], 'waiting_consent',
   'and waited for, when it records');
is(consent('given'), 'connecting', 'given');
$s->end($x);


# one that is removed leaves its sessions

sub removed {
    my ($dev) = @_;

    return $s->fcall('rs_device_delete',
                     [$s->{key}, "dev:$dev", 'devs', "dses:$dev", 'gdev',
                      "dtun:$dev", 'svcs', 'rses'], 'devices:write', $dev, '');
}

my $old = recorder("$w.60", 500);

$x = recorded('required mark', 5, rec => $old, at => "$w.60");

my @had = ($x, map { ask("$_ -") } qw(optional optional));
my $late = invite($had[2], $old, "$w.60");

got();
is_deeply(removed($old)->[4], [map { $_->{id} } @had], 'it is told which');
is_deeply([told()], ["fen $w.60 device_removed"], 'its channel is closed');
is_deeply(removed($old)->[4], [map { $_->{id} } @had], 'again');
is(failed($x, $old, 'device_removed')->[1], 'left', 'one that it recorded');
is_deeply([grep { /^(?:fen|inv|state)/ } told()],
          ["fen $x->{rec_at} replaced", 'state connecting lost', "inv $w.7"],
          'it sees it no more, another one is asked in');
is(signal($x, $x->{rec}, $x->{rec_at}, 1, $x->{host}), 'replaced',
   'nor says a word');
is($redis->call('HGET', $s->key("ses:$x->{id}"), 'rec_dev'), $rec,
   'it is the other one\'s');
is_deeply(removed($old)->[4], [map { $_->{id} } @had[1, 2]],
          'what is left is not forgotten');
is(failed($_, $old, 'device_removed')->[1], 'left', 'one that it had not yet')
    for @had[1, 2];
is(join_by($had[2], $late, "$w.61")->[0], 'unauthenticated',
   'for which it has a ticket');
is_deeply(removed($old), ['not_found'], 'that was all');
$s->end($_) for @had;

$s->offline($rec, "$w.7");
$old = recorder("$w.62", 1);
$x = recorded('required mark', 6, rec => $old, at => "$w.62");
removed($old);
failed($x, $old, 'device_removed');
is(ses($x)->{rec_state}, 'lost', 'nobody else is here');
is_deeply(removed($old), ['not_found'], 'it is nobody\'s all the same');
is(invite($x, $old, "$w.62"), 'not_found', 'and not to come back');
$s->end($x);
$s->online($rec, "$w.7");
$s->load($rec, "$w.7", 100, 0, 0, 0);


# its control channel goes before it has joined

sub away {
    my ($x, $dev) = @_;

    return $s->fcall('rs_recorder_failed',
                     [whole($x), $own, 'turn', 'trev', 'svcs', 'rses'],
                     $dev, 'lost', RS::Schema->REPLID, 'away')->[1];
}

$old = recorder("$w.70", 500);
$x = ask('required end');
$i = recorded('required end', 4, rec => $old, at => "$w.70");
got();
is_deeply($s->offline($old, "$w.70"),
          ['ok', 'gone', [], $old, [$x->{id}, $i->{id}]], 'what it had');
is(away($i, $old), 'stale', 'nothing is done where it takes part');
is_deeply([told()], [], 'nor said');
$s->fcall('rs_leave', [whole($i), own($i->{rec_at}), 'turn', 'trev', 'svcs',
                       'rses'], $i->{rec}, $i->{rec_at}, 'away',
          RS::Schema->REPLID, 1 << 20, 3000);
is(away($i, $old), 'stale', 'nor while it may come back');
is(away($x, $old), 'left', 'it has not come here');
is_deeply([grep { /^inv/ } told()], ["inv $w.7"], 'the other one is asked in');
is(away($x, $old), undef, 'once');
$s->offline($rec, "$w.7");
is(away($x, $rec), 'stale', 'nobody else is here');
is(ses($x)->{rec_state}, 'waiting', 'it waits for it');
is(ref invite($x, $rec, "$w.7"), 'HASH', 'who comes back');
$s->online($old, "$w.71");
$s->load($old, "$w.71", 500, 0, 0, 0);
$redis->call('HSET', $s->key("ses:$x->{id}"), 'rec_tries', 3);
is(away($x, $rec), 'stale', 'not for ever');
$redis->call('HSET', $s->key("ses:$x->{id}"), 'rec_tries', 2);
is(away($x, $rec), 'left', 'the last one');
$redis->call('HSET', $s->key("dev:$old"), 'owner', '');
is_deeply($s->offline($old, "$w.71"),
          ['ok', 'stale', [], $old, [$i->{id}, $x->{id}]],
          'what one has that is not let in any more');
is_deeply($s->offline($old, "$w.71"), ['ok', 'stale'], 'said once');
$s->end($_) for $x, $i;
$s->online($rec, "$w.7");
$s->load($rec, "$w.7", 100, 0, 0, 0);


# the catalogue

sub get {
    my ($name, $scope) = @_;
    my $r = $s->fcall('rs_recording_get', [$s->{key}, "rec:$name", 'svcs'],
                      $scope // 'recordings:read');

    return $r->[0] eq 'ok' ? obj($r->[1]) : $r->[0];
}

my $kept = get($id);

is_deeply([@{$kept}{qw(session_id device_id recorder_id state duration_ms bytes
                       sha256 gaps)}],
          [$first->{id}, $desk, $rec, 'kept', 1500, 9000, 'a' x 64, 0],
          'what was kept');
is(get('rec_' . 'z' x 26), 'not_found', 'no such one');
is($s->fcall_ro('rs_index_list', [$s->{key}, 'recs'], 'recordings:read', '',
                100)->[0], 'ok', 'a list');
is(get('rec_' . 'c' x 26)->{state}, 'recording', 'one that is written');
$s->offline($rec, "$w.7");
is(get('rec_' . 'c' x 26)->{state}, 'incomplete',
   'unless the recorder is away');
$s->online($rec, "$w.7");
$s->load($rec, "$w.7", 100, 0, 0, 0);


# how much the call writes: what is not written, no replica confirms

sub written {
    my ($call) = @_;
    my $info = 'rdb_changes_since_last_save';
    my @n = map {
        $call->() if $_;
        $redis->call('INFO', 'persistence') =~ /$info:(\d+)/;
        $1;
    } 0, 1;

    return $n[1] - $n[0];
}


# what it ended with stays

my @said = (scalar stream('audit', 'verb'), scalar stream('ev', 't'));

is_deeply(ended($first, $rec, $id, 'lost', ms => 7), ['ok', 'kept'],
          'the end, said again');
is_deeply(get($id), $kept, 'changes nothing');
ok(written(sub { ended($first, $rec, $id, 'lost', ms => 7) }),
   'but is written once more');
is_deeply([scalar stream('audit', 'verb'), scalar stream('ev', 't')], \@said,
          'and is told to nobody');
is_deeply(ended($first, $rec, $id, 'ended', sha256 => 'b' x 64),
          ['conflict'], 'another recording in its place');
is_deeply(get($id), $kept, 'is not taken');
is_deeply([(stream('audit', qw(actor actor_id verb object outcome reason
                               detail)))[-1]],
          ["device $rec recording:end $id deny conflict $first->{id} sha256 "
           . 'b' x 64], 'which the audit has');
is(scalar stream('ev', 't'), $said[1], 'and no event');

$x = recorded('required end', 9);
is(ended($x, $rec, $x->{rid}, 'disk_full')->[1], 'live', 'it stopped');
is(ended($x, $rec, $x->{rid}, 'disk_full')->[1], 'live',
   'said again before it was told: it is to be told still');
is(ended($x, $rec, $x->{rid}, 'ended', sha256 => 'b' x 64)->[0], 'conflict',
   'one that was cut short becomes no whole one');
is(get($x->{rid})->{state}, 'incomplete', 'later, either');
$s->end($x);


sub open_it {
    my ($name, %opt) = @_;
    my $tun = random_id('tun_');
    my $pip = random_id('pip_');
    my $r = $s->fcall('rs_recording_open',
                      [$opt{key} // $s->{key}, "rec:$name", "tun:$tun",
                       'tuns', 'tunx', "dev:$rec", "dtun:$rec", "pips:$tun",
                       "pip:$pip"],
                      'recordings:read', $tun, $rec, 600, 8, 0,
                      RS::Schema::hash(), 60, '', '');

    return wantarray ? ($r, $tun, $pip) : $r->[0];
}

got();
my ($r, $tun, $pip) = open_it($id);

is($r->[0], 'ok', 'opened');
is_deeply([map { "$_->{kind} $_->{session} $_->{body}" } got()],
          ["pip $pip open {\"recording\":\"$id\"}"], 'the recorder is asked');
ok((grep { $_ eq "recordings:read $id allow" }
    stream('audit', 'verb', 'object', 'outcome')), 'the audit has it');
is($s->fcall('rs_pipe_open', [$s->{key}, "tun:$tun", 'pip:'
                              . random_id('pip_'), "dev:$rec", "pips:$tun"],
             'tunnels:use', RS::Schema::hash(), 60, '', '', 8)->[0],
   'conflict', 'it has the one pipe');
is($s->fcall('rs_pipe_refuse', ["pip:$pip", "tun:$tun", "dev:$rec",
                                "pips:$tun", 'audit', 'tuns', 'tunx',
                                "dtun:$rec"],
             "$w.7", 'forbidden', 'no')->[1], 'refused', 'the recorder may not');
is($redis->call('EXISTS', $s->key("tun:$tun")), 0, 'then it is over');
is(open_it('rec_' . 'c' x 26), 'conflict', 'not while it is written');

sub delete_it {
    my ($name, $dev) = @_;

    return $s->fcall('rs_recording_delete', [$s->{key}, "rec:$name", 'svcs',
                                             'rdel:' . ($dev // $rec)],
                     'recordings:delete', $dev // $rec);
}

sub gone {
    my ($name, $dev) = @_;

    return $s->fcall('rs_recording_gone', ["rec:$name", 'recx',
                                           'rdel:' . ($dev // $rec), 'audit'],
                     $dev // $rec);
}

is(delete_it('rec_' . 'c' x 26)->[0], 'conflict', 'nor deleted');
is(delete_it($id, random_id('dev_'))->[0], 'not_found',
   'not of another recorder');
got();
is_deeply(delete_it($id), ['ok', 'asked'], 'its recorder is asked');
is_deeply([told()], ["rec $w.7 delete"], 'at once');
is(open_it($id), 'conflict', 'nobody opens it any more');
is_deeply($s->fcall_ro('rs_recorder_work', ["dev:$rec", 'rses', "rdel:$rec"],
                       "$w.7", 100, '')->[2], [$id], 'or when it is here');
is(gone($id, $desk)->[0], 'not_found', 'not by another device');
$redis->call('ZADD', $s->key("rdel:$rec"), 1, $id);
is_deeply(gone($id), ['ok', 'gone'], 'it is gone');
is_deeply(gone($id), ['ok', 'again'], 'said again');
ok(written(sub { gone($id) }), 'it is written once more, too');
is(get($id)->{state}, 'gone', 'which is known');
is_deeply(delete_it($id), ['ok', 'gone'], 'and need not be asked for');
is(open_it($id), 'conflict', 'there is nothing to open');
is_deeply($s->fcall_ro('rs_recorder_work', ["dev:$rec", 'rses', "rdel:$rec"],
                       "$w.7", 100, '')->[2], [], 'nothing is left to do');
cmp_ok($s->ttl("rec:$id"), '<=', 2592000, 'for 30 days');
is(ended($first, $rec, $id, 'ended')->[1], 'kept', 'said late');
is(ended($first, $rec, $id, 'ended', sha256 => 'b' x 64)->[0], 'conflict',
   'another one, later still');
is(get($id)->{state}, 'gone', 'it stays gone');

$redis->call('ZADD', $s->key('recx'), 1, $id);
$x = recorded('required end', 8);
ok(!defined $redis->call('ZSCORE', $s->key('recs'), $id),
   'those leave the list');
$s->end($x);


# what is too much for one reply is asked for in parts

{
    my $much = recorder("$w.70", 100);
    my $rdel = $s->key("rdel:$much");
    my @doomed = sort map { random_id('rec_') } 1 .. 9;
    my @ses = map { random_id('ses_') } 1 .. 5;
    my $new = random_id('rec_');
    my $til = time() + 60;
    my (@parts, $last);

    $redis->call('ZADD', $rdel, $_ < 2 ? 7 : 8, $doomed[$_]) for 0 .. 8;
    $redis->call('HSET', $s->key('rses'), $much,
                 join ' ', map { "$_\@$til" } @ses);

    do {
        my $r = $s->fcall_ro('rs_recorder_work',
                             ["dev:$much", 'rses', "rdel:$much"], "$w.70", 4,
                             $last // '');

        push @parts, $r;
        $last = $r->[3];

        # the last one that was told is gone, and a new one comes

        $redis->call('ZREM', $rdel, $r->[2][-1]) if @parts == 1;
        $redis->call('ZADD', $rdel, 9, $new) if @parts == 1;
    } while ($last ne '' && @parts < 9);

    is_deeply([map { scalar @{ $_->[1] } } @parts], [4, 1, 0], 'sessions');
    is_deeply([sort map { @{ $_->[1] } } @parts], [sort @ses], 'each once');
    is_deeply([map { $_->[2] } @parts],
              [[@doomed[0 .. 3]], [@doomed[4 .. 7]], [$doomed[8], $new]],
              'deletions, those of one instant, too');
    $redis->call('HDEL', $s->key('rses'), $much);
}


# rights

for my $scope (qw(sessions:read tunnels:use *)) {
    my ($key) = $s->api_key($scope, 'k', granted => $scope eq '*' ? 1 : '');

    is($s->fcall('rs_recording_get', [$key, "rec:$x->{rid}", 'svcs'],
                 'recordings:read')->[0], 'forbidden',
       "by $scope" . ($scope eq '*' ? ', granted' : ''));
    is(scalar open_it($x->{rid}, key => $key), 'forbidden', 'nor opened');
}

$s->check_catalogue();

done_testing();
