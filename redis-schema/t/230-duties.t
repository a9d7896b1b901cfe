#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What a worker has to see to outlives it: who is called dead, who walks its
# duties, what is done with each; nodes of one name; machines of one key.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);
use Time::HiRes ();

my $s = RS::Schema->new();
my $redis = $s->redis();
my $w1 = 'n1.0.00000000000000aa';
my $w2 = 'n2.0.00000000000000bb';
my $w3 = 'n2.1.00000000000000cc';
my %sub = map { $_ => $s->subscribe($_) } $w1, $w2, $w3;
my $dev = $s->device(online => "$w1.1");
my $grace = RS::Schema::GRACE;


sub zscore {
    my ($key, $member) = @_;

    return $redis->call('ZSCORE', $s->key($key), $member);
}


# The scores of a worker's duties by name.

sub own {
    my ($worker) = @_;

    return { @{ $redis->call('ZRANGE', $s->key("own:$worker"), 0, -1,
                             'WITHSCORES') } };
}


sub mem {
    my ($x, @fields) = @_;

    return $redis->call('HMGET', $s->key("mem:$x->{id}"), @fields);
}


sub heard {
    return map { "$_->{kind} $_->{to} $_->{body}" } $sub{ $_[0] }->got();
}


sub ms { return int(1000 * Time::HiRes::time()) }


# The lease of a worker ran out, and nobody was away.

sub run_out {
    my ($worker, $ago) = @_;

    $redis->call('ZADD', 'rs:{w}:lease', ms() - ($ago // 1000), $worker);
    $redis->call('HSET', 'rs:{w}:fleet', 'wait', 0);

    return;
}


# The claims of the dead end now.

sub claim_ends {
    $redis->call('ZADD', 'rs:{w}:dead', 'XX', ms() - 1, $_) for @_;

    return;
}


subtest 'who is dead' => sub {
    $s->lease($_) for $w1, $w2, $w3;
    $redis->call('ZADD', 'rs:{w}:lease', ms() - 1000, $w2);
    is($s->lease($w1)->[4], '', 'the fleet is new: nobody is dead yet');

    run_out($w2, 2000);

    my $r = $s->lease($w1);

    is_deeply([sort @{ $r->[2] }], [$w1, $w3], 'it is not among the live');
    is($r->[4], $w2, 'it is given to who asks first');
    cmp_ok(abs(ms() - 2000 - $r->[5]), '<', 1000, 'dead since then');
    is(zscore('lease', $w2), undef, 'has no lease');
    is($s->lease($w3)->[4], '', 'another asks: it is claimed');
    is($s->lease($w3, walked => '-')->[4], '', 'or wants none');
    is($s->lease($w1, walked => $w2)->[4], $w2, 'the claim is renewed');
    claim_ends($w2);
    is($s->lease($w3, walked => '-')->[4], '', 'a free one for who wants none');
    is($s->lease($w3)->[4], $w2, 'a claim that ran out is another\'s');
    heard($w1);
    $s->lease_drop($w3, undef, $w2);
    is_deeply([map { "$_->{kind} $_->{id}" } $sub{$w1}->got()], ['bcn 0'],
              'who lives is told to look');
    is($s->lease($w1)->[4], $w2, 'one of a worker that ends is at once');
    $s->lease_drop($w1, undef, $w2);
    is($s->lease($w3)->[4], $w2, 'and again');
    $s->lease($w1);
    is($s->lease($w2)->[3], 'taken', 'it comes back');
    is_deeply([@{ $s->lease($w3, walked => $w2) }[4, 5]], ['', '0'],
              'who walks it is told');

    # the clock went back by an hour, while one worker was dying

    my ($w9, $hour) = ('n9.0.00000000000000a9', ms() + 3_600_000);

    $redis->call('ZADD', 'rs:{w}:lease', $hour, $w2);
    $redis->call('ZADD', 'rs:{w}:dead', $hour, $w9);
    $redis->call('HSET', 'rs:{w}:fleet', 'seen', $hour, 'wait', $hour);
    $s->lease($w1);
    cmp_ok(zscore('lease', $w2), '<', ms() + 60_000, 'a lease ends in time');
    cmp_ok(zscore('dead', $w9), '<', ms() + 60_000, 'a claim, too');
    cmp_ok($redis->call('HGET', 'rs:{w}:fleet', 'wait'), '<', ms() + 60_000,
           'and the dead are looked for');
    $redis->call('ZREM', 'rs:{w}:dead', $w9);
    $s->lease($w2);

    # the server was away for longer than half a lease

    $redis->call('HSET', 'rs:{w}:fleet', 'wait', 0, 'seen', ms() - 8000);
    $redis->call('ZADD', 'rs:{w}:lease', ms() - 1000, $w2);
    is($s->lease($w1)->[4], '', 'nobody was heard for long: not dead');
    is($s->lease($w1)->[4], '', 'for one lease more');
    is($s->lease($w2)->[3], 'held', 'in which it comes back');

    # more than one call takes

    $redis->call('ZADD', 'rs:{w}:lease', ms() - 1000,
                 sprintf('n9.%d.00000000000000ff', $_)) for 1 .. 150;
    $redis->call('HSET', 'rs:{w}:fleet', 'wait', 0);
    $s->lease($w1);
    is($redis->call('ZCARD', 'rs:{w}:dead'), 100, 'a hundred at a time');
    $s->lease($w1, walked => '-');
    is($redis->call('ZCARD', 'rs:{w}:dead'), 150, 'then the others');
    $redis->call('DEL', 'rs:{w}:dead');
};


subtest 'a clean end' => sub {
    $s->lease($w3);
    $s->lease_drop($w3);
    is(zscore('dead', $w3), undef, 'who had nothing leaves nothing');
    $s->lease($w3);
    is_deeply($s->fcall('rs_tenant', ["ten:$w3"], 'default', 'other'), ['ok'],
              'its tenants');
    cmp_ok($redis->call('TTL', "rs:{w}:ten:$w3"), '>', 691000, 'for 8 days');
    $redis->call('EXPIRE', "rs:{w}:ten:$w3", 100);
    $s->lease($w3);
    cmp_ok($redis->call('TTL', "rs:{w}:ten:$w3"), '>', 691000,
           'and longer with each lease call');
    $s->lease_drop($w3);
    is($s->lease($w1)->[4], $w3, 'is dead at once');

    my @reap = ('rs_reap_tenant', ["ten:$w3", 'dead'], $w3);

    is_deeply($s->fcall(@reap, ''), ['ok', 'next', 'default'], 'one tenant');
    is_deeply($s->fcall(@reap, ''), ['ok', 'next', 'default'],
              'the same until it is done');
    is_deeply($s->fcall(@reap, 'default'), ['ok', 'next', 'other'], 'another');
    is_deeply($s->fcall(@reap, 'other'), ['ok', 'none', ''], 'no more');
    is_deeply([$redis->call('EXISTS', "rs:{w}:ten:$w3"), zscore('dead', $w3)],
              [0, undef], 'nothing is left');
    is_deeply($s->fcall(@reap, ''), ['ok', 'back', ''],
              'who is not dead is not walked');
    $s->dies_like(qr/keys and/, 'no tenant', 'rs_tenant', ["ten:$w3"]);
};


subtest 'two nodes of one name' => sub {
    my $r = $s->lease('n7.0.00000000000000a1', identity => 'one');

    is($r->[3], 'taken', 'the first one');
    $r = $s->lease('n7.0.00000000000000a2', identity => 'two');
    is_deeply([@$r[0, 2 .. 5]], ['ok', [], 'node_taken', '', '0'],
              'the second one is refused');
    is(zscore('lease', 'n7.0.00000000000000a2'), undef, 'and has no lease');
    is($s->lease('n7.1.00000000000000a3', identity => 'one')->[3], 'taken',
       'another worker of the first one');
    cmp_ok(abs($redis->call('PTTL', 'rs:{w}:node:n7') - 15000), '<', 1000,
           'the name is kept as long as a lease');
    $s->lease_drop('n7.0.00000000000000a1', 'one');
    is($s->lease('n7.0.00000000000000a2', identity => 'two')->[3],
       'node_taken', 'one worker of it lives');
    $s->lease_drop('n7.0.00000000000000a2', 'two');
    $s->lease_drop('n7.1.00000000000000a3', 'other');
    is($redis->call('EXISTS', 'rs:{w}:node:n7'), 1,
       'only who has the name gives it back');
    $s->lease_drop('n7.1.00000000000000a3', 'one');
    is($s->lease('n7.0.00000000000000a2', identity => 'two')->[3], 'taken',
       'the last one gives the name back');
    is($s->lease('n70.0.00000000000000a2', identity => 'x')->[3], 'taken',
       'a longer name is another');
    $s->lease_drop('n7.0.00000000000000a2', 'two');
    $s->lease_drop('n70.0.00000000000000a2', 'x');
};


subtest 'duties of participants' => sub {
    my $x = $s->session($dev, roles => ['controller', 'viewer']);
    my ($c, $v) = @{ $x->{pars} };
    my $dc = "p.$x->{id}.$c";
    my $host = $s->host_join($x, "$w1.20");

    $s->guest_join($x, 0, "$w2.21");
    is_deeply(own($w2), { $dc => -$grace }, 'who joins');
    cmp_ok($s->ttl("own:$w2"), '>', 691000, 'is kept for 8 days');
    $redis->call('EXPIRE', $s->key("own:$w2"), 100);
    is_deeply($s->fcall('rs_own_keep', ["own:$w2"]), ['ok'], 'or longer');
    cmp_ok($s->ttl("own:$w2"), '>', 691000, 'if its worker lives');
    $s->leave($x, $c, "$w2.21", 'away');
    cmp_ok(abs(own($w2)->{$dc} - ms() - $grace), '<', 1000,
           'who is away: till when');
    is_deeply(mem($x, "o:$c"), [$w2], 'and who knows');

    my $r = $s->duties($w2);

    is_deeply($r->[2], [$dc], 'listed');
    is($r->[3], own($w2)->{$dc}, 'with the next instant');
    is_deeply($s->duties($w2, 'due')->[2], [], 'none is due');
    is_deeply($s->lost($x, $c, $w2), ['ok', 'stale', ''],
              'nobody is lost before that');
    is(scalar keys %{ own($w2) }, 1, 'the duty stays');

    $s->resume($x, $c, $x->{resume}{"$w2.21"}, '1-2', "$w3.22");
    is_deeply(own($w3), { $dc => -$grace }, 'back at another worker');
    is_deeply(mem($x, "o:$c"), [undef], 'which has to see to it');
    is_deeply($s->leave($x, $c, "$w2.21", 'lost'), ['ok', 'stale', $dev],
              'the first one waited');
    is_deeply(own($w2), {}, 'and has nothing to do');
    is_deeply($s->leave($x, $c, "$w3.99", 'away'), ['ok', 'stale', $dev],
              'an older socket of the same worker');
    is_deeply(own($w3), { $dc => -$grace }, 'takes nothing away');

    $s->guest_join($x, 1, "$w3.23");
    is_deeply($s->leave($x, '', "$w3.23", 'lost'), ['ok', 'left', $dev],
              'who is not known by name is found by the address');
    is_deeply(own($w3), { $dc => -$grace }, 'and its duty goes');
    is_deeply($s->leave($x, '', "$w3.23", 'lost'), ['ok', 'stale', $dev],
              'once');
    is_deeply($s->leave($x, '', '', 'lost'), ['ok', 'stale', $dev], 'nobody');

    $s->end($x);
    is_deeply($s->leave($x, $c, "$w3.22", 'away'), ['ok', 'stale', $dev],
              'a session that ended');
    is_deeply(own($w3), {}, 'leaves no duty');

    eval { $s->fcall('rs_join', ["tkt:" . RS::Schema::hash(), RS::Schema::ses_keys($x->{id}),
                                 "own:$w1", 'tkt:' . RS::Schema::hash(),
                                 'audit'], "$w2.1", '', '', 0, 0, '', '') };
    like($@, qr/is not the list of/, 'a list of another worker is refused');
    $s->leave($x, $x->{host}, $host, 'away');
};


subtest 'a dead worker\'s participants' => sub {
    my $x = $s->session($dev, roles => ['controller', 'viewer']);
    my ($c, $v) = @{ $x->{pars} };
    my ($dc, $dv) = map { "p.$x->{id}.$_" } $c, $v;

    $s->host_join($x, "$w1.30");
    $s->append($x, $x->{host}, "$w1.30", 1);
    $s->guest_join($x, 0, "$w2.31");
    $s->guest_join($x, 1, "$w2.32");
    $s->leave($x, $v, "$w2.32", 'away');
    $sub{$_}->got() for $w1, $w2, $w3;

    my $due = own($w2)->{$dv};
    my $since = ms() - 1000;
    my $r = $s->adopt($x, $c, $w2, $w1, $since);

    is_deeply($r, ['ok', 'adopted', $since + $grace],
              'who was there is away since then');
    is_deeply(mem($x, "a:$c", "l:$c", "o:$c"), ['', "$w2.31", $w1],
              'the caller has to see to it');
    is_deeply([heard($w2)], ["fen $w2.31 away"],
              'the dead one is told, should it live');
    is_deeply([heard($w1)], [], 'peers are not');
    is_deeply($s->adopt($x, $v, $w2, $w1, $since), ['ok', 'adopted', $due],
              'who was away already keeps the instant');
    is_deeply([heard($w2)], [], 'and is nowhere to be told');
    is_deeply([own($w2), own($w1)->{$dc}, own($w1)->{$dv}],
              [{}, $since + $grace, $due], 'the duties have moved');
    is_deeply($s->adopt($x, $c, $w2, $w3, $since), ['ok', 'stale', ''],
              'once');

    # who adopts may die as well

    is_deeply($s->adopt($x, $c, $w1, $w3, ms()),
              ['ok', 'adopted', $since + $grace], 'adopted from there');
    is_deeply(mem($x, "o:$c"), [$w3], 'by the next one');

    # resumed, then away elsewhere: only the last one counts

    $s->resume($x, $v, $x->{resume}{"$w2.32"}, '1-3', "$w3.33");
    is_deeply($s->adopt($x, $v, $w1, $w3, ms()), ['ok', 'stale', ''],
              'resumed elsewhere: the duty is dropped');
    is_deeply(own($w3)->{$dv}, -$grace, 'the other one stays');
    $redis->call('ZADD', $s->key("own:$w1"), ms() - 1, $dv);
    $s->leave($x, $v, "$w3.33", 'away');
    is_deeply($s->lost($x, $v, $w1), ['ok', 'stale', $dev],
              'an old duty of another does not count');
    is(own($w1)->{$dv}, undef, 'and goes');

    # lost

    $redis->call('ZADD', $s->key("own:$w3"), ms() - 1, $_) for $dc, $dv;
    is_deeply([sort @{ $s->duties($w3, 'due')->[2] }], [sort $dc, $dv],
              'two are due');
    heard($w1);
    is_deeply($s->lost($x, $c, $w3), ['ok', 'left', $dev], 'one is lost');
    is_deeply([heard($w1)],
              [qq(evt - {"type":"left","peer":"$c","reason":"lost","control":)
               . '{"holder":null,"requests":[],"locked":false}}'],
              'its peers are told');
    is_deeply($s->lost($x, $c, $w3), ['ok', 'stale', ''], 'once');
    is_deeply($s->lost($x, $v, $w3), ['ok', 'ended', $dev, ''],
              'the last one: the session ends');
    is_deeply(own($w3), {}, 'nothing is left to do');

    # the host

    $x = $s->session($dev);
    $s->guest_join($x, 0, "$w1.40");
    $s->host_join($x, "$w2.41");
    $s->append($x, $x->{host}, "$w2.41", 1);
    $s->adopt($x, $x->{host}, $w2, $w3, 0);
    heard($w1);
    is($s->lost($x, $x->{host}, $w3)->[1], 'ended', 'a host is lost');
    is_deeply([map { /reason":"(\w+)/ } heard($w1)], ['lost', 'host_lost'],
              'the session ends for that');

    # nothing to do

    $x = $s->session($dev);
    $s->guest_join($x, 0, "$w2.50");
    is_deeply($s->adopt({ id => random_id('ses_') }, $c, $w2, $w3),
              ['ok', 'stale', ''], 'a session that is gone');
    $s->end($x);
    is_deeply($s->adopt($x, $x->{pars}[0], $w2, $w3), ['ok', 'stale', ''],
              'or ended');
    is_deeply(own($w2), {}, 'leaves no duty');
    $redis->call('ZADD', $s->key("own:$w3"), 5, "p.$x->{id}.$c");
    is_deeply($s->lost($x, $c, $w3), ['ok', 'stale', $dev], 'nor when due');
    is_deeply(own($w3), {}, 'at all');
};


subtest 'a host that got no welcome' => sub {
    my $x = $s->session($dev);

    $s->host_join($x, "$w2.60");
    is_deeply(mem($x, "q:$x->{host}"), ['-'], 'may not have got it');
    heard($w1);
    $s->adopt($x, $x->{host}, $w2, $w3);
    is_deeply([heard($w1)], ["inv $w1.1 "], 'its device is asked again');

    my $t = RS::Schema::hash();

    is($s->invite($x, $t, "$w1.1")->[0], 'ok', 'and invited');
    is($s->join($x, $t, "$w1.61")->[2], $x->{host}, 'it joins again');
    is(own($w3)->{"p.$x->{id}.$x->{host}"} > 0, 1, 'somebody waits for it');
    $redis->call('ZADD', $s->key("own:$w3"), 1, "p.$x->{id}.$x->{host}");
    is_deeply($s->lost($x, $x->{host}, $w3), ['ok', 'stale', $dev],
              'for nothing');

    # or its socket went, or the answer: the same

    heard($w1);
    is_deeply($s->leave($x, '', "$w1.61", 'lost'), ['ok', 'away', $dev],
              'lost before it was heard: away');
    is_deeply([heard($w1)], ["inv $w1.1 "], 'and asked again');
    cmp_ok(abs(own($w1)->{"p.$x->{id}.$x->{host}"} - ms() - $grace), '<', 1000,
           'for a grace');
    $t = RS::Schema::hash();
    $s->invite($x, $t, "$w1.1");
    $s->join($x, $t, "$w1.62");
    $s->leave($x, $x->{host}, "$w1.62", 'away');
    $t = RS::Schema::hash();
    $s->invite($x, $t, "$w1.1");
    $s->join($x, $t, "$w1.61");
    $s->state($x, $x->{host}, "$w1.61", '{}');
    $s->leave($x, $x->{host}, "$w1.61", 'away');
    is($s->invite($x, RS::Schema::hash())->[0], 'conflict',
       'it was heard: no more');
    is($s->leave($x, $x->{host}, "$w1.61", 'lost')->[1], 'ended',
       'lost is lost then');

    $x = $s->session($dev);
    $s->host_join($x, "$w1.63");
    $s->leave($x, $x->{host}, "$w1.63", 'away');
    is($s->leave($x, $x->{host}, "$w1.63", 'lost')->[1], 'ended',
       'or after a grace');
};


subtest 'a worker that was called dead and lives' => sub {
    my $x = $s->session($dev);
    my ($c) = @{ $x->{pars} };

    $s->host_join($x, "$w1.70");
    $s->guest_join($x, 0, "$w2.71");
    $s->adopt($x, $c, $w2, $w3);
    is_deeply($s->append($x, $c, "$w2.71", 1), ['unavailable'],
              'its socket is not fenced');
    is_deeply($s->sync($x, $c, "$w2.99", '1-0'), ['replaced'],
              'another one is');
    is_deeply([map { ref $_ ? scalar @$_ : $_ }
               @{ $s->sync($x, $c, "$w2.71", '1-0') }], ['ok', 1, 2],
              'it is a member again, and reads on');
    is_deeply(mem($x, "a:$c", "o:$c"), ["$w2.71", undef], 'from there');
    is_deeply(own($w2)->{"p.$x->{id}.$c"}, -$grace, 'with its duty');
    is_deeply($s->append($x, $c, "$w2.71", 1), ['ok', '1-3'], 'and speaks');
    is(($s->get($x))[2]{state}, 'joined', 'is in');
    is_deeply($s->sync($x, $c, "$w2.71", '1-0', count => 1)->[2][0][0], '1-1',
              'as many entries as wanted');
    is_deeply($s->sync($x, random_id('par_'), "$w2.71", '1-0'),
              ['unauthenticated'], 'who is not known here');
    is_deeply($s->sync({ id => random_id('ses_') }, $c, "$w2.71", '1-0'),
              ['session_ended'], 'nor the session');
    is_deeply($s->sync($x, $c, "$w2.71", 'x'), ['resume_too_old'],
              'no position');

    # failover

    my $b = 'b' x 40;

    # the first entry of each says who has control

    my $new = sub {
        my $r = $s->sync($x, @_);

        return [@$r[0, 1], map { "$_->[0] $_->[1]" } @{ $r->[2] }];
    };

    is_deeply($new->($c, "$w2.71", '1-9', replid => $b),
              ['ok', 2, '2-0 evt'],
              'another server: a new epoch, whatever was given out');
    is_deeply($new->($x->{host}, "$w1.70", '1-9', replid => $b),
              ['ok', 2, '2-0 evt'], 'one for all');
    is_deeply($s->append($x, $c, "$w2.71", 2, replid => $b), ['ok', '2-1'],
              'it goes on there');
    is_deeply($new->($c, "$w2.71", '2-5', replid => 'c' x 40),
              ['ok', 3, '3-0 evt'], 'a second failover');
    is_deeply($new->($c, "$w2.71", '5-1', replid => 'c' x 40),
              ['ok', 6, '6-0 evt'], 'that lost an epoch');
    is_deeply($s->sync($x, $c, "$w2.71", '2-0', replid => 'c' x 40,
                       epoch => 6)->[1], 6, 'no new one for who knows it');
    is_deeply($s->sync($x, $c, "$w2.71", '2-0', replid => 'd' x 40,
                       epoch => 7)->[1], 8,
              'nor for who knows one that was lost: it is another');
    is_deeply($s->sync($x, $c, "$w2.71", '2-0', replid => 'd' x 40,
                       epoch => 9)->[1], 10, 'whoever saw this server first');
    is_deeply($s->resume($x, $c, $x->{resume}{"$w2.71"}, '1-9', "$w3.72",
                         replid => 'e' x 40)->[7], 11,
              'who resumes learns the epoch');
    $s->end($x);
    is_deeply($s->sync($x, $c, "$w2.71", '2-0')->[2][-1][1], 'end',
              'the end is read');
};


subtest 'devices' => sub {
    my $d = $s->device();

    $s->online($d, "$w2.80");
    is(own($w2)->{"d.$d"}, 0, 'who is online');
    $s->online($d, "$w3.81");
    is_deeply($s->offline($d, "$w2.80"), ['ok', 'stale'], 'moved');
    is(own($w2)->{"d.$d"}, undef, 'no duty there');
    is(own($w3)->{"d.$d"}, 0, 'but here');
    is_deeply($s->offline($d, "$w3.1"), ['ok', 'stale'],
              'an older socket of this worker');
    is(own($w3)->{"d.$d"}, 0, 'takes nothing away');
    heard($w3);
    is_deeply($s->offline($d, $w2, 1700000000), ['ok', 'stale'],
              'another worker is dead');
    is_deeply($s->offline($d, $w3, 1700000000), ['ok', 'gone'], 'this one is');
    is_deeply([heard($w3)], ["fen $w3.81 away"], 'it is told, should it live');
    is_deeply($redis->call('HMGET', $s->key("dev:$d"), 'owner',
                           'last_seen_at'), ['', 1700000000],
              'offline, seen last then');
    is(own($w3)->{"d.$d"}, undef, 'no duty is left');
};


subtest 'one key on two machines' => sub {
    my $agent = sub { return '{"name":"x","instance":"' . $_[0] . '"}' };
    my $d = $s->device();

    is($s->online($d, "$w2.$_", '', $agent->('one'))->[0], 'ok', "socket $_")
        for 200 .. 212;
    pass('one machine that comes back and back');

    for my $i (1 .. 6) {
        is($s->online($d, "$w2.30$i", '', $agent->("n$i"))->[0], 'ok',
           "takeover $i");
    }

    heard($_) for $w2, $w3;

    my $r = $s->online($d, "$w3.400", '', $agent->('n7'));

    is($r->[0], 'device_quarantined', 'one more: quarantine');
    is($r->[2], 'new', 'which begins');
    is($r->[1], 300, 'for five minutes');
    is_deeply([heard($w2)], ["fen $w2.306 device_quarantined"],
              'the other one goes as well');
    is($redis->call('HGET', $s->key("dev:$d"), 'owner'), '', 'is offline');
    $r = $s->online($d, "$w3.401", '', $agent->('n1'));
    is_deeply([@$r[0, 2]], ['device_quarantined', 'still'], 'none gets in');
    cmp_ok(abs($r->[1] - 299), '<=', 1, 'and hears how long that lasts');
    is($s->online($d, "$w2.306", 5, $agent->('n6'))->[0],
       'device_quarantined', 'nor by announcing');

    my @audit = grep { $_->{verb} eq 'agent:connect' } $s->audit();

    is(scalar @audit, 1, 'one line of audit');
    is_deeply([@{ $audit[0] }{qw(object outcome reason detail)}],
              [$d, 'deny', 'device_quarantined', "$w2.306 $w3.400"],
              'says who and where');

    $redis->call('HSET', $s->key("dev:$d"), 'quarantine', time());
    is($s->online($d, "$w3.402", '', $agent->('n1'))->[0], 'ok',
       'it ends by itself');

    # told to come back: it stays online, and who comes takes nobody's place

    $d = $s->device();

    for my $i (1 .. 20) {
        is($s->online($d, "$w2.4$i", '', $agent->("n$i"))->[0], 'ok',
           "coming back, $i");
        is_deeply($s->offline($d, "$w3.1", 'leaving'), ['ok', 'stale'],
                  'another one says so') if $i == 1;
        is_deeply($s->offline($d, "$w2.4$i", 'leaving'), ['ok', 'leaving'],
                  'leaving');
    }

    is($redis->call('HGET', $s->key("dev:$d"), 'owner'), "$w2.420",
       'it is online');
    is_deeply($s->offline($d, "$w2.420"), ['ok', 'gone'], 'it does not come');
    is_deeply($redis->call('HMGET', $s->key("dev:$d"), 'owner', 'leaving'),
              ['', undef], 'and is offline');

    # closed before, slow, or silent about itself

    $d = $s->device();

    for my $i (1 .. 20) {
        $s->online($d, "$w2.5$i", '', $agent->("n$i"));
        $s->offline($d, "$w2.5$i");
    }

    is($s->online($d, "$w2.520")->[0], 'ok', 'who was gone is not replaced');

    for my $i (1 .. 20) {
        $redis->call('HSET', $s->key("dev:$d"), 'flaps_at', time() - 61);
        $s->online($d, "$w2.6$i");
    }

    is($s->online($d, "$w2.620")->[0], 'ok', 'one a minute is no flapping');
    is($s->online($d, "$w2.7$_", '', '{"instance":7}')->[0], 'ok',
       'no instance') for 1 .. 3;
};

$s->check_catalogue();

done_testing();
