#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The listeners of the daemon, without a turnserver: who gets an answer, and
# what a client can send without doing harm to the others.

use strict;
use warnings;

use FindBin;
use IO::Select;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Turn;
use RS::Util qw(now wait_until);

use constant MAX => 8;          # connections of a listener

my $turn = RS::Turn->new(start => 0, secret => 'static',
                         authd_conf => { coturn_version => '4.18.0',
                                         max_connections => MAX });
my $realm = $turn->realm;

$turn->start_authd();


# ---- a client

sub port {
    my ($which) = @_;

    return $turn->{($which // 'userdb') . '_port'};
}


sub open_ {
    my ($which) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => port($which))
        || die "connect: $@";
}


sub request {
    return join '', '*' . @_ . "\r\n", map { '$' . length() . "\r\n$_\r\n" } @_;
}


# What comes until it ends with $end, or the connection does.

sub answer {
    my ($s, $end, $seconds) = @_;
    my $until = now() + ($seconds // 10);
    my $text = '';

    while (!defined $end || $text !~ /$end\z/) {
        my $left = $until - now();

        return "$text (and nothing more)" if $left <= 0;
        next if !IO::Select->new($s)->can_read($left);

        my $n = sysread($s, $text, 65536, length $text);

        return "$text<closed>" if !$n;
    }

    return $text;
}


sub say_ {
    my ($s, @words) = @_;

    syswrite($s, request(@words));

    return answer($s, "\r\n");
}


sub login {
    my ($which) = @_;
    my $s = open_($which);
    my $got = say_($s, 'AUTH', $turn->{db_password});

    die "AUTH: $got" if $got ne "+OK\r\n";

    return $s;
}


# ---- no password, no answer

for my $which (qw(userdb statsdb)) {
    my $s = open_($which);

    is(say_($s, 'keys', '*'), "-NOAUTH Authentication required.\r\n",
       "$which: no answer before the password");
    is(say_($s, 'smembers', "turn/realm/$realm/secret"),
       "-NOAUTH Authentication required.\r\n", "$which: no secret");
    is(say_($s, 'select', '0'), "-NOAUTH Authentication required.\r\n",
       "$which: no select");
    is(say_($s, 'auth', $turn->{db_password}), "+OK\r\n",
       "$which: the password");
    is(say_($s, 'SELECT', '0'), "+OK\r\n", "$which: select in capitals");
    is(say_($s, 'keys', 'turn/origin/*'), "*0\r\n", "$which: keys");
}

for my $wrong (['AUTH', 'wrong'], ['AUTH', ''], ['AUTH', 'user', 'wrong'],
               ['AUTH'], ['AUTH', 'a', 'b', 'c'],
               ['AUTH', substr($turn->{db_password}, 0, -1)],
               ['AUTH', "$turn->{db_password}x"])
{
    my $s = open_();

    like(say_($s, @$wrong) . answer($s), qr/^-WRONGPASS .*\r\n<closed>\z/,
         'a wrong password ends the connection: '
         . scalar(@$wrong) . ' words, ' . length($wrong->[-1]));
}

{
    my $s = login();

    like(say_($s, 'AUTH', 'wrong') . answer($s), qr/^-WRONGPASS .*\r\n<closed>\z/,
         'even later');
}

{
    my $s = open_();

    is(say_($s, 'AUTH', 'coturn', $turn->{db_password}), "+OK\r\n",
       'with a user name, as later versions of coturn have it');
}

{
    my $s = open_();

    is(say_($s, 'RS.GUARD', '1'), "+OK\r\n", 'the guard says so first');
    is(say_($s, 'keys', 'x'), "-NOAUTH Authentication required.\r\n",
       'and is no password');
    is(say_($s, 'AUTH', $turn->{db_password}), "+OK\r\n", 'which comes next');
    like(say_($s, 'RS.GUARD', '1'), qr/^-ERR/, 'later it means nothing');
}


# ---- the answers

{
    my $s = login();
    my $key = "turn/realm/$realm";

    syswrite($s, request('get', "$key/user-quota"));
    is(answer($s, "48\r\n"), "\$2\r\n48\r\n", 'a quota: that of a host');
    is(say_($s, 'get', "$key/nothing"), "\$-1\r\n", 'no such key');
    is(say_($s, 'get', 'turn/realm/other/user-quota'), "\$-1\r\n",
       'another realm');
    is(say_($s, 'get', "$key/user/u/key"), "\$-1\r\n",
       'compat: no keys of users');
    is(say_($s, 'hgetall', 'turn/oauth/kid/x'), "*0\r\n", 'no OAuth');
    is(say_($s, 'smembers', 'turn/realm/other/secret'), "*0\r\n",
       'no secret of another realm');

    syswrite($s, request('smembers', "$key/secret"));
    is(answer($s, qr/\r\n\S+\r\n\S+\r\n/),
       "*1\r\n\$64\r\n$turn->{static}\r\n", 'the secret of ours');

    for my $kind (qw(allowed denied)) {
        syswrite($s, request('keys', "turn/realm/*/$kind-peer-ip"));
        is(answer($s, "-peer-ip\r\n"),
           "*1\r\n\$" . length("$key/$kind-peer-ip") .
           "\r\n$key/$kind-peer-ip\r\n", "the key of peers $kind");

        syswrite($s, request('smembers', "$key/$kind-peer-ip")
                     . request('nosuch'));
        like(answer($s, qr/-ERR unknown command\r\n/),
             qr/^\*[1-9]\d*\r\n\$\d+\r\n[0-9a-f.:]/, "peers $kind: never none");
    }
}


# ---- how it comes

{
    my $s = login();
    my $all = request('keys', 'x') . request('hgetall', 'y')
              . request('get', 'z');

    syswrite($s, $all x 100);
    is(answer($s, quotemeta("*0\r\n*0\r\n\$-1\r\n" x 100)),
       "*0\r\n*0\r\n\$-1\r\n" x 100, 'three hundred at once, in order');

    for my $byte (split //, $all) {
        syswrite($s, $byte);
    }

    is(answer($s, quotemeta("*0\r\n*0\r\n\$-1\r\n")), "*0\r\n*0\r\n\$-1\r\n",
       'a byte at a time');

    for my $bad (['FLUSHALL'], ['CONFIG', 'GET', '*'], ['EVAL', 'x', '0'],
                 [''], ["\0\xff"], ['shutdown'])
    {
        is(say_($s, @$bad), "-ERR unknown command\r\n",
           "unknown: \"$bad->[0]\"" =~ s/[^ -~]/./gr);
    }

    for my $bad (['get'], ['get', 'a', 'b'], ['keys'], ['smembers', 'a', 'b'],
                 ['hgetall'])
    {
        is(say_($s, @$bad), "-ERR wrong number of arguments\r\n",
           join ' ', 'too few or too many:', @$bad);
    }

    is(say_($s, 'get', 'x' x 5000), "-ERR request is too large\r\n",
       'too long');
    is(say_($s, 'get', ('%s') x 500), "-ERR request is too large\r\n",
       'too many');
    is(say_($s, 'keys', 'x'), "*0\r\n", 'and the connection goes on');
}

for my $bad ("GET / HTTP/1.1\r\n\r\n", "*1\r\n:1\r\n", "*-1\r\n", "\r\n",
             "*1\r\n\$-1\r\n", "*99999999999\r\n", "*1\r\n\$99999999999\r\n",
             "\x16\x03\x01\x02\x00")
{
    my $s = login();

    syswrite($s, $bad);
    is(answer($s), "-ERR Protocol error\r\n<closed>",
       'no request: ' . $bad =~ s/[^ -~]/./gr);

    $s = open_();
    syswrite($s, $bad);
    is(answer($s), '<closed>', '... and no word to a stranger');
}


# ---- one that does not read

{
    my $s = login();
    my $big = request('smembers', "turn/realm/$realm/denied-peer-ip");
    my $wrote = 0;

    $s->blocking(0);

    # until the daemon takes no more of it

    while (my ($w) = IO::Select->new($s)->can_write(1)) {
        $wrote += syswrite($w, $big x 64) // 0;
        last if $wrote > 100_000_000;
    }

    cmp_ok($wrote, '<', 20_000_000, "what is not read is not asked: $wrote");

    my $other = login();

    is(say_($other, 'keys', 'x'), "*0\r\n", 'others are answered meanwhile');
}


# ---- how many

{
    my $before = $turn->metric('rs_turn_connections_refused_total',
                               listener => 'userdb', reason => 'full') // 0;
    my @idle = map { open_() } 1 .. MAX;
    my $s = login();

    is(say_($s, 'keys', 'x'), "*0\r\n",
       'those who say nothing make room for one who has the password');
    is(answer($idle[0]), '<closed>', 'the oldest of them');

    my @good = ($s, map { login() } 2 .. MAX);

    is(answer(open_()), '<closed>', 'all have it: the next one is refused');
    is(say_($_, 'keys', 'x'), "*0\r\n", 'they stay') for @good;

    cmp_ok($turn->metric('rs_turn_connections_refused_total',
                         listener => 'userdb', reason => 'full'), '>',
           $before, 'counted');
    is($turn->metric('rs_turn_connections', listener => 'userdb'), MAX,
       'as many as there may be');
}

wait_until {
    $turn->metric('rs_turn_connections', listener => 'userdb') == 0
} 10, 'all connections are gone';

{
    my $start = now();
    my $s = open_();

    is(answer($s, undef, 20), '<closed>', 'one that says nothing is ended');

    my $took = now() - $start;

    ok($took > 4 && $took < 15, sprintf 'after 5 s: %.1f', $took);
}

like($turn->authd_log(), qr/wrong password: redis-userdb in turnserver\.conf/,
     'what to do about a wrong password is logged');
$turn->check_logs();

done_testing();
