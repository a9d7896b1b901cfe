
# Copyright (C) rs-gateway contributors

# Redis and Sentinel by name: asked anew at each connect, never at the price
# of a blocked worker; without a resolver, once at start.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Dns;
use RS::Gateway;
use RS::Redis;
use RS::Sentinel;
use RS::Util qw(wait_until free_port start within);

my $dns = RS::Dns->new();
my $resolver = 'resolver ' . $dns->address . ' ipv6=off valid=1s;';
my $redis = RS::Redis->new(port => 1);
my $key = $redis->api_key;


sub gateway {
    my ($conf, %opt) = @_;

    return RS::Gateway->new(redis_conf => $conf, http => $resolver,
                            server => 'location /other { return 204; }',
                            %opt);
}


sub ready {
    my ($gw, $what) = @_;

    return ok(eval {
        wait_until { $gw->rest->get('/health/ready')->status == 200 } 10;
    }, $what) || diag($@, $gw->error_log);
}


subtest 'a name that comes, goes and moves' => sub {
    my $gw = gateway('redis://redis.test:' . $redis->port, ready => 0);
    my $rest = $gw->rest(key => $key);

    # the name is not there yet: nginx starts all the same

    $gw->wait_log(
        qr/is down: "redis.test" cannot be resolved: 3: Host not found/, 5);
    $rest->problem($rest->get('/sessions'), 503, 'unavailable');

    $dns->set('redis.test', '127.0.0.1');
    ready($gw, 'works once the name is there');

    # elsewhere: nobody listens at the new address, then somebody does

    $dns->set('redis.test', '127.0.0.99');
    is($rest->get('/sessions')->status, 200, 'a link that stands stays');

    # nginx keeps a name for a second: cut until it asks again

    ok(eval {
        wait_until {
            for my $client (split /\n/, $redis->call('CLIENT', 'LIST')) {
                my ($id) = $client =~ /^id=(\d+) .*\bname=rs-gateway-/
                    or next;
                $redis->call('CLIENT', 'KILL', 'ID', $id);
            }

            $gw->error_log =~ /for commands is down: connect\(\) failed/
                && $rest->get('/sessions')->status == 503
        } 10;
    }, 'the new address is used') or diag($gw->error_log);

    $redis->call('CONFIG', 'SET', 'bind', '127.0.0.1 127.0.0.99');
    ready($gw, 'works at the new address');

    my ($link) = grep { /name=rs-gateway-commands/ }
                 split /\n/, $redis->call('CLIENT', 'LIST');

    like($link, qr/laddr=127\.0\.0\.99:/, 'and nowhere else');

    $gw->quit;
    $gw->check_log;
    unlike($gw->error_log, qr/open socket/, 'no socket left open');
};


subtest 'a name server that is silent' => sub {
    $dns->set('mute.test', 'silence');

    my $gw = gateway('redis://mute.test:' . $redis->port, ready => 0);

    $gw->wait_log(qr/for commands is down: .*(?:did not answer|timed out)/i,
                  5);

    my $r = $gw->rest->raw(
        "GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0.7);

    is($r->status, 204, 'nothing else waits for it');

    my $start = start();

    $gw->quit;
    within($start, 3, 'nor does the end of the worker');
    $gw->check_log;
};


subtest 'Sentinels by name, that give names' => sub {
    my $trio = RS::Sentinel->new(n => 1, conf => <<'END');
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
END
    my ($port) = $trio->ports;

    $dns->set('watch.test', '127.0.0.1');
    $dns->set('primary.test', '127.0.0.1');

    # the system's resolver, which Sentinel asks, knows one name

    $trio->ask(0, 'SENTINEL', 'REMOVE', 'rs-main');
    $trio->ask(0, 'SENTINEL', 'MONITOR', 'rs-main', 'localhost',
               $trio->servers->[0]->port, 1);
    $dns->set('localhost', '127.0.0.1');

    my $gw = gateway("sentinel://watch.test:$port/rs-main");

    ready($gw, 'found');
    like($gw->error_log, qr/the primary of "rs-main" is localhost:/,
         'by name');
    cmp_ok($dns->asked('localhost'), '>', 0, 'which was looked up');
    $gw->quit;
    $gw->check_log;

    # without a resolver that name cannot be used, and the log says so

    my $none = RS::Gateway->new(
        redis_conf => "sentinel://127.0.0.1:$port/rs-main", ready => 0);

    ok(eval {
        $none->wait_log(qr/is down: Sentinel names the primary by "localhost": configure a "resolver"/, 5);
    }, 'without a resolver the log says what to do')
        or diag($none->error_log);
    $none->quit;
    $none->check_log;
};


subtest 'without a resolver' => sub {
    my $gw = RS::Gateway->new(
        redis_conf => 'redis://localhost:' . $redis->port);

    is($gw->rest(key => $key)->get('/sessions')->status, 200,
       'a name is looked up at start');
    $gw->quit;
    $gw->check_log;
};


done_testing();
