#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Commands of a device: who may, what its worker is told and what is in no key,
# and that one is over with its only pipe.

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
my $W2 = 'n2.1.00000000000000bb';
my $here = $s->subscribe($W1);
my $watch = $s->subscribe('rs:watch');
my $dev = $s->device(online => "$W1.3");
my $args = '{"args":{"host":"s3cret-host"}}';


sub line { return +($s->audit())[-1] }


sub events {
    my ($kind) = @_;
    my @all = map { +{ @{ $_->[1] } } }
              @{ $redis->call('XRANGE', $s->key('ev'), '-', '+') };

    return map { $_->{b} } grep { $_->{t} eq $kind } @all;
}


# it is a tunnel with its pipe, for who asks

my $p = $s->run_command($dev, 'ping', args => $args, shown => '{"host":"***"}');

is($p->{reply}[0], 'ok', 'a command');
is($p->{reply}[1], "$W1.3", 'and where its device is');

my $t = RS::Schema::obj($p->{reply}[2]);

is_deeply([@{$t}{qw(id device_id target protocol label users by_id pipes)}],
          [$p->{object}, $dev, 'run ping', 'tcp', 'why', $s->{key_id},
           $s->{key_id}, 1], 'what it is');
is_deeply([@{ line() }{qw(verb object outcome detail)}],
          ['commands:run', $p->{object}, 'allow',
           qq{$dev $p->{id} ping {"host":"***"}}],
          'the audit has what it may have');

my ($told) = grep { $_->{kind} eq 'pip' } $here->got();

is("$told->{session} $told->{to} $told->{body}",
   "$p->{id} $W1.3 open $args", 'the device\'s worker is told all');

unlike($redis->dump(), qr/s3cret-host/, 'the parameters are in no key');
is_deeply([@{ $s->pipe_offer($p, "$W1.3") }[0 .. 4]],
          ['ok', $p->{object}, 'run ping', 'tcp', 'why'], 'what it is, once');
is(scalar(grep { /"command":"ping"/ && /\Q$p->{id}\E/ }
          events('command.started')), 1, 'an event');
is(scalar(events('tunnel.created')) + events('tunnel.opened'), 0,
   'and none of a tunnel');


# it has one pipe, and no other one

is($s->pipe($p->{object}, $dev)->{reply}[0], 'conflict', 'no second pipe');


# the end of the pipe is its end

$s->pipe_attach($p, 'host', "$W1.9");
$s->pipe_attach($p, 'client', "$W2.9");
is($s->pipe_check($p)->[0], 'ok', 'he may');
$watch->got();
is_deeply($s->pipe_gone($p, 'client', "$W2.9", up => 0, down => 7),
          ['ok', 'gone'], 'it ends');
is($s->exists("tun:$p->{object}"), 0, 'the tunnel is gone');
is($redis->call('ZCARD', $s->key($_)), 0, "and counts no more in $_")
    for 'tuns', 'tunx', "dtun:$dev";
is(scalar(grep { $_->[1] eq 'tun' } $watch->got()), 0,
   'who has a leg still is not asked anew: what he is owed comes');
like(line()->{detail}, qr/^\Q$p->{id}\E run ping up 0 down 7 s \d+$/,
     'the bytes are in the audit');
is(scalar(grep { /"down":7/ && /"reason":null/ } events('command.ended')), 1,
   'and an event');
is_deeply($s->pipe_gone($p, 'host', "$W1.9"), ['ok', 'stale'], 'once');


# the device will not

$p = $s->run_command($dev, 'ping');
$s->pipe_offer($p, "$W1.3");
is_deeply($s->pipe_refuse($p, "$W1.3", 'forbidden'), ['ok', 'refused'],
          'refused');
is($s->exists("tun:$p->{object}"), 0, 'the tunnel is gone');
is_deeply($s->pipe_attach($p, 'client', "$W2.9"), ['forbidden'],
          'the client is told when it comes');
is(scalar(grep { /"reason":"forbidden"/ } events('command.refused')), 1,
   'an event');


# somebody ends it

$p = $s->run_command($dev, 'ping');
$s->pipe_attach($p, 'client', "$W2.12");
is($s->fcall('rs_tunnel_delete', [$s->{key}, "tun:$p->{object}", 'tuns',
                                  'tunx', "dtun:$dev", "pips:$p->{object}",
                                  "adm:$p->{object}"],
             'tunnels:write', $p->{object}, 'deleted')->[0], 'ok', 'deleted');
is_deeply($s->pipe_check($p), ['tunnel_ended'], 'he may no more');
is(scalar(grep { /"reason":"deleted"/ } events('command.ended')), 1,
   'an event');
is($s->pipe_gone($p, 'client', "$W2.12", code => 'tunnel_ended')->[1], 'gone',
   'the pipe ends');
is(scalar(grep { /"reason":"deleted"/ } events('command.ended')), 1,
   'told once');


# who may

my ($none) = $s->api_key('tunnels:use tunnels:write devices:read', 'tunnels');

is($s->run_command($dev, 'ping', auth => $none)->{reply}[0], 'forbidden',
   'tunnels are no leave for commands');

my ($group, $elsewhere) = map { $s->group(name => $_) } 'one', 'two';
my ($given, $given_id) = $s->api_key('commands:run devices:read', 'given',
                                     granted => 1);
my $grant = $s->grant("key:$given_id", $group, 'commands:run devices:read');
my $desk = $s->device(group_id => $group, online => "$W1.60");

is($s->run_command($dev, 'ping', auth => $given)->{reply}[0], 'not_found',
   'not of his devices');
is_deeply([@{ line() }{qw(outcome reason)}], ['deny', 'not_found'],
          'which the audit says');
$p = $s->run_command($desk, 'ping', auth => $given);
is($p->{reply}[0], 'ok', 'of one that is');
is($s->pipe_check($p)->[0], 'ok', 'he may');
$s->fcall('rs_grant_delete', [$s->{key}, 'grants'], 'grants:write', $grant);
is_deeply($s->pipe_check($p), ['forbidden'], 'the grant is gone');


# bounds, and who is not there

is($s->run_command($desk, 'ping', max => 1)->{reply}[0], 'limit_reached',
   'so many of a device');
is($s->run_command($desk, 'ping', quota => 1)->{reply}[0], 'limit_reached',
   'so many of the tenant');
is($s->run_command(random_id('dev_'), 'ping')->{reply}[0], 'not_found',
   'no such device');
$s->offline($dev, "$W1.3");
is($s->run_command($dev, 'ping')->{reply}[0], 'device_offline', 'nobody is there');
is($redis->call('ZCARD', $s->key("dtun:$dev")), 0, 'nothing is left of these');

$s->check_catalogue();

done_testing();
