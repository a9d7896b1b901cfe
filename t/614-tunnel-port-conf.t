# Copyright (C) rs-gateway contributors

# What nginx -t says of a server with ports of tunnels: what is missing, in
# whichever order the blocks and modules come.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Util qw(free_port tempdir top write_file);

my $dir = tempdir();
my $binary = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || top('build', 'module',
                                'ngx_http_rs_signal_module.so');
my ($signal) = grep { m{/ngx_http_rs_signal_module\.so$} } @modules;
my $tunnel = $signal =~ s/[^\/]+$/ngx_stream_rs_tunnel_module.so/r;
my $stream = '/usr/lib/nginx/modules/ngx_stream_module.so';
my $port = free_port();

mkdir "$dir/logs" or die "$dir/logs: $!";


sub http {
    my (%in) = (ports => 'rs_tunnel_ports 20000-20099;',
                gateway => 'rs_gateway;', @_);

    return <<"END";
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    rs_redis unix:$dir/none;
    $in{ports}
    server {
        listen unix:$dir/socket;
        location /rs/v1/ { $in{gateway} }
    }
}
END
}


sub block {
    my ($lines) = @_;

    return "stream { server { listen 127.0.0.1:$port; $lines } }\n";
}


sub verdict {
    my ($load, @blocks) = @_;

    write_file("$dir/nginx.conf", CORE::join('',
        map({ "load_module $_;\n" } @$load), "pid $dir/nginx.pid;\n",
        "error_log $dir/logs/error.log;\nevents { }\n", @blocks));

    return scalar `$binary -t -p $dir/ -c $dir/nginx.conf 2>&1`;
}


my $all = [$stream, @modules, $tunnel];

like(verdict($all, block('rs_tunnel;'), http()), qr/test is successful/,
     'stream before http');
like(verdict($all, http(), block('rs_tunnel;')), qr/test is successful/,
     'http before stream');
like(verdict([@modules, $stream, $tunnel], http(), block('rs_tunnel;')),
     qr/test is successful/, "nginx's own module in between");
like(verdict($all, http(ports => ''), block('return "";')),
     qr/test is successful/, 'loaded, and not used');

my %bad = (
    'no ports' => [qr/"rs_tunnel" needs "rs_tunnel_ports" in the http block/,
                   $all, block('rs_tunnel;'), http(ports => '')],
    'no gateway' => [qr/"rs_tunnel" needs a location with "rs_gateway"/,
                     $all, block('rs_tunnel;'), http(gateway => '')],
    'no http' => [qr/"rs_tunnel" needs a location with "rs_gateway"/,
                  $all, block('rs_tunnel;')],
    'twice' => [qr/"rs_tunnel" directive is duplicate/,
                $all, http(), block('rs_tunnel; rs_tunnel;')],
    'a value' => [qr/invalid number of arguments in "rs_tunnel"/,
                  $all, http(), block('rs_tunnel on;')],
    'elsewhere' => [qr/"rs_tunnel" directive is not allowed here/,
                    $all, http(), "stream { rs_tunnel; }\n"],
    'not the other module' =>
        [qr/"rs_tunnel" directive needs ngx_http_rs_signal_module/,
         [$stream, $tunnel], block('rs_tunnel;')],
    'not both' => [qr/undefined symbol: ngx_stream_/, [@modules, $tunnel],
                   http()],
);

for my $name (sort keys %bad) {
    my ($regex, @conf) = @{ $bad{$name} };
    my $said = verdict(@conf);

    like($said, $regex, $name);
    unlike($said, qr/Sanitizer|runtime error:|\[alert\]|is successful/,
           "$name: and no more");
}

done_testing();
