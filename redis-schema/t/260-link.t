#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Guest links: uses, PIN and its five tries, what is told to whom and what the
# audit says; and tickets bound to an origin.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $dev = $s->device(online => 'n1.0.00000000000000aa.1');
my $x = $s->session($dev, max_par => 4);
my @at = ("ses:$x->{id}", "lnks:$x->{id}");


sub link_of {
    my (%opt) = @_;
    my $l = { id => random_id('lnk_'), secret => RS::Schema::hash(),
              pin => $opt{pin} ? RS::Schema::hash() : '' };

    $l->{reply} = $s->fcall('rs_link_create',
        [$s->{key}, @at, 'idem:' . ($opt{idem} // RS::Schema::hash())],
        $opt{caller} // 'sessions:write', $l->{id}, $opt{role} // 'viewer',
        $opt{name} // '', '', $l->{secret}, $l->{pin}, $opt{max_uses} // 1,
        $opt{ttl} // 600, 60, $opt{body} // '');

    return $l;
}


sub use_of {
    my ($l, %opt) = @_;
    my $tkt = RS::Schema::hash();
    my $r = $s->fcall('rs_link_use',
        [$at[0], "par:$x->{id}", $at[1], "tkt:$tkt", 'audit'], $l->{id},
        $opt{secret} // $l->{secret}, $opt{pin} // $l->{pin},
        $opt{par} // random_id('par_'), $opt{name} // '', '192.0.2.1', 'r-1');

    return wantarray ? ($r, $tkt) : $r;
}


sub obj { return { @{ $_[0] } } }


sub shown {
    my ($l) = @_;
    my ($o) = grep { $_->{id} eq $l->{id} }
              map { obj($_) } @{ $s->fcall('rs_link_list', [$s->{key}, @at],
                                           'sessions:read')->[1] };

    return $o;
}


sub told {
    my $e = $redis->call('XREVRANGE', $s->key('audit'), '+', '-', 'COUNT', 1);

    return { @{ $e->[0][1] } };
}


sub audited {
    return $redis->call('XLEN', $s->key('audit'));
}


# one use

my $l = link_of(name => 'Guest');

is_deeply([@{ $l->{reply} }[0, 1]], ['ok', 'created'], 'a link');
is_deeply({ %{ obj($l->{reply}[2]) }, created_at => 0, expires_at => 0 },
          { id => $l->{id}, role => 'viewer', name => 'Guest',
            external_id => '', pin => 0, locked => 0, max_uses => 1,
            uses => 0, created_at => 0, expires_at => 0 },
          'what is shown of it');
is(told()->{detail}, $l->{id}, 'it is in the audit');

my ($r, $tkt) = use_of($l);
my $p = obj($r->[1]);

is_deeply([@$p{qw(role name state)}], ['viewer', 'Guest', 'invited'],
          'a participant');
is_deeply([@{ told() }{qw(actor actor_id actor_name verb object outcome addr
                          rid detail)}],
          ['guest', $l->{id}, 'Guest', 'join', $x->{id}, 'allow', '192.0.2.1',
           'r-1', $p->{id}], 'in the audit');
is(shown($l)->{uses}, 1, 'counted');
is($s->join($x, $tkt, 'n1.0.00000000000000aa.9')->[0], 'ok',
   'the ticket is good');

my $n = audited();

is_deeply(scalar use_of($l), ['link_invalid'], 'once');


# what cannot be used is one answer, and leaves nothing

is_deeply(scalar use_of(link_of(), secret => RS::Schema::hash()),
          ['link_invalid'], 'another secret');
is_deeply(scalar use_of({ %$l, id => random_id('lnk_') }), ['link_invalid'],
          'no such link');

my $gone = link_of(ttl => 600);

$redis->call('HSET', $s->key($at[1]), $gone->{id},
             $redis->call('HGET', $s->key($at[1]), $gone->{id})
             =~ s/"expires_at":"\d+"/"expires_at":"1"/r);
is_deeply(scalar use_of($gone), ['link_invalid'], 'expired');

my $away = link_of();

is_deeply($s->fcall('rs_link_delete', [$s->{key}, @at], 'sessions:invite',
                    $away->{id}), ['ok'], 'deleted');
is_deeply(scalar use_of($away), ['link_invalid'], 'deleted');
is_deeply($s->fcall('rs_link_delete', [$s->{key}, @at], 'sessions:invite',
                    $away->{id}), ['not_found'], 'there no more');
is(audited() - $n, 5, 'only what was made and deleted is in the audit');


# several uses, each a new participant; one that failed is not counted

$l = link_of(max_uses => 2, role => 'controller');
($r) = use_of($l, name => 'Ann');
is_deeply([@{ obj($r->[1]) }{qw(role name)}], ['controller', 'Ann'],
          'a name of his own');
$p = obj($r->[1]);

# the host, one asked for and two guests: full

is_deeply(scalar use_of($l), ['participants_full'], 'the session is full');
is(shown($l)->{uses}, 1, 'which uses up nothing');


# PIN

$x = $s->session($dev);
@at = ("ses:$x->{id}", "lnks:$x->{id}");
$l = link_of(pin => 1, max_uses => 3);
is(shown($l)->{pin}, 1, 'a link with a PIN');
is_deeply(scalar use_of($l, pin => ''), ['pin_required'], 'it is asked for');
is(shown($l)->{locked}, 0, 'that is no try');
is((use_of($l))[0][0], 'ok', 'the right one');
$n = audited();

for my $i (1 .. 5) {
    is_deeply(scalar use_of($l, pin => RS::Schema::hash()), ['link_invalid'],
              "wrong $i");
    is(shown($l)->{locked}, $i == 5 ? 1 : 0, 'locked by the fifth');
    is_deeply([@{ told() }{qw(outcome reason detail)}],
              ['deny', 'link_invalid', $i == 5 ? 'pin, locked' : 'pin'],
              'in the audit');
}

is_deeply(scalar use_of($l), ['link_invalid'], 'the sixth, though right');
is_deeply([@{ told() }{qw(outcome reason detail)}],
          ['deny', 'link_invalid', 'pin, locked'], 'in the audit, too');
is_deeply(scalar use_of($l, pin => ''), ['link_invalid'],
          'it is not asked for any more');
use_of($l) for 1 .. 5;
is(audited() - $n, 6, 'who goes on leaves no more lines');
is(shown($l)->{uses}, 1, 'nobody came in');


# Idempotency-Key

my ($idem, $body) = (RS::Schema::hash(), RS::Schema::hash());
my $first = link_of(idem => $idem, body => $body, pin => 1);
my $again = link_of(idem => $idem, body => $body);

is_deeply($again->{reply}, ['ok', 'repeated', $first->{id}], 'repeated');
is_deeply(link_of(idem => $idem, body => RS::Schema::hash())->{reply},
          ['idempotency_mismatch'], 'another body');

my $new = RS::Schema::hash();

is($s->fcall('rs_link_renew', [$s->{key}, @at], 'sessions:write',
             $first->{id}, $new, '')->[0], 'ok', 'a new secret');
is_deeply(scalar use_of($first), ['link_invalid'], 'the old one is void');
is((use_of({ %$first, secret => $new, pin => '' }))[0][0], 'ok',
   'the new one is not');


# bounds; and who may not see the session

my @more = map { link_of() } 1 .. 16;

is_deeply($more[-1]{reply}, ['limit_reached'], 'sixteen');

my ($weak) = $s->api_key('sessions:read');

is_deeply($s->fcall('rs_link_create',
                    [$weak, @at, 'idem:' . RS::Schema::hash()],
                    'sessions:write', random_id('lnk_'), 'viewer', '', '',
                    RS::Schema::hash(), '', 1, 60, 60, ''), ['forbidden'],
          'a key without the verb');
$s->end($x);
is_deeply(scalar use_of($more[0]), ['link_invalid'], 'the session is over');
is_deeply(link_of()->{reply}, ['session_ended'], 'no links to it');
is_deeply($s->fcall('rs_link_list',
                    [$s->{key}, map { "$_:" . random_id('ses_') }
                                    qw(ses lnks)], 'sessions:read'),
          ['not_found'], 'no such session');


# a ticket bound to an origin is kept by another hash

$x = $s->session($dev, roles => ['controller']);

my ($bound, $plain) = ($x->{tickets}[0], RS::Schema::hash());
my $to = 'n1.0.00000000000000aa.30';

is_deeply($s->join($x, $plain, $to), ['unauthenticated'], 'no origin');
is_deeply($s->join($x, $plain, $to, bound => RS::Schema::hash()),
          ['unauthenticated'], 'another origin');
is($s->join($x, $plain, $to, bound => $bound)->[0], 'ok',
   'neither used it up');
is_deeply($s->join($x, $plain, $to, bound => $bound), ['unauthenticated'],
          'once');

$s->check_catalogue();

done_testing();
