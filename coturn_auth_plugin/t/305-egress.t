#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What the kernel lets coturn's user send, by the rules of
# rs-turn-authd --print-nft --user: asked of the kernel with sockets of that
# user, in a network namespace with these addresses.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use IO::Socket::IP ();
use POSIX qw(_exit setgid setuid);
use RS::Turn;
use RS::Util qw(top tempdir write_file);
use Socket qw(SOCK_DGRAM SOCK_STREAM);

if (!$ENV{RS_EGRESS_NETNS}) {
    plan skip_all => 'needs root, for addresses and kernel rules' if $> != 0;

    exec top('util', 'with-netns'), 'env', 'RS_EGRESS_NETNS=1', $^X, $0
        or die "with-netns: $!";
}

my $user = 'turnserver';
my ($uid, $gid) = (getpwnam $user)[2, 3];

defined $uid or die "there is no user $user: coturn is not installed";

my ($listen, $relay, $listen6, $relay6) = qw(10.79.1.1 10.79.1.2
                                            2001:db8:79::1 2001:db8:79::2);
my ($other, $other6) = qw(10.79.2.2 2001:db8:79::22);
my $dir = tempdir();

run('ip', 'address', 'add', $_ =~ /:/ ? ("$_/64", 'dev', 'rs0', 'nodad')
                                      : ("$_/24", 'dev', 'rs0'))
    for $listen, $relay, $listen6, $relay6;
run('ip', '-6', 'route', 'add', 'default', 'dev', 'rs0');


sub run {
    system(@_) == 0 or die "@_: failed";
}


sub rules {
    my (@more) = @_;

    write_file("$dir/authd.conf", join "\n",
               'name = egress', 'realm = example.net',
               "listening_ip = $listen", "listening_ip = $listen6",
               "relay_ip = $relay", "relay_ip = $relay6",
               "relay = $other", "relay = $other6",
               'min_port = 49152', 'max_port = 49999', 'redis = off',
               "secret_file = $dir/secret", "password_file = $dir/secret",
               "cli_password_file = $dir/secret", @more, '');
    unlink "$dir/nft";
    run(RS::Turn::build('rs-turn-authd'), '-c', "$dir/authd.conf",
        '--print-nft', '--user', $user, '--output', "$dir/nft");
    run('nft', '-f', "$dir/nft");

    return;
}


# how many packets of that user were dropped so far

sub dropped {
    my ($n) = `nft list chain inet rs_turn coturn` =~ /counter packets (\d+)/
        or die 'the rules have no counter';

    return $n;
}


# Sends a datagram, or begins a connection, as a user: whether what that sent
# went out.  Nobody has to answer; a connect that is dropped does not say so.

sub sent {
    my ($who, $from, $port, $to, $to_port, $type) = @_;
    my $before = dropped();
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        setgid($gid);
        setuid($uid) if $who eq $user;

        my $s = IO::Socket::IP->new(
            LocalHost => $from, LocalPort => $port, ReuseAddr => 1,
            PeerHost => $to, PeerPort => $to_port, Blocking => 0,
            Type => $type // SOCK_DGRAM);

        # SYN has been sent by now, a datagram has not

        my $ok = $s && ($type || defined $s->send('x') || $!{EPERM});

        print STDERR "$who, $from:$port, $to:$to_port: $! $@\n" if !$ok;
        _exit($ok ? 0 : 1);
    }

    waitpid $pid, 0;

    return $? ? 'failed' : dropped() == $before ? 'sent' : 'dropped';
}


sub may {
    my ($what, @how) = @_;

    return is(sent($user, @how), 'sent', $what);
}


sub may_not {
    my ($what, @how) = @_;

    is(sent($user, @how), 'dropped', $what);

    # the same by another user, who has nothing to do with it

    return is(sent('root', @how), 'sent', "$what: others may");
}


write_file("$dir/secret", 'f' x 64 . "\n", 0600);

# ---- closed

rules();

may('a relay to a relay of the fleet', $relay, 49152, $other, 50000);
may('to itself', $relay, 49152, $relay, 49999);
may('IPv6: a relay to a relay of the fleet', $relay6, 49999, $other6, 50000);
may_not('a relay to a private network', $relay, 49152, '10.1.2.3', 80);
may_not('to the metadata of a cloud', $relay, 49153, '169.254.169.254', 80);
may_not('to the internet', $relay, 49154, '9.9.9.9', 53);
may_not('to the listening address', $relay, 49155, $listen, 3478);
may_not('IPv6: to the internet', $relay6, 49156, '2620:fe::fe', 53);
may_not('from a port that is no relay', $relay, 40000, $other, 50000);

may('an answer to a client in a private network', $listen, 3478,
    '10.79.1.77', 4000);
may('... by TLS', $listen, 5349, '9.9.9.9', 4000, SOCK_STREAM);
may('... over IPv6', $listen6, 3478, '2620:fe::fe', 4000);
may_not('anything else from the listening address', $listen, 4444,
        '9.9.9.9', 80);
may_not('... by TCP', $listen, 4445, '10.79.1.77', 22, SOCK_STREAM);

# ---- what it says on loopback

my $daemon = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 16379,
                                 Listen => 1, ReuseAddr => 1) or die "$@";
my $redis = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 6379,
                                Listen => 1, ReuseAddr => 1) or die "$@";

may('to rs-turn-authd', '127.0.0.1', 0, '127.0.0.1', 16379, SOCK_STREAM);
may_not('to a Redis of the host', '127.0.0.1', 0, '127.0.0.1', 6379,
        SOCK_STREAM);

# ---- open, lan, and what is allowed in spite of it

rules('peers = open', 'deny = 9.9.9.9');

may('open: a relay to the internet', $relay, 49157, '8.8.8.8', 53);
may('open: to a relay of the fleet', $relay, 49157, $other, 53);
may_not('open: to a private network', $relay, 49158, '192.168.1.1', 53);
may_not('open: to what is denied', $relay, 49159, '9.9.9.9', 53);

rules('peers = lan', 'lan = 192.168.7.0/24', 'allow = 10.1.2.3');

may('lan: a relay to that network', $relay, 49160, '192.168.7.9', 53);
may('lan: to what is allowed', $relay, 49160, '10.1.2.3', 53);
may_not('lan: to another private network', $relay, 49161, '192.168.1.1', 53);

# ---- a name that is none

is(system(RS::Turn::build('rs-turn-authd') . " -c $dir/authd.conf --print-nft"
          . " --user 'a\" jump' 2>/dev/null >&2") >> 8, 1,
   'a user with a quote in its name is refused');

done_testing();
