
# Copyright (C) rs-gateway contributors

# The links to Redis: what is refused at the door and in which words, what
# clients see while Redis is away, frozen, emptied or read-only, and that
# everything works again afterwards without a reload.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Proxy;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file wait_until start
                library_text wanted_version);

my $down = qr/rs redis: link to \S+ for (?:commands|messages) is down/;


sub lines {
    my ($gw, $regex) = @_;

    return grep { /$regex/ } split /\n/, $gw->error_log;
}


sub ready {
    my ($gw, $what) = @_;
    my $rest = $gw->rest;

    return ok(eval {
        wait_until { $rest->get('/health/ready')->status == 200 } 10, $what;
    }, $what) || diag($@);
}


# the gateway starts while Redis cannot be used, says why, and begins to work
# when the cause is gone

sub refused {
    my ($name, %opt) = @_;

    subtest $name => sub {
        my $gw = RS::Gateway->new(redis => $opt{redis}, ready => 0,
                                  redis_conf => $opt{conf});

        ok(eval { $gw->wait_log($opt{says}, 5) }, 'the log says why')
            or diag($gw->error_log);

        my $r = $gw->rest->get('/health/ready');

        $gw->rest->problem($r, 503, 'unavailable');
        like($r->header('Retry-After'), qr/^\d+$/, 'Retry-After');

        # tried again and again, said once for each link

        my $tries = () = $gw->error_log =~ /$opt{tried}/g;

        ok(eval {
            wait_until { lines($gw, $opt{tried}) > $tries + 2 } 10;
        }, 'tries again');

        my @said = lines($gw, qr/\[error\].*$opt{says}/);

        ok(@said >= 1 && @said <= $opt{links}, 'said once for each link')
            or diag(join "\n", @said);

        $opt{cure}->($gw);
        ready($gw, 'works once the cause is gone');

        $opt{check}->($gw) if $opt{check};

        $gw->quit;
        $gw->check_log;
    };

    return;
}


my $redis = RS::Redis->new(acl => 1);
my $key = $redis->api_key;

{
    my $right = read_file(($redis->conf =~ /password_file=(\S+)/)[0]);
    my $other = 'not-the-password-of-anybody';
    my $dir = tempdir();

    write_file("$dir/password", "$other\n", 0600);

    refused('wrong password',
        redis => $redis,
        conf => 'unix:' . $redis->socket
                . " user=rs-gateway password_file=$dir/password",
        says => qr/is down: AUTH is refused: WRONGPASS/,
        tried => qr/rs redis: connecting to .* for commands/,
        links => 2,
        cure => sub {
            $redis->call('ACL', 'SETUSER', 'rs-gateway', ">$other");
        },
        check => sub {
            unlike($_[0]->error_log, qr/\Q$other\E|\Q$right\E/,
                   'no password in the log');
        });
}

{
    my $evicts = RS::Redis->new(conf => 'maxmemory-policy allkeys-lru');

    refused('a Redis that evicts',
        redis => $evicts,
        says => qr/is down: its maxmemory-policy is "allkeys-lru"/,
        tried => qr/rs redis: connecting to .* for commands/,
        links => 2,
        cure => sub {
            $evicts->call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
        });

    $evicts->call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');

    my $gw = RS::Gateway->new(redis => $evicts,
                              http => 'rs_redis_noeviction off;');

    pass('rs_redis_noeviction off takes it');
    $gw->quit;
    $gw->check_log;

    $evicts->stop;
}

{
    my $replica = RS::Redis->new();

    $replica->call('REPLICAOF', '127.0.0.1', '1');

    refused('a replica',
        redis => $replica,
        says => qr/is down: its role is "slave"/,
        tried => qr/rs redis: connecting to .* for commands/,
        links => 2,
        cure => sub { $replica->call('REPLICAOF', 'NO', 'ONE') });

    $replica->stop;
}

{
    my $mine = wanted_version();
    my ($before, $next) = ($mine - 1, $mine + 1);
    my $old = RS::Redis->new();
    my $load = sub { $old->call('FUNCTION', 'LOAD', 'REPLACE', $_[0]) };
    my $tried = qr/rs store: Redis holds version/;

    # taken while it serves who asks: serves <= mine <= version

    $load->(library_text(version => $next, serves => $next));

    refused('a library that no longer serves this gateway',
        redis => $old,
        says => qr{holds version $next .* serves versions $next to $next; version $mine is needed: upgrade this},
        tried => $tried,
        links => 1,
        cure => sub { $load->(library_text(version => $next + 1,
                                           serves => $mine)) });

    $load->(library_text(version => $before, serves => 1));

    refused('an older library',
        redis => $old,
        says => qr{holds version $before .* serves versions 1 to $before; version $mine is needed: load that},
        tried => $tried,
        links => 1,
        cure => sub { $load->(library_text(serves => 1)) });

    (my $silent = library_text()) =~ s/, int\(VERSION\), int\(SERVES\)//
        or die;
    (my $single = library_text()) =~ s/, int\(SERVES\)// or die;

    $load->($silent);

    refused('a library that does not say its version',
        redis => $old,
        says => qr{does not say its version, version $mine is needed: load it},
        tried => qr/rs store: the library "rs" in Redis does not say/,
        links => 1,
        cure => sub { $load->($single) });

    $old->call('FUNCTION', 'FLUSH');

    refused('no library',
        redis => $old,
        says => qr{no library "rs", version $mine is needed: load it with},
        tried => qr/rs store: Redis has no library/,
        links => 1,
        cure => sub { $load->(library_text()) });

    $old->stop;
}


# the rest with one gateway, as the user of redis-schema/acl

my $gw = RS::Gateway->new(redis => $redis, server => <<'END');
        location /other { return 204; }
END

my $rest = $gw->rest(key => $key);


# another location, served by the same worker

sub other {
    my ($from) = @_;

    my $bytes = "GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    return eval { ($from // $gw)->rest->raw($bytes, 0.7)->status } // $@;
}


sub works {
    my ($what) = @_;
    my $r = $rest->get('/sessions');

    return is($r->status, 200, $what) || diag($r->content);
}


sub unavailable {
    my ($what) = @_;

    subtest $what => sub {
        my $r = $rest->get('/sessions');

        $rest->problem($r, 503, 'unavailable');
        like($r->header('Retry-After'), qr/^\d+$/, 'Retry-After');
        ok($r->within(1), 'within a second') or diag($r->seconds);
    };

    return;
}


works('a call');
is($rest->get('/health/ready')->status, 200, 'ready');


# stopped

{
    my $before = () = $gw->error_log =~ /\[error\].*$down/g;

    $redis->stop;

    unavailable('Redis stopped');
    $rest->problem($rest->get('/health/ready'), 503, 'unavailable');
    is($rest->get('/health/live')->status, 200, 'alive');
    is(other(), 204, 'another location answers');

    $gw->wait_log(qr/for commands, attempt 4\b/, 10);
    $gw->wait_log(qr/for messages, attempt 4\b/, 10);

    my $after = () = $gw->error_log =~ /\[error\].*$down/g;

    is($after - $before, 2, 'said once for each link, not at each try');

    $redis->start;
    ready($gw, 'started again: ready without a reload');
    works('a call after the restart');
}


# frozen: connections stand, no answers

{
    $redis->freeze;

    my $start = start();
    my @waiting = map { $rest->start('GET', '/sessions') } 1 .. 5;
    my $gone = $rest->start('GET', '/sessions');

    $gone->close;

    is(other(), 204, 'frozen: another location answers meanwhile');

    for my $s (@waiting) {
        my $r = $rest->finish($s, 20, $start);

        is($r->status, 503, 'a call under way');
        ok($r->within(1), 'within a second') or diag($r->seconds);
    }

    unavailable('a call while the link is down');

    $gw->wait_log(qr/is down: no reply within 800 ms/, 5);

    # reconnecting to the frozen server does not hang either

    $gw->wait_log(qr/is down: no answer to AUTH within 500 ms/, 5);
    is(other(), 204, 'another location still answers');

    $redis->thaw;
    ready($gw, 'thawed: ready');
    works('a call after the thaw');
}


# connections killed

{
    my $ups = sub { scalar lines($gw, qr/for $_[0] is up/) };
    my %was = map { $_ => $ups->($_) } qw(commands messages);

    for my $client (split /\n/, $redis->call('CLIENT', 'LIST')) {
        my ($id) = $client =~ /^id=(\d+) .*\bname=rs-gateway-/ or next;

        $redis->call('CLIENT', 'KILL', 'ID', $id);
    }

    for my $link (qw(commands messages)) {
        ok(eval { wait_until { $ups->($link) > $was{$link} } 5 },
           "killed: the link for $link is up again");
    }

    ready($gw, 'ready');
    works('a call after the kill');
}


# emptied: the library goes with a server that kept nothing

{
    $redis->call('FUNCTION', 'FLUSH');

    unavailable('the library is lost');
    $rest->problem($rest->get('/health/ready'), 503, 'unavailable');

    $redis->call('FUNCTION', 'LOAD', 'REPLACE', library_text());
    ready($gw, 'loaded again: ready');
    works('a call with the new library');
}


# demoted under a standing connection: refused writes take the link down

{
    $redis->call('REPLICAOF', '127.0.0.1', '1');

    my $r = $rest->post('/enrollments', {});

    is($r->status, 503, 'a write on a replica') or diag($r->content);
    $gw->wait_log(qr/its role is "slave"/, 5);
    unavailable('a read, for a replica may be stale');

    $redis->call('REPLICAOF', 'NO', 'ONE');
    ready($gw, 'promoted: ready');
    is($rest->post('/enrollments', {})->status, 201, 'a write');
}


# the lease is there while the worker is, and goes with it

{
    my $lease = sub { $redis->call('ZRANGE', 'rs:{w}:lease', 0, -1) };
    my $node = $gw->node;

    is(scalar(grep { /^\Q$node\E\.0\.[0-9a-f]{16}$/ } @{ $lease->() }), 1,
       'one lease');

    $gw->reload;

    ok(eval {
        wait_until { @{[ grep { /^\Q$node\E\./ } @{ $lease->() } ]} == 1 } 10;
    }, 'one lease after a reload') or diag(explain($lease->()));

    $gw->quit;

    ok(eval {
        wait_until { !grep { /^\Q$node\E\./ } @{ $lease->() } } 5;
    }, 'no lease after a quit') or diag(explain($lease->()));

    $gw->check_log;
    unlike($gw->error_log, qr/open socket/, 'no socket left open');
}


# who goes first: client or worker, the link staying

{
    my $patient = RS::Gateway->new(
        redis => $redis, http => 'rs_redis_timeout 10s;',
        server => 'location /other { return 204; }');
    my $rest = $patient->rest(key => $key);

    $redis->freeze;

    my $gone = $rest->start('GET', '/sessions');
    my $stays = $rest->start('GET', '/sessions');

    is(other($patient), 204, 'both are under way');
    $gone->close;
    is(other($patient), 204, 'one has left');

    $redis->thaw;

    is($rest->finish($stays, 5)->status, 200,
       'the reply of the other is not mixed up');

    # a worker told to go waits for what is under way

    $redis->freeze;

    my $s = $rest->start('GET', '/sessions');

    is(other($patient), 204, 'under way');

    $patient->{proc}->signal('QUIT');
    $patient->wait_log(qr/gracefully shutting down/, 5);
    $redis->thaw;

    is($rest->finish($s, 5)->status, 200,
       'an exiting worker gives its answer');

    # and for nothing else

    $patient->{proc}->wait(5);

    $patient->check_log;
    unlike($patient->error_log, qr/open socket/, 'no socket left open');
}


# a bound on commands under way; and a subscription that went deaf

{
    my $proxy = RS::Proxy->new(to => $redis->socket);
    my ($user) = $redis->conf =~ /^\S+ (.*)$/;
    my $tcp = RS::Gateway->new(
        redis => $redis,
        redis_conf => 'redis://localhost:' . $proxy->port . "/1 $user",
        http => "rs_lease_ttl 3s; rs_redis_inflight 2;",
        server => 'location /other { return 204; }');
    my $rest = $tcp->rest(key => $key);

    like($redis->call('CLIENT', 'LIST'),
         qr/name=rs-gateway-commands\b.*\bdb=1\b/, 'the database of the URL');

    is($rest->get('/sessions')->status, 401, 'whose keys are others');

    $proxy->mute;

    ok(eval {
        $tcp->wait_log(qr/for messages is down: a beacon did not come back/,
                       10);
    }, 'a beacon that does not come back is noticed');

    ok(eval {
        wait_until { lines($tcp, qr/for messages is up/) == 2 } 5;
    }, 'and subscribed anew');

    $redis->freeze;

    my @s = map { $rest->start('GET', '/sessions') } 1 .. 4;
    my $busy = $rest->get('/sessions');

    is($busy->status, 503, 'above rs_redis_inflight');
    ok($busy->within(0.3), 'at once') or diag($busy->seconds);
    $redis->thaw;
    $_->close for @s;

    ready($tcp, 'ready again');
    $tcp->quit;
    $tcp->check_log;
}


# what rs_redis does not take

{
    my $dir = tempdir();
    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
    my $load = join '', map { "load_module $_;\n" }
               split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                          || top('build', 'module',
                                 'ngx_http_rs_signal_module.so');

    mkdir "$dir/logs" or die "$dir/logs: $!";

    for my $case (
        ['redis://u:p@127.0.0.1', qr/no password belongs into the URL/],
        ['redis://127.0.0.1/x', qr/the database after "\/" must be a number/],
        ['redis://127.0.0.1/65536', qr/must be a number/],
        ['redis://127.0.0.1:0', qr/a port from 1 to 65535/],
        ['redis://127.0.0.1:99999', qr/a port from 1 to 65535/],
        ['redis://', qr/must be redis:/],
        ['127.0.0.1:6379', qr/must be redis:/],
        ['unix:', qr/a path that begins with/],
        ['redis://no-such-host.invalid', qr/host not found/],
        ['redis://[::1]:6379/3', undef],
        ['redis://127.0.0.1/', undef],
        ['unix:/tmp/x.sock', undef],
    ) {
        my ($url, $says) = @$case;

        write_file("$dir/nginx.conf", <<"END");
${load}error_log stderr;
pid $dir/nginx.pid;
events { }
http { rs_redis $url; }
END

        my $said = `$nginx -t -p $dir/ -c $dir/nginx.conf -e stderr 2>&1`;

        if ($says) {
            isnt($?, 0, "rs_redis $url is refused");
            like($said, qr/invalid "rs_redis" value.*$says/, 'and why');

        } else {
            is($?, 0, "rs_redis $url is taken") or diag($said);
        }
    }
}


done_testing();
