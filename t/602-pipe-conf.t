# Copyright (C) rs-gateway contributors

# What nginx -t says of the directives of pipes: the value, and the cure.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Util qw(tempdir top write_file);

my $dir = tempdir();
my $binary = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || top('build', 'module',
                                'ngx_http_rs_signal_module.so');

mkdir "$dir/logs" or die "$dir/logs: $!";

write_file("$dir/key", 'k' x 64 . "\n", 0600);
write_file("$dir/two", 'k' x 64 . "\n" . 'l' x 256, 0600);
write_file("$dir/three", join("\n", ('k' x 64) x 3), 0600);
write_file("$dir/short", 'k' x 31 . "\n", 0600);
write_file("$dir/long", 'k' x 257 . "\n", 0600);
write_file("$dir/huge", join("\n", ('k' x 64) x 20), 0600);
write_file("$dir/empty", "\n", 0600);
write_file("$dir/$_", 'k' x 64 . "\n", oct) for '0640', '0604', '0620', '0602';
write_file("$dir/foreign", 'k' x 64 . "\n", 0600);
chown 1, -1, "$dir/foreign" or die "chown: $!";


sub verdict {
    my ($lines) = @_;
    my $load = CORE::join("\n", map { "load_module $_;" } @modules);

    write_file("$dir/nginx.conf", <<"END");
$load
pid $dir/nginx.pid;
error_log $dir/logs/error.log;
events { }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    rs_redis unix:$dir/none;
    $lines
    server {
        listen unix:$dir/socket;
        location /rs/v1/ { rs_gateway; }
    }
}
END

    return scalar `$binary -t -p $dir/ -c $dir/nginx.conf 2>&1`;
}

my $key = "rs_node_key_file $dir/key;";

for ("rs_node_listen 127.0.0.1:20900; $key",
     "rs_node_listen 127.0.0.1:20900-20907; rs_node_key_file $dir/two;",
     "rs_node_listen [::1]:20900-20907; $key", $key,
     'rs_pipe_buffer 4k; rs_pipe_wait 1s; rs_pipe_idle 1s;',
     'rs_pipe_rate 16k; rs_max_pipes 1;', 'rs_pipe_rate off; rs_max_pipes 0;',
     'rs_pipe_rate 4g burst=64g;', 'rs_pipe_rate 1m burst=1;',
     'rs_tunnel_ports 20000-20099;', 'rs_tunnel_ports 1-10000;',
     'rs_tunnel_ports 65535-65535;')
{
    like(verdict($_), qr/test is successful/, $_ =~ s/\Q$dir//gr);
}

my @bad = (
    ['rs_node_listen 127.0.0.1:20900;', qr/needs "rs_node_key_file"/],
    ["rs_node_listen 127.0.0.1; $key", qr/invalid "127\.0\.0\.1"/],
    ["rs_node_listen 127.0.0.1:0; $key", qr/invalid "127/],
    ["rs_node_listen 127.0.0.1:65536; $key", qr/invalid "127/],
    ["rs_node_listen 127.0.0.1:9-8; $key", qr/invalid "127/],
    ["rs_node_listen name.test:9; $key", qr/invalid "name/],
    ["rs_node_listen 0.0.0.0:9; $key", qr/no address that other nodes/],
    ["rs_node_listen [::]:9; $key", qr/no address that other nodes/],
    ["rs_node_listen 127.0.0.1:9; rs_node_listen 127.0.0.1:9; $key",
     qr/is duplicate/],
    ["$key $key", qr/is duplicate/],
    ["rs_node_key_file $dir/none;", qr/open\(\) ".*none" failed/],
    ['rs_pipe_buffer 4095;', qr/must be 4k to 1m/],
    ['rs_pipe_buffer 2m;', qr/must be 4k to 1m/],
    ['rs_pipe_wait 0;', qr/rs_pipe_wait/],
    ['rs_pipe_idle 0;', qr/rs_pipe_idle/],
    (map { ["rs_pipe_rate $_;", qr/invalid rate "\Q$_\E": bytes a second/] }
     '0', '16383', '5g', '1r/s', '-1', 'many'),
    (map { ["rs_pipe_rate 1m $_;", qr/invalid parameter "\Q$_\E": burst=/] }
     'burst=0', 'burst=65g', 'burst=', '1m'),
    ['rs_pipe_rate 1m; rs_pipe_rate off;', qr/is duplicate/],
    ['rs_pipe_rate off; rs_pipe_rate 1m;', qr/is duplicate/],
    ['rs_max_pipes some;', qr/invalid number/],
    (map { ["rs_node_key_file $dir/$_;", qr/must have one line, or two/] }
     'three', 'short', 'long', 'empty'),
    (map { ["rs_node_key_file $dir/$_;",
            qr/others may read the nodes' key ".*$_": .*"chmod 600"/] }
     '0640', '0604', '0620', '0602', 'foreign'),
    (map { ["rs_tunnel_ports $_;", qr/invalid ports "\Q$_\E"/] }
     '20000', '0-9', '9-8', '65535-65536', '1-10001', 'a-b', '-', '1-2-3'),
    ['rs_tunnel_ports 1-2; rs_tunnel_ports 1-2;', qr/is duplicate/],
    ["rs_node_key_file $dir/huge;", qr/longer than 1024 bytes/],
);

for (@bad) {
    my ($lines, $want) = @$_;
    my $said = verdict($lines);

    like($said, $want, $lines =~ s/\Q$dir//gr);
    unlike($said, qr/k{31}/, 'and no key is shown');
}

done_testing();
