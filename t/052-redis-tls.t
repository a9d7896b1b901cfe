
# Copyright (C) rs-gateway contributors

# Redis and Sentinel over TLS: who is trusted, who is not and in which words,
# and that nothing is said to those who are not.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Socket::INET ();
use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file wait_until spawn free_port);

my $dir = tempdir();


# an authority of its own for each, and a client's certificate signed by itself

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
make_ca('named', 'named.test');

system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
       . "-days 2 -subj /CN=gateway -keyout $dir/client.key "
       . "-out $dir/client.pem 2>/dev/null") == 0
    or die 'no certificate for a client';
write_file("$dir/both.pem",
           read_file("$dir/redis/ca.pem") . read_file("$dir/client.pem"));


sub tls {
    my ($name, $auth) = @_;

    return <<"END";
tls-cert-file $dir/$name/cert.pem
tls-key-file $dir/$name/key.pem
tls-ca-cert-file $dir/both.pem
tls-auth-clients @{[ $auth ? 'yes' : 'no' ]}
END
}


sub redis {
    my ($name, %opt) = @_;
    my $port = free_port();
    my $redis = RS::Redis->new(conf => "tls-port $port\n"
                                       . tls($name, $opt{auth}),
                               acl => 1);

    return ($redis, $port);
}


# with the user of $redis

sub gateway {
    my ($redis, $conf, %opt) = @_;
    my ($user) = $redis->conf =~ /^\S+ (.*)$/;

    return RS::Gateway->new(redis_conf => "$conf $user", %opt);
}


sub works {
    my ($redis, $gw, $what) = @_;
    my $r = $gw->rest(key => $redis->api_key)->post('/enrollments', {});

    return is($r->status, 201, $what) || diag($r->content, $gw->error_log);
}


# never up, for the reason given, said once for each link

sub refused {
    my ($redis, $conf, $says, $what) = @_;

    subtest $what => sub {
        my $gw = gateway($redis, $conf, ready => 0);

        ok(eval { $gw->wait_log(qr/for commands is down: $says/, 5) },
           'the log says why') or diag($gw->error_log);
        $gw->wait_log(qr/for commands, attempt 3\b/, 5);

        my @said = grep { /\[error\].*for commands/ }
                   split /\n/, $gw->error_log;

        is(scalar @said, 1, 'once');
        $gw->rest->problem($gw->rest->get('/health/ready'), 503,
                           'unavailable');
        unlike($gw->error_log, qr/for \w+ is up/, 'never up');

        $gw->quit;
        $gw->check_log;
    };

    return;
}


my ($redis, $port) = redis('redis');
my $ca = "ca_file=$dir/redis/ca.pem";


subtest 'trusted' => sub {
    my $gw = gateway($redis, "rediss://127.0.0.1:$port/0 $ca", workers => 2);

    works($redis, $gw, 'a call');

    my @clients = grep { /name=rs-gateway-/ }
                  split /\n/, $redis->call('CLIENT', 'LIST');

    is(scalar @clients, 4, 'commands and messages of two workers');

    # more than a TLS record or two, and several replies at once

    my $rest = $gw->rest(key => $redis->api_key);
    my @s = map {
        $rest->start('POST', '/enrollments', json => {
            tags => [map { "t$_" } 1 .. 20] })
    } 1 .. 30;

    is(scalar(grep { $rest->finish($_, 5)->status == 201 } @s), 30,
       'many at once');

    my $list = $rest->get('/enrollments?limit=100');

    is($list->status, 200, 'a list of them');
    is(scalar @{ $list->json->{items} // $list->json->{enrollments} }, 31,
       'all of them');

    for my $client (@clients) {
        $redis->call('CLIENT', 'KILL', 'ID', $client =~ /^id=(\d+)/);
    }

    ok(eval {
        wait_until { $gw->all_answer('/health/ready', 200) } 10;
    }, 'connects anew');
    works($redis, $gw, 'a call');

    $gw->reload;
    works($redis, $gw, 'a call after a reload');

    # neither the handshake nor an answer is waited for for ever

    $redis->freeze;

    my $r = $rest->get('/sessions');

    is($r->status, 503, 'frozen: a call');
    ok($r->within(1), 'within a second') or diag($r->seconds);
    $gw->wait_log(qr/is down: no answer to TLS within 500 ms/, 5);
    $redis->thaw;

    ok(eval {
        wait_until { $gw->all_answer('/health/ready', 200) } 10;
    }, 'thawed: ready');

    $gw->quit;
    $gw->check_log;
    unlike($gw->error_log, qr/open socket/, 'no socket left open');
};


subtest 'a name' => sub {
    my ($named, $port) = redis('named');
    my $gw = gateway($named, "rediss://127.0.0.1:$port "
                             . "ca_file=$dir/named/ca.pem "
                             . 'server_name=named.test');

    works($named, $gw, 'server_name= is who it must be');
    $gw->quit;
    $gw->check_log;

    refused($named, "rediss://127.0.0.1:$port ca_file=$dir/named/ca.pem",
            qr/its certificate is refused for "127.0.0.1": .*mismatch/,
            'another address than the certificate has');
    refused($named, "rediss://127.0.0.1:$port ca_file=$dir/named/ca.pem "
                    . 'server_name=other.test',
            qr/its certificate is refused for "other.test": .*mismatch/,
            'another name');
    $named->stop;
};


refused($redis, "rediss://127.0.0.1:$port ca_file=$dir/other/ca.pem",
        qr/its certificate is refused for "127.0.0.1": .*"ca_file="/,
        'an authority that did not sign it');
refused($redis, "rediss://127.0.0.1:$port",
        qr/its certificate is refused for "127.0.0.1": /,
        'the authorities of the system');
refused($redis, "redis://127.0.0.1:$port",
        qr/(?:Redis closed the connection|recv\(\) failed)/,
        'no TLS to a port that wants it');

{
    my $plain = RS::Redis->new(port => 1, acl => 1);

    refused($plain, 'rediss://127.0.0.1:' . $plain->port . " $ca",
            qr/(?:the TLS handshake failed|no answer to TLS)/,
            'TLS to a port that has none');
    $plain->stop;
}


subtest 'a client certificate' => sub {
    my ($strict, $port) = redis('redis', auth => 1);

    refused($strict, "rediss://127.0.0.1:$port $ca",
            qr/TLS .*"certificate=\"?/, 'without one');

    my $gw = gateway($strict, "rediss://127.0.0.1:$port $ca "
                              . "certificate=$dir/client.pem "
                              . "certificate_key=$dir/client.key");

    works($strict, $gw, 'with one');
    $gw->quit;
    $gw->check_log;
    $strict->stop;
};


subtest 'Sentinel' => sub {
    my $watch = free_port();

    write_file("$dir/sentinel.conf", <<"END" . tls('redis'));
port 0
tls-port $watch
tls-replication yes
bind 127.0.0.1
dir $dir
daemonize no
logfile ""
sentinel monitor rs-main 127.0.0.1 $port 1
user default off
user watcher on >of-the-watcher allchannels +\@all
END

    my $proc = spawn('sentinel', ['redis-sentinel', "$dir/sentinel.conf"],
                     log => "$dir/sentinel.log");

    wait_until {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $watch)
    } 10, 'Sentinel';

    # its users are others than those of Redis

    write_file("$dir/watcher", "of-the-watcher\n");

    my $user = "sentinel_user=watcher sentinel_password_file=$dir/watcher";
    my $gw = gateway($redis,
                     "sentinel+tls://127.0.0.1:$watch/rs-main $ca $user",
                     http => 'rs_redis_wait off;');

    works($redis, $gw, 'found, and called');
    $gw->quit;
    $gw->check_log;

    my $none = gateway($redis,
                       "sentinel+tls://127.0.0.1:$watch/rs-main $ca",
                       ready => 0);

    ok(eval {
        $none->wait_log(qr/is down: Sentinel .* does not tell .*: NOAUTH/, 5);
    }, 'without a password of its own') or diag($none->error_log);
    $none->quit;
    $none->check_log;

    my $deaf = gateway($redis, "sentinel+tls://127.0.0.1:$watch/rs-main "
                               . "ca_file=$dir/other/ca.pem", ready => 0);

    ok(eval {
        $deaf->wait_log(qr/for Sentinel is down: its certificate is refused/,
                        5);
    }, 'a Sentinel that is not trusted') or diag($deaf->error_log);
    $deaf->wait_log(qr/is down: no Sentinel said where the primary is/, 5);
    $deaf->quit;
    $deaf->check_log;
    $proc->stop;
};


subtest 'what rs_redis does not take' => sub {
    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
    my $load = join '', map { "load_module $_;\n" } RS::Gateway::_modules();

    mkdir "$dir/logs" or die "$dir/logs: $!";

    for my $case (
        ["redis://127.0.0.1 $ca", qr/neither "rediss:\/\/" nor/],
        ["sentinel://127.0.0.1/m server_name=a", qr/neither "rediss:\/\/"/],
        ["rediss://127.0.0.1 ca_file=$dir/none.pem", qr/none\.pem/],
        ["rediss://127.0.0.1 certificate=$dir/client.pem",
         qr/"certificate=" and "certificate_key=" together/],
        ["rediss://127.0.0.1 certificate=$dir/client.pem "
         . "certificate_key=$dir/redis/key.pem", qr/key values mismatch/],
        ["rediss://127.0.0.1:1/2 $ca server_name=a certificate=$dir/client.pem "
         . "certificate_key=$dir/client.key", undef],
        ["sentinel+tls://a.test,b.test/m", undef],
    ) {
        my ($conf, $says) = @$case;

        write_file("$dir/nginx.conf", <<"END");
${load}error_log stderr;
pid $dir/nginx.pid;
events { }
http { resolver 127.0.0.1; rs_redis $conf; }
END

        my $said = `$nginx -t -p $dir/ -c $dir/nginx.conf -e stderr 2>&1`;

        if ($says) {
            isnt($?, 0, "refused: $conf");
            like($said, $says, 'and why');

        } else {
            is($?, 0, "taken: $conf") or diag($said);
        }
    }
};


$redis->stop;

done_testing();
