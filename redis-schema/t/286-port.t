#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The gateways' ports of tunnels: whose one is, whom it lets in, and that
# what he may is asked of who he was when he said the address was his.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $W1 = 'n1.0.00000000000000aa';
my $here = $s->subscribe($W1);
my $dev = $s->device(online => "$W1.3");


sub v4 { return '4' . sprintf '%02x' x 4, split /\./, $_[0] }


sub take {
    my ($first, $last, $tun, $ttl, $tenant) = @_;

    return $s->fcall('rs_port_take', ['ports'], $first, $last,
                     $tenant // $s->{tenant}, $tun, $dev, 'tcp', $ttl // 60);
}


sub whose {
    my ($port) = @_;

    return $s->fcall_ro('rs_port_get', ['ports'], $port);
}


sub freed {
    my ($port, $tun, $tenant) = @_;

    return $s->fcall('rs_port_free', ['ports'], $port,
                     $tenant // $s->{tenant}, $tun)->[1];
}


sub admit {
    my ($tun, $peer, %opt) = @_;

    return $s->fcall('rs_tunnel_admit',
                     [$opt{auth} // $s->{key}, "tun:$tun",
                      "dev:" . ($opt{dev} // $dev), "adm:$tun"],
                     $opt{scope} // 'tunnels:use', $peer, $opt{ends} // '',
                     $opt{maker} // '');
}


sub enter {
    my ($tun, $peer) = @_;

    return $s->fcall('rs_port_enter', ["tun:$tun", "adm:$tun", 'audit'],
                     $peer);
}


# as the gateway does: the caller of the admission opens the pipe

sub come {
    my ($tun, $peer, $to) = @_;
    my $r = enter($tun, $peer);

    return $r if $r->[0] ne 'ok';

    return $s->pipe($tun, $to // $dev, auth => "$r->[1]:$r->[2]",
                    scope => $r->[3], ends => $r->[4], peer => $peer);
}


sub reply { return ref $_[0] eq 'HASH' ? $_[0]{reply}[0] : $_[0][0] }


sub line { return +($s->audit())[-1] }


sub room {
    my ($id, $idem, $hash, %opt) = @_;

    return $s->fcall('rs_tunnel_room', [$opt{auth} // $s->{key}, 'tunx',
                                        "dev:" . ($opt{dev} // $dev),
                                        "dtun:$dev", "idem:$idem"],
                     'tunnels:write', $id, $opt{max} // 8, $opt{quota} // 0,
                     $hash);
}


# ports go round the range, and are nobody's when their tunnel is over

my @tun = map { random_id('tun_') } 1 .. 5;

is_deeply(take(20000, 20002, $tun[0]), ['ok', 20000], 'the first one');
is_deeply(take(20000, 20002, $tun[1]), ['ok', 20001], 'the next one');

my $r = whose(20001);

is_deeply([@$r[0 .. 3, 5]], ['ok', $s->{tenant}, $tun[1], $dev, 'tcp'],
          'whose it is');
cmp_ok(abs($r->[4] - time() - 60), '<=', 2, 'and until when');
is_deeply(whose(20002), ['not_found'], "nobody's");
is(freed(20000, $tun[1]), 'stale', 'not of another tunnel');
is(freed(20000, $tun[0], 'other'), 'stale', 'nor tenant');
is(freed(20000, $tun[0]), 'freed', 'it is freed');
is(freed(20000, $tun[0]), 'stale', 'once');
is_deeply(take(20000, 20002, $tun[2]), ['ok', 20002],
          'who has the number of before meets nobody there for a while');
is_deeply(take(20000, 20002, $tun[3]), ['ok', 20000], 'then it goes round');
is_deeply(take(20000, 20002, $tun[4]), ['limit_reached'], 'all are taken');
$redis->call('HSET', 'rs:{b}:ports', 20001,
             "$s->{tenant} $tun[1] $dev tcp " . time());
is_deeply(whose(20001), ['not_found'], 'a tunnel is over');
is_deeply(take(20000, 20002, $tun[4], 60, 'other'), ['ok', 20001],
          'another one has its port');
is(freed(20001, $tun[1]), 'stale', 'which who was before does not free');
is(whose(20001)->[1], 'other', 'of another tenant');


# a port is kept for the tunnel's life when that is made

sub keep {
    my ($port, $tun, $ends) = @_;

    return $s->fcall('rs_port_keep', ['ports'], $port, $s->{tenant}, $tun,
                     $dev, 'udp', $ends);
}


my $til = time() + 500;

is_deeply(keep(20000, $tun[3], $til), ['ok'], 'it is kept');
is_deeply([@{ whose(20000) }[2, 4, 5]], [$tun[3], $til, 'udp'], 'until then');
is_deeply(keep(20000, $tun[0], $til), ['conflict'], 'by whom it is of');
is_deeply(keep(20001, $tun[4], $til), ['conflict'], 'not another tenant');
is_deeply(keep(20090, $tun[0], $til), ['ok'], "one that is nobody's");
is_deeply(keep(20090, $tun[0], time()), ['ok'], 'or was his');
is_deeply(keep(20090, $tun[1], $til), ['ok'], 'until it ended');


# ranges

is_deeply(take(20101, 20400, $tun[4]), ['ok', 20101], 'another range');
is_deeply(take(20101, 20400, $tun[4]), ['ok', 20102], 'goes round as well');
$redis->call('HSET', 'rs:{b}:ports', map { ($_ => "o $tun[0] $dev tcp "
                                            . (time() + 60)) } 20103 .. 20399);
is_deeply(take(20101, 20400, $tun[4]), ['ok', 20400], 'one is left');
is_deeply(take(20101, 20400, $tun[4]), ['limit_reached'], 'none is');
$s->dies_like(qr/are no ports/, 'no ports', 'rs_port_take', ['ports'], @$_,
              'o', $tun[0], $dev, 'tcp', 60)
    for [0, 10], [10, 9], [1, 65536], [1, 10001];
$s->fcall('rs_port_free', ['ports'], $_, 'o', $tun[0]) for 20103 .. 20399;


# would a tunnel be made?

my $idem = RS::Schema::hash();

is_deeply(room($tun[0], '', ''), ['ok', 'room'], 'there is room');

my $lines = scalar $s->audit();

room($tun[0], '', '');
is(scalar $s->audit(), $lines, 'a question leaves no line');
is_deeply(room($tun[0], '', '', dev => random_id('dev_')), ['not_found'],
          'no device');
is_deeply([@{ line() }{qw(verb outcome reason)}],
          ['tunnels:write', 'deny', 'not_found'], 'a refusal does');
is_deeply(room($tun[0], '', '', max => 0), ['limit_reached'], 'no room');

my ($reads) = $s->api_key('tunnels:read devices:read', 'reads');

is_deeply(room($tun[0], '', '', auth => $reads), ['forbidden'], 'no right');
$redis->call('HSET', $s->key("idem:$idem"), 'body', 'h', 'id', $tun[1]);
is_deeply(room($tun[0], $idem, 'h'), ['ok', 'repeated', $tun[1]],
          'it was made');
is_deeply(room($tun[0], $idem, 'i'), ['idempotency_mismatch'],
          'of something else');
$redis->call('DEL', $s->key("idem:$idem"));


# who has not said that an address is his does not come in, and that is said
# once a minute

my $tun = $s->tunnel($dev, port => 20000);
my $home = v4('192.0.2.1');

is(RS::Schema::obj($s->fcall('rs_tunnel_get', [$s->{key}, "tun:$tun",
                                               "pips:$tun"],
                             'tunnels:read')->[1])->{port}, 20000,
   'a tunnel with a port');
like(line()->{detail}, qr/ port 20000$/, 'in the audit');
is_deeply(enter($tun, $home), ['forbidden'], 'nobody is admitted');
is_deeply([@{ line() }{qw(actor verb object outcome reason addr detail)}],
          ['unknown', 'tunnels:use', $tun, 'deny', 'forbidden', '192.0.2.1',
           'port 20000'], 'in the audit');
$lines = scalar $s->audit();
is_deeply(enter($tun, $_), ['forbidden'], "from $_") for $home, $home, '';
is(scalar $s->audit(), $lines, 'once');
$redis->call('HSET', $s->key("tun:$tun"), 'stray_at', time() - 60);
is_deeply(enter($tun, '6' . '20010db8' . '0' x 23 . '1'), ['forbidden'], 'IPv6');
is_deeply([@{ line() }{qw(addr detail)}],
          ['2001:0db8:0000:0000:0000:0000:0000:0001',
           'port 20000, 4 times'], 'a minute later, how often');
is_deeply(enter(random_id('tun_'), $home), ['not_found'], 'no tunnel');


# he comes in from there as who he is, and from nowhere else

$r = admit($tun, $home);
is_deeply([@$r[0, 1]], ['ok', 20000], 'he is admitted');
cmp_ok(abs($r->[2] - time() - 3600), '<=', 2, 'as long as the tunnel');
is_deeply([@{ line() }{qw(actor_id verb object outcome detail)}],
          [$s->{key_id}, 'tunnels:use', $tun, 'allow', 'port 20000'],
          'in the audit');
cmp_ok(abs($s->ttl("adm:$tun") - 3600), '<=', 2, 'and kept no longer');
$r = enter($tun, $home);
is_deeply([@$r[0 .. 2]], ['ok', split /:/, $s->{key}], 'he comes in');
$here->got();

my $p = come($tun, $home);

is(reply($p), 'ok', 'the pipe is his');
is_deeply([@{ line() }{qw(actor_id verb object outcome)}],
          [$s->{key_id}, 'tunnels:use', $tun, 'allow'], 'in the audit');
is($s->pipe_check($p, undef, $home)->[0], 'ok', 'and asked for again as his');
is(reply(come($tun, v4('192.0.2.2'))), 'forbidden', 'from another address');
is_deeply(admit($tun, ''), ['forbidden'], 'who has no address');

my $plain = $s->tunnel($dev);

is_deeply(admit($plain, $home), ['conflict'], 'a tunnel without a port');
is_deeply(admit($tun, $home, dev => $s->device()), ['not_found'],
          'another device');
is_deeply(admit($tun, $home, auth => $reads), ['forbidden'], 'no right');


# somebody else, with a right but not on the list; the maker, too

my ($other, $other_id) = $s->api_key('tunnels:use tunnels:read', 'other');

is_deeply(admit($tun, $home, auth => $other), ['forbidden'],
          'who is not on the list');
is(line()->{outcome}, 'deny', 'in the audit');
is(reply(come($tun, $home)), 'ok', 'takes nothing away from who is');

my $his = $s->tunnel($dev, port => 20001, users => $other_id);

$lines = scalar $s->audit();
is_deeply(admit($his, $home, maker => 1), ['ok', 20001, ''],
          'a maker who is not on his list');
is(scalar $s->audit(), $lines, 'is no refusal');
is(reply(come($his, $home)), 'forbidden', 'but does not come in');
is(reply(admit($his, $home, auth => $other)), 'ok', 'who is does');
is_deeply([enter($his, $home)->[2]], [(split /:/, $other)[1]],
          'as himself');


# an address is his who was admitted last

my $both = $s->tunnel($dev, port => 20002,
                      users => "$s->{key_id} $other_id");

admit($both, $home);
admit($both, $home, auth => $other);
is(enter($both, $home)->[2], (split /:/, $other)[1], 'the later one');
is($redis->call('HLEN', $s->key("adm:$both")), 1, 'in the place of the first');


# the list, asked at each connection

$s->fcall('rs_tunnel_patch', [$s->{key}, "tun:$both", "pips:$both"],
          'tunnels:write', '', 'users', $s->{key_id});
is(reply(come($both, $home)), 'forbidden', 'the list was edited');
is(line()->{actor_id}, $other_id, 'refused to him');
$s->fcall('rs_tunnel_patch', [$s->{key}, "tun:$both", "pips:$both"],
          'tunnels:write', '', 'users', $other_id, 'addresses', '10.0.0.0/8',
          'nets', v4('10.0.0.0') . '-' . v4('10.255.255.255'));
is(reply(come($both, $home)), 'forbidden', 'not from this address any more');
is_deeply(admit($both, $home, auth => $other), ['forbidden'],
          'nor can it be admitted');
is(reply(admit($both, v4('10.1.2.3'), auth => $other)), 'ok', 'one that can');
is(reply(come($both, v4('10.1.2.3'))), 'ok', 'and comes in');


# an admission ends with the key, or the token

$s->fcall('rs_key_revoke', [$s->{key}, $other, 'keys'], 'keys:write',
          $other_id);
is(reply(come($both, v4('10.1.2.3'))), 'unauthenticated', 'the key is gone');

my ($short, $short_id) = $s->api_key('tunnels:use', 'short',
                                     expires_at => time() + 50);
my $long = $s->tunnel($dev, port => 20003, users => "$s->{key_id} $short_id");

$r = admit($long, $home, auth => $short);
cmp_ok($r->[2], '<=', time() + 50, 'it ends with the key');
is($redis->call('HGET', $s->key("adm:$long"), $home) =~ /^(\d+)/ && $1,
   $r->[2], 'as it is kept');
is(admit($long, $home, ends => time() + 20)->[2] <= time() + 20, 1,
   'or the token');

my $kept = $redis->call('HGET', $s->key("adm:$long"), $home);

$redis->call('HSET', $s->key("adm:$long"), $home,
             time() . $kept =~ s/^\d+//r);
is_deeply(enter($long, $home), ['forbidden'], 'it is over');

my $usr = random_id('usr_');
my %ana = (kind => 'user', id => $usr, name => 'Ana', iat => time() - 5,
           subjects => ["user:$usr"], granted => [],
           tenant => ['tunnels:read', 'tunnels:use']);
my $hers = $s->tunnel($dev, port => 20004, users => $usr);
my $as = RS::Schema::caller_json(%ana, verb => 'tunnels:use');

is(reply(admit($hers, $home, auth => "usr:$usr", scope => $as)), 'ok',
   'a user');
is_deeply([@{ enter($hers, $home) }[1, 2]], ['usr', $usr], 'as herself');
is(reply(come($hers, $home)), 'ok', 'comes in');
$s->fcall('rs_user_revoke', [$s->{key}, "usr:$usr", "uses:$usr",
                             "uin:$usr"], 'users:write', 'all');
is(reply(come($hers, $home)), 'unauthenticated', 'signed out');


# bounds

admit($long, v4("192.0.2.$_")) for 1 .. 16;
is($redis->call('HLEN', $s->key("adm:$long")), 16, 'sixteen addresses');
is_deeply(admit($long, v4('192.0.2.17')), ['limit_reached'], 'no more');
is(reply(admit($long, v4('192.0.2.16'))), 'ok', 'one of them again');
$redis->call('HSET', $s->key("adm:$long"), $home, '1 key x {}');
is(reply(admit($long, v4('192.0.2.17'))), 'ok', 'one that has ended makes room');
is($redis->call('HLEN', $s->key("adm:$long")), 16, 'and is gone');


# the end of the tunnel

is_deeply($s->fcall('rs_tunnel_delete', [$s->{key}, "tun:$long", 'tuns',
                                         'tunx', "dtun:$dev", "pips:$long",
                                         "adm:$long"], 'tunnels:write', $long,
                    'deleted'), ['ok', $dev, 20003, $long],
          'a tunnel that is deleted leaves its port to be freed');
is($s->exists("adm:$long"), 0, 'and nobody admitted');
is_deeply(enter($long, v4('192.0.2.16')), ['not_found'], 'it is over');
is_deeply(admit($long, $home), ['not_found'], 'nobody is any more');

$s->check_catalogue();

done_testing();
