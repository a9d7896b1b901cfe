#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The log: append, who is told, ids, epochs, trimming, resume and range.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $w1 = 'n1.0.00000000000000aa';
my $w2 = 'n2.0.00000000000000bb';
my $w3 = 'n2.1.00000000000000cc';
my %sub = map { $_ => $s->subscribe($_) } $w1, $w2, $w3;
my $dev = $s->device(online => "$w1.1");
my ($A, $B) = ('a' x 40, 'b' x 40);


# A session with a host on w1, a controller and a viewer on w2.

sub three {
    my $x = $s->session($dev, roles => ['controller', 'viewer']);

    $x->{h} = $s->host_join($x, $s->address($w1));
    $x->{c} = $s->guest_join($x, 0, $s->address($w2));
    $x->{v} = $s->guest_join($x, 1, $s->address($w2));
    $_->got() for values %sub;

    return ($x, @{ $x->{pars} });
}


sub field {
    my ($x, $name) = @_;

    return $s->redis()->call('HGET', $s->key("ses:$x->{id}"), $name);
}


sub log_of {
    my ($x) = @_;

    return $s->redis()->call('XRANGE', $s->key("log:$x->{id}"), '-', '+');
}


sub cost {
    my ($x) = @_;
    my $sum = 0;

    for my $e (@{ log_of($x) }) {
        my %f = @{ $e->[1] };
        $sum += 64 + length CORE::join('', @f{qw(f t i b)});
    }

    return $sum;
}


# append

my ($x, $ctl, $vwr) = three();
my $body = qq({"sdp":"v=0\\r\\n \xe2\x82\xac","n":1.0});

is_deeply($s->append($x, $ctl, $x->{c}, 1, to => $x->{host}, body => $body),
          ['ok', '1-4'], 'to one');

my %want = (version => 'rs1', kind => 'sig', tenant => 'default',
            session => $x->{id}, position => '1-4', from => $ctl,
            to => $x->{host}, id => 1, body => $body, fields => 8);

is_deeply([$sub{$w1}->got()], [\%want], 'its worker is told, once');
is_deeply([$sub{$w2}->got()], [\%want],
          'and the one of the others, once for two members');
is_deeply($s->append($x, $x->{host}, $x->{h}, 1), ['ok', '1-5'], 'to all');
is(($sub{$w2}->got())[0]{to}, '-', 'names nobody');
is_deeply($s->range($x, '1-3'),
          ['ok', [['1-4', 'sig', $ctl, $x->{host}, 1, $body],
                  ['1-5', 'sig', $x->{host}, '', 1, '{"kind":"x"}']]],
          'both are in the log as they were sent');
is(field($x, 'pos'), '1-5', 'the session knows how far it is');
is(field($x, 'log_bytes'), cost($x), 'and how large');
cmp_ok(abs($s->ttl("log:$x->{id}") - $s->ttl("ses:$x->{id}")), '<=', 1,
       'the log lives as the session');

# ids

is_deeply($s->append($x, $ctl, $x->{c}, 1), ['ok', 'dup'], 'the same id');
is_deeply($s->append($x, $ctl, $x->{c}, 9), ['ok', '1-6'], 'ids may skip');
is_deeply($s->append($x, $ctl, $x->{c}, 8), ['ok', 'dup'], 'not go back');
is_deeply($s->append($x, $ctl, $x->{c}, 10), ['ok', '1-7'], 'as text, 10 > 9');
is_deeply($s->append($x, $vwr, $x->{v}, 1), ['ok', '1-8'],
          'each counts its own');
is_deeply($s->append($x, $ctl, $x->{c}, '9007199254740992'), ['ok', '1-9'],
          'up to 2^53');
is_deeply($s->append($x, $ctl, $x->{c}, '9007199254740992'), ['ok', 'dup'],
          'exactly');
$_->got() for values %sub;
$s->append($x, $vwr, $x->{v}, 1);
is_deeply([map { $_->got() } values %sub], [], 'a dup is told to nobody');

# refusals

my $before = $s->dump();

is_deeply($s->append($x, $vwr, "$w2.999", 2), ['replaced'], 'another socket');
is_deeply($s->append($x, random_id('par_'), $x->{v}, 2), ['replaced'],
          'a participant that is not in');
is_deeply($s->append($x, $vwr, $x->{v}, 2, to => random_id('par_')),
          ['unknown_peer'], 'to nobody');
is_deeply($s->append({ id => random_id('ses_') }, $vwr, $x->{v}, 2),
          ['session_ended'], 'a session that is not there');
is($s->dump(), $before, 'refused: nothing written');
is_deeply([map { $_->got() } values %sub], [], 'nor told');
is_deeply($s->append($x, $vwr, $x->{v}, 2), ['ok', '1-10'],
          'the id of a refused message is free');

my ($y, $yctl) = three();

$s->expire($y);
is_deeply($s->append($y, $yctl, $y->{c}, 1), ['session_ended'], 'expired');
($y, $yctl) = three();
$s->end($y);
is_deeply($s->append($y, $yctl, $y->{c}, 1), ['session_ended'], 'ended');


# resume

$s->leave($x, $vwr, $x->{v}, 'away');
$s->append($x, $ctl, $x->{c}, '9007199254740992');      # dup
$s->append($x, $x->{host}, $x->{h}, 2, to => $vwr, body => '1');
$s->append($x, $x->{host}, $x->{h}, 3, to => $ctl, body => '2');
$_->got() for values %sub;

my $token = $x->{resume}{ $x->{v} };
my $new = $s->address($w3);

is_deeply($s->resume($x, $vwr, RS::Schema::hash(), '1-10', $new),
          ['unauthenticated'], 'resume: wrong token');
is_deeply($s->resume($x, $ctl, $token, '1-10', $new), ['unauthenticated'],
          'resume: the token of another');
is_deeply($s->resume($x, random_id('par_'), $token, '1-10', $new),
          ['unauthenticated'], 'resume: nobody');
is_deeply($s->resume({ id => random_id('ses_') }, $vwr, $token, '1-10', $new),
          ['unauthenticated'], 'resume: a session that is not there');

for my $bad ('1-13', '2-0', '1', '', '-', '1-2-3', '1-x', '9' x 20 . '-1',
             '(1-2', '+')
{
    is_deeply($s->resume($x, $vwr, $token, $bad, $new), ['resume_too_old'],
              "resume: position \"$bad\" was never given");
}

my $r = $s->resume($x, $vwr, $token, '1-10', $new);
my ($ses, @par) = $s->get($x);

is_deeply([@$r[0, 2, 3], RS::Schema::obj($r->[4]),
           map { RS::Schema::obj($_) } @{ $r->[5] }],
          ['ok', $vwr, '1-12', $ses, @par], 'resumed');
is_deeply($r->[6], [['1-11', 'sig', $x->{host}, $vwr, 2, '1'],
                    ['1-12', 'sig', $x->{host}, $ctl, 3, '2']],
          'what was missed');
is($par[2]{state}, 'joined', 'is in again');
is_deeply([map { $_->got() } values %sub], [],
          'nobody is told; no socket to fence');
is_deeply($s->resume($x, $vwr, $token, '1-10', $new), $r,
          'the welcome may be lost: until the socket speaks, once more');
is_deeply($s->append($x, $vwr, $new, 2), ['ok', 'dup'],
          'ids go on where they were');
is_deeply($s->resume($x, $vwr, $token, '1-10', $new), ['unauthenticated'],
          'it has spoken: no more');
is_deeply($s->append($x, $vwr, $new, 3), ['ok', '1-13'], 'and further');
is(scalar($sub{$w3}->got()), 1, 'the new worker is told');

# resume of one whose socket is not known to be dead

$_->got() for values %sub;
$r = $s->resume($x, $vwr, $x->{resume}{$new}, '1-13', "$w2.77");
is_deeply($r->[6], [], 'nothing was missed');
is_deeply([map { "$_->{kind} $_->{to} $_->{body}" } $sub{$w3}->got()],
          ["fen $new replaced"], 'the old socket is fenced, once');
is_deeply([map { $_->got() } @sub{$w1, $w2}], [], 'nobody else is told');
is_deeply($s->append($x, $vwr, $new, 4), ['replaced'], 'it sends no more');

is($s->resume($x, $vwr, $x->{resume}{"$w2.77"}, '0-0', "$w2.78")->[6][0][0],
   '1-0', 'from the very start');

$s->end($x);
is_deeply($s->resume($x, $vwr, $x->{resume}{"$w2.78"}, '1-13', "$w2.79"),
          ['session_ended'], 'resume of a session that is over');
is_deeply($s->resume($x, $vwr, $token, '1-13', "$w2.79"),
          ['unauthenticated'], 'which only its participants learn');


# failover: another replication id is another epoch

($x, $ctl, $vwr) = three();
is_deeply($s->append($x, $ctl, $x->{c}, 1, replid => $B, epoch => 1),
          ['ok', 'new', 2], 'another server: what was lost comes first');
is($s->range($x, '1-3')->[1][0], undef, 'nothing was appended');
is_deeply($s->append($x, $ctl, $x->{c}, 1, replid => $B, epoch => 2),
          ['ok', '2-0'], 'another server: a new epoch');
is_deeply([map { $_->{position} } $sub{$w1}->got()], ['2-0'], 'is told so');
is_deeply($s->append($x, $ctl, $x->{c}, 2, replid => $B), ['ok', '2-1'],
          'goes on in it');
is_deeply($s->append($x, $ctl, $x->{c}, 3, replid => ''), ['ok', '2-2'],
          'a server not known: the same epoch');
is_deeply([@{ $s->range($x, '1-3')->[1] }[0]],
          [['2-0', 'sig', $ctl, '', 1, '{"kind":"x"}']],
          'read over the change');

# a server that is lost began an epoch, and this one never saw that

($x, $ctl, $vwr) = three();
is_deeply($s->append($x, $ctl, $x->{c}, 1, replid => $B, epoch => 2),
          ['ok', 'new', 3], 'an epoch is not begun twice');
is_deeply($s->append($x, $vwr, $x->{v}, 1, replid => $B, epoch => 5),
          ['ok', 'new', 6], 'nor gone back to');
is_deeply($s->append($x, $ctl, $x->{c}, 1, replid => $B, epoch => 6),
          ['ok', '6-0'], 'which is gone on in');

($x, $ctl, $vwr) = three();
is($s->resume($x, $vwr, $x->{resume}{ $x->{v} }, '2-4', "$w3.7",
              replid => $B)->[7], 3, 'nor by who comes back from it');
($x, $ctl, $vwr) = three();
is_deeply($s->resume($x, $vwr, $x->{resume}{ $x->{v} }, '99-4', "$w3.8",
                     replid => $B), ['resume_too_old'],
          'who may not say any number');

($x, $ctl, $vwr) = three();
$s->append($x, $ctl, $x->{c}, 1, replid => $B, epoch => 1);
$s->append($x, $ctl, $x->{c}, $_, replid => $B) for 1 .. 3;

# entries the old server gave out and the new one never saw

is_deeply([map { $_->[0] } @{ $s->resume($x, $vwr, $x->{resume}{ $x->{v} },
           '1-9', "$w3.5", replid => $B)->[6] }], ['2-0', '2-1', '2-2'],
          'a lost position of the old epoch is read on from');

($x, $ctl, $vwr) = three();
is_deeply($s->range($x, '1-9'), ['ok', []],
          'a worker may be ahead of this server');
is_deeply($s->resume($x, $vwr, $x->{resume}{ $x->{v} }, '1-9', "$w3.6"),
          ['resume_too_old'], 'a client not, as long as it is the same');
is($s->resume($x, $vwr, $x->{resume}{ $x->{v} }, '1-9', "$w3.6",
              replid => $B)->[3], '1-3',
   'it may be one the old server gave out, when there is a new one');
is_deeply($s->range($x, '1-9'), ['ok', []], 'which is written down');
$s->redis()->call('DEL', $s->key("ses:$x->{id}"));
is_deeply($s->resume($x, $vwr, $x->{resume}{"$w3.6"}, '1-3', "$w3.7"),
          ['unauthenticated'], 'members of a session that is lost');

for my $case (['state', 'rs_state'], ['leave', 'rs_leave'],
              ['end', 'rs_session_end'], ['join', 'rs_join'],
              ['resume', 'rs_resume'])
{
    my ($z, $zc, $zv) = three();
    my $t = RS::Schema::hash();
    my %do = (
        state => sub { $s->state($z, $zc, $z->{c}, '{}', replid => $B) },
        leave => sub { $s->leave($z, $zc, $z->{c}, 'bye', replid => $B) },
        end => sub { $s->end($z, replid => $B) },
        resume => sub {
            my $r = $s->resume($z, $zc, $z->{resume}{ $z->{c} }, '1-3',
                               "$w3.9", replid => $B);
            $s->append($z, $zc, "$w3.9", 1, replid => $B);
        },
        join => sub {
            $s->fcall('rs_participant_retry',
                      [$s->{key}, "ses:$z->{id}", "par:$z->{id}", "tkt:$t"],
                      '', $zv, 60);
            $s->join($z, $t, "$w3.8", replid => $B);
        },
    );

    $do{ $case->[0] }->();
    is(field($z, 'pos'), '2-0', "$case->[1]: starts the epoch");
    is_deeply([@{ $s->redis()->call('HMGET', $s->key("ses:$z->{id}"), 'epoch',
                                    'replid') }],
              [2, "$B " . RS::Schema::REPLID],
              "$case->[1]: and writes it down");
}


# trimming

($x, $ctl, $vwr) = three();

my $limit = 4000;
my $id = 0;
my $worst = 0;

for (1 .. 200) {
    $s->append($x, $ctl, $x->{c}, ++$id, log_size => $limit,
               body => '"' . 'x' x int(rand 300) . '"');
    $worst = cost($x) if cost($x) > $worst;
}

cmp_ok($worst, '<=', $limit, 'never over the limit');
cmp_ok($worst, '>', $limit * 0.9, 'and well used');
is(field($x, 'log_bytes'), cost($x), 'the count is exact');

my $log = log_of($x);
my $first = $log->[0][0];
my $trimmed = field($x, 'trimmed');

is($log->[-1][0], field($x, 'pos'), 'the newest is there');
is($trimmed =~ s/(\d+)$/$1 + 1/er, $first, 'what is trimmed is written down');
is($s->range($x, $trimmed)->[1][0][0], $first,
   'the position before the first is read on from');
is_deeply($s->range($x, $trimmed =~ s/(\d+)$/$1 - 1/er), ['resume_too_old'],
          'not the one before that');
is_deeply($s->range($x, '0-0'), ['resume_too_old'], 'nor the start');
is_deeply($s->resume($x, $vwr, $x->{resume}{ $x->{v} }, '1-3', "$w3.1"),
          ['resume_too_old'], 'resume: trimmed');
is($s->resume($x, $vwr, $x->{resume}{ $x->{v} }, $trimmed, "$w3.1")->[0],
   'ok', 'resume: the token still counts for a better position');

# one large message pushes out many small ones at once; and the newest stays

$s->append($x, $ctl, $x->{c}, ++$id, log_size => 1048576, body => '1')
    for 1 .. 900;
$s->append($x, $ctl, $x->{c}, ++$id, log_size => 70000,
           body => '"' . 'x' x 65000 . '"');
cmp_ok(cost($x), '<=', 70000, 'a large one after 900 small ones');
is(field($x, 'log_bytes'), cost($x), 'the count is exact');

$s->append($x, $ctl, $x->{c}, ++$id, log_size => 100,
           body => '"' . 'x' x 5000 . '"');
is(scalar @{ log_of($x) }, 1, 'one larger than the log is alone in it');
is(field($x, 'log_bytes'), cost($x), 'the count is exact');
is_deeply($s->append($x, $ctl, $x->{c}, ++$id, log_size => 100, body => '2'),
          ['ok', field($x, 'pos')], 'the next one');
is(log_of($x)->[-1][1][-1], '2', 'takes its place');

# a count that is wrong heals

$s->redis()->call('HSET', $s->key("ses:$x->{id}"), 'log_bytes', 999999);
$s->append($x, $ctl, $x->{c}, ++$id, log_size => 5000);
is(field($x, 'log_bytes'), cost($x), 'a wrong count heals');

# the work of one call is bounded: a thousand entries

$s->append($x, $ctl, $x->{c}, ++$id, log_size => 1048576, body => '1')
    for 1 .. 1500;
$s->append($x, $ctl, $x->{c}, ++$id, log_size => 1000, body => '1');
cmp_ok(scalar @{ log_of($x) }, '>', 400, 'not all at once');
$s->append($x, $ctl, $x->{c}, ++$id, log_size => 1000, body => '1');
cmp_ok(cost($x), '<=', 1000, 'but by the next');

# range

($x) = three();
is_deeply([map { $_->[0] } @{ $s->range($x, '0-0', 2)->[1] }],
          ['1-0', '1-1'], 'range: at most so many');
is_deeply($s->range($x, '1-3'), ['ok', []], 'range: nothing more');
is_deeply($s->range({ id => random_id('ses_') }, '0-0'), ['session_ended'],
          'range: no such session');
is_deeply($s->range($x, '1-4'), ['ok', []], 'range: not yet');
$s->end($x);
is_deeply([map { @$_[0, 1, 5] } @{ $s->range($x, '1-3')->[1] }],
          ['1-4', 'end', '{"type":"ended","reason":"deleted"}'],
          'range: the end of a session');
$s->redis()->call('DEL', $s->key("log:$x->{id}"));
is_deeply($s->range($x, '1-3'), ['resume_too_old'], 'range: log gone');

my $fresh = $s->session($dev);

is_deeply($s->range($fresh, '0-0'), ['ok', []], 'range: nothing yet');
is_deeply($s->range($fresh, '1-0'), ['ok', []], 'range: not yet');
is_deeply($s->range($fresh, 'x'), ['resume_too_old'], 'range: none');

$s->check_catalogue();

done_testing();
