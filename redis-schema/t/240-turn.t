#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# TURN: each way a session lives and ends is told once, and is in the lists;
# revocation is for good; usage is idempotent; lists miss nobody.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $sub = $s->turn_subscribe('rs-plugin');
my $w = 'n1.0.00000000000000aa';
my $dev = $s->device(online => "$w.1");


sub expires { return $redis->call('HGET', $s->key("ses:$_[0]{id}"), 'expires_at') }
sub score { return $redis->call('ZSCORE', $s->key($_[0]), $_[1]) }


sub told {
    my ($name, @want) = @_;

    return is_deeply([$sub->got()], [map { [@$_[0], 'default', @$_[1 .. $#$_]] }
                                     @want], $name);
}


# A session with a host and as many guests; what was told is read.

sub talking {
    my (%opt) = @_;
    my $x = $s->session($dev, roles => ['controller', 'viewer'], %opt);

    told('lives', ['live', $x->{id}, expires($x), $x->{host}]);
    is(score('turn', "$x->{id}.$x->{host}"), expires($x), 'is listed');

    $x->{at} = [$s->host_join($x), map { $s->guest_join($x, $_) } 0, 1];

    return $x;
}


sub ended {
    my ($name, $x, $r, @want) = @_;

    is_deeply($r, \@want, $name);
    told("$name: told once", ['end', $x->{id}, expires($x)]);
    is(score('turn', "$x->{id}.$x->{host}"), undef, 'is listed no more');
    is_deeply([@{ $s->turn_check($x, $x->{pars}[0]) }[0 .. 2]],
              ['ok', 'ended', expires($x)], 'is known to have ended');

    return;
}


# every way a session ends

my $x = talking();

ended('deleted', $x, $s->end($x), 'ok', 'ended', $dev, '');
is_deeply($s->end($x), ['ok', 'already', $dev], 'again');
is_deeply($s->leave($x, $x->{host}, $x->{at}[0], 'bye'), ['ok', 'stale', $dev],
          'and the host leaves');
told('nothing more is told');

$x = talking();
ended('the host leaves', $x, $s->leave($x, $x->{host}, $x->{at}[0], 'bye'),
      'ok', 'ended', $dev, '');

$x = talking();
$s->state($x, $x->{host}, $x->{at}[0], '');
$s->leave($x, $x->{host}, $x->{at}[0], 'away', grace => 0);
told('who is away may come back');
ended('the host is lost', $x, $s->lost($x, $x->{host}, $w), 'ok', 'ended',
      $dev, '');

$x = talking();
is_deeply($s->leave($x, $x->{pars}[0], $x->{at}[1], 'bye'),
          ['ok', 'left', $dev], 'one leaves');
told('he is told of', ['rev', $x->{id}, $x->{pars}[0], expires($x)]);
is(score('trev', "$x->{id}.$x->{pars}[0]"), expires($x), 'and listed');
is($s->turn_check($x, $x->{pars}[0])->[1], 'revoked', 'is known to be gone');
is_deeply($s->turn_check($x, $x->{pars}[1]),
          ['ok', 'live', expires($x), $x->{host}], 'the other is not');
ended('the last one leaves', $x,
      $s->leave($x, $x->{pars}[1], $x->{at}[2], 'bye'), 'ok', 'ended', $dev, '');

$x = talking();
$s->leave($x, $x->{pars}[1], $x->{at}[2], 'away', grace => 0);
is_deeply($s->lost($x, $x->{pars}[1], $w), ['ok', 'left', $dev],
          'one is lost');
told('he is told of', ['rev', $x->{id}, $x->{pars}[1], expires($x)]);

# the time is over: everybody knows when

$s->expire($x);
is_deeply($s->end($x), ['ok', 'already', $dev], 'one that is over');
told('is told nobody');
is($s->turn_check($x, $x->{host})->[1], 'ended', 'and known');


# a repeated create is the same session

my $again = $s->session($dev, body => RS::Schema::hash());

is($s->fcall(@{ $again->{call} })->[1], 'repeated', 'created again');
told('lives once', ['live', $again->{id}, expires($again), $again->{host}]);

# a ticket made again is for who has not left

my @retry = ('rs_session_retry', [$s->{key}, "ses:$again->{id}",
                                  "par:$again->{id}",
                                  "tkt:$again->{tickets}[0]"],
             'sessions:write', 1, 60);

$s->host_join($again);
my $at = $s->guest_join($again, 0);
my $late = RS::Schema::hash();

$redis->call('HSET', $s->key("tkt:$late"), 'ses', $again->{id}, 'par',
             $again->{pars}[0]);
$redis->call('EXPIRE', $s->key("tkt:$late"), 60);
$s->fcall('rs_participant_add',
          [$s->{key}, "ses:$again->{id}", "par:$again->{id}",
           'idem:' . RS::Schema::hash(), 'tkt:' . RS::Schema::hash(), 'uin:'],
          '', random_id('par_'), 'viewer', '', '', 60, '');
is_deeply($s->leave($again, $again->{pars}[0], $at, 'undone'),
          ['ok', 'left', $dev], 'a join that came to nothing');
told('is told nobody');
is($s->fcall(@retry)->[1], 'repeated', 'a ticket again');
$at = $s->guest_join($again, 0);

my $third = random_id('par_');
my $tkt = RS::Schema::hash();

$s->fcall('rs_participant_add',
          [$s->{key}, "ses:$again->{id}", "par:$again->{id}",
           'idem:' . RS::Schema::hash(), "tkt:$tkt", 'uin:'],
          '', $third, 'viewer', '', '', 60, '');
is($s->join($again, $tkt, "$w.70")->[0], 'ok', 'one more comes');
is_deeply($s->leave($again, $again->{pars}[0], $at, 'bye'),
          ['ok', 'left', $dev], 'the first one leaves');
is(scalar $sub->got(), 1, 'is told');

my $r = $s->fcall(@retry);

is($r->[1], 'repeated', 'the create is repeated');
is({ @{ $r->[6][0] } }->{state}, 'left', 'he has left');
is_deeply($s->join($again, $again->{tickets}[0], "$w.71"),
          ['unauthenticated'], 'his new ticket does not work');
is_deeply($s->join($again, $late, "$w.72"), ['unauthenticated'],
          'nor does one from before');


# revoked by hand

is_deeply([$s->writes(sub { $s->turn_revoke($again, $third) })],
          [1, ['ok', 'revoked']], 'one is revoked');
told('is told', ['rev', $again->{id}, $third, expires($again)]);
is_deeply([$s->writes(sub { $s->turn_revoke($again, $third) })],
          [1, ['ok', 'already']], 'again: a write, so that WAIT confirms it');
told('is told once');
is((grep { $_->{id} eq $third } $s->get($again))[0]{state}, 'joined',
   'he is in the session still');
my ($ice) = $s->api_key('ice');

is_deeply($s->turn_revoke($again, $third, auth => $ice), ['not_found'],
          'with a key that is for ICE only, and sees no session');
is_deeply($s->turn_revoke($again, ''), ['not_found'],
          'all of it: not a session with signalling');
is_deeply($s->turn_revoke($again, random_id('par_')), ['not_found'],
          'nobody');
is_deeply($s->turn_revoke({ id => random_id('ses_') }, $third),
          ['not_found'], 'no session');

my $foreign = bless { %$s, tenant => 'other' }, 'RS::Schema';

($foreign->{key}) = $foreign->api_key('*');
is_deeply($foreign->turn_revoke($again, $third), ['not_found'],
          'another tenant\'s');
told('nobody is told');


# sessions of kind turn

my $y = $s->turn_session(ttl_s => 300);

is_deeply($y->{reply}, ['ok', $s->{key_id}, expires($y)],
          'a session of kind turn');
told('lives', ['live', $y->{id}, expires($y), '-']);
is(score('turn', "$y->{id}.-"), expires($y), 'is listed');
cmp_ok(abs($s->ttl("ses:$y->{id}") - 3899), '<=', 2, 'is kept');
is_deeply($s->turn_check($y, $third), ['ok', 'live', expires($y), '-'],
          'is known');

my $until = expires($y);

$redis->call('HSET', $s->key("ses:$y->{id}"), 'created_at', 7);
is_deeply($s->turn_session(id => $y->{id}, ttl_s => 900)->{reply},
          ['ok', $s->{key_id}, $until], 'repeated');
is(expires($y), $until, 'changes nothing');
told('is told once');

is_deeply($s->turn_session(key_id => random_id('key_'))->{reply},
          ['not_found'], 'by another key\'s id');
is($s->turn_session(key_id => $s->{key_id})->{reply}[0], 'ok',
   'by its own');
is(scalar $sub->got(), 1, 'lives');

is_deeply($s->turn_revoke($y, $third, key_id => random_id('key_')),
          ['not_found'], 'revoked by another key\'s id');
is_deeply($s->turn_revoke($y, $third), ['ok', 'ended'],
          'revoked by whom it is for: it ends');
told('is told', ['end', $y->{id}, $until]);
is(score('turn', "$y->{id}.-"), undef, 'is listed no more');
is_deeply([$s->writes(sub { $s->turn_revoke($y) })], [1, ['ok', 'already']],
          'again');
is_deeply($s->turn_session(id => $y->{id})->{reply},
          ['session_ended'], 'a late repetition');
is_deeply($s->turn_check($y, $third), ['ok', 'ended', $until, '-'],
          'does not bring it back');
told('nobody is told');
is(($s->get($y))[0]{end_reason}, 'deleted', 'it says why');

is_deeply($s->turn_check({ id => random_id('ses_') }, $third),
          ['ok', 'unknown', 0, '-'], 'one that never was');


# what is over goes from the lists, the last one decides how long they live

my $old = random_id('ses_') . '.' . $third;

for my $set ('turn', 'trev') {
    $redis->call('ZADD', $s->key($set), 1000 + $_,
                 random_id('ses_') . ".$third") for 1 .. 150;
    $redis->call('ZADD', $s->key($set), 1000, $old);
}

$s->turn_session(ttl_s => 5000);
is(score('turn', $old), undef, 'the oldest is gone');
is($redis->call('ZCOUNT', $s->key('turn'), 0, 2000), 51, '100 a call');
cmp_ok(abs($s->ttl('turn') - 4999), '<=', 2, 'as long as the last');
$s->turn_revoke($again, $again->{host});
is($redis->call('ZCOUNT', $s->key('trev'), 0, 2000), 51, '100 a call');

my %left = @{ $s->fcall_ro('rs_turn_list', ['trev'], '', 500)->[2] };

is_deeply([map { $left{"$again->{id}.$_"} } $again->{pars}[0], $third,
           $again->{host}], [(expires($again)) x 3], 'who is not is listed');
is($left{$old}, undef, 'who is is not');
is_deeply([grep { $_ < time() } values %left], [], 'nor any other');


# lists: whoever is there from the first page to the last is seen, with equal
# and different scores, and while others come and go

sub walk {
    my ($set, $count, $between) = @_;
    my ($cursor, @seen) = ('');

    do {
        my $r = $s->fcall_ro('rs_turn_list', [$set], $cursor, $count);
        my @page = @{ $r->[2] };

        push @seen, $page[2 * $_] for 0 .. @page / 2 - 1;
        $cursor = $r->[1];
        $between->(\@seen) if $between;
    } while ($cursor ne '');

    return @seen;
}

my $soon = time() + 1000;

for my $equal (0, 1) {
    my @all = map { sprintf 'm%03d', $_ } 0 .. 99;

    $redis->call('DEL', $s->key('turn'));
    $redis->call('ZADD', $s->key('turn'), $soon + ($equal ? 0 : $_ % 10),
                 $all[$_]) for 0 .. $#all;
    $redis->call('EXPIREAT', $s->key('turn'), $soon + 1000);

    my $in_order = sub {
        return sort { $equal ? $a cmp $b
                      : substr($a, -1) cmp substr($b, -1) || $a cmp $b } @_;
    };

    is_deeply([walk('turn', $_)], [$in_order->(@all)],
              "pages of $_") for 1, 7, 100, 500;

    # the entry of each cursor goes, and one before and after it come

    my %gone;
    my @seen = walk('turn', 7, sub {
        my ($seen) = @_;
        my $last = $seen->[-1] or return;

        $gone{$last} = 1;
        $redis->call('ZREM', $s->key('turn'), $last);
        $redis->call('ZADD', $s->key('turn'), $soon, "a$last");
        $redis->call('ZADD', $s->key('turn'), $soon + 20, "z$last")
            if keys %gone < 10;
    });
    my %n;

    $n{$_}++ for @seen;
    is_deeply([grep { !$n{$_} } @all], [], 'nobody is missed');
    is_deeply([grep { $n{$_} > 1 } keys %n], [], 'nor seen twice');
    $redis->call('DEL', $s->key('turn'));
}

is_deeply($s->fcall_ro('rs_turn_list', ['turn'], '', 10), ['ok', '', []],
          'an empty list');

for my $bad ('x', '1', '.x', '-1.x', '1234567890123456.x', "5\nx") {
    is_deeply($s->fcall_ro('rs_turn_list', ['turn'], $bad, 10),
              ['invalid_value'], 'not a cursor');
    is_deeply($s->fcall_ro('rs_turn_tenants', ['tens'], $bad, 10),
              ['invalid_value'], 'not a cursor');
}


# tenants

$redis->call('ZADD', $s->key('tens'), 5, 'gone');
is_deeply($s->fcall('rs_turn_tenant', ['tens'], 100, 'a'), ['ok'], 'a tenant');
is_deeply($s->fcall('rs_turn_tenant', ['tens'], 200, 'b'), ['ok'], 'another');
is_deeply($s->fcall('rs_turn_tenant', ['tens'], 50, 'b'), ['ok'],
          'a worker with shorter lives');
is_deeply($s->fcall('rs_turn_tenant', ['tens'],
                    map { (20, "t$_") } 1 .. 64), ['ok'], '64 tenants');
cmp_ok(abs(score('tens', "t$_") - time() - 20), '<=', 2, 'is told of')
    for 1, 64;
$s->dies_like(qr/arguments wanted/, '65 tenants', 'rs_turn_tenant', ['tens'],
              map { (20, "t$_") } 1 .. 65);
$s->dies_like(qr/arguments wanted/, 'none', 'rs_turn_tenant', ['tens']);
$redis->call('ZREM', $s->key('tens'), map { "t$_" } 1 .. 64);
is(score('tens', 'gone'), undef, 'who had none for long is gone');
cmp_ok(abs(score('tens', 'b') - time() - 200), '<=', 2, 'the longest counts');

$r = $s->fcall_ro('rs_turn_tenants', ['tens'], '', 1);
is_deeply($r->[2], ['a'], 'a page');
is_deeply($s->fcall_ro('rs_turn_tenants', ['tens'], $r->[1], 5),
          ['ok', '', ['b']], 'the next');


# usage

my @name = map { "$third/relay-$_/12-1790000000" } 1, 2;
my $use = sub {
    return { @{ $redis->call('HGETALL', $s->key("use:$again->{id}")) } };
};

is_deeply($s->turn_usage({ id => random_id('ses_') },
                         [$name[0], 1, 1, 1, 1, 0]), ['not_found'],
          'no session');
is_deeply($s->turn_usage($again, [$name[0], 1, 100, 2, 200, 0],
                         [$name[1], 3, 300, 4, 400, 0]), ['ok', 0],
          'two allocations');
is_deeply($use->(), { $name[0] => '1 100 2 200 0',
                      $name[1] => '3 300 4 400 0' }, 'are kept');
cmp_ok(abs($s->ttl("use:$again->{id}") - $s->ttl("ses:$again->{id}")), '<=', 1,
       'as long as the session');

$s->turn_usage($again, [$name[0], 1, 90, 2, 200, 0]);
is($use->()->{$name[0]}, '1 100 2 200 0', 'what is late is ignored');
$s->turn_usage($again, [$name[0], 5, 500, 6, 600, 0]);
is($use->()->{$name[0]}, '5 500 6 600 0', 'what is more counts');
$s->turn_usage($again, [$name[0], 5, 490, 6, 590, 1]) for 1, 2;
is($use->()->{$name[0]}, '5 490 6 590 1', 'what is final counts');
$s->turn_usage($again, [$name[0], 7, 700, 8, 800, 0]);
$s->turn_usage($again, [$name[0], 7, 700, 8, 800, 1]);
is($use->()->{$name[0]}, '5 490 6 590 1', 'and stays');

$s->turn_usage($again, ["$again->{host}/relay-1/1-1", 1, 1, 1,
                        '9007199254740992', 0]);
$r = $s->fcall_ro('rs_session_get', [$s->{key}, "ses:$again->{id}",
                                     "par:$again->{id}", "use:$again->{id}"],
                  '');
is_deeply([sort { $a->{id} cmp $b->{id} } map { +{ @$_ } } @{ $r->[3] }],
          [sort { $a->{id} cmp $b->{id} }
           { id => $third, allocations => 2, rcvp => 8, rcvb => 790,
             sentp => 10, sentb => 990 },
           { id => $again->{host}, allocations => 1, rcvp => 1, rcvb => 1,
             sentp => 1, sentb => '9007199254740992' }],
          'sums by participant');

for my $bad ('x', $third, "$third/r/1", "$third/R/1-1", "$third//1-1",
             "$third/r/1-1 ", 'par_/r/1-1', "$third/" . 'r' x 100 . '/1-1')
{
    $s->dies_like(qr/does not name an allocation/, 'a bad name',
                  'rs_turn_usage', ["ses:$again->{id}", "use:$again->{id}"],
                  $bad, 1, 1, 1, 1, 0);
}

$s->dies_like(qr/not a whole number/, 'a bad number', 'rs_turn_usage',
              ["ses:$again->{id}", "use:$again->{id}"], $name[0], 1, -1, 1, 1,
              0);
$s->dies_like(qr/arguments wanted/, 'none', 'rs_turn_usage',
              ["ses:$again->{id}", "use:$again->{id}"]);
$s->dies_like(qr/arguments wanted/, '65 of them', 'rs_turn_usage',
              ["ses:$again->{id}", "use:$again->{id}"],
              map { ("$third/r/$_-1", 1, 1, 1, 1, 0) } 1 .. 65);

# bounded

for my $step (0 .. 31) {
    $s->turn_usage($again, map { ["$third/full/$_-1", 1, 1, 1, 1, 0] }
                               64 * $step + 1 .. 64 * ($step + 1));
}

is(scalar keys %{ $use->() }, 2048, '2048 allocations');
is_deeply($s->turn_usage($again, [$name[1], 9, 900, 9, 900, 1],
                         ["$third/full/5000-1", 1, 1, 1, 1, 0]), ['ok', 1],
          'one more is not kept');
is($use->()->{$name[1]}, '9 900 9 900 1', 'those that are there go on');

# after the end: the last report comes then

is_deeply($s->end($again), ['ok', 'ended', $dev, ''], 'the session ends');
is_deeply($s->turn_usage($again, ["$again->{host}/relay-1/1-1", 2, 2, 2, 2,
                                  1]), ['ok', 0], 'the last report');


# memory is short: revoking works, reporting is tried again later

my $z = $s->turn_session(auth => $ice, external_id => 'x');

is(($s->get($z))[0]{external_id}, 'x', 'whose it is');

$redis->call('CONFIG', 'SET', 'maxmemory', 1);
is_deeply($s->turn_revoke($z, '', auth => $ice), ['ok', 'ended'],
          'no memory: revoking works');
is_deeply($s->fcall('rs_turn_tenant', ['tens'], 100, 'c'), ['ok'],
          'no memory: so do tenants');
$s->dies_like(qr/OOM/, 'no memory: no reports', 'rs_turn_usage',
              ["ses:$z->{id}", "use:$z->{id}"], $name[0], 1, 1, 1, 1, 0);
$redis->call('CONFIG', 'SET', 'maxmemory', 0);

is_deeply([$s->{catalogue}->violations()], [],
          'only what the catalogue says was touched');

done_testing();
