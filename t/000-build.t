# Copyright (C) rs-gateway contributors

# The module loads, also beside another one that brings its own hiredis; the
# README's Synopsis and the snippets of conf.d/ are working configurations;
# each directive takes its documented default in each documented context, and
# refuses what is wrong in words that name it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file free_port);

my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || top('build', 'module',
                                'ngx_http_rs_signal_module.so');
my ($module) = grep { /ngx_http_rs_signal_module\.so$/ } @modules;
my $tunnel = $module =~ s/[^\/]+$/ngx_stream_rs_tunnel_module.so/r;
my $stream = '/usr/lib/nginx/modules/ngx_stream_module.so';
my $nchan = '/usr/lib/nginx/modules/ngx_nchan_module.so';

# a prefix as an operator has it: modules/, and the site's files below rs/

my $dir = tempdir();
my $short = '9e3c71f08ab24d65';
my $secret = $short . reverse($short) . '0b5d7f2e4a6c8190' . reverse($short);

mkdir "$dir/$_" or die "$dir/$_: $!" for qw(modules rs logs);
symlink $module, "$dir/modules/ngx_http_rs_signal_module.so"
    or die "symlink: $!";

write_file("$dir/rs/turn.secret", "$secret\n", 0600);
write_file("$dir/rs/redis.password", "not-a-real-one\n", 0600);
write_file("$dir/rs/short.secret", "$short\n", 0600);
write_file("$dir/rs/example.secret", 'north' x 8 . "\n", 0600);
write_file("$dir/rs/empty.secret", "\n", 0600);
write_file("$dir/rs/two-lines.secret", "$secret\n$secret\n", 0600);
write_file("$dir/rs/turn.key", "$secret\n", 0600);
write_file("$dir/rs/short.key", "# a key\n$short\n", 0600);
write_file("$dir/rs/later.key", "$secret from 2126-01-01\n", 0600);
write_file("$dir/rs/long.key", "$secret\n" . '#' x 16384, 0600);

system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
       . "-nodes -keyout $dir/rs/key.pem -out $dir/rs/cert.pem -days 1 "
       . "-subj /CN=localhost 2>$dir/openssl.log") == 0
    or die "openssl: " . read_file("$dir/openssl.log");


# nginx -t: (whether it is content, what it said)

sub check {
    my ($conf) = @_;

    # what is compiled in is root's

    my $temp = CORE::join("\n", map { "${_}_temp_path $dir/$_;" }
                               qw(client_body proxy fastcgi uwsgi scgi));

    $conf =~ s/^http \{$/http {\naccess_log off;\n$temp/m;
    write_file("$dir/nginx.conf", $conf);

    my $said = `$nginx -t -p $dir/ -c $dir/nginx.conf -e stderr \\
                -g 'pid $dir/nginx.pid;' 2>&1`;

    return ($? == 0, $said);
}


sub conf {
    my (%in) = (redis => 'rs_redis unix:/nonexistent;', http => '',
                server => '', location => '', gateway => 'rs_gateway;', @_);
    my $port = free_port();

    return <<"END";
load_module $module;
events {
}
http {
    $in{redis}
    $in{http}
    server {
        listen 127.0.0.1:$port;
        $in{server}
        location /rs/v1/ {
            $in{gateway}
            $in{location}
        }
    }
}
END
}


sub accepted {
    my ($name, @in) = @_;
    my ($ok, $said) = check(conf(@in));

    ok($ok, "$name: accepted") or diag($said);
    unlike($said, qr/Sanitizer|runtime error:|\[alert\]/, "$name: clean");

    return;
}


sub refused {
    my ($name, $regex, @in) = @_;
    my ($ok, $said) = check(conf(@in));

    ok(!$ok, "$name: refused");
    like($said, $regex, "$name: in clear words");

    return;
}


subtest 'symbols' => sub {
    plan skip_all => 'the sanitizers add symbols' if $ENV{RS_ASAN};

    my @symbols = map { (split)[-1] } `nm -D --defined-only $module`;

    is_deeply([sort @symbols],
              [qw(ngx_http_rs_port_api ngx_module_names ngx_module_order
                  ngx_modules)],
              'nothing but what nginx and the other module ask for');

    @symbols = map { (split)[-1] } `nm -D --defined-only $tunnel`;
    is_deeply([sort @symbols],
              [qw(ngx_module_names ngx_module_order ngx_modules)],
              'of which nginx does only');
};


subtest 'defaults' => sub {
    my $text = read_file(top('docs', 'protocol', 'directives.json'));

    for my $d (@{ JSON->new->utf8->decode($text)->{directives} }) {
        next if !defined $d->{default} || $d->{default} =~ /\bthe\b/;

        for my $context (@{ $d->{context} }) {
            accepted("$d->{name} in $context",
                     $context => "$d->{name} $d->{default};");
        }
    }
};


subtest 'values' => sub {
    accepted($_->[0], $_->[1] => $_->[2]) for (
        ['IPv4', redis => 'rs_redis redis://127.0.0.1;'],
        ['database', redis => 'rs_redis redis://127.0.0.1:6380/3;'],
        ['user', redis => 'rs_redis unix:/tmp/s user=rs-gateway '
                          . 'password_file=rs/redis.password;'],
        ['node', http => 'rs_node a-1;'],
        ['zone', http => 'rs_zone rs 4m;'],
        ['checks', http => 'rs_check_rate 6r/m burst=12;'],
        ['rates', http => 'rs_address_rate 10r/s burst=1000; '
                          . 'rs_tenant_rate 30r/m;'],
        ['bans', http => 'rs_ban failures=3 window=1m time=1s max=2d; '
                         . 'rs_ban_exempt 192.0.2.0/24 2001:db8::/32; '
                         . 'rs_ban_exempt 198.51.100.1;'],
        ['connections', http => 'rs_max_connections 500;'],
        ['pipes', http => 'rs_pipe_rate 20m burst=4m; rs_max_pipes 500;'],
        ['origins', location => 'rs_origin https://a.test '
                                . 'https://b.test:8443;'],
        ['any origin', location => 'rs_origin any;'],
        ['agent hosts', server => 'rs_agent_host Support.test b.test;'],
        ['console', location => 'rs_console_url https://c.test/;'],
        ['variable', location => 'rs_turn_region $arg_region;'],
        ['STUN', http => 'rs_stun_server stun:a.test stun:b.test:3479;'],
        ['TURN', location => 'rs_turn_server eu turn:a.test?transport=tcp '
                             . 'turns:a.test:443; rs_turn_server us '
                             . 'turn:b.test; rs_turn_secret_file '
                             . 'rs/turn.secret;'],
        ['TURN by keys', location => 'rs_turn_server eu turn:a.test; '
                                     . 'rs_turn_key_file rs/turn.key; '
                                     . 'rs_turn_realm a.test; '
                                     . 'rs_turn_ttl 1d;'],
        ['keys instead of a secret', http => 'rs_turn_secret_file '
                                             . 'rs/turn.secret; '
                                             . 'rs_turn_realm a.test; '
                                             . 'rs_turn_server eu turn:a.test;',
         location => 'rs_turn_key_file rs/turn.key;'],
        ['burst', location => 'rs_message_rate 1 burst=7;'],
        ['milliseconds', location => 'rs_ping_interval 250ms;'],
    );
};


subtest 'refusals' => sub {
    my @cases = (
        # rs_redis
        [redis => 'rs_redis http://a.test;', qr{"http://a\.test"}],
        [redis => 'rs_redis redis://127.0.0.1:0;', qr{"redis://127.0.0.1:0"}],
        [redis => 'rs_redis redis://127.0.0.1:65536;', qr{127.0.0.1:65536"}],
        [redis => 'rs_redis redis://127.0.0.1/x;', qr{127.0.0.1/x"}],
        [redis => 'rs_redis unix:;', qr{"unix:"}],
        [redis => 'rs_redis redis://u:p@127.0.0.1;', qr{rs_redis}],
        [redis => 'rs_redis unix:/s colour=red;', qr{"colour=red"}],
        [redis => 'rs_redis unix:/s user=x;', qr{needs "password_file="}],
        [redis => 'rs_redis unix:/s password_file=rs/absent;',
         qr{rs/absent" failed}],
        [redis => 'rs_redis unix:/a; rs_redis unix:/b;', qr{is duplicate}],
        [redis => '', qr{rs_redis}],

        # names
        [http => 'rs_node node.1;', qr{"node\.1"}],
        [http => 'rs_node Node;', qr{"Node"}],
        [http => 'rs_node ' . 'a' x 33 . ';', qr{"a{33}"}],
        [http => 'rs_node "";', qr{""}],
        [http => 'rs_zone rs 512k;', qr{"512k"}],
        [http => 'rs_address_rate 10;', qr{"10"}],
        [http => 'rs_address_rate 0r/s;', qr{"0r/s"}],
        [http => 'rs_check_rate 1;', qr{"1"}],
        [http => 'rs_tenant_rate 1r/h;', qr{"1r/h"}],
        [http => 'rs_tenant_rate 1r/s burst=0;', qr{"burst=0"}],
        [http => 'rs_tenant_rate off burst=1;', qr{"off"}],
        [http => 'rs_ban failures=0;', qr{"failures=0"}],
        [http => 'rs_ban window=2d;', qr{"window=2d"}],
        [http => 'rs_ban time=0s;', qr{"time=0s"}],
        [http => 'rs_ban time=1h max=10m;', qr{time=3600s of "rs_ban"}],
        [http => 'rs_ban often;', qr{"often"}],
        [http => 'rs_ban off; rs_ban off;', qr{is duplicate}],
        [http => 'rs_ban_exempt home;', qr{"home"}],
        [http => 'rs_max_connections 0;', qr{"rs_max_connections"|value}],
        [http => 'rs_zone rs big;', qr{"big"}],
        [location => 'rs_origin a.test;', qr{"a\.test"}],
        [location => 'rs_origin https://a.test/;', qr{"https://a\.test/"}],
        [location => 'rs_origin https://a.test any;', qr{"any"}],
        [location => 'rs_agent_host https://a.test;', qr{"https://a\.test"}],

        # TURN
        [location => 'rs_stun_server turn:a.test;', qr{"turn:a\.test"}],
        [location => 'rs_turn_server eu stun:a.test;', qr{"stun:a\.test"}],
        [location => 'rs_turn_server eu turn:a.test?transport=sctp;',
         qr{transport=sctp"}],
        [location => 'rs_turn_server eu turns:a.test?transport=udp;',
         qr{transport=udp"}],
        [location => 'rs_turn_server eu;', qr{number of arguments}],
        [location => 'rs_turn_server "eu west" turn:a.test;',
         qr{invalid region "eu west"}],
        [location => 'rs_turn_server eu turn:a.test;',
         qr{needs "rs_turn_secret_file"}],
        [location => 'rs_turn_secret_file rs/short.secret;',
         qr{rs/short\.secret" is too short or a well-known example}],
        [location => 'rs_turn_secret_file rs/example.secret;',
         qr{rs/example\.secret" is too short or a well-known example}],
        [location => 'rs_turn_secret_file rs/empty.secret;',
         qr{rs/empty\.secret" must hold one line}],
        [location => 'rs_turn_secret_file rs/two-lines.secret;',
         qr{rs/two-lines\.secret" must hold one line}],
        [location => 'rs_turn_secret_file rs/absent;', qr{rs/absent" failed}],
        [location => 'rs_turn_server eu turn:a.test; rs_turn_key_file '
                     . 'rs/turn.key;', qr{needs "rs_turn_realm"}],
        [location => 'rs_turn_secret_file rs/turn.secret; rs_turn_key_file '
                     . 'rs/turn.key;', qr{excludes "rs_turn_secret_file"}],
        [location => 'rs_turn_key_file rs/turn.key; rs_turn_secret_file '
                     . 'rs/turn.secret;', qr{excludes "rs_turn_key_file"}],
        [location => 'rs_turn_key_file rs/turn.key; rs_turn_key_file '
                     . 'rs/turn.key;', qr{is duplicate}],
        [location => 'rs_turn_server eu turn:a.test; rs_turn_key_file '
                     . 'rs/turn.key; rs_turn_realm a; rs_turn_ttl 86401s;',
         qr{"rs_turn_ttl" must not be above 1d}],
        [location => 'rs_turn_key_file rs/short.key;',
         qr{rs/short\.key", line 2: a key is 64 .*openssl rand -hex 32}],
        [location => 'rs_turn_key_file rs/long.key;', qr{at most 16384 bytes}],
        [location => 'rs_turn_key_file rs/later.key;',
         qr{rs/later\.key" has no key for today}],
        [location => 'rs_turn_key_file rs/absent;', qr{rs/absent" failed}],
        [location => 'rs_turn_realm a/b;', qr{"a/b": 1 to 127 of}],
        [location => 'rs_turn_realm a; rs_turn_realm b;', qr{is duplicate}],

        # numbers
        [location => 'rs_message_rate 0;', qr{"0"}],
        [location => 'rs_message_rate many;', qr{"many"}],
        [location => 'rs_message_rate 5 burst=0;', qr{"burst=0"}],
        [location => 'rs_message_rate 5 fast;', qr{"fast"}],
        [location => 'rs_message_fragments 0;', qr{1 or greater|between 1}],
        [location => 'rs_max_participants 1;', qr{2 (?:or greater|and)|between 2}],
        [location => 'rs_max_participants 65;', qr{64}],
        [http => 'rs_redis_inflight 0;', qr{rs_redis_inflight|between 1}],
        [http => 'rs_redis_wait 0;', qr{invalid number of replicas "0"}],
        [http => 'rs_redis_wait 17;', qr{invalid number of replicas "17"}],
        [http => 'rs_redis_wait 1 0s;', qr{invalid time "0s"}],
        [http => 'rs_redis_wait 1 1s;',
         qr{must not be above half of "rs_redis_timeout"}],
        [http => 'rs_redis_wait off; rs_redis_wait 1;', qr{is duplicate}],
        [location => 'rs_send_queue 1k;', qr{"rs_send_queue"}],
        [location => 'rs_message_size 513k;',
         qr{"rs_message_size" must not be above 512k}],
        [location => 'rs_log_size 17m;',
         qr{"rs_log_size" must not be above 16m}],

        # places
        [http => 'rs_gateway;', qr{"rs_gateway" directive is not allowed}],
        [server => 'rs_node a;', qr{"rs_node" directive is not allowed}],
        [location => 'rs_redis_timeout 1s;',
         qr{"rs_redis_timeout" directive is not allowed}],
        [location => 'rs_gateway;', qr{"rs_gateway" directive is duplicate}],
        [server => 'location ~ /x { rs_gateway; }',
         qr{rs_gateway" directive needs a location given by a prefix}],
    );

    for my $name (qw(rs_hello_timeout rs_ping_interval rs_peer_timeout
                     rs_resume_grace rs_turn_ttl rs_ticket_ttl rs_session_ttl
                     rs_session_retain rs_message_size rs_send_queue
                     rs_log_rate rs_log_size rs_body_size))
    {
        push @cases, [location => "$name 0;",
                      qr{"$name" directive must not be 0}],
                     [location => "$name lots;",
                      qr{"$name" directive invalid value}];
    }

    for my $case (@cases) {
        my ($place, $line, $regex) = @$case;

        refused($line || 'nothing', $regex, $place => $line);
    }

    # a secret is never repeated

    for my $file (qw(short two-lines)) {
        my (undef, $said) = check(conf(
            location => "rs_turn_secret_file rs/$file.secret;"));

        unlike($said, qr/$short/, "$file: the secret is not shown");
    }

    my (undef, $said) = check(conf(
        location => 'rs_turn_key_file rs/short.key;'));

    unlike($said, qr/$short/, 'nor is a key');
};


subtest 'README' => sub {
    my ($synopsis) = read_file(top('README.md'))
                     =~ /^## Synopsis\n.*?^```nginx\n(.*?)^```$/ms;

    ok($synopsis, 'has a Synopsis');

    # ports below 1024 are not everybody's

    my $port = free_port();
    $synopsis =~ s/listen 443 ssl/listen 127.0.0.1:$port ssl/;

    my ($ok, $said) = check($synopsis);
    ok($ok, 'which nginx loads') or diag($said);
};


subtest 'conf.d' => sub {
    my $port = free_port();

    for my $file (qw(main site http locations behind-site node-site)) {
        my $text = read_file(top('conf.d', "rs-$file.conf"));

        write_file("$dir/rs/rs-$file.conf", $text);
        like($text, qr/^# rs-$file\.conf: .*?^# Included by /ms,
             "$file says who includes it");
        like($text, qr/^# Expects|^# Included .* before/m,
             "$file says what it expects");
    }

    my ($ok, $said) = check(<<"END");
include rs/rs-main.conf;
events {
}
http {
    include rs/rs-site.conf;
    include rs/rs-http.conf;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate rs/cert.pem;
        ssl_certificate_key rs/key.pem;
        include rs/rs-locations.conf;
    }
}
END

    ok($ok, 'nginx loads all of them') or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning');

    # ports of tunnels

    my $ports = read_file(top('conf.d', 'rs-tunnel-ports.conf'));

    like($ports, qr/^# rs-tunnel-ports\.conf: .*?^# Included by .*?^# Expects/ms,
         'tunnel-ports says who includes it, and what it expects');

    # a test owns its ports, and a range of one is one, too

    my @two = map { free_port() } 1, 2;

    $ports =~ s/listen 20000-20099 /listen 127.0.0.1:$two[0]-$two[0] /g;
    $ports =~ s/# listen \[::\]:20000-20099/listen [::1]:$two[1]/g;
    $ports =~ s/# (set_real_ip_from)/$1/;
    write_file("$dir/rs/rs-tunnel-ports.conf", $ports);

    ($ok, $said) = check(<<"END");
load_module $stream;
include rs/rs-main.conf;
load_module $tunnel;
events {
}
stream {
    include rs/rs-tunnel-ports.conf;
}
http {
    include rs/rs-site.conf;
    include rs/rs-http.conf;
    rs_tunnel_ports 20000-20099;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate rs/cert.pem;
        ssl_certificate_key rs/key.pem;
        include rs/rs-locations.conf;
    }
}
END

    ok($ok, 'nginx loads ports of tunnels') or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning either');

    # behind a balancer, with the log for programs

    my $behind = read_file("$dir/rs/rs-behind-site.conf");

    $behind =~ s/^listen .*:443.*\n//mg;
    $behind =~ s/^listen 443/listen 127.0.0.1:$port/m;
    write_file("$dir/rs/rs-behind-site.conf", $behind);

    my $node = read_file("$dir/rs/rs-node-site.conf");

    $node =~ s/listen 192\.0\.2\.11:8444/listen 127.0.0.1:@{[free_port()]}/;
    write_file("$dir/rs/rs-node-site.conf", $node);

    ($ok, $said) = check(<<"END");
include rs/rs-main.conf;
events {
}
http {
    include rs/rs-site.conf;
    include rs/rs-http.conf;
    include rs/rs-node-site.conf;
    access_log logs/rs.log rs_json;
    server {
        include rs/rs-behind-site.conf;
        ssl_certificate rs/cert.pem;
        ssl_certificate_key rs/key.pem;
        include rs/rs-locations.conf;
    }
}
END

    ok($ok, 'nginx loads them behind a balancer') or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning, too');

    # each site's value is needed by what follows

    ($ok, $said) = check(<<"END");
include rs/rs-main.conf;
events {
}
http {
    include rs/rs-http.conf;
    server {
        listen 127.0.0.1:$port;
        include rs/rs-locations.conf;
    }
}
END

    ok(!$ok, 'not without rs-site.conf');
};


subtest 'beside nchan' => sub {
    plan skip_all => 'built without the sanitizers' if $ENV{RS_ASAN};
    plan skip_all => "no $nchan" if !-e $nchan;

    # both have hiredis inside, and nginx loads modules RTLD_GLOBAL

    for my $order ([$nchan, @modules], [@modules, $nchan]) {
        local $ENV{TEST_NGINX_LOAD_MODULES} = CORE::join(' ', @$order);

        my $redis = RS::Redis->new();
        my $gw = RS::Gateway->new(redis => $redis);
        my $r = $gw->rest(key => $redis->api_key)->get('/devices');

        is($r->status, 200, 'it works with Redis');
        $gw->quit();
        $gw->check_log();
        $redis->stop();
    }
};


done_testing();
