#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# turnserver by itself with a static secret: what the other tests stand on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use JSON::PP qw(decode_json);
use RS::Turn;
use RS::Util qw(top random_id read_file wait_until);

# the harness derives secrets by itself

my $vectors = decode_json(read_file(top(qw(librs t vectors turn_key.json))));

for my $v (grep { $_->{file} =~ /^[0-9a-f]{64}\n\z/ && $_->{secret} }
           @{ $vectors->{secrets} })
{
    is(RS::Turn::derive(substr($v->{file}, 0, 64), @$v{qw(realm epoch)}),
       $v->{secret}, "secret: $v->{name}");
}


my $turn = RS::Turn->new(mode => 'plain', tls => 1);
my $s = { id => random_id('ses_'), tenant => 'default',
          host => random_id('par_') };
my $c = $turn->credential($s);

diag('coturn ' . $turn->version());

for my $transport (qw(udp tcp)) {
    my $r = $turn->uclient($c, transport => $transport);

    is_deeply([@$r{qw(status sent received lost)}], [0, 40, 40, 0],
              "$transport: what was sent came") or diag($r->{text});
}

my $r = $turn->uclient($c, transport => 'tls');

is($r->{status}, 0, 'tls: relays');
cmp_ok($r->{received}, '>', 20, 'tls: what was sent came');

$r = $turn->uclient({ %$c, password => $turn->password($c->{username},
                                                       'x' x 32) });

isnt($r->{status}, 0, 'a wrong password is refused');
like($r->{text}, qr/Cannot complete Allocation/, 'at the allocation');

$r = $turn->uclient($turn->credential($s, ttl => -5));
isnt($r->{status}, 0, 'an expired credential is refused');

# what ends an allocation: the CLI

my $relays = RS::Turn->new(mode => 'plain');
my $busy = $relays->uclient_start($relays->credential($s), n => 1000000);
my @list;

wait_until {
    @list = grep { @{ $_->{peers} } } $relays->allocations(session => $s);
    @list >= 2
} 20, 'allocations with peers';

is($list[0]{realm}, 'rs-test', 'the realm of an allocation');
like($list[0]{relay}, qr/^\Q${\ $relays->relay_ip}\E:\d+$/, 'its address');
is(scalar $relays->allocations(session => random_id('ses_')), 0,
   'no allocation of another session');

$relays->cli("cs $_->{id}") for $relays->allocations();
wait_until { !$relays->allocations() } 5, 'no allocation';
pass('ended by the CLI');

$busy->stop();

$turn->check_logs();
$relays->check_logs();

done_testing();
