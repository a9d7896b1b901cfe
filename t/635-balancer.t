# Copyright (C) rs-gateway contributors

# The balancers of conf.d/balancer in front of two gateways that include
# rs-behind-site.conf: the client's address arrives, of named balancers alone;
# a node that is drained gets nothing new; one that is gone costs nobody an
# answer.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Socket::SSL ();
use IO::Socket::INET ();
use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir free_port wait_until spawn read_file write_file);

my $dir = tempdir();
my $redis = RS::Redis->new();
my $key = $redis->api_key(scopes => 'node:drain');
my @ports = (free_port(), free_port());


# a node as rs-behind-site.conf has it, whose balancer is 127.0.0.1

sub behind {
    my ($port) = @_;
    my $text = read_file(top('conf.d', 'rs-behind-site.conf'));

    $text =~ s/^listen 443/listen 127.0.0.1:$port/m or die;
    $text =~ s/^listen \[::\]:443.*\n//m or die;
    $text =~ s/^set_real_ip_from 192\.0\.2\.20;/set_real_ip_from 127.0.0.1;/m
        or die;
    $text =~ s/^set_real_ip_from 192\.0\.2\.21;\n//m or die;

    return $text . 'location = /who { return 200 "$rs_node $remote_addr"; }';
}


my @gw = map {
    RS::Gateway->new(redis => $redis, tls => 1, node => "node$_",
                     server => behind($ports[$_]))
} 0, 1;


# what the gateway behind this port says of who asks, from this address;
# "" if it says nothing

sub who {
    my ($port, %opt) = @_;
    my $tcp = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, LocalAddr => $opt{from} // '127.0.0.5',
        Timeout => 10) or return '';

    print {$tcp} $opt{proxy} if $opt{proxy};

    my $s = IO::Socket::SSL->start_SSL($tcp, SSL_verify_mode => 0,
                                       Timeout => 10) or return '';

    print {$s} "GET /who HTTP/1.1\r\nHost: localhost\r\n"
               . "Connection: close\r\n\r\n";

    my $said = do { local $/; <$s> } // '';

    return $said =~ /\r\n\r\n(.*)/s ? $1 : '';
}


sub nodes {
    my ($port) = @_;
    my %seen;

    for (1 .. 8) {
        my $said = who($port);

        $seen{$said =~ /^(node\d)/ ? $1 : "none: $said"}++;
    }

    return CORE::join(' ', sort keys %seen);
}


# waits until these nodes, and no others, get what is new

sub served_by {
    my ($port, $want, $name) = @_;

    ok((wait_until { nodes($port) eq $want } 20, "all that is new at $want"),
       $name);

    return;
}


# a node is gone when its port refuses: not before its last worker is

sub kill_node {
    my ($i) = @_;

    $gw[$i]->kill();
    wait_until { !IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ports[$i]") }
        20, "node$i to be gone";

    return;
}


sub drain {
    my ($gw, $method) = @_;
    my $r = $gw->rest(key => $key)->request($method, '/drain');

    like($r->status, qr/^20/, "$method /drain");

    return;
}


subtest 'whose address it is' => sub {
    my $forged = "PROXY TCP4 203.0.113.9 127.0.0.1 1234 443\r\n";

    is(who($ports[0], from => '127.0.0.1', proxy => $forged),
       'node0 203.0.113.9', 'a balancer that is named is believed');
    is(who($ports[0], from => '127.0.0.6', proxy => $forged),
       'node0 127.0.0.6', 'nobody else is');
    is(who($ports[0], from => '127.0.0.6'), '',
       'who begins without the PROXY protocol is closed');
};


subtest 'haproxy' => sub {
    my $port = free_port();
    my $conf = read_file(top('conf.d', 'balancer', 'haproxy.cfg'));

    $conf =~ s/^    bind :443/    bind 127.0.0.1:$port/m or die;
    $conf =~ s/^    bind :::443.*\n//m or die;
    $conf =~ s/192\.0\.2\.11:443/127.0.0.1:$ports[0]/ or die;
    $conf =~ s/192\.0\.2\.12:443/127.0.0.1:$ports[1]/ or die;
    $conf =~ s{/run/haproxy}{$dir} or die;
    $conf =~ s/maxconn 100000/maxconn 100/ or die;
    $conf =~ s{^    log /dev/log.*\n}{}m or die;
    write_file("$dir/haproxy.cfg", $conf);

    my $said = `haproxy -c -f $dir/haproxy.cfg 2>&1`;
    is($?, 0, 'takes the file') or diag($said);
    unlike($said, qr/WARNING/, 'without a warning') or diag($said);

    my $ha = spawn('haproxy', [qw(haproxy -db -f), "$dir/haproxy.cfg"],
                   log => "$dir/haproxy.log");

    served_by($port, 'node0 node1', 'both nodes get connections');
    like(who($port, from => '127.0.0.7'), qr/^node\d 127\.0\.0\.7$/,
         "the client's address arrives");

    my $plain = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");

    print {$plain} "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    is(do { local $/; <$plain> } // '', '', 'what is no TLS is closed');

    drain($gw[0], 'POST');
    served_by($port, 'node1', 'a node that is drained gets nothing new');

    drain($gw[0], 'DELETE');
    served_by($port, 'node0 node1', 'until that is taken back');

    kill_node(1);

    my @lost = grep { who($port) !~ /^node0 / } 1 .. 20;

    is(scalar @lost, 0, 'a node that is gone costs nobody an answer');
    $gw[1]->start();
    served_by($port, 'node0 node1', 'it is back');

    $ha->stop();
};


subtest 'nginx' => sub {
    my $port = free_port();
    my $stream = '/usr/lib/nginx/modules/ngx_stream_module.so';
    my $conf = read_file(top('conf.d', 'balancer', 'rs-balancer.conf'));

    plan skip_all => 'built without the sanitizers' if $ENV{RS_ASAN};

    $conf =~ s/listen 443;/listen 127.0.0.1:$port;/ or die;
    $conf =~ s/listen \[::\]:443;// or die;
    $conf =~ s/192\.0\.2\.11:443/127.0.0.1:$ports[0]/ or die;
    $conf =~ s/192\.0\.2\.12:443/127.0.0.1:$ports[1]/ or die;

    write_file("$dir/balancer.conf", <<"END");
load_module $stream;
daemon off;
pid $dir/balancer.pid;
error_log $dir/balancer.log;
events {
}
stream {
$conf
}
END

    my $lb = spawn('balancer', [$ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx',
                    '-p', $dir, '-e', "$dir/balancer.log",
                    '-c', "$dir/balancer.conf"],
                   log => "$dir/balancer.out");

    served_by($port, 'node0 node1', 'both nodes get connections');
    like(who($port, from => '127.0.0.7'), qr/^node\d 127\.0\.0\.7$/,
         "the client's address arrives");

    kill_node(1);

    my @lost = grep { who($port) !~ /^node0 / } 1 .. 20;

    is(scalar @lost, 0, 'a node that is gone costs nobody an answer');
    $gw[1]->start();
    served_by($port, 'node0 node1', 'it is back');

    $lb->stop();
};


$_->quit() for @gw;
$_->check_log() for @gw;

done_testing();
