#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Leases of workers, and lists by cursor.

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
my ($sub1, $sub2) = ($s->subscribe($w1), $s->subscribe($w2));
my $lease = 'rs:{w}:lease';


# leases

my $r = $s->lease($w1, beacon => 41);

cmp_ok(abs($r->[1] / 1000 - time()), '<', 60, 'now, in ms');
is_deeply([@$r[0, 2 .. 5]], ['ok', [$w1], 'taken', '', '0'],
          'one worker lives');
is_deeply([$sub1->got()],
          [{ version => 'rs1', kind => 'bcn', tenant => '-', session => '-',
             position => '-', from => '-', to => '-', id => 41, body => '',
             fields => 8 }], 'its beacon');
is_deeply([@{ $s->lease($w2) }[2, 3]], [[$w1, $w2], 'taken'], 'two live');
is_deeply([$sub1->got()], [], 'a beacon is for its own worker');
cmp_ok(abs($s->redis()->call('ZSCORE', $lease, $w1) - $r->[1] - 15000), '<=',
       5, 'the lease ends then');
is($s->lease($w1)->[3], 'held', 'it is renewed');

$s->redis()->call('ZADD', $lease, $r->[1] - 1000, $w1);
is_deeply($s->lease($w2)->[2], [$w2], 'one has run out');
is_deeply($s->lease_drop($w2), ['ok'], 'dropped');
is($s->redis()->call('ZSCORE', $lease, $w2), undef, 'at once');
is_deeply($s->lease_drop($w2), ['ok'], 'again');


# lists

sub list {
    my ($cursor, $limit, $index) = @_;

    return $s->fcall_ro('rs_index_list', [$s->{key}, $index // 'devs'],
                        'devices:read', $cursor, $limit);
}


sub walk {
    my ($limit, $each) = @_;
    my ($cursor, @all) = ('');

    while (1) {
        my $r = list($cursor, $limit);

        push @all, @{ $r->[2] };
        return @all if $r->[1] eq '';

        $cursor = $r->[1];
        $each->($r) if $each;
    }
}

is_deeply(list('', 10), ['ok', '', []], 'an empty list');

# several of one ms, on page ends too

my $t = time() * 1000;
my @ids = map { random_id('dev_') } 1 .. 30;
my %at = map { $ids[$_] => $t - int($_ / 4) } 0 .. $#ids;

$s->redis()->call('ZADD', $s->key('devs'), map { ($at{$_}, $_) } @ids);

my @want = sort { $at{$b} <=> $at{$a} || $b cmp $a } @ids;

is_deeply(list('', 100), ['ok', '', \@want], 'all, the newest first');
is_deeply(list('', 30), ['ok', '', \@want], 'exactly all');

for my $limit (1, 3, 4, 7, 29) {
    is_deeply([walk($limit)], \@want, "by $limit");

    # what was given last is removed before the next page

    my %gone;
    my @seen = walk($limit, sub {
        my $id = $_[0][2][-1];
        $s->redis()->call('ZREM', $s->key('devs'), $id);
        $gone{$id} = 1;
    });

    is_deeply(\@seen, \@want, "by $limit, the last of each page goes");
    $s->redis()->call('ZADD', $s->key('devs'), map { ($at{$_}, $_) } @ids);
}

$r = list('', 5);
$s->redis()->call('ZADD', $s->key('devs'), $t + 10, random_id('dev_'));
is_deeply(list($r->[1], 100)->[2], [@want[5 .. 29]],
          'what comes meanwhile moves nothing');

for my $bad ('x', '1', '1.', '.x', '1.X', '-1.x', '1.x y', '1' x 16 . '.x') {
    is_deeply(list($bad, 5), ['invalid_value'], "cursor \"$bad\"");
}

is_deeply(list('1.zzz', 5), ['ok', '', []], 'a cursor before all');
is(scalar @{ list('9' x 15 . '.zzz', 5)->[2] }, 5, 'a cursor after all');

$s->redis()->call('ZADD', $s->key('devs'),
                  map { ($t, random_id('dev_')) } 1 .. 250);
is(scalar @{ list('', 1000)->[2] }, 200, 'at most 200 a page');
is(scalar @{ list('', 0)->[2] }, 1, 'at least one');
is_deeply([sort(walk(200))],
          [sort @{ $s->redis()->call('ZRANGE', $s->key('devs'), 0, -1) }],
          'many of one ms, all are found');

# the index of sessions: its own note is not listed, old ones are trimmed

my $dev = $s->device(online => "$w1.1");
my $x = $s->session($dev, ttl_s => 100, retain_s => 50);
my $sess = $s->key('sess');

is_deeply(list('', 10, 'sess'), ['ok', '', [$x->{id}]], 'one session');
is($s->redis()->call('ZSCORE', $sess, 'life'), 150000, 'the longest life');
is_deeply(list('1000000000000.ses_a', 10, 'sess'), ['ok', '', []],
          'the end of the list');

my @old = map { random_id('ses_') } 1 .. 150;

$s->redis()->call('ZADD', $sess, map { ($t - 200000 - $_, $old[$_]) } 0 .. 149);
$s->session($dev, ttl_s => 50, retain_s => 50);
is($s->redis()->call('ZSCORE', $sess, 'life'), 150000, 'is not shortened');
is($s->redis()->call('ZCARD', $sess), 3 + 50, 'a hundred old ones go');
is($s->redis()->call('ZSCORE', $sess, $old[149]), undef, 'the oldest first');

my $long = $s->session($dev, ttl_s => 250, retain_s => 50);

is($s->redis()->call('ZSCORE', $sess, 'life'), 300000, 'lengthened');
is($s->redis()->call('ZCARD', $sess), 3 + 51, 'the rest is not so old now');

# enrolments too

my @enr = map { random_id('enr_') } 1 .. 120;

$s->redis()->call('ZADD', $s->key('enrs'),
                  map { ($t - 2600000 * 1000, $_) } @enr);
$s->enrollment();
is($s->redis()->call('ZCARD', $s->key('enrs')), 1 + 1 + 20,
   'a hundred old enrolments go');

$s->check_catalogue();

done_testing();
