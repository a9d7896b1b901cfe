#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# rs-turn-check finds what is wrong with a server that does relay: packets that
# are lost, changed or sent twice, certificates that end, a policy with holes;
# and a server over IPv6.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::SSL::Utils qw(CERT_create PEM_cert2file PEM_key2file);
use IPC::Run qw(run timeout);
use JSON::PP qw(decode_json);
use RS::Turn;
use RS::Util qw(random_id write_file tempdir spawn wait_until read_file now);

use constant { OK => 0, WARNING => 1, CRITICAL => 2, DAY => 86400 };

my $dir = tempdir();
my $tool = RS::Turn::build('rs-turn-check');
my $s = { id => random_id('ses_'), tenant => 'default',
          host => random_id('par_') };


sub credentials {
    my ($turn) = @_;
    my $c = $turn->credential($s);

    return ('-c', write_file("$dir/" . random_id('cred'),
                             "$c->{username} $c->{password}\n", 0600));
}


sub check {
    my (@argv) = @_;

    run([$tool, '--json', '--no-progress', @argv], \undef, \my $out, \my $err,
        timeout(120));

    my $status = $? >> 8;
    my $r = eval { decode_json($out) } // {};

    return { %$r, status => $status, text => "$out$err" };
}


# ---- a proxy for UDP, which does to each tenth packet on a channel what it is
# told; messages of STUN pass

sub proxy {
    my ($fault, $to, $port) = @_;
    my $here = IO::Socket::INET->new(Proto => 'udp',
                                     LocalAddr => '127.0.0.1') or die $@;
    my $at = $here->sockport;
    my $pid = fork() // die "fork: $!";

    return ($at, $pid) if $pid;

    my $read = IO::Select->new($here);
    my (%there, %back, $n);
    my $parent = getppid();

    while (getppid() == $parent) {
        for my $sock ($read->can_read(1)) {
            my $peer = $sock->recv(my $data, 65536) // next;
            my $out;

            if ($sock == $here) {
                if (!$there{$peer}) {
                    $there{$peer} = IO::Socket::INET->new(
                        Proto => 'udp', PeerAddr => $to, PeerPort => $port);
                    $back{$there{$peer}} = $peer;
                    $read->add($there{$peer});
                }

                $out = sub { $there{$peer}->send($_[0]) };

            } else {
                $out = sub { $here->send($_[0], 0, $back{$sock}) };
            }

            if ((ord($data) & 0xc0) == 0x40 && ++$n % 10 == 0) {
                next if $fault eq 'drop';
                $out->($data) if $fault eq 'twice';
                substr($data, 30, 1) ^= "\x01" if $fault eq 'change';
            }

            $out->($data);
        }
    }

    POSIX::_exit(0);
}


my $turn = RS::Turn->new(mode => 'plain');
my @cred = credentials($turn);
my $uri = 'turn:' . $turn->ip . ':' . $turn->port;

for my $case (
    # 400 packets pass the proxy there and back in four pieces
    ['drop', CRITICAL, sub { $_[0]{lost} >= 30 && $_[0]{lost} <= 50
                             && $_[0]{there} > $_[0]{back}
                             && $_[0]{broken} == 0 }],
    ['twice', OK, sub { $_[0]{lost} == 0 && $_[0]{duplicates} >= 35 }],
    ['change', CRITICAL, sub { $_[0]{broken} >= 30 && $_[0]{lost} >= 30 }],
    ['none', OK, sub { $_[0]{lost} == 0 && $_[0]{duplicates} == 0 }],
) {
    my ($fault, $status, $is) = @$case;
    my ($port, $pid) = proxy($fault, $turn->ip, $turn->port);
    my $r = check(@cred, '-n', 100, '-r', 500, "turn:127.0.0.1:$port");

    is($r->{status}, $status, "$fault: status") or diag($r->{text});
    ok($is->($r->{checks}[0]{relay}), "$fault: is counted")
        or diag($r->{text});

    if ($fault eq 'drop') {
        $r = check(@cred, '-n', 100, '-r', 500, '--crit-loss', 80,
                   "turn:127.0.0.1:$port");
        is($r->{status}, WARNING, 'less than --crit-loss: a warning');
        $r = check(@cred, '-n', 100, '-r', 500, '--crit-loss', 80,
                   '--warn-loss', 80, "turn:127.0.0.1:$port");
        is($r->{status}, OK, 'less than --warn-loss: well');
        $r = check(@cred, '--load', 10, '--time', 1, '--rate', 50,
                   "turn:127.0.0.1:$port");
        is($r->{status}, CRITICAL, 'load: loss is critical');
        cmp_ok($r->{load}{relay}{loss_percent}, '>', 20, 'and is counted');
    }

    kill 'TERM', $pid;
    waitpid $pid, 0;
}

my $r = check(@cred, '-n', 20, '--warn-rtt', 0.001, '--warn-allocate', 0.001,
              $uri);

is($r->{status}, WARNING, 'limits of time');
like("@{ $r->{checks}[0]{notes} }", qr/allocation took.*round trip is/,
     'are told');


# ---- the network itself loses packets, where the kernel can do that

SKIP: {
    skip 'no netem in a namespace of our own here', 2
        if $turn->ip !~ /^10\.78\./
           || system('tc qdisc add dev lo root netem loss 10% 2>/dev/null');

    $r = check(@cred, '-n', 200, '-r', 500, '--timeout', 20000, $uri);
    system('tc qdisc del dev lo root');

    is($r->{status}, CRITICAL, 'netem: loss is critical') or diag($r->{text});
    cmp_ok($r->{checks}[0]{relay}{lost}, '>', 20, 'netem: packets were lost');
}


# ---- allocations that are ended under it

my $long = spawn('check', [$tool, '--json', '--progress', @cred, '-T', 4,
                           $uri], log => "$dir/long");

wait_until {
    -e "$dir/long" && read_file("$dir/long") =~ / [1-9]\d* back/
} 20, 'packets';
$turn->cli("cs $_->{id}") for $turn->allocations();
is($long->wait(30) >> 8, CRITICAL, 'allocations are ended under it');
like(read_file("$dir/long"), qr/"code": 437/, 'which it tells');
like(read_file("$dir/long"), qr/"lost": [1-9]/, 'and what was lost');


# ---- certificates

for my $case (
    ['expired', -DAY(), CRITICAL, qr/certificate: certificate has expired/],
    ['ends soon', 5 * DAY, WARNING, undef],
    ['lasts', 90 * DAY, OK, undef],
    ['of another name', 90 * DAY, CRITICAL, qr/(?i)hostname mismatch/],
) {
    my ($name, $left, $status, $error) = @$case;
    my $ends = time() + $left;
    my ($ca, $ca_key) = CERT_create(CA => 1, subject => { CN => 'a CA' },
                                    not_before => time() - 200 * DAY,
                                    not_after => time() + 200 * DAY);
    my ($cert, $key) = CERT_create(issuer => [$ca, $ca_key],
                                   subject => { CN => 'turn.example' },
                                   subjectAltNames =>
                                       [[DNS => 'turn.example']],
                                   not_before => time() - 100 * DAY,
                                   not_after => $ends);

    PEM_cert2file($ca, "$dir/ca.pem");
    PEM_cert2file($cert, "$dir/cert.pem");
    PEM_key2file($key, "$dir/key.pem");

    my $tls = RS::Turn->new(mode => 'plain', tls => 1,
                            turn_conf => { cert => "$dir/cert.pem",
                                           pkey => "$dir/key.pem" });
    my @argv = (credentials($tls), '-n', 20, '-r', 200, '--ca', "$dir/ca.pem",
                '--tls-name', $error && $error =~ /mismatch/
                                ? 'other.example' : 'turn.example',
                'turns:' . $tls->ip . ':' . $tls->tls_port);

    $r = check(@argv);

    my $c = $r->{checks}[0];

    is($r->{status}, $status, "$name: status") or diag($r->{text});
    is($c->{error}{step}, $error ? 'TLS' : undef, "$name: the step");
    like($c->{error}{text}, $error, "$name: the error") if $error;

    # the side that is refused first ends the other, wherever that is

    my ($days) = grep { defined } map { $_->{certificate}{days} }
                                      @{ $c->{allocations} };

    cmp_ok(abs(($days // 1e6) - $left / DAY), '<', 0.1,
           "$name: days are counted");

    # it is looked at all the same when it need not verify

    if ($error) {
        $r = check('--insecure', @argv);
        is($r->{status}, $left < 0 ? CRITICAL : WARNING,
           "$name: --insecure");
        is($r->{checks}[0]{relay}{lost}, 0, "$name: but it relays");
    }

    $tls->stop();
}


# ---- the policy

$r = check(@cred, '--denied', '--no-relay', $uri);
is($r->{status}, OK, 'closed: no hole') or diag($r->{text});
cmp_ok($r->{denied}[0]{probes}, '>', 2000, 'all was asked');
is($r->{denied}[0]{refused} + $r->{denied}[0]{other_family},
   $r->{denied}[0]{probes}, 'all was refused');

my $open = RS::Turn->new(mode => 'plain', turn_conf => {
    'denied-peer-ip' => ['10.0.0.0-10.255.255.255'] });

@cred = credentials($open);
$uri = 'turn:' . $open->ip . ':' . $open->port;
$r = check(@cred, '--denied', '--no-relay', $uri);
is($r->{status}, CRITICAL, 'a policy with holes');
ok((grep { /^192\.168\.0\.0:9 by ChannelBind: allowed$/ }
    @{ $r->{denied}[0]{holes} })
   || $r->{denied}[0]{holes_count} > 32, 'which are named')
    or diag($r->{text});
ok(!(grep { /^10\./ } @{ $r->{denied}[0]{holes} }), 'what is denied is none');

my $all = $r->{denied}[0]{holes_count};

$r = check(@cred, '--denied', '--no-relay', '--allowed', '192.168.0.0/16',
           $uri);
cmp_ok($r->{denied}[0]{holes_count}, '<', $all, 'nor is what is --allowed');
$open->stop();


# ---- IPv6, to the server and as relays

my $six = RS::Turn->new(mode => 'plain', start => 0);

$six = RS::Turn->new(mode => 'plain', ip => $six->ip,
                     relay_ip => $six->relay_ip, turn_conf => {
    'listening-ip' => [$six->ip, '::1'],
    'relay-ip' => [$six->relay_ip, '::1'], 'allow-loopback-peers' => '',
    'denied-peer-ip' => ['0.0.0.0-255.255.255.255',
                         '::2-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    'allowed-peer-ip' => [$six->relay_ip, '::1'] });
@cred = credentials($six);
$uri = 'turn:[::1]:' . $six->port;

for my $argv ([], ['-t', 'tcp']) {
    $r = check(@cred, '-n', 20, '-r', 200, '--relay-family', 6, @$argv, $uri);
    is($r->{status}, OK, "IPv6: @$argv") or diag($r->{text});
    is($r->{checks}[0]{relay}{back}, 20, 'IPv6: all packets came back');
    like($r->{checks}[0]{allocations}[0]{relayed}, qr/^\[::1\]:\d+$/,
         'IPv6: a relayed address');
}

$r = check(@cred, '--no-relay', '--denied', '-6', $uri);
ok($r->{denied}[0]{ipv6_relay}, 'IPv6: relays were asked, too');
cmp_ok($r->{denied}[0]{probes}, '>', 4000, 'IPv6: all over again');

$turn->check_logs();

done_testing();
