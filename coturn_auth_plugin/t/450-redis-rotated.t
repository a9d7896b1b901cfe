#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The password and the certificates towards Redis are changed while the daemon
# runs: SIGHUP reads the files again, what is wrong in them changes nothing.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Dns;
use RS::Redis;
use RS::Turn;
use RS::Util qw(top wait_until tempdir free_port read_file write_file
                random_id);

my $dir = tempdir();


sub in_sync {
    my ($turn, $want, $what) = @_;

    return ok(eval {
        wait_until { ($turn->metric('rs_turn_in_sync') // -1) == $want } 15
    }, $what) || diag($turn->authd_log);
}


sub make_ca {
    my ($name) = @_;

    local $ENV{PYTHONDONTWRITEBYTECODE} = 1;

    system('python3', '-c', 'import sys; sys.path.insert(0, sys.argv[1]); '
           . 'from rslib import tls; tls.make(sys.argv[2], ["127.0.0.1"])',
           top('util'), "$dir/$name") == 0
        or die "no certificates for $name";

    return;
}


# read again, for the nth time

my %reloads;

sub reload {
    my ($turn) = @_;
    my $n = ++$reloads{ $turn->dir };

    $turn->authd->signal('HUP');
    wait_until {
        my @said = $turn->authd_log =~ /notice: reloaded$/mg;
        @said >= $n
    } 10, 'a reload';

    return;
}


make_ca($_) for qw(one two);

my $port = free_port();
my $redis = RS::Redis->new(acl => 1, conf => <<"END_CONF");
tls-port $port
tls-cert-file $dir/one/cert.pem
tls-key-file $dir/one/key.pem
tls-ca-cert-file $dir/one/ca.pem
tls-auth-clients no
END_CONF
my $password = $redis->{users}{'rs-plugin'};

write_file("$dir/ca.pem", read_file("$dir/one/ca.pem"));


sub cut {
    my $list = $redis->call('CLIENT', 'LIST');

    $redis->call('CLIENT', 'KILL', 'ID', $_)
        for $list =~ /^id=(\d+) .*name=rs-turn-authd-/mg;

    return;
}


# by a name that one name server knows, and the address in the certificate

my $dns = RS::Dns->new();

$dns->set('redis.test' => '127.0.0.1');

my $turn = RS::Turn->new(start => 0,
                         redis_conf => "rediss://redis.test:$port",
                         authd_conf => { resolver => $dns->address,
                                         redis_server_name => '127.0.0.1',
                                         redis_user => 'rs-plugin',
                                         redis_password_file => $password,
                                         redis_ca_file => "$dir/ca.pem" });

$turn->start_authd;
in_sync($turn, 1, 'in sync');

# a new password: who is connected stays, who connects needs it

my $new = random_id('') . random_id('');

$redis->call('ACL', 'SETUSER', 'rs-plugin', 'resetpass', ">$new");
cut();
in_sync($turn, 0, 'the old password is refused');
ok($turn->wait_log(qr/is down: AUTH is refused: WRONGPASS/), 'and said');

write_file($password, "$new\n", 0600);
reload($turn);
in_sync($turn, 1, 'the new one is read by SIGHUP');

# a file that is wrong

chmod 0644, $password;
reload($turn);
ok($turn->wait_log(qr/error: redis: not reloaded: .*\Q$password\E/),
   'a password for all to read is not taken');
chmod 0600, $password;
cut();
in_sync($turn, 1, 'and the one before counts');

# another authority

$redis->call('CONFIG', 'SET', 'tls-cert-file', "$dir/two/cert.pem",
             'tls-key-file', "$dir/two/key.pem",
             'tls-ca-cert-file', "$dir/two/ca.pem");
cut();
in_sync($turn, 0, 'another authority is not trusted');
ok($turn->wait_log(qr/its certificate is refused for "127\.0\.0\.1"/),
   'and said');

write_file("$dir/ca.pem", "no certificate\n");
reload($turn);
ok($turn->wait_log(qr/error: redis: not reloaded: .*redis_ca_file/),
   'a file without one is not taken');

write_file("$dir/ca.pem", read_file("$dir/two/ca.pem"));
reload($turn);
in_sync($turn, 1, 'the new one is read by SIGHUP');

unlike($turn->authd_log, qr/\Q$new\E/, 'no password is logged');
$turn->check_logs;
$turn->stop_authd;
$redis->stop;

done_testing();
