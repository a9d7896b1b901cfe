#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# A Redis that answers what none should: everything ends the link or the
# listing with a reason, nothing ends the daemon, and when it answers as it
# should again all is well.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::FakeRedis;
use RS::Upstream;
use RS::Util qw(now wait_until random_id);

my $fake = RS::FakeRedis->new();
my ($ses, $par) = (random_id('ses_'), random_id('par_'));
my $until = time() + 300;
my $s = { tenant => 'default', id => $ses, par => $par, until => $until };


sub upstream {
    return RS::Upstream->new(redis => 'unix:' . $fake->socket, resync => 1,
                             redis_connect_timeout => 2000,
                             redis_timeout => 2000, @_);
}


sub bulk { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }


sub reply {
    my ($cursor, @list) = @_;

    return "*3\r\n" . bulk('ok') . bulk($cursor) . '*' . @list . "\r\n"
           . join '', map { bulk($_) } @list;
}


# until the log has it; then it answers as it should again

sub until_log {
    my ($up, $what, $words, $says) = @_;
    my $seen = length $up->log;

    ok(eval { wait_until { $up->log =~ $says } 8, $says }, $what)
        or diag($up->log);

    my $n = $up->stat('syncs');

    $fake->say($words);
    ok(eval {
        $up->wait_stat(syncs => sub { $_[0] > $n }, 8);
        $up->wait_in_sync;
        1
    }, '... and all is well again') or diag($up->log);

    return;
}


# this answer to that, from the start

sub wrong {
    my ($what, $words, $answer, $says) = @_;

    $fake->say($words => $answer);

    my $up = upstream();

    until_log($up, $what, $words, $says);
    is($up->verdict($s), 'ok', 'and known');
    $up->stop;
    is($up->{proc}{status}, 0, 'a clean end') or diag($up->log);

    return;
}


# the same of one that was in sync

sub later {
    my ($up, $what, $words, $answer, $says) = @_;

    $fake->say($words => $answer);
    until_log($up, $what, $words, $says);

    return;
}


$fake->say('FCALL_RO rs_turn_list 1 rs:{default}:turn'
           => reply('', "$ses.-", $until));

# this one is not to lose its links because the machine is busy

my $up = upstream();

$up->wait_in_sync;
is($up->verdict($s), 'ok', 'a session');

my $LIST = 'FCALL_RO rs_turn_list 1 rs:{default}:trev';
my $TENANTS = 'FCALL_RO rs_turn_tenants';

# ---- listings

for my $case (
    ['no array', "+OK\r\n", qr/refused to list/],
    ['nil', "*-1\r\n", qr/refused to list/],
    ['a code', "*1\r\n" . bulk('invalid_value'), qr/refused to list/],
    ['an error', "-ERR what\r\n", qr/refused to list/],
    ['busy', "-BUSY\r\n", qr/refused to list/],
    ['a tenant that is none', reply('', 'a}b'), qr/tenants is not of its/],
    ['a cursor without an end', reply('x' x 400), qr/tenants is not of its/],
    ['a cursor that goes on', reply('1 a'), qr/tenants has no end/],
) {
    my ($what, $answer, $says) = @$case;

    later($up, "tenants: $what", $TENANTS, $answer, $says);
}

for my $case (
    ['a member that is none', reply('', 'x', $until), qr/a member of a list/],
    ['one without a participant', reply('', "$ses.-", $until), qr/a member/],
    ['no instant', reply('', "$ses.$par", 'x'), qr/an instant is no number/],
    ['a negative one', reply('', "$ses.$par", -1), qr/an instant is no/],
    ['an odd count', reply('', "$ses.$par"), qr/a list is not of its form/],
    ['a cursor that goes on', reply('1 a'), qr/or a list has no end/],
) {
    my ($what, $answer, $says) = @$case;

    later($up, "a list: $what", $LIST, $answer, $says);
}

is($up->stat('live'), 1, 'what was known before is known');

# ---- the wire

for my $case (
    ['no RESP', "hello\r\n", qr/breaks the protocol/],
    ['a string of a gigabyte', '$1000000000' . "\r\n" . 'x' x 200_000,
     qr/breaks the protocol/],
    ['an array of a million', "*1000000\r\n", qr/breaks the protocol/],
    ['more than was asked for', "+a\r\n+b\r\n+c\r\n+d\r\n",
     qr/nobody had asked for|refused to list/],
    ['half of it', "*3\r\n\$2\r\nok", qr/no reply within 2000 ms/],
    ['nothing', 'silence', qr/no reply within 2000 ms/],
    ['the end', 'hangup', qr/closed the connection/],
    ['it is a replica now', "-READONLY no\r\n", qr/is down: READONLY/],
    ['it wants a password now', "-NOAUTH\r\n", qr/is down: NOAUTH/],
    ['it lost the library', "-ERR Function not found\r\n",
     qr/is down: ERR Function/],
) {
    my ($what, $answer, $says) = @$case;

    wrong($what, $TENANTS, $answer, $says);
}

# ---- before a link is up

for my $case (
    ['INFO', 'nothing', 'silence', qr/no answer to INFO within/],
    ['INFO', 'no role', bulk("run_id:x\r\n"), qr/its role is ""/],
    ['INFO', 'a replica', bulk("role:slave\r\nrun_id:x\r\n"), qr/"slave"/],
    ['INFO', 'no run_id', bulk("role:master\r\n"), qr/no run_id/],
    ['INFO', 'a long one', bulk("role:master\r\nrun_id:" . 'x' x 500),
     qr/no run_id/],
    ['INFO', 'a number', ":1\r\n", qr/its role is ""/],
    ['FCALL_RO rs_version', 'another',
     "*3\r\n" . bulk('ok') . bulk('77') . bulk('76'),
     qr/holds version 77 .* serves versions 76 to 77; .* upgrade this/],
    ['FCALL_RO rs_version', 'another with one number',
     "*2\r\n" . bulk('ok') . bulk('77'), qr/serves versions 77 to 77/],
    ['FCALL_RO rs_version', 'an old one',
     "*3\r\n" . bulk('ok') . bulk('2') . bulk('1'),
     qr/serves versions 1 to 2; .* load that of this release/],
    ['FCALL_RO rs_version', 'more than it has',
     "*3\r\n" . bulk('ok') . bulk('5') . bulk('6'), qr/does not say its/],
    ['FCALL_RO rs_version', 'none', "+3\r\n", qr/does not say its version/],
    ['SUBSCRIBE', 'something else', "+OK\r\n", qr/was not confirmed/],
    ['SUBSCRIBE', 'another channel',
     "*3\r\n" . bulk('subscribe') . bulk('x') . ":1\r\n", qr/not confirmed/],
    ['SUBSCRIBE', 'not allowed', "-NOPERM\r\n", qr/SUBSCRIBE is refused/],
) {
    my ($step, $what, $answer, $says) = @$case;

    wrong("$step: $what", $step, $answer, $says);
}

# ---- while it is subscribed

for my $case (
    ['another number', "*2\r\n" . bulk('pong') . bulk('77'),
     qr/the answer to PING is of another/],
    ['no number', "*2\r\n" . bulk('pong') . bulk(''), qr/is of another/],
    ['+PONG', "+PONG\r\n", qr/something else than messages/],
    ['nothing', 'silence', qr/the subscription is silent/],
    ['the end', 'hangup', qr/messages is down: Redis closed/],
    ['an error', "-ERR what\r\n", qr/error while subscribed: ERR what/],
    ['not subscribed', "*3\r\n" . bulk('unsubscribe') . bulk('rs:turn')
                       . ":0\r\n", qr/something else than messages/],
) {
    my ($what, $answer, $says) = @$case;

    wrong("PING: $what", 'PING', $answer, $says);
}

# messages that are none are counted, and do no harm

my $message = "*3\r\n" . bulk('message') . bulk('rs:turn');
my $pong = "*2\r\n" . bulk('pong') . "+{n}\r\n";

$fake->say(PING => join '', $pong, map { $message . $_ }
                   bulk('x' x 60_000), "\$-1\r\n", ":5\r\n", "*0\r\n",
                   bulk("end default $ses -1"), bulk("live default $ses 1 -"));
$up->wait_stat(messages_bad => sub { $_[0] >= 5 });
is($up->verdict($s), 'ok', 'no harm is done');
ok(eval { $up->wait_in_sync; 1 }, 'and it goes on') or diag($up->log);

# ---- what a session is asked by

for my $answer ("*1\r\n" . bulk('ok'), "+OK\r\n", "*-1\r\n", ":7\r\n",
                "*4\r\n" . bulk('ok') . bulk('live') . bulk('x') . bulk('y'))
{
    my $n = $up->stat('calls');

    $fake->say('FCALL_RO rs_turn_check' => $answer);
    $up->ask('verdict', "$until:default." . random_id('ses_') . ".$par");
    $up->wait_stat(calls => sub { $_[0] > $n });
    is($up->stat('in_sync'), 1, 'an answer that is none');
}

$up->check_log;
$fake->stop;

done_testing();
