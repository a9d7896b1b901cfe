#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Sessions: created, repeated, listed, read, ended; one more participant.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $w = 'n1.0.00000000000000aa';
my $dev = $s->device(online => "$w.1", name => 'reception');
my $sub = $s->subscribe($w);


# create

my $x = $s->session_call($dev, roles => ['controller', 'viewer'],
                         body => 'body', external_id => 'T-1',
                         reason => "no \xe2\x82\xac", metadata => '{"a": 1}',
                         relay_only => 1, ttl_s => 100,
                         retain_s => 50);
my $r = $s->fcall(@{ $x->{call} });
my $now = $r->[2];
my @ses = (
    id => $x->{id}, kind => 'device', state => 'waiting_host',
    device_id => $dev, host_par => $x->{host},
    policy => '{"relay_only":true,"consent":"none","view_only":false,'
              . '"clipboard":"both","files":"both","sound":true}', external_id => 'T-1',
    reason => "no \xe2\x82\xac", metadata => '{"a": 1}', created_at => $now,
    expires_at => $now + 100, ended_at => '', end_reason => '',
    end_detail => '', path => '', pos => '', group_id => '', user_id => '',
    control => '{"holder":null,"requests":[],"locked":false}',
    host => '', queue => '',
    rec_state => '', rec_id => '', rec_par => '',
);


sub par {
    my ($id, $role, $name, $ext, $moderator) = @_;

    return [id => $id, role => $role, name => $name, external_id => $ext,
            state => 'invited', joined_at => '', left_at => '', path => '',
            moderator => $moderator // '', guest => ''];
}


my @asked = (par($x->{pars}[0], 'controller', 'Ana', 'ext', 1),
             par($x->{pars}[1], 'viewer', 'Ana', 'ext'));

cmp_ok(abs($now - time()), '<', 60, 'now is now');
is_deeply($r, ['ok', 'created', $now, "$w.1", \@ses, $s->{key_id}, \@asked],
          'created');
is_deeply([$sub->got()],
          [{ version => 'rs1', kind => 'inv', tenant => 'default',
             session => $x->{id}, position => '-', from => '-', to => "$w.1",
             id => '-', body => '', fields => 8 }],
          'the device is asked in, once');
is_deeply($s->fcall_ro('rs_session_get', [$s->{key}, "ses:$x->{id}",
                                          "par:$x->{id}", "use:$x->{id}"],
                       'sessions:read'),
          ['ok', \@ses, [par($x->{host}, 'host', 'reception', ''), @asked],
           []],
          'read back, the host first');

for my $k ("ses:$x->{id}", "par:$x->{id}") {
    cmp_ok(abs($s->ttl($k) - 149), '<=', 2, "$k: life and retain");
}

cmp_ok(abs($s->ttl("tkt:$_") - 59), '<=', 2, 'a ticket')
    for @{ $x->{tickets} };
cmp_ok(abs($s->ttl("idem:$x->{idem}") - 86399), '<=', 2, 'a day');
is($s->redis()->call('ZSCORE', $s->key("dses:$dev"), $x->{id}), $now + 100,
   'the device has it');

# repeated

$r = $s->fcall(@{ $x->{call} });
is_deeply($r, ['ok', 'repeated', $r->[2], "$w.1", \@ses, $s->{key_id},
               \@asked], 'repeated: the same');
is_deeply([$sub->got()], [], 'the device is not asked twice');

my $y = $s->session_call($dev, roles => ['controller', 'viewer'],
                         body => 'body', idem => $x->{idem});

is_deeply($s->fcall(@{ $y->{call} }), ['ok', 'repeated', $x->{id}],
          'with another id: the first one\'s');
is($s->exists("ses:$y->{id}"), 0, 'and nothing is made');

my @retry = ('rs_session_retry',
             [$s->{key}, "ses:$x->{id}", "par:$x->{id}",
              map { "tkt:$_" } @{ $y->{tickets} }], 'sessions:write', 2);

$r = $s->fcall(@retry, 60, 70);
is_deeply($r, ['ok', 'repeated', $r->[2], "$w.1", \@ses, $s->{key_id},
               \@asked], 'retry: the first ones');
cmp_ok(abs($s->ttl("tkt:$y->{tickets}[1]") - 69), '<=', 2, 'new tickets');
is($s->join($x, $y->{tickets}[1], "$w.5")->[2], $x->{pars}[1],
   'a new ticket is the same participant');
is($s->join($x, $x->{tickets}[1], "$w.6")->[2], $x->{pars}[1],
   'the first one counts still');
is_deeply([map { "$_->{to} $_->{body}" } grep { $_->{kind} eq 'fen' }
           $sub->got()], ["$w.5 replaced"], 'and fences the other');
is_deeply($s->fcall($retry[0], [@{ $retry[1] }[0 .. 3]], 'sessions:write', 1,
                    60),
          ['idempotency_mismatch'], 'retry for another number of them');

my $other = $s->session_call($dev, body => 'other', idem => $x->{idem});

is_deeply($s->fcall(@{ $other->{call} }), ['idempotency_mismatch'],
          'another body');

# refusals

my $none = $s->session_call(random_id('dev_'), body => 'b');

is_deeply($s->fcall(@{ $none->{call} }), ['not_found'], 'no such device');
is($s->exists("idem:$none->{idem}"), 0, 'a refusal is not remembered');

my $off = $s->device();

is_deeply($s->fcall(@{ $s->session_call($off)->{call} }), ['device_offline'],
          'a device that is off line');

my $before = $s->dump();

is_deeply($s->fcall(@{ $s->session_call($dev, roles => [('viewer') x 16])
                       ->{call} }), ['participants_full'],
          '16 and the host are too many');
is($s->dump(), $before, 'refused: nothing written');
is($s->fcall(@{ $s->session_call($dev, roles => [('viewer') x 15])
                ->{call} })->[0], 'ok', '15 and the host are not');
is($s->fcall(@{ $s->session_call($dev, roles => [])->{call} })->[0], 'ok',
   'nor nobody but the host');

my $busy = $s->device(online => "$w.2");
my @live = map { $s->session($busy) } 1 .. 64;

is_deeply($s->fcall(@{ $s->session_call($busy)->{call} }), ['limit_reached'],
          '64 live sessions of one device');
$s->redis()->call('ZADD', $s->key("dses:$busy"), time() - 1, $live[3]{id});
is($s->fcall(@{ $s->session_call($busy)->{call} })->[0], 'ok',
   'one that is over makes room');
is($s->fcall('rs_device_unlink', ["dses:$busy", 'uses:'], $live[0]{id})->[0], 'ok',
   'unlinked');
is($s->fcall(@{ $s->session_call($busy)->{call} })->[0], 'ok', 'so does that');


# one more participant

sub add {
    my ($ses, $id, $idem, $body, %opt) = @_;

    return $s->fcall('rs_participant_add',
                     [$s->{key}, "ses:$ses", "par:$ses", "idem:$idem",
                      'tkt:' . ($opt{tkt} // RS::Schema::hash()), 'uin:'],
                     'sessions:write', $id, 'viewer', 'Bo', 'e', 60, $body);
}

my ($p, $idem) = (random_id('par_'), RS::Schema::hash());
my $tkt = RS::Schema::hash();

$r = add($x->{id}, $p, $idem, 'body', tkt => $tkt);
is_deeply($r, ['ok', 'created', par($p, 'viewer', 'Bo', 'e'), $r->[3]],
          'one more');
cmp_ok(abs($r->[3] - time() - 60), '<=', 2, 'its ticket\'s end');
is_deeply(add($x->{id}, $p, $idem, 'body')->[2], $r->[2], 'repeated');
is_deeply(add($x->{id}, random_id('par_'), $idem, 'body'),
          ['ok', 'repeated', $p], 'with another id: the first one\'s');
is_deeply(add($x->{id}, $p, $idem, 'other'), ['idempotency_mismatch'],
          'another body');

my @again = ('rs_participant_retry', [$s->{key}, "ses:$x->{id}",
                                      "par:$x->{id}", "tkt:$tkt"], '');

is_deeply($s->fcall(@again, $p, 60)->[2], $r->[2], 'retry');
is_deeply($s->fcall(@again, random_id('par_'), 60), ['not_found'],
          'retry of nobody');
is_deeply(add(random_id('ses_'), $p, RS::Schema::hash(), ''), ['not_found'],
          'no such session');
is(($s->get($x))[4]{id}, $p, 'is the last in the list');

my $z = $s->session($dev, max_par => 3);

is(add($z->{id}, random_id('par_'), $idem, '')->[0], 'ok', 'the third of three');
is_deeply(add($z->{id}, random_id('par_'), $idem, ''), ['participants_full'],
          'the fourth');

# an invitation that lapsed frees its place; four times max_par is the end

sub lapse {
    my ($ses, $par) = @_;
    my $key = $s->key("par:$ses");
    my $json = $s->redis()->call('HGET', $key, $par);

    $json =~ s/"until":"\d+"/"until":"1"/ or die $json;
    $s->redis()->call('HSET', $key, $par, $json);
}

my @lapsed = ($z->{pars}[0]);
my $last;

for (4 .. 12) {
    lapse($z->{id}, shift @lapsed);
    $last = add($z->{id}, random_id('par_'), $idem, '');
    last if $last->[0] ne 'ok';
    push @lapsed, RS::Schema::obj($last->[2])->{id};
}

is($last->[0], 'ok', 'nine more, each after another lapsed');
lapse($z->{id}, $lapsed[0]);
is_deeply(add($z->{id}, random_id('par_'), $idem, ''), ['participants_full'],
          'twelve in the life of a session of three');

# nor does one who is in, or away, whatever became of the ticket

my $in = $s->session($dev, max_par => 3, roles => ['viewer', 'viewer']);
my @at = map { $s->guest_join($in, $_, "$w.3$_") } 0, 1;

lapse($in->{id}, $_) for @{ $in->{pars} };
$s->leave($in, $in->{pars}[0], $at[0], 'away');
is_deeply(add($in->{id}, random_id('par_'), $idem, ''),
          ['participants_full'], 'one in, one away: no place');
$s->leave($in, $in->{pars}[0], $at[0], 'lost');
is(add($in->{id}, random_id('par_'), $idem, '')->[0], 'ok',
   'who left makes room');

my $kept = $s->session($dev, max_par => 2);

lapse($kept->{id}, $kept->{pars}[0]);
is($s->fcall('rs_participant_retry', [$s->{key}, "ses:$kept->{id}",
             "par:$kept->{id}", 'tkt:' . RS::Schema::hash()], '',
             $kept->{pars}[0], 60)->[0], 'ok', 'one lapsed is asked again');
is_deeply(add($kept->{id}, random_id('par_'), $idem, ''),
          ['participants_full'], 'and has its place again');

# a retried ticket of one who lapsed does not bring a fourth in

my $full = $s->session($dev, max_par => 3, roles => ['viewer', 'viewer']);
my $more = RS::Schema::hash();
my $late = RS::Schema::hash();

lapse($full->{id}, $full->{pars}[0]);
is(add($full->{id}, random_id('par_'), RS::Schema::hash(), '',
       tkt => $more)->[0], 'ok', 'one lapsed, one more');
is($s->fcall('rs_participant_retry', [$s->{key}, "ses:$full->{id}",
             "par:$full->{id}", "tkt:$late"], '', $full->{pars}[0], 60)->[0],
   'ok', 'the lapsed one gets a ticket after all');
$s->host_join($full);
$s->guest_join($full, 1);
is($s->join($full, $more, "$w.40")->[0], 'ok', 'three are in');
is_deeply($s->join($full, $late, "$w.41"), ['participants_full'],
          'the fourth is not let in');


# end

sub ended {
    return map { [$_->{kind}, $_->{position}, $_->{to}, $_->{body}] }
           grep { $_->{kind} =~ /^(?:end|rvk)$/ } $sub->got();
}

$sub->got();
is_deeply($s->end($x, reason => 'deleted', detail => 'why'),
          ['ok', 'ended', $dev, ''], 'ended');
is_deeply([ended()],
          [['end', '1-2', '-', '{"type":"ended","reason":"deleted"}'],
           ['rvk', '-', "$w.1", 'deleted']],
          'members and the device that did not come are told, once');
is_deeply([$s->writes(sub { $s->end($x, reason => 'policy') })],
          [1, ['ok', 'already', $dev]],
          'again: a write, for replicas to confirm');
is_deeply([ended()], [], 'told nothing');

my ($ses, @par) = $s->get($x);

is_deeply([@$ses{qw(state end_reason end_detail pos)}],
          ['ended', 'deleted', 'why', '1-2'], 'is so');
cmp_ok(abs($ses->{ended_at} - time()), '<', 60, 'since now');
is_deeply([map { $_->{state} } @par], [qw(invited invited left invited)],
          'who was in has left');
is($par[2]{left_at}, $ses->{ended_at}, 'at the end');

for my $k ("ses:$x->{id}", "par:$x->{id}", "mem:$x->{id}") {
    cmp_ok($s->ttl($k), '<=', 50, "$k: kept for retain");
}

cmp_ok($s->ttl("log:$x->{id}"), '<=', 60, 'the log for a minute at most');

is_deeply(add($x->{id}, random_id('par_'), $idem, ''), ['session_ended'],
          'no more participants');
is_deeply($s->fcall(@again, $p, 60), ['session_ended'], 'nor tickets');
is_deeply($s->fcall(@retry, 60, 60), ['session_ended'], 'nor retries');
is_deeply($s->fcall(@{ $x->{call} }), ['session_ended'], 'nor repeats');
is_deeply($s->join($x, $x->{tickets}[0], "$w.9"), ['session_ended'],
          'a ticket is of no use');

my $gone = $s->session_call($dev, body => 'b');

$s->fcall(@{ $gone->{call} });
$s->redis()->call('DEL', map { $s->key($_) } "ses:$gone->{id}",
                  "par:$gone->{id}");
is_deeply($s->fcall(@{ $gone->{call} }), ['session_ended'],
          'repeated when it is gone');
is_deeply($s->end({ id => random_id('ses_') }), ['not_found'],
          'no such session');

my $v = $s->session($dev);

is_deeply($s->end($v, scope => '', dev => random_id('dev_')), ['not_found'],
          'not this device\'s session');
is(($s->get($v))[0]{state}, 'waiting_host', 'goes on');
is_deeply($s->end($v, scope => '', dev => $dev, reason => 'consent_denied'),
          ['ok', 'ended', $dev, ''], 'the host\'s device ends it');

my $moved = $s->session($dev);

$s->invite($moved, RS::Schema::hash(), "$w.77");
$sub->got();
$s->end($moved);
is_deeply([map { "$_->[0] $_->[2]" } ended()], ['rvk '. "$w.77"],
          'the socket that was asked in last is told');

my $h = $s->session($dev);

$s->host_join($h, "$w.50");
$sub->got();
$s->end($h);
is_deeply([map { $_->[0] } ended()], ['end'],
          'a host that joined is told by the log alone');

# expired

my $e = $s->session($dev);

$s->expire($e);
($ses, @par) = $s->get($e);
is_deeply([@$ses{qw(state end_reason ended_at)}],
          ['ended', 'expired', $ses->{expires_at}], 'expired');
is_deeply([$s->writes(sub { $s->end($e) })], [1, ['ok', 'already', $dev]],
          'has ended already: a write, too');
is(($s->get($e))[0]{end_reason}, 'expired', 'for the same reason as before');
is_deeply(add($e->{id}, random_id('par_'), $idem, ''), ['session_ended'],
          'takes nobody');

# ids of another kind are no sessions with participants

my $turn = $s->turn_session()->{id};

($ses) = $s->get({ id => $turn });
is_deeply([@$ses{qw(kind state device_id)}], ['turn', 'active', ''],
          'can be read');
is_deeply(add($turn, $p, RS::Schema::hash(), ''), ['not_found'],
          'takes no participant');


# another tenant

my $foreign = bless { %$s, tenant => 'other' }, 'RS::Schema';

$foreign->{key} = 'key:' . RS::Schema::hash();
$foreign->redis()->call('FCALL', 'rs_key_put', 1,
                        $foreign->key($foreign->{key}), random_id('key_'),
                        'spy', '*', '', '');

is($foreign->get($h), undef, 'a foreign session is not there');
is_deeply($foreign->end($v), ['not_found'], 'cannot be ended');
is_deeply($foreign->fcall(@{ $foreign->session_call($dev)->{call} }),
          ['not_found'], 'a foreign device neither');
is_deeply($foreign->join($h, $h->{tickets}[0], "$w.60"), ['unauthenticated'],
          'a foreign ticket neither');

$s->check_catalogue();

done_testing();
