#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What a relay may reach, asked of the real turnserver with the configuration
# and the kernel rules that rs-turn-authd prints, on addresses of its own: it
# runs in a network namespace where it is root.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use IO::Socket::IP ();
use RS::Redis;
use RS::Turn;
use RS::TurnClient;
use RS::Util qw(top free_port now read_file wait_until write_file);
use Socket qw(AF_INET AF_INET6 SOCK_DGRAM inet_pton inet_ntop);

if (!$ENV{RS_PEERS_NETNS}) {
    plan skip_all => 'needs root, for addresses and kernel rules' if $> != 0;

    exec top('util', 'with-netns'), 'env', 'RS_PEERS_NETNS=1', $^X, $0
        or die "with-netns: $!";
}

my %at = (
    listen => '10.79.1.1',
    relay => '10.79.1.2',    relay6 => '2001:db8:79::2',
    listen2 => '10.79.2.1',
    relay2 => '10.79.2.2',   relay62 => '2001:db8:79::22',
    listen3 => '10.79.3.1',
    relay3 => '10.79.3.2',   relay63 => '2001:db8:79::32',
    listen4 => '10.79.4.1', relay4 => '10.79.4.2',
    listen5 => '10.79.5.1', relay5 => '10.79.5.2',
);

for my $a (sort values %at) {
    run('ip', 'address', 'add', $a =~ /:/ ? ("$a/64", 'dev', 'rs0', 'nodad')
                                          : ("$a/16", 'dev', 'rs0'));
}

# IPv6 has somewhere to go, too: without a route coturn 4.6.1 ends allocations

run('ip', '-6', 'route', 'add', 'default', 'dev', 'rs0');


sub run {
    system(@_) == 0 or die "@_: failed";
}


# ---- relays


# turnserver.conf is what the daemon prints; see RS::Turn

sub start {
    my ($n, %opt) = @_;
    my $turn = RS::Turn->new(
        redis_conf => 'off', ip => $at{"listen$n"},
        relay_ip => $at{"relay$n"}, name => "relay$n", %opt,
        authd_conf => {
            relay => undef,
            relay_ip => [grep { defined } @at{"relay$n", "relay6$n"}],
            %{ $opt{authd_conf} // {} },
        },
    );

    return $turn;
}


# rules for several relays in one file: each by itself replaces the table

sub rules {
    my $text = '';

    for my $turn (@_) {
        my $file = $turn->dir . '/nft';

        unlink $file;
        run(RS::Turn::build('rs-turn-authd'), '-c',
            $turn->dir . '/rs-turn-authd.conf', '--print-nft', '--output',
            $file);

        my $one = read_file($file);

        $one =~ s/^.*?delete table inet rs_turn\n//s if $text;
        $text .= $one;
    }

    return write_file($_[0]->dir . '/nft', $text);
}


# changes the daemon's file and tells it

sub policy {
    my ($turn, $change) = @_;
    my $conf = $turn->dir . '/rs-turn-authd.conf';
    my $text = read_file($conf);
    my $seen = () = $turn->authd_log =~ /reloaded/g;

    $change->() for $text;
    write_file($conf, $text);
    $turn->authd->signal('HUP');

    wait_until {
        my $n = () = $turn->authd_log =~ /reloaded/g;
        $n > $seen
    } 5, 'a policy read again';

    return;
}


my $session;

sub client {
    my ($turn, %opt) = @_;
    my $c = $turn->credential($session);
    my $client = RS::TurnClient->new(server => $turn->ip,
                                     port => $turn->port, %$c, %opt);

    is($client->allocate(%opt), 0, 'allocates at ' . $turn->name)
        or diag($client->error, $turn->turn_log);

    return $client;
}


# ---- peers


sub text {
    my ($bytes) = @_;

    return length $bytes == 4 ? inet_ntop(AF_INET, $bytes) . ':9'
           : '[' . inet_ntop(AF_INET6, $bytes) . ']:9';
}


# the first, the last and one in the middle of ADDRESS/BITS

sub of_range {
    my ($cidr) = @_;
    my ($ip, $bits) = split m{/}, $cidr;
    my $first = inet_pton($ip =~ /:/ ? AF_INET6 : AF_INET, $ip);
    my $size = 8 * length $first;
    my $ones = sub {
        my ($from) = @_;
        pack('B*', '0' x $from . '1' x ($size - $from))
    };

    $bits //= $size;

    return ($first, $first | $ones->($bits),
            $first | ($ones->($bits) ^ $ones->(($bits + $size) >> 1)));
}


# all ways to write an IPv4 address as one of IPv6

sub forms {
    my ($v4) = @_;

    return ("\0" x 10 . "\xff\xff" . $v4,
            "\0" x 12 . $v4,
            "\0\x64\xff\x9b" . "\0" x 8 . $v4,
            "\0\x64\xff\x9b\0\1" . "\0" x 6 . $v4,
            "\x20\2" . $v4 . "\0" x 9 . "\1",
            "\x20\1\0\0" . "\0" x 8 . ($v4 ^ "\xff\xff\xff\xff"));
}


my @special = map { of_range($_) } qw(
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16
    169.254.169.254 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24
    192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24
    198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    168.63.129.16 100.100.100.200

    ::/128 ::1/128 ::/96 ::/8 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48
    100::/64 1000::/8 2001::/23 2001::/32 2001:10::/28 2001:20::/28
    2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 4000::/2 5f00::/16
    8000::/1 fc00::/7 fd00:ec2::254 fe80::/10 fec0::/10 ff00::/8 ff02::1
);
my %internet = (
    4 => [map { "$_:9" } qw(1.1.1.1 8.8.8.8 100.63.255.255 172.32.0.1
                            192.169.0.1 223.255.255.254)],
    6 => [map { "[$_]:9" } qw(2001:200::1 2606:4700::1111 2a00:1450::1
                              2003::1 2620:4f:8001::1)],
);

my (%seen, %peers);

push @special, map { forms($_) } grep { length == 4 } @special;

for my $p (grep { !$seen{$_}++ } map { text($_) } @special) {
    push @{ $peers{$p =~ /^\[/ ? 6 : 4} }, $p;
}


# what was asked for and not answered with 403

sub let_through {
    my ($client, $ok, @list) = @_;
    my @wrong;
    my $channel = 0x4800;

    for my $p (@list) {
        my @code = ($client->permit($p), $client->bind($p, $channel++),
                    defined $ok ? ($client->permit($ok, $p),
                                   $client->permit($p, $ok),
                                   $client->permit($ok, $p, $ok)) : ());

        push @wrong, "$p: @code" if grep { $_ ne '403' } @code;
    }

    my @some = @list;

    while (my @few = splice(@some, 0, 7)) {
        my $code = $client->permit(@few, defined $ok ? $ok : ());

        push @wrong, "@few: $code" if $code ne '403';
    }

    return @wrong;
}


sub matrix {
    my ($what, $turn, $ok) = @_;

    for my $family (4, 6) {
        my $client = client($turn, family => $family);
        my @wrong = let_through($client, $ok->{$family},
                                @{ $peers{$family} });

        is_deeply(\@wrong, [], "$what: " . @{ $peers{$family} }
                  . " special peers of IPv$family, alone and in lists, are "
                  . 'refused');
    }

    return;
}


# ---- closed: two relays of one fleet

my $redis = RS::Redis->new(acl => 1);
my $one = start('', authd_conf => { relay => [@at{qw(relay2 relay62)}] });
my $two = start(2, mode => 'strict', redis => $redis, redis_conf => undef,
                authd_conf => { relay => [@at{qw(relay relay6)}] });

$session = $two->session(ttl_s => 600);

ok(eval { $one->wait_log(qr/no kernel rule closes relay_ip \Q$at{relay}\E/,
                         10) }, 'the daemon says that a rule is missing')
    or diag($one->authd_log);

is_deeply([grep { /ERROR|Bad config|Unknown arg|deprecated/ }
           map { split /\n/, $_->turn_log } $one, $two], [],
          'coturn reads the printed file without complaint');

my $rules = rules($one, $two);

run('nft', '-f', $rules);

diag('coturn ' . $one->version);

my %ok = (4 => "$at{relay2}:9", 6 => "[$at{relay62}]:9");

matrix('closed', $one, \%ok);
matrix('closed, strict', $two, { 4 => "$at{relay}:9", 6 => "[$at{relay6}]:9" });

for my $family (4, 6) {
    my $client = client($one, family => $family);

    is_deeply([let_through($client, $ok{$family}, @{ $internet{$family} })],
              [], "closed: nor is the internet, IPv$family");
    is($client->permit($ok{$family}), 0, 'but another relay of the fleet is');
}

my $a = client($one);
my $b = client($one, proto => 'tcp');
my $c = client($two);

for my $pair ([$a, $b, 'one relay'], [$a, $c, 'two relays'],
              [$b, $c, 'two relays, TCP']) {
    my ($x, $y, $what) = @$pair;

    is($x->permit($y->relay), 0, "$what: a permission");
    is($y->permit($x->relay), 0, "$what: and the other way");
    ok(RS::TurnClient::relays($x, $y), "$what: relayed");
    ok(RS::TurnClient::relays($y, $x), "$what: and back");
    is($x->bind($y->relay), 0, "$what: a channel");
    ok(RS::TurnClient::relays($x, $y), "$what: relayed by it");
}

my ($a6, $b6) = map { client($_, family => 6) } $one, $two;

is($a6->permit($b6->relay), 0, 'IPv6: a permission');
is($b6->permit($a6->relay), 0, 'IPv6: and the other way');
ok(RS::TurnClient::relays($a6, $b6), 'IPv6: relayed');


# ---- services of this host hear nothing

my %service;
my $port = free_port();

for my $ip ('0.0.0.0', @at{qw(relay listen)}, '127.0.0.1', '::',
            $at{relay6}, '::1')
{
    $service{$ip} = IO::Socket::IP->new(LocalHost => $ip,
                                        LocalPort => $port++, V6Only => 1,
                                        Type => SOCK_DGRAM) or die "$ip: $@";
    $service{$ip}->blocking(0);
}


# What comes to them when all of it is sent through a relay, and what answers.
# Marks that are sent after it, relay to relay, say when it would have come.

my $binding = pack('nnNa12', 1, 0, 0x2112A442, 'x' x 12);

sub heard {
    my ($client, $other) = @_;
    my $v6 = $client->relay =~ /^\[/;
    my @here = $v6 ? ($at{relay6}, '::1') : (@at{qw(relay listen)},
                                             '127.0.0.1');
    my (@heard, %target);

    for my $ip (@here) {
        my $at = $v6 ? "[$ip]" : $ip;

        $target{"$at:" . $_->sockport} = 1 for values %service;

        # coturn's own listener, CLI, and what the daemon serves

        $target{"$at:$_"} = 1 for $one->port, $one->tls_port, $one->cli_port,
                                  $one->metrics_port, @$one{qw(userdb_port
                                                               statsdb_port)};
    }

    for my $t (sort keys %target) {
        $client->permit($t);
        $client->indicate($t, "to $t");
        $client->indicate($t, $binding);
    }

    RS::TurnClient::relays($client, $other, 5) or die 'marks do not come';

    for my $ip (sort keys %service) {
        while (defined $service{$ip}->recv(my $data, 100)) {
            push @heard, "$ip: $data" if $data =~ /^to /;
        }
    }

    while (my $d = $client->recv(0)) {
        push @heard, "$d->{peer} answers" if $d->{data} =~ /^\x01\x01/;
    }

    return @heard;
}

is_deeply([heard($a, $c)], [], 'services hear nothing through a relay');
is_deeply([heard($a6, $b6)], [], 'nor through one of IPv6');

run('nft', 'delete', 'table', 'inet', 'rs_turn');

my @heard = heard($a, $c);

cmp_ok(scalar(grep { /^0\.0\.0\.0: to \Q$at{relay}\E:/ } @heard), '>', 0,
       'without the kernel rule one on 0.0.0.0 does')
    or diag(explain(\@heard));
is(scalar(grep { !/: to \Q$at{relay}\E:/ } @heard), 0,
   'and is reached by the relay address only');

@heard = heard($a6, $b6);

cmp_ok(scalar(grep { /^::: to \[\Q$at{relay6}\E\]:/ } @heard), '>', 0,
       'and one on [::]') or diag(explain(\@heard));

run('nft', '-f', $rules);
is_deeply([heard($a, $c)], [], 'with it no more');
is_deeply([heard($a6, $b6)], [], 'nor in IPv6');

# coturn itself: only UDP is relayed, and with one address for both it would
# be within reach

my $tcp = client($one, proto => 'tcp');

$tcp->refresh(0);
$tcp = RS::TurnClient->new(server => $one->ip, port => $one->port,
                           proto => 'tcp', %{ $one->credential($session) });
like($tcp->request(3, [0x19, pack('CCn', 6, 0, 0)])->{code}, qr/^4\d\d$/,
     'no relay for TCP');

my $same = RS::Turn->new(mode => 'plain', ip => $at{listen},
                         relay_ip => $at{listen}, name => 'same',
                         turn_conf => { 'denied-peer-ip' => undef,
                                        'allowed-peer-ip' => $at{listen} });
my $g = client($same);

is($g->permit("$at{listen}:9"), 0, 'relay and listener of one address');
$g->indicate("$at{listen}:" . $same->port, $binding);
like((eval { $g->recv(5)->{data} } // '') =~ s/^(..).*/$1/sr, qr/^\x01\x01/,
     'coturn itself answers through its relay');
$same->turnserver->kill();


# ---- a relay leaves the fleet: its channels are cut, the others stay

my ($stays, $other, $cut) = map { client($one) } 1 .. 3;

is($stays->bind($other->relay), 0, 'a channel within the relay');
is($other->permit($stays->relay), 0, 'and a permission');
is($cut->bind($c->relay), 0, 'a channel to the other relay');
is($c->permit($cut->relay), 0, 'and a permission');
ok(RS::TurnClient::relays($cut, $c), 'which relays');

my $before = now();

policy($one, sub { s/^relay = \Q$at{relay2}\E\n//m });
wait_until { $cut->refresh() eq '437' } 10, 'the end of the allocation';

my $took = now() - $before;

cmp_ok($took, '<', 1, 'SIGHUP: a channel to a peer denied now is cut');
diag(sprintf 'cut %.0f ms after SIGHUP', $took * 1000);

ok(!RS::TurnClient::relays($cut, $c, 0.3), 'nothing comes through');
ok(RS::TurnClient::relays($stays, $other), 'the other channel relays');
is($stays->refresh(), 0, 'its allocation lives');

# coturn knows within 5 s; who was quicker is cut then

$cut = client($one);

my $quick = $cut->bind($c->relay);

if ($quick eq '0') {
    wait_until { $cut->refresh() eq '437' } 20, 'the end of the quick one';
    diag(sprintf 'a quick channel was cut %.1f s after SIGHUP', now() - $before);

} else {
    is($quick, 403, 'coturn knew at once');
    $cut->refresh(0);
}

wait_until {
    $cut = client($one);
    client_code($cut, $c->relay) eq '403'
} 20, 'coturn knows';

is($cut->bind($c->relay), 403, 'and no new one is let');
is($cut->bind($other->relay), 0, 'but within the relay');

policy($one, sub { s/^(relay_ip = .*\n)/relay = $at{relay2}\n$1/m });
$a = client($one);
wait_until { client_code($a, $ok{4}) eq '0' } 20, 'the relay is back';
is($c->permit($a->relay), 0, 'permissions');
is($a->permit($c->relay), 0, 'both ways');


# ---- what the daemon says of its host

for (['listen3', qr/relay_ip and listening_ip are both \Q$at{listen3}\E/],
     ['nowhere', qr/relay_ip 192\.0\.2\.99 cannot be used/]) {
    my ($name, $says) = @$_;
    my $odd = RS::Turn->new(redis_conf => 'off', start => 0,
                            ip => $at{listen3},
                            relay_ip => $at{$name} // '192.0.2.99');

    $odd->start_authd();
    ok(eval { $odd->wait_log($says, 10) }, "a warning: $says")
        or diag($odd->authd_log);
    $odd->stop_authd();
}


# ---- the daemon gone: the floor holds, media flows

$one->stop_authd();

my $lost = 0;

wait_until {
    $lost++ if !RS::TurnClient::relays($a, $c);
    client_code($a, $ok{4}) eq '403'
} 20, 'the lists are gone';

is($lost, 0, 'daemon gone: media flows');
is_deeply([let_through($a, undef, @{ $peers{4} }, @{ $internet{4} })], [],
          'daemon gone: nothing is allowed');

$one->start_authd();

my $since = now();

for my $ip (@at{qw(relay relay6)}) {
    ok(eval { $one->wait_log(qr/relay_ip \Q$ip\E is closed by a kernel/, 10) },
       "the daemon sees the rule for $ip") or diag($one->authd_log);
}

wait_until { client_code($a, $ok{4}) eq '0' } 60, 'the lists are back';
cmp_ok(now() - $since, '<', 60, 'daemon back');
diag(sprintf 'peers allowed %.1f s after the daemon was back', now() - $since);

sub client_code {
    my ($client, $peer) = @_;

    return $client->permit($peer);
}


# ---- open, and lan by a policy read again

my $three = start(3, peers => 'open', authd_conf => { deny => '8.8.8.0/24' });

matrix('open', $three, { 4 => '1.1.1.1:9', 6 => '[2606:4700::1111]:9' });

my $d = client($three);
my $d6 = client($three, family => 6);

is_deeply([map { "$_ " . $d->permit($_) } @{ $internet{4} }],
          [map { "$_ " . (/^8\./ ? 403 : 0) } @{ $internet{4} }],
          'open: the internet is allowed, but for what is denied');
is_deeply([grep { $d6->permit($_) } @{ $internet{6} }], [],
          'open: that of IPv6 as well');
is($d->permit("$at{listen3}:9"), 403, 'open: not the host itself');
is($d->permit("$at{relay3}:9"), 0, 'open: the relay address is');

is($d->permit('192.168.7.7:9'), 403, 'a private network');
policy($three, sub {
    s/^peers = open$/peers = lan\nlan = 192.168.7.0\/24/m;
    s/^deny = .*$/deny = 192.168.7.9/m;
});
wait_until { client_code($d, '192.168.7.7:9') eq '0' } 20, 'the network';
is($d->permit('192.168.7.9:9'), 403, 'lan: without what is denied');
is($d->permit('192.168.8.1:9'), 403, 'lan: not the one beside it');

like($three->authd_log, qr/denied when this daemon began would be no more/,
     'a floor that is above the policy is told of');
policy($three, sub { s/^deny = .*$/deny = 192.168.7.9\ndeny = 9.9.9.0\/24/m });
like($three->authd_log, qr/denied that were not when this daemon began/,
     'and one that is below it');

# a file that is wrong changes nothing

policy($three, sub { s/^lan = .*$/lan = 192.168.0.0\/16/m });
like($three->authd_log, qr/everything stays: .*whole private class/,
     'a bad rule is refused, and why');
is($d->permit('192.168.7.7:9'), 0, 'and the policy is what it was');
is($d->permit('192.168.8.1:9'), 403, 'no more, no less');


# ---- behind NAT: others know the relay by its outer address

my $outer = '198.51.100.5';
my $four = start(4, authd_conf => {
    external_ip => "$outer/$at{relay4}", relay => '198.51.100.7',
});

run('nft', '-f', rules($four));

my ($e, $f) = map { client($four) } 1 .. 2;

like($e->relay, qr/^\Q$outer\E:/, 'NAT: the outer address is told');
is($e->permit($f->relay), 0, 'NAT: it is a peer');
is($f->permit($e->relay), 0, 'NAT: and the other way');
ok(RS::TurnClient::relays($e, $f), 'NAT: relayed');
is($e->permit('198.51.100.6:9'), 403, 'NAT: not what is beside it');

# two of them, each behind an address of its own: the kernel is the NAT

my $outer5 = '198.51.100.7';
my $five = start(5, authd_conf => {
    external_ip => "$outer5/$at{relay5}", relay => $outer,
});

run('nft', '-f', rules($four, $five));
run('nft', '-f', write_file($five->dir . '/nat', <<"END"));
table ip rs_nat {
    chain output {
        type nat hook output priority -100; policy accept;
        ip daddr $outer dnat to $at{relay4}
        ip daddr $outer5 dnat to $at{relay5}
    }

    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr $at{relay4} ip daddr $at{relay5} snat to $outer
        ip saddr $at{relay5} ip daddr $at{relay4} snat to $outer5
    }
}
END

my $far = client($five);

is($e->permit($far->relay), 0, 'NAT, two: the other outer address');
is($far->permit($e->relay), 0, 'NAT, two: and the other way');
ok(RS::TurnClient::relays($e, $far), 'NAT, two: relayed');
ok(RS::TurnClient::relays($far, $e), 'NAT, two: and back');
is($e->permit("$at{relay5}:9"), 403, 'NAT, two: not its inner address');

$four->stop_authd();
wait_until { client_code($e, $f->relay) eq '403' } 20, 'no list';
is($e->permit("$at{relay4}:9"), 403,
   'NAT: coturn allows no inner address by itself');

for my $turn ($one, $two, $three, $four, $five) {
    $turn->check_logs();

    # newer ones let allocations run out when they are asked to end

    $turn->turnserver->kill();
}

done_testing();
