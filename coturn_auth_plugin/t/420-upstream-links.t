#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Where Redis is and whom to trust: Sentinels, failovers with a revocation
# after them, names, TLS, users, replicas; and a subscription that a network
# forgot.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET ();
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Dns;
use RS::FakeSentinel;
use RS::Proxy;
use RS::Redis;
use RS::Sentinel;
use RS::Upstream;
use RS::Util qw(top now wait_until tempdir free_port read_file write_file
                spawn);

my $dir = tempdir();


sub upstream { return RS::Upstream->new(RS::Upstream::conf_of(shift), @_) }

sub session { return RS::Upstream::session(@_) }


# how many links lead there

sub links {
    my ($redis) = @_;
    my $list = eval { $redis->call('CLIENT', 'LIST') } // '';

    return scalar(() = $list =~ /name=rs-turn-authd-/g);
}


# never up, for this reason, said once by each link

sub refused {
    my ($what, $says, @conf) = @_;

    subtest $what => sub {
        my $up = upstream(@conf);

        ok(eval { $up->wait_log(qr/commands is down: .*$says/, 5) }, 'why')
            or diag($up->log);
        $up->wait_log(qr/for commands, attempt 3$/m, 5);

        my @said = $up->log =~ /error: \S+ \S+ to \S+ for commands is down/g;

        is(scalar @said, 1, 'once') or diag($up->log);
        unlike($up->log, qr/for (?!Sentinel)\w+ is up$/m, 'never up');
        is($up->stat('in_sync'), 0, 'not in sync');
        $up->check_log;
    };

    return;
}


subtest 'Sentinel' => sub {
    my $trio = RS::Sentinel->new(down_after => 1000);
    my $s = session($trio->primary);
    my $ends = session($trio->primary);
    my $up = upstream($trio->conf);
    my $old = $trio->primary;

    $up->wait_in_sync;
    is($up->verdict($s), 'ok', 'found by Sentinel');
    $old->call('WAIT', 1, 2000);

    my $start = now();
    my $max = 0;

    $old->kill;
    $trio->wait_moved(15);

    my $moved = now() - $start;

    wait_until {
        $up->verdict($s) eq 'ok' or die 'forgotten';
        $max = $up->{ms} if $up->{ms} > $max;
        $up->stat('in_sync')
    } 10, 'in sync with the new primary';

    diag(sprintf 'failover after %.1f s, in sync after %.1f s; longest answer '
         . 'meanwhile %.1f ms', $moved, now() - $start, $max);
    cmp_ok($max, '<', 200, 'answers come meanwhile');
    is(links($trio->primary), 2, 'both links lead to the new one');

    # what is revoked after it is known at once

    $start = now();
    RS::Upstream::end($trio->primary, $ends);
    $up->wait_verdict($ends, 'ended', 2);
    diag(sprintf 'ended after a failover: %.1f ms', (now() - $start) * 1000);

    # the old one comes back, as a primary first; nobody goes there

    $old->start;
    ok(eval {
        wait_until {
            (eval { $old->call('INFO', 'replication') } // '')
                =~ /role:slave/
        } 20
    }, 'the old one is a replica');
    is(links($old), 0, 'which nobody uses');
    is($up->stat('in_sync'), 1, 'in sync all the time');

    # a planned one, with one Sentinel less

    $trio->stop_sentinel(2);
    $trio->failover;
    ok(eval {
        wait_until { links($trio->primary) == 2 && $up->stat('in_sync') } 10
    }, 'follows a planned one') or diag($up->log);

    my $new = session($trio->primary);

    $up->wait_verdict($new, 'ok', 2);
    RS::Upstream::revoke($trio->primary, $new);
    $up->wait_verdict($new, 'revoked', 2);
    is($up->verdict($ends), 'ended', 'an end is for ever');
    $up->check_log;

    $_->stop for @{ $trio->servers };
    $trio->stop_sentinel($_) for 0, 1;
};


subtest 'Sentinels that do not agree' => sub {
    my ($one, $two) = map { RS::Redis->new(port => 1) } 1 .. 2;
    my @fakes = map { RS::FakeSentinel->new() } 1 .. 3;
    my $to = sub {
        my ($redis) = @_;
        my ($other) = grep { $_ != $redis } $one, $two;

        return eval {
            wait_until { links($redis) == 2 && links($other) == 0 } 6
        };
    };

    $_->say($one->port, 5) for @fakes;

    my $up = upstream('sentinel://' . join(',', map { '127.0.0.1:' . $_->port }
                                                @fakes) . '/rs-main');

    $up->wait_in_sync;
    ok($to->($one), 'all say the same');

    $fakes[1]->say($two->port, 6);
    ok($to->($two), 'one knows of a newer failover, the old one serves on');
    $up->wait_in_sync;

    # those behind do not bring it back, not even when it asks anew

    my $polls = now() + 2.5;

    ok(eval { wait_until { links($two) == 2 or die; now() > $polls } 5 },
       'those behind do not bring it back');
    $two->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    ok($to->($two), 'the newest is asked');

    # it is gone, and most agree there is nothing newer than 5

    $_->say($one->port, 5) for @fakes;
    $two->stop;
    ok(eval { wait_until { links($one) == 2 } 10 },
       'set up anew: most agree') or diag($up->log);
    $up->wait_in_sync;

    $_->silence for @fakes;
    $one->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $up->wait_stat(in_sync => 0);
    $up->wait_log(qr/is down: no Sentinel said where the primary is/);
    $_->say($one->port, 7) for @fakes;
    $up->wait_in_sync;
    ok(1, 'silent, then not');
    $up->check_log;
    $one->stop;
};


subtest 'names' => sub {
    my $dns = RS::Dns->new();
    my $redis = RS::Redis->new(port => 1);
    my $s = session($redis);
    my $up = upstream('redis://redis.test:' . $redis->port,
                      resolver => $dns->address);

    $up->wait_log(qr/is down: "redis\.test" cannot be resolved/);

    my $asked = $dns->asked('redis.test');

    $dns->set('redis.test' => '127.0.0.1');
    $up->wait_in_sync;
    is($up->verdict($s), 'ok', 'works once the name is there');
    cmp_ok($asked, '>', 0, 'it was asked for');

    # a name server that says nothing keeps nobody waiting

    my $seen = length $up->log;

    $dns->set('redis.test' => 'silence');
    $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $redis->call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    $up->wait_stat(in_sync => 0);

    my $max = 0;
    my $end = now() + 1.5;

    wait_until {
        $up->verdict($s) eq 'ok' or die;
        $max = $up->{ms} if $up->{ms} > $max;
        now() > $end
    } 5;
    cmp_ok($max, '<', 200, sprintf 'answers come meanwhile (%.1f ms)', $max);

    # by the link's deadline, or the resolver's when that comes first

    ok(eval {
        wait_until {
            substr($up->log, $seen)
                =~ /is down: (?:the name server did|"redis\.test" cannot be)/
        } 10
    }, 'and said') or diag(substr $up->log, $seen);

    # elsewhere, then back

    $dns->set('redis.test' => '127.0.0.99');
    $up->wait_log(qr/is down: connect\(\) failed: Connection refused/);
    $dns->set('redis.test' => '127.0.0.1');
    $up->wait_in_sync;
    is($up->verdict($s), 'ok', 'found again');

    # ended while a question is under way

    $dns->set('redis.test' => 'silence');
    $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $up->wait_stat(in_sync => 0);
    $up->check_log;
    $redis->stop;
};


# ---- TLS


sub make_ca {
    my ($name, @names) = @_;

    local $ENV{PYTHONDONTWRITEBYTECODE} = 1;

    system('python3', '-c', 'import sys; sys.path.insert(0, sys.argv[1]); '
           . 'from rslib import tls; tls.make(sys.argv[2], sys.argv[3:])',
           top('util'), "$dir/$name", @names) == 0
        or die "no certificates for $name";

    return;
}

make_ca('redis', '127.0.0.1', 'redis.test');
make_ca('other', '127.0.0.1', 'redis.test');
system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
       . "-days 2 -subj /CN=relay -keyout $dir/client.key "
       . "-out $dir/client.pem 2>/dev/null") == 0
    or die 'no certificate for a client';
write_file("$dir/both.pem",
           read_file("$dir/redis/ca.pem") . read_file("$dir/client.pem"));


sub tls_redis {
    my ($auth) = @_;
    my $port = free_port();
    my $redis = RS::Redis->new(acl => 1, conf => <<"END");
tls-port $port
tls-cert-file $dir/redis/cert.pem
tls-key-file $dir/redis/key.pem
tls-ca-cert-file $dir/both.pem
tls-auth-clients $auth
END
    my ($user) = $redis->conf('rs-plugin') =~ /^\S+ (.*)$/;

    return ($redis, "rediss://127.0.0.1:$port", $user);
}


subtest 'TLS' => sub {
    my ($redis, $url, $user) = tls_redis('no');
    my $ca = "ca_file=$dir/redis/ca.pem";

    session($redis, tenant => 'tls', quiet => 1) for 1 .. 1200;

    my $s = session($redis, tenant => 'tls');
    my $up = upstream("$url $ca $user");

    $up->wait_in_sync;
    is($up->verdict($s), 'ok', 'trusted');
    is($up->stat('sync_sessions'), 1201, 'pages of more than a record');
    RS::Upstream::revoke($redis, $s);
    $up->wait_verdict($s, 'revoked', 2);

    $redis->freeze;
    $up->wait_stat(in_sync => 0, 6);
    $up->wait_log(qr/no answer to connect\(\) and TLS within 500 ms/);
    $redis->thaw;
    $up->wait_in_sync;

    # nothing is left open by what was refused and lost

    $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        for 1 .. 3;
    $up->wait_in_sync;

    my @sockets = grep { (readlink($_) // '') =~ /^socket/ }
                  glob('/proc/' . $up->pid . '/fd/*');

    cmp_ok(scalar @sockets, '<=', 6, 'no socket is left') or diag("@sockets");
    $up->check_log;

    refused('an authority that did not sign it',
            qr/its certificate is refused for "127\.0\.0\.1": .*redis_ca_file/,
            "$url ca_file=$dir/other/ca.pem $user");
    refused('the authorities of the system',
            qr/its certificate is refused for "127\.0\.0\.1": /,
            "$url $user");
    refused('another name',
            qr/its certificate is refused for "evil\.test": .*mismatch/,
            "$url $ca $user server_name=evil.test");
    refused('no TLS to a port that wants it', qr/Redis closed|failed/,
            $url =~ s/^rediss/redis/r . " $user");

    my $named = upstream("$url $ca $user server_name=redis.test");

    $named->wait_in_sync;
    ok(1, 'server_name says who it must be');
    $named->check_log;
    $redis->stop;

    my $plain = RS::Redis->new(port => 1);

    refused('TLS to a port that has none', qr/TLS/,
            'rediss://127.0.0.1:' . $plain->port . " $ca");
    $plain->stop;
};


subtest 'Sentinel over TLS' => sub {
    my ($redis, $url, $user) = tls_redis('no');
    my ($port) = $url =~ /(\d+)$/;
    my $watch = free_port();
    my $ca = "ca_file=$dir/redis/ca.pem";
    my $to = "sentinel+tls://127.0.0.1:$watch/rs-main";

    mkdir "$dir/sentinel" or die "$dir/sentinel: $!";
    write_file("$dir/sentinel/sentinel.conf", <<"END_CONF");
port 0
tls-port $watch
tls-replication yes
tls-cert-file $dir/redis/cert.pem
tls-key-file $dir/redis/key.pem
tls-ca-cert-file $dir/both.pem
tls-auth-clients no
bind 127.0.0.1
dir $dir/sentinel
daemonize no
logfile ""
sentinel monitor rs-main 127.0.0.1 $port 1
user default off
user watcher on >of-the-watcher allchannels +\@all
END_CONF

    my $proc = spawn('sentinel',
                     ['redis-sentinel', "$dir/sentinel/sentinel.conf"],
                     log => "$dir/sentinel/log");

    wait_until {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $watch)
    } 10, 'Sentinel';

    # its users are others than those of Redis

    write_file("$dir/watcher", "of-the-watcher\n", 0600);

    my $up = upstream("$to $ca $user sentinel_user=watcher "
                      . "sentinel_password_file=$dir/watcher");

    $up->wait_in_sync;
    ok(1, 'found, and listed');
    unlike($up->log, qr/of-the-watcher/, 'no password is logged');
    $up->check_log;

    refused('without a password of its own',
            qr/Sentinel \S+ does not tell where "rs-main" is: NOAUTH/,
            "$to $ca $user");
    refused('a Sentinel that is not trusted',
            qr/no Sentinel said where the primary is/,
            "$to ca_file=$dir/other/ca.pem $user");
    $proc->stop;
    $redis->stop;
};


subtest 'a certificate of ours' => sub {
    my ($redis, $url, $user) = tls_redis('yes');
    my $ca = "ca_file=$dir/redis/ca.pem";

    refused('without one', qr/want another redis_certificate\?/,
            "$url $ca $user");

    my $up = upstream("$url $ca $user certificate=$dir/client.pem "
                      . "certificate_key=$dir/client.key");

    $up->wait_in_sync;
    ok(1, 'with one');
    $up->check_log;
    $redis->stop;
};


# ---- who is not used


subtest 'a replica, and a wrong password' => sub {
    my ($one, $two) = map { RS::Redis->new(port => 1, acl => 1) } 1 .. 2;
    my $s = session($one);
    my $up = upstream($one->conf('rs-plugin'));

    $up->wait_in_sync;

    # it becomes a replica under us: a listing cannot tell, a connect does

    $one->replicate($two);
    $one->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $up->wait_log(qr/is down: its role is "slave": "redis" must name/);
    is($up->stat('in_sync'), 0, 'not used');
    is($up->verdict($s), 'ok', 'what is known holds');
    $one->promote;
    $up->wait_in_sync;
    $up->check_log;

    write_file("$dir/wrong", 'not-the-password', 0600);
    refused('a wrong password', qr/AUTH is refused: WRONGPASS/,
            'unix:' . $one->socket
            . " user=rs-plugin password_file=$dir/wrong");

    # the user loses what it needs while it is connected

    $s = session($one);
    $up = upstream($one->conf('rs-plugin'), resync => 1);
    $up->wait_in_sync;
    $one->call('ACL', 'SETUSER', 'rs-plugin', 'resetkeys');
    $up->wait_stat(in_sync => 0);
    $up->wait_log(qr/is down: .*NOPERM/);
    is($up->verdict($s), 'ok', 'what is known holds') or diag($up->log);
    $up->check_log;
    $_->stop for $one, $two;
};


subtest 'a subscription that a network forgot' => sub {
    my $redis = RS::Redis->new();
    my $proxy = RS::Proxy->new(to => $redis->socket);
    my $s = session($redis);
    my $up = upstream('redis://127.0.0.1:' . $proxy->port);

    $up->wait_in_sync;

    my $start = now();

    $proxy->mute;
    RS::Upstream::revoke($redis, $s);
    is($up->verdict($s), 'ok', 'nobody was told');

    # noticed, subscribed anew, listed

    $up->wait_verdict($s, 'revoked', 6);
    diag(sprintf 'known by a listing after %.1f s', now() - $start);
    cmp_ok(now() - $start, '<', 5, 'known within seconds');
    is($up->stat('silences'), 1, 'the subscription was silent');
    like($up->log, qr/the subscription is silent: no answer to PING/, 'said');
    $up->check_log;

    # slow is not dead

    $up = upstream('redis://127.0.0.1:' . $proxy->port);
    $up->wait_in_sync;
    $proxy->slow(300);

    my $end = now() + 3;

    ok(eval { wait_until { $up->stat('in_sync') or die; now() > $end } 6 },
       'an answer after 300 ms is one') or diag($up->log);
    cmp_ok($up->stat('beacon_us'), '>', 250_000, 'and is the lag');
    $proxy->slow(0);

    # the proxy leads elsewhere for who comes next: two servers

    my $other = RS::Redis->new();

    $proxy->lead($other->socket);
    $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $up->wait_log(qr/it leads to another Redis than the link for/);
    ok(eval { wait_until { links($other) == 2 && $up->stat('in_sync') } 10 },
       'both lead to one') or diag($up->log);
    is(links($redis), 0, 'and none to the old one');
    $up->check_log;
    $_->stop for $redis, $other;
};


subtest 'what is no configuration' => sub {
    my %bad = (
        'redis=http://a' => qr/must be redis:/,
        'redis=redis://u:p@a' => qr/no password belongs into the URL/,
        'redis=redis://a redis_ca_file=/x' => qr/are of TLS/,
        'redis=redis://a sentinel_user=u' => qr/needs sentinel_password_file/,
        'redis=redis://a redis_user=u' => qr/needs redis_password_file/,
        'redis=rediss://a redis_ca_file=/no/such' => qr/redis_ca_file/,
        'redis=rediss://a redis_certificate=/x' => qr/go together/,
        "redis=rediss://a redis_certificate=$dir/client.pem "
        . "redis_certificate_key=$dir/redis/key.pem" =>
            qr/is not of redis_certificate/,
    );

    for my $conf (sort keys %bad) {
        my $up = eval {
            RS::Upstream->new(map { split /=/, $_, 2 } split ' ', $conf)
        };
        my $said = $@;

        like($said, $bad{$conf}, "refused: $conf");
        $up->stop if $up;
    }
};


done_testing();
