#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# rs-turn-check against the real turnserver: what works, and each way in which
# it does not, with its exit status, its error and its hint.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use IO::Socket::INET ();
use IPC::Run qw(run timeout);
use JSON::PP qw(decode_json encode_json);
use RS::Turn;
use RS::Util qw(random_id write_file tempdir top free_port spawn wait_until
                read_file);

use constant { OK => 0, WARNING => 1, CRITICAL => 2, UNKNOWN => 3 };

my $dir = tempdir();
my $tool = ($ENV{RS_TURN_BUILD} // top('build', 'turn')) . '/rs-turn-check';
my $turn = RS::Turn->new(mode => 'plain', tls => 1);
my $s = { id => random_id('ses_'), tenant => 'default',
          host => random_id('par_') };
my ($udp, $tcp, $tls) = uris($turn);


sub uris {
    my ($t) = @_;
    my $at = $t->ip . ':' . $t->port;

    return ("turn:$at", "turn:$at?transport=tcp",
            'turns:' . $t->ip . ':' . $t->tls_port);
}


# a file of credentials: a line each

sub credentials {
    my (@list) = @_;

    return write_file("$dir/" . random_id('cred'),
                      CORE::join('', map { "$_->{username} $_->{password}\n" }
                                     @list), 0600);
}


sub participants {
    my ($t, $n) = @_;

    return map { $t->credential({ %$s, host => random_id('par_') }) } 1 .. $n;
}


# What it answers in JSON, with its exit status and stderr.

sub check {
    my ($input, @argv) = @_;
    my ($out, $err);

    run([$tool, '--json', '--no-progress', @argv], \$input, \$out, \$err,
        timeout(120));

    my $status = $? >> 8;
    my $r = eval { decode_json($out) } // {};

    return { %$r, status => $status, text => $out, err => $err };
}


sub error_of {
    my ($r) = @_;
    my $e = $r->{checks}[0]{error} // {};

    return CORE::join(' ', grep { defined } @$e{qw(step code text)});
}


my @cred = ('-c', credentials($turn->credential($s)));
my @fast = ('-n', 40, '-r', 400);


# ---- what works

my $r = check('', @cred, @fast, '--insecure', '--warn-days', 1, $udp, $tcp,
              $tls);

is($r->{status}, WARNING, 'all transports; the certificate does not verify')
    or diag("$r->{text}$r->{err}");
is(scalar @{ $r->{checks} }, 3, 'three transports');

for my $c (@{ $r->{checks} }) {
    my $name = $c->{transport};

    is_deeply([@{ $c->{relay} }{qw(sent there back lost broken duplicates)}],
              [40, 40, 40, 0, 0, 0], "$name: all packets came back");
    is($c->{error}, undef, "$name: no error");
    cmp_ok($c->{relay}{round_trip_ms}{p50}, '>', 0, "$name: a round trip");
    is(scalar(grep { $_->{relayed} =~ /^\Q${\ $turn->relay_ip}\E:\d+$/
                     && $_->{allocate_ms} > 0 && $_->{connect_ms} >= 0 }
              @{ $c->{allocations} }), 2, "$name: two allocations");
    is($c->{realm}, $turn->realm, "$name: the realm");
}

is_deeply([map { $_->{status} } @{ $r->{checks} }], [qw(ok ok warning)],
          'TLS alone is a warning');
like($r->{checks}[2]{notes}[0], qr/^certificate: self.signed/, 'which says so');
wait_until { !$turn->allocations() } 10, 'no allocation';
pass('what was allocated was given back');

# of two ends the first that dislikes the certificate ends both: either may be

my @certs = map {
    check('', @cred, @fast, '--ca', $turn->dir . '/cert.pem', '--tls-name',
          'localhost', '--warn-days', 1, $tls)
        ->{checks}[0]{allocations}[0]{certificate}
} 1 .. 20;

is(scalar(grep { ($_->{days} // 0) > 1 } @certs), 20,
   'the certificate has days left, by whomever it was seen');
like($certs[0]{problem}, qr/hostname mismatch/, 'it is of another name');
like($certs[0]{not_after}, qr/^20\d\d-\d\d-\d\dT/, 'until then');

my $ice = { ttl_s => 300, iceServers => [
    { urls => ["stun:$turn->{ip}:" . $turn->port] },
    { urls => [$udp, $tcp], username => $turn->credential($s)->{username},
      credential => $turn->credential($s)->{password} } ] };

$r = check(encode_json($ice), '--ice', '-', @fast);
is($r->{status}, OK, 'an ICE document on stdin') or diag($r->{text}, $r->{err});
is_deeply([map { $_->{transport} } @{ $r->{checks} }], [qw(udp tcp)],
          'its TURN servers');

$r = check('', @cred, @fast, '-t', 'tcp', $udp);
is_deeply([$r->{status}, map { $_->{transport} } @{ $r->{checks} }],
          [OK, 'tcp'], 'TCP was chosen');

my ($out, $err);
run([$tool, @cred, @fast, $udp], \undef, \$out, \$err, timeout(60));
like($out, qr/\ATURN ok: 1 of 1 transports are well\n/, 'a line for people');
like($out, qr/\b0 of 40\b/, 'and a table');


# ---- two servers: each has its own secret, and knows the other's relay

my $place = RS::Turn->new(mode => 'plain', start => 0);
my $near = RS::Turn->new(mode => 'plain', relays => [$place->relay_ip]);
my $far = RS::Turn->new(mode => 'plain', relays => [$near->relay_ip],
                        ip => $place->ip, relay_ip => $place->relay_ip);
my @far = ('--peer-server', (uris($far))[0], '--peer-credentials',
           credentials($far->credential($s)));

$r = check('', '-c', credentials($near->credential($s)), @far, @fast,
           (uris($near))[0]);
is($r->{status}, OK, 'across two servers') or diag($r->{text}, $r->{err});
is($r->{checks}[0]{relay}{back}, 40, 'all packets came back');
is($r->{checks}[0]{peer}, (uris($far))[0], 'from the second one');

$r = check('', @cred, @far, @fast, $udp);
is($r->{status}, CRITICAL, 'a relay the first server does not know');
like(error_of($r), qr/^permission 403 /, 'is refused');
like($r->{checks}[0]{error}{hint}, qr/relay=/, 'with a hint');

$far->stop();
$r = check('', '-c', credentials($near->credential($s)), @far, @fast,
           '--timeout', 500, (uris($near))[0]);
is_deeply([@$r{qw(status)}, $r->{checks}[0]{failed}], [CRITICAL, 'second'],
          'the second one is down');
$near->stop();


# ---- what is refused

my $c = $turn->credential($s);

for my $case (
    ['wrong password', { %$c, password => 'x' . $c->{password} },
     qr/^allocate 401 /, qr/wrong password/],
    ['expired', $turn->credential($s, ttl => -60),
     qr/^allocate 401 /, qr/expiry has passed/],
    ['of another secret', $turn->credential($s, secret => 'y' x 40),
     qr/^allocate 401 /, qr/wrong password/],
) {
    my ($name, $who, $error, $hint) = @$case;

    for my $uri ($udp, $tcp) {
        $r = check('', '-c', credentials($who), $uri);

        is($r->{status}, CRITICAL, "$name: critical");
        like(error_of($r), $error, "$name: the error of STUN");
        like($r->{checks}[0]{error}{hint}, $hint, "$name: the hint");
        unlike($r->{text}, qr/\Q$who->{password}/, "$name: no password");
    }
}

$r = check('', @cred, '--realm', 'other', $udp);
is($r->{status}, CRITICAL, 'another realm');
like(error_of($r), qr/realm is "rs-test", not "other"/, 'is named');

my $few = RS::Turn->new(mode => 'plain', turn_conf => { 'user-quota' => 1 });
my @one = ('-c', credentials($few->credential($s)));

$r = check('', @one, (uris($few))[0]);
is($r->{status}, CRITICAL, 'the quota');
like(error_of($r), qr/^allocate 486 /, 'is told by its code');

# the other end may have one when the refusal comes, or get it right after that

is(scalar(grep { check('', '-c', credentials($_), (uris($few))[0])->{status}
                 == CRITICAL } participants($few, 40)), 40, 'the quota, often');
wait_until { !$few->allocations() } 10, 'no allocation';
pass('what the other end had was given back');

# one that is given back is counted for another second

@one = ('-c', credentials(participants($few, 1)));
$r = check('', @one, '--load', 20, (uris($few))[0]);
is_deeply([$r->{status}, @{ $r->{load} }{qw(asked made)}], [CRITICAL, 20, 1],
          'load: one of twenty allocations') or diag($r->{text});
is($r->{load}{errors}[0]{code}, 486, 'and why');

@one = ('-c', credentials(participants($few, 50)));
$r = check('', @one, '--load', 50, '--time', 0.5, '--rate', 20,
           (uris($few))[0]);
is_deeply([$r->{status}, @{ $r->{load} }{qw(made lost)}], [OK, 50, 0],
          'load: a credential each') or diag($r->{text});
cmp_ok($r->{load}{relay}{sent}, '>=', 25, 'packets were sent');
is($r->{load}{relay}{back}, $r->{load}{relay}{sent}, 'and came back');
cmp_ok($r->{load}{allocations_per_second}, '>', 0, 'a rate');
wait_until { !$few->allocations() } 10, 'no allocation';
pass('load: all were given back');
$few->stop();


# ---- who is not there

my $port = free_port();

for my $uri ("turn:$turn->{ip}:$port", "turn:$turn->{ip}:$port?transport=tcp",
             "turns:$turn->{ip}:$port") {
    $r = check('', @cred, $uri);
    is($r->{status}, CRITICAL, "$uri: nobody");
    like(error_of($r), qr/^connect Connection refused/, 'refused');
}

my $mute = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1');
my $deaf = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');

for my $uri ('turn:127.0.0.1:' . $mute->sockport,
             'turn:127.0.0.1:' . $deaf->sockport . '?transport=tcp',
             'turns:127.0.0.1:' . $deaf->sockport) {
    $r = check('', @cred, '--timeout', 300, $uri);
    is($r->{status}, CRITICAL, "$uri: silence");
    like(error_of($r), qr/within 300 ms/, 'is told');
}

$r = check('', @cred, 'turn:127.0.0.1:' . $turn->cli_port . '?transport=tcp');
is($r->{status}, CRITICAL, 'a port that is not TURN');
like(error_of($r), qr/not STUN/, 'is told');

$r = check('', @cred, 'turn:nowhere.invalid');
is($r->{status}, CRITICAL, 'a name that there is not');
like(error_of($r), qr/^resolve nowhere\.invalid: /, 'is told');


# ---- usage

for my $argv ([], ['turn:127.0.0.1'], [@cred, 'http:127.0.0.1'],
              [@cred, '--size', 5000, $udp], [@cred, '--count', '-1', $udp],
              ['-c', "$dir/none", $udp], ['-i', $cred[1]],
              [@cred, '--load', 3, $udp], [@cred, '--nonsense', $udp],
              [@cred, '-t', 'sctp', $udp], [@cred, '--allowed', 'x/8', $udp]) {
    $r = check('', @$argv);
    is($r->{status}, UNKNOWN, 'usage: ' . CORE::join(' ', @$argv));
    like($r->{err} . $r->{text}, qr/\w{4}/, 'says what is wrong');
}

for my $argv (['--help'], ['--version']) {
    $r = check('', @$argv);
    is($r->{status}, OK, "@$argv");
    like($r->{text}, qr/rs-turn-check/, 'tells');
}


# ---- stopped: what was allocated is given back

my $proc = spawn('check', [$tool, @cred, '--progress', '-T', 100, $udp],
                 log => "$dir/log");

wait_until {
    -e "$dir/log"
        && read_file("$dir/log") =~ /\d+ packets sent, [1-9]\d* back/
} 20, 'progress';
is(scalar $turn->allocations(), 2, 'two allocations are there');
$proc->signal('TERM');
is($proc->wait(20) >> 8, UNKNOWN, 'SIGTERM: not known');
like(read_file("$dir/log"), qr/stopped before its end/, 'it says so');
wait_until { !$turn->allocations() } 10, 'no allocation';
pass('and gives back what it had');

$turn->check_logs();

done_testing();
