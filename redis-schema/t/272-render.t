#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Rendered sessions: whom they are given to, the policy of what they show, how
# they wait, and where they go when a renderer is lost.

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
my $w2 = 'n2.0.00000000000000bb';


sub renderer {
    my ($address, @places) = @_;
    my $dev = $s->device(kind => 'renderer', online => $address,
                         name => 'browsers');

    $s->load($dev, $address, @places);

    return $dev;
}


sub rendered {
    my ($dev, %opt) = @_;
    my $web = RS::Schema::web(%{ $opt{page} // {} });

    return $s->session($dev, %opt, web => $web);
}


sub refused {
    my ($dev, %opt) = @_;
    my $x = $s->session_call($dev, web => RS::Schema::web(), %opt);

    return $s->fcall(@{ $x->{call} });
}


sub ses {
    my ($x) = @_;

    return RS::Schema::obj($s->fcall('rs_session_get',
                                     [$s->{key}, "ses:$x->{id}",
                                      "par:$x->{id}", "use:$x->{id}"],
                                     'sessions:read')->[1]);
}


sub policy { return decode_json(ses($_[0])->{policy}) }


# a policy of the tenant

sub put {
    my ($name, %o) = @_;

    return $s->fcall('rs_policy_put', [$s->{key}, 'pols'], 'policies:write',
                     $name, $o{consent} // '', $o{relay_only} // 0, '', 0,
                     'both', 'both', 1, '', '', $o{urls} // '',
                     $o{mask} // '', $o{no_submit} // 0,
                     $o{downloads} // '')->[0];
}


sub given {
    my ($dev) = @_;

    return $redis->call('HGET', $s->key('svcs'), $dev) =~ /(\S+)@\d+/
           ? $1 : '';
}


my $one = renderer("$w.1", 1, 0, 0, 1);
my $sub = $s->subscribe($w);


# made

my $x = rendered($one, roles => ['controller'], page => {
    url => 'https://shop.example/', urls => ['https://*.example/*'],
    mask => ['.card'], no_submit => JSON::PP::true, downloads => 'none' });
my $o = ses($x);

is_deeply([@$o{qw(state device_id group_id queue)}],
          ['waiting_host', $one, '', ''], 'a session of a renderer');
is_deeply(decode_json($o->{host}),
          { type => 'render', url => 'https://shop.example/', width => 1280,
            height => 720 }, 'its host');
is_deeply(policy($x),
          { relay_only => JSON::PP::false, consent => 'none',
            view_only => JSON::PP::false, clipboard => 'both',
            files => 'both', sound => JSON::PP::true,
            urls => [['https://*.example/*']], mask => ['.card'],
            no_submit => JSON::PP::true, downloads => 'none' },
          'what it may show');
is_deeply([map { [@$_{qw(kind session to)}] } $sub->got()],
          [['inv', $x->{id}, "$w.1"]], 'the renderer is asked in');
is(given($one), $x->{id}, 'and has to answer');
is($redis->call('ZSCORE', $s->key("dses:$one"), $x->{id}),
   $o->{expires_at}, 'it is among its sessions');


# one place is left, in the queue; then none

my $waits = rendered($one);

is_deeply(refused($one), ['renderers_full'], 'there is no place');
is_deeply(refused(''), ['device_offline'], 'none was found');
is_deeply(refused($s->device(online => "$w.7")), ['device_offline'],
          'a desktop is no renderer');
is_deeply(refused($s->device(kind => 'renderer')), ['device_offline'],
          'nor is one that is away');
is_deeply(refused($s->device(kind => 'renderer', online => "$w.8")),
          ['device_offline'], 'or has said no load');


# the answers

is_deeply($s->queue($x, '', dev => random_id('dev_')), ['not_found'],
          'no other device answers');

$s->guest_join($x, 0, "$w2.5");

my $watch = $s->subscribe($w2);

is_deeply($s->queue($waits, 1), ['ok', 'said'], 'it waits');
is(ses($waits)->{queue}, 1, 'as the first');
is_deeply($s->queue($waits, 1), ['ok', 'same'], 'still');
is_deeply($s->queue($x, ''), ['ok', 'same'],
          'nothing is told of one that is to begin');
is(given($one), '', 'nothing is owed');
is_deeply($s->queue($x, 7), ['ok', 'said'], 'waiting is news');
is_deeply([map { decode_json($_->{body}) } $watch->got()],
          [{ type => 'state', session_state => 'waiting_host', queue => 7 }],
          'and told');
$s->queue($x, '');
is_deeply([map { decode_json($_->{body}) } $watch->got()],
          [{ type => 'state', session_state => 'waiting_host',
             queue => undef }], 'that it is over, too');


# a ticket of the renderer

my $tkt = RS::Schema::hash();

$s->queue($x, 2);
is($s->invite($x, $tkt)->[0], 'ok', 'it is invited');
is($redis->call('HGET', $s->key("tkt:$tkt"), 'dev'), $one,
   'by a ticket of its own');
$watch->got();
is($s->join($x, $tkt, "$w.30")->[0], 'ok', 'the host comes');
is_deeply([map { my $b = decode_json($_->{body});
                 [$b->{type}, $b->{session_state}, $b->{queue},
                  exists $b->{queue} || 0] } $watch->got()],
          [['joined', undef, undef, 0], ['state', 'connecting', undef, 1]],
          'and waits no more');
is(ses($x)->{queue}, '', 'as REST says');
is_deeply($s->queue($x, 1), ['conflict'], 'it is here: there is no queue');
is_deeply($s->move($x, $one), ['conflict'], 'nor does it go anywhere');
is($s->end($x)->[0], 'ok', 'over');
is_deeply($s->queue($x, 1), ['session_ended'], 'then nothing is said');
is_deeply($s->move($x, $one), ['session_ended'], 'nor moved');


# another renderer

my $two = renderer("$w2.1", 1, 0, 0, 0);
my $late = RS::Schema::hash();

$s->invite($waits, $late);
$s->guest_join($waits, 0, "$w2.6");
$watch->got();
$sub->got();
is_deeply($s->move($waits, $s->device(online => "$w.9")),
          ['device_offline'], 'not to a desktop');
is_deeply($s->move($waits, $two, dev => $two), ['not_found'],
          'who has it not, gives it not');
is_deeply($s->move($waits, $two), ['ok', "$w2.1"], 'to another renderer');
is_deeply([map { $_->{kind} eq 'inv' ? [@$_{qw(kind session to)}]
                 : decode_json($_->{body}) } $watch->got()],
          [{ type => 'state', session_state => 'waiting_host',
             queue => undef,
             host => { type => 'render', url => 'https://example.com/',
                       width => 1280, height => 720, device_id => $two } },
           ['inv', $waits->{id}, "$w2.1"]],
          'which is asked, and nobody waits at the first one');
is_deeply([@{ ses($waits) }{qw(device_id queue)}], [$two, ''], 'it has it');
is(given($two), $waits->{id}, 'and owes an answer');
is($redis->call('ZCARD', $s->key("dses:$one")), 1, 'the first has it not');
is($redis->call('ZSCORE', $s->key("dses:$two"), $waits->{id}) + 0,
   ses($waits)->{expires_at} + 0, 'but this one');
is_deeply($s->join($waits, $late, "$w.31"), ['unauthenticated'],
          'the ticket of the first one is void');

my $third = rendered($one);

is_deeply($s->move($third, $two), ['renderers_full'], 'a second is too many');
$s->taken($two, $waits->{id});
$s->load($two, "$w2.1", 1, 1, 0, 0);
is_deeply($s->move($third, $two), ['renderers_full'], 'also when it began');


# who is refused goes to three more at most, and by `busy` to no queue

{
    my @p = map { renderer("$w.2$_", 8, 0, 0, 8) } 1, 2;
    my $round = rendered($p[0]);

    $s->load($p[1], "$w.22", 1, 1, 0, 8);
    is_deeply($s->move($round, $p[1], why => 'busy'), ['renderers_full'],
              'who has waited does not wait once more');
    is($s->move($round, $p[1], why => 'failed')->[0], 'ok',
       'another one may');
    is($s->move($round, $p[0], why => 'busy')->[0], 'ok', 'to a place');
    $s->load($p[1], "$w.22", 8, 0, 0, 8);
    is($s->move($round, $p[1], why => 'lost')->[0], 'ok', 'one is lost');
    is($s->move($round, $p[0], why => 'failed')->[0], 'ok',
       'the third that refuses');

    for my $why ('busy', 'failed') {
        is_deeply($s->move($round, $p[1], why => $why), ['renderers_full'],
                  "$why: the fourth is the last");
    }

    is($s->move($round, $p[1], why => 'lost')->[0], 'ok',
       'who is lost does not count');
    is($redis->call('HGET', $s->key("ses:$round->{id}"), 'moves'), 3,
       'as its session says');
    $s->dies_like(qr/"full" is no reason/, 'nothing else is a reason',
                  'rs_session_move',
                  ["ses:$round->{id}", "par:$round->{id}", "mem:$round->{id}",
                   "log:$round->{id}", 'svcs', "dses:$p[1]", "dev:$p[0]",
                   "dses:$p[0]"], $p[1], $p[0], '', 'full');
    is($s->end($round)->[0], 'ok', 'over');
    $s->offline($p[$_], "$w.2" . ($_ + 1)) for 0, 1;
}


# one is lost

is_deeply($s->offline($two, "$w2.1"), ['ok', 'gone', [$waits->{id}], $two],
          'a renderer goes: what it had is told');
is_deeply($s->offline($one, "$w.1"),
          ['ok', 'gone', [sort { $redis->call('ZSCORE', $s->key("dses:$one"), $a)
                                 <=> $redis->call('ZSCORE',
                                                  $s->key("dses:$one"), $b)
                                 || $a cmp $b } $x->{id}, $third->{id}],
           $one],
          'those that are over, too, until they leave its list');

$s->online($one, "$w.2");
$s->load($one, "$w.2", 8, 0, 0, 0);


# what may be shown: the strictest of all

put('default', urls => '["https://*.test/*"]', mask => '[".card","#pin"]');

my $strict = rendered($one, page => { urls => ['https://wiki.test/*'],
                                      mask => ['.a "q"', '.card'] });

is_deeply([@{ policy($strict) }{qw(urls mask no_submit downloads)}],
          [[['https://wiki.test/*'], ['https://*.test/*']],
           ['.a "q"', '.card', '#pin'], JSON::PP::false, 'both'],
          'addresses must be in each list, masks are all of them');

put('default', no_submit => 1, downloads => 'none', consent => 'required');
$strict = rendered($one);
is_deeply([@{ policy($strict) }{qw(urls mask no_submit downloads consent)}],
          [[], [], JSON::PP::true, 'none', 'none'],
          'who says no wins; nobody is asked at a rendered browser');
is_deeply($s->fcall('rs_participant_add',
                    [$s->{key}, "ses:$strict->{id}", "par:$strict->{id}",
                     'idem:' . RS::Schema::hash(),
                     'tkt:' . RS::Schema::hash(), 'uin:'],
                    'sessions:write', random_id('par_'), 'viewer', 'Vera',
                    '', 60, '', '1')->[0], 'ok', 'somebody more may come');

my $plain = $s->session($s->device(online => "$w.40"), web => '');

ok(!exists policy($plain)->{urls}, 'a desktop has no pages');
$s->dies_like(qr/no way of downloads/, 'downloads: one of two',
              'rs_policy_put', [$s->{key}, 'pols'], 'policies:write', 'x', '',
              0, '', 0, 'both', 'both', 1, '', '', '', '', 0, 'some');
is(put('default'), 'ok', 'a policy that says nothing');


# who is a guest

sub guests {
    my ($x) = @_;
    my $r = $s->fcall('rs_session_get', [$s->{key}, "ses:$x->{id}",
                                         "par:$x->{id}", "use:$x->{id}"],
                      'sessions:read');

    return [map { RS::Schema::obj($_)->{guest} } @{ $r->[2] }];
}

my $g = rendered($one, roles => ['controller', 'controller'],
                 page => { guests => [JSON::PP::false, JSON::PP::true] });

is_deeply(guests($g), ['', '', '1'], 'whom a key says so of');
is_deeply(guests($strict), ['', '', '1'], 'also later');

my $id = random_id('usr_');
my $user = RS::Schema::caller_json(
    kind => 'user', id => $id, name => 'Ana', iat => time(),
    subjects => ["user:$id"], tenant => ['sessions:write'], granted => [],
    verb => 'sessions:write');
my $of = $s->session_call($one, web => RS::Schema::web(), auth => "usr:$id",
                          user => $id, scope => $user, roles => ['controller']);

# his own id is told by the gateway, the other one is somebody else's

$of->{call}[-3] = $id;
is($s->fcall(@{ $of->{call} })->[0], 'ok', 'a user asks');
is_deeply(guests($of), ['', ''], 'he himself is none');
is($s->fcall('rs_participant_add',
             ["usr:$id", "ses:$of->{id}", "par:$of->{id}",
              'idem:' . RS::Schema::hash(), 'tkt:' . RS::Schema::hash(),
              "uin:$id"], $user, random_id('par_'), 'viewer', 'Vera', '', 60,
             '', '')->[0], 'ok', 'somebody he names');
is_deeply(guests($of), ['', '', '1'], 'is');


# somebody who may it with some groups only: his own one, and no other

sub technician {
    my ($who, @verbs) = @_;

    return RS::Schema::caller_json(
        kind => 'user', id => $who, name => 'Tom', iat => time(),
        subjects => ["user:$who"], tenant => [], granted => \@verbs,
        verb => $verbs[0]);
}

sub seen {
    my ($x, $who) = @_;

    return $s->fcall('rs_session_get', ["usr:$who", "ses:$x->{id}",
                                        "par:$x->{id}", "use:$x->{id}"],
                     technician($who, 'sessions:read'))->[0];
}

my $tom = random_id('usr_');
my $his = $s->session_call($one, web => RS::Schema::web(), auth => "usr:$tom",
                           user => $tom,
                           scope => technician($tom, 'sessions:write'));

is($s->fcall(@{ $his->{call} })->[0], 'ok', 'a technician asks');
is(seen($his, $tom), 'ok', 'and sees it');
isnt(seen($his, random_id('usr_')), 'ok', 'nobody else of his kind does');
isnt(seen($of, $tom), 'ok', 'nor he that of somebody else');

my $sub2 = $s->subscribe($w2);

$s->guest_join($g, 0, "$w2.50");
$sub2->got();
$s->guest_join($g, 1, "$w2.51");
is_deeply([map { decode_json($_->{body})->{peer}{guest} } $sub2->got()],
          [JSON::PP::true], 'who is here is told');


# the same request twice

my $again = $s->session_call($one, web => RS::Schema::web(), body => 'b');

is($s->fcall(@{ $again->{call} })->[1], 'created', 'a request');
$s->load($one, "$w.2", 1, 1, 0, 0);
is($s->fcall(@{ $again->{call} })->[1], 'repeated',
   'again, when all is full: the same session');

$again->{call}[1][7] = 'dev:';
is($s->fcall(@{ $again->{call} })->[1], 'repeated', 'or none is found');

$s->check_catalogue();

done_testing();
