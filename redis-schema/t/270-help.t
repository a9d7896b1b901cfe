#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Codes for help: one session each, once, for a while; what of one address is
# counted; sessions without a device.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;

my $s = RS::Schema->new();
my $redis = $s->redis();
my $x = $s->session('');


sub code_of {
    my ($x, %opt) = @_;
    my $code = $opt{code} // RS::Schema::hash();

    return ($s->fcall('rs_help_create',
                      [$s->{key}, "ses:$x->{id}", "par:$x->{id}"],
                      $opt{caller} // 'sessions:write', $code,
                      $opt{ttl} // 600), $code);
}


sub put_of {
    my ($code, $x, $old) = @_;

    return $s->fcall('rs_help_put',
                     ["help:$code", 'help:' . ($old || $code)], $s->{tenant}, $x->{id},
                     600);
}


sub take_of {
    my ($code, %opt) = @_;

    return $s->fcall('rs_help_take',
                     ["help:$code", 'tries:' . ($opt{from} // 'a:192.0.2.1')],
                     $opt{tenant} // '');
}


sub use_of {
    my ($code, $x, %opt) = @_;
    my $tkt = RS::Schema::hash();

    return ($s->fcall('rs_help_use',
                      ["ses:$x->{id}", "par:$x->{id}", "tkt:$tkt", 'audit'],
                      $code, $opt{name} // '', 60, '192.0.2.1', 'r-1'), $tkt);
}


# without a device

my ($ses, $host) = $s->get($x);

is($ses->{device_id}, '', 'no device');
is($ses->{state}, 'waiting_host', 'it waits for its host');
is_deeply([@$host{qw(role name state)}], ['host', '', 'invited'],
          'who is nobody yet');


# a code

my ($r, $code) = code_of($x);

is($r->[0], 'ok', 'a code');
is_deeply(put_of($code, $x), ['ok'], 'kept for the fleet');
is_deeply(put_of($code, $x), ['conflict'], 'a second of the same is none');
is_deeply(take_of($code, tenant => 'other'), ['link_invalid'],
          'not for another tenant');
is_deeply(take_of($code), ['ok', $s->{tenant}, $x->{id}], 'taken');
is_deeply(take_of($code), ['link_invalid'], 'once');

my ($used, $tkt) = use_of($code, $x, name => 'Eve');
my %p = @{ $used->[2] };

is($used->[0], 'ok', 'used');
is_deeply([@p{qw(id role name)}], [$host->{id}, 'host', 'Eve'],
          'she is the host');
is_deeply((use_of($code, $x))[0], ['link_invalid'], 'once');

my $line = $redis->call('XREVRANGE', $s->key('audit'), '+', '-', 'COUNT', 1);

is_deeply([@{ { @{ $line->[0][1] } } }{qw(actor actor_name verb object
                                          outcome)}],
          ['guest', 'Eve', 'help', $x->{id}, 'allow'], 'in the audit');

my $joined = $s->join($x, $tkt, 'n1.0.00000000000000aa.7');

is($joined->[0], 'ok', 'the ticket is the host\'s');
is({ @{ $joined->[4] } }->{state}, 'connecting', 'who is here now');
is_deeply((code_of($x))[0], ['conflict'], 'no code for who is here');


# only the newest counts

my $y = $s->session('');
my (undef, $first) = code_of($y);
my (undef, $second) = code_of($y);

is_deeply((use_of($first, $y))[0], ['link_invalid'], 'one of before is void');
is((use_of($second, $y))[0][0], 'ok', 'the newest is good');


# whoever typed one of before and did not come does not take the place of who
# did

my $v = $s->session('');
my (undef, $wrong) = code_of($v);
my (undef, $old) = use_of($wrong, $v, name => 'Mallory');
my (undef, $right) = code_of($v);

is_deeply($s->join($v, $old, 'n1.0.00000000000000aa.8'), ['unauthenticated'],
          'another code voids the ticket of the one before');

(undef, $old) = use_of($right, $v, name => 'Eve');
$redis->call('HSET', $s->key("ses:$v->{id}"), 'help', $wrong, 'help_until',
             time + 600);
my (undef, $new) = use_of($wrong, $v, name => 'Eve');

is($s->join($v, $new, 'n1.0.00000000000000aa.9')->[0], 'ok', 'the newest');
is_deeply($s->join($v, $old, 'n1.0.00000000000000aa.10'), ['unauthenticated'],
          'and it alone, now that the host is here');


# a session has one code, whatever asks for more

my $one = $s->session('');
my $u = $s->session('');
my $theirs = (code_of($u))[1];
my $before;

put_of($theirs, $u);

for (1 .. 3) {
    my ($r, $code) = code_of($one);

    is($r->[2], $before // '', 'the one of before is told');
    is_deeply(put_of($code, $one, $before), ['ok'], 'and goes');
    is($redis->call('EXISTS', "rs:{b}:help:$before"), 0, 'it is gone')
        if $before;
    $before = $code;
}

put_of(RS::Schema::hash(), $one, $theirs);
is($redis->call('EXISTS', "rs:{b}:help:$theirs"), 1,
   'what is of another session stays');


# over, or of a device

my $z = $s->session('');
my (undef, $late) = code_of($z);

$redis->call('HSET', $s->key("ses:$z->{id}"), 'help_until', 1);
is_deeply((use_of($late, $z))[0], ['link_invalid'], 'expired');

(undef, $late) = code_of($z);
$s->end($z);
is_deeply((use_of($late, $z))[0], ['link_invalid'], 'of a session that ended');
is_deeply((code_of($z))[0], ['session_ended'], 'no code for it');

my $dev = $s->device(online => 'n1.0.00000000000000aa.1');
my $d = $s->session($dev);

is_deeply((code_of($d))[0], ['conflict'], 'none where the host is a device');
is_deeply((use_of($late, $d))[0], ['link_invalid'], 'nor is one used there');


# five wrong ones of an address

my $from = 'a:2001:db8::/64';

is_deeply(take_of(RS::Schema::hash(), from => $from), ['link_invalid'],
          "wrong: $_") for 1 .. 5;

my $w = $s->session('');
my (undef, $good) = code_of($w);

put_of($good, $w);
$r = take_of($good, from => $from);
is($r->[0], 'rate_limited', 'then even a right one is not looked at');
ok($r->[1] > 590 && $r->[1] <= 600, 'for as long as it is told');
is(take_of($good, from => 'a:192.0.2.99')->[0], 'ok', 'of this address');

$redis->call('HSET', 'rs:{b}:tries:' . $from, 'since', time - 600);
is(take_of(RS::Schema::hash(), from => $from)->[0], 'link_invalid',
   'later it is heard again');
is($redis->call('HGET', 'rs:{b}:tries:' . $from, 'count'), 1,
   'and counted anew');
ok($redis->call('TTL', 'rs:{b}:tries:' . $from) > 0, 'until it is forgotten');

# whose it is: a technician may make sessions of groups that are granted him.
# This is of none, and his.

sub as {
    my ($uid, $fn, $keys, $verb, @args) = @_;

    return $s->fcall($fn, ["usr:$uid", @$keys],
                     RS::Schema::caller_json(
                         kind => 'user', id => $uid, name => 'Ana',
                         iat => time(), verb => $verb, also => [],
                         subjects => ["user:$uid"], tenant => [],
                         granted => [qw(sessions:read sessions:write
                                        sessions:control)]), @args);
}


my ($ana, $bob) = map { 'usr_' . $_ x 26 } 'a', 'b';
my $own = $s->session_call('', user => $ana);
my ($fn, $keys, $verb, @args) = @{ $own->{call} };

shift @$keys;
is(as($ana, $fn, $keys, $verb, @args)->[0], 'ok', 'a technician makes one');

my @see = ('rs_session_get', ["ses:$own->{id}", "par:$own->{id}",
                              "use:$own->{id}"], 'sessions:read');
my @ask = ('rs_help_create', ["ses:$own->{id}", "par:$own->{id}"],
           'sessions:write', RS::Schema::hash(), 600);
my @stop = ('rs_session_end', [(map { "$_:$own->{id}" } qw(ses par mem log)),
                               'turn'], 'sessions:write', 'deleted', '', '',
            RS::Schema::REPLID());

for my $case (['see', @see], ['ask for a code', @ask], ['end', @stop]) {
    my ($what, @call) = @$case;

    is(as($bob, @call)->[0], 'not_found', "another one: $what");
    is(as($ana, @call)->[0], 'ok', "he: $what");
}

$s->check_catalogue();

done_testing();
