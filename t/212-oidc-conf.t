# Copyright (C) rs-gateway contributors

# What nginx -t says of the directives of OpenID Connect: the value, and the
# cure.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Provider;
use RS::Util qw(tempdir top write_file);

my $dir = tempdir();
my $binary = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || top('build', 'module',
                                'ngx_http_rs_signal_module.so');

mkdir "$dir/logs" or die "$dir/logs: $!";

write_file("$dir/good.json", RS::Provider->new()->jwks);
write_file("$dir/empty.json", '{"keys":[]}');
write_file("$dir/long.json", '{"keys":[]' . ' ' x 70000 . '}');


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
    server {
        listen unix:$dir/socket;
        location /rs/v1/ { rs_gateway; $lines }
    }
}
END

    return scalar `$binary -t -p $dir/ -c $dir/nginx.conf 2>&1`;
}


my $oidc = 'rs_oidc issuer=https://id.example client_id=console;';
my $keys = 'rs_jwks_request /_rs_jwks;';

for my $case (
    [ "$oidc $keys" ],
    [ "$oidc rs_jwks_file good.json;" ],
    [ "$oidc $keys rs_oidc_algorithms RS256 EdDSA; rs_oidc_skew 5m; "
      . 'rs_oidc_max_age 8h; rs_oidc_nonce optional; '
      . 'rs_oidc_tenant_claim /app/tenants; rs_oidc_user_claim oid; '
      . 'rs_oidc_name_claim preferred_username; '
      . 'rs_oidc_groups_claim https://id.example/groups; '
      . 'rs_oidc_role admin "our admins" tenant=acme; '
      . 'rs_oidc_role observer *;' ],
    [ 'rs_oidc issuer=https://id.example client_id=c audience=a '
      . "\"scope=openid profile\"; $keys" ],
    [ $keys ],

    [ $oidc, qr{"https://id.example" needs its keys: "rs_jwks_request"} ],
    [ "$oidc $oidc $keys", qr/is duplicate/ ],
    [ "rs_oidc issuer=http://id.example client_id=c; $keys",
      qr{invalid issuer "http://id.example": .* begins with https://} ],
    [ "rs_oidc issuer=https://id.example?a client_id=c; $keys",
      qr/invalid issuer/ ],
    [ "rs_oidc issuer=https://id.example audience=a; $keys",
      qr/needs "issuer=" and "client_id="/ ],
    [ "rs_oidc issuer=https://id.example client_id=; $keys",
      qr/invalid parameter "client_id=": 1 to 512 bytes/ ],
    [ "rs_oidc issuer=https://id.example client_id=a client_id=b; $keys",
      qr/duplicate parameter "client_id=b"/ ],
    [ "rs_oidc issuer=https://id.example secret=a; $keys",
      qr/invalid parameter "secret=a": issuer=, client_id=/ ],
    [ "rs_oidc issuer=https://id.example client_id=c scope=profile; $keys",
      qr/invalid scope "profile": "openid" must be in it/ ],
    [ "$oidc $keys rs_oidc_algorithms RS256 HS256;",
      qr/invalid algorithm "HS256": one of RS256/ ],
    [ "$oidc $keys rs_oidc_algorithms none;",
      qr/invalid algorithm "none"/ ],
    [ "$oidc $keys rs_oidc_role root x;",
      qr/invalid role "root": observer, technician, admin or auditor/ ],
    [ "$oidc $keys rs_oidc_role admin \"\";", qr/invalid group ""/ ],
    [ "$oidc $keys rs_oidc_role admin x tenant=ACME;",
      qr/invalid parameter "tenant=ACME": tenant= and 1 to 32/ ],
    [ "$oidc $keys rs_oidc_role admin x acme;",
      qr/invalid parameter "acme": tenant=/ ],
    [ "$oidc $keys rs_oidc_skew 6m;",
      qr/"rs_oidc_skew" must not be above 5m: have the clocks set/ ],
    [ "$oidc $keys rs_oidc_max_age 0;", qr/must not be 0/ ],
    [ "$oidc $keys rs_oidc_nonce maybe;", qr/invalid value "maybe"/ ],
    [ "$oidc $keys rs_oidc_user_claim \"\";",
      qr/invalid claim "": a name of 1 to 255 bytes/ ],
    [ "$oidc rs_jwks_request _rs_jwks;",
      qr{invalid URI "_rs_jwks": that of an internal location} ],
    [ "$oidc $keys rs_jwks_file good.json;", qr/excludes the other one/ ],
    [ "$oidc rs_jwks_file none.json;", qr/none\.json" failed/ ],
    [ "$oidc rs_jwks_file empty.json;",
      qr{empty\.json" cannot be used: it has no key .* "jwks_uri"} ],
    [ "$oidc rs_jwks_file long.json;", qr/more than 65536 bytes/ ],
)
{
    my ($lines, $want) = @$case;
    my $said = verdict($lines);

    if ($want) {
        like($said, $want, "refused: $lines");
        like($said, qr/test failed/, 'and not taken');

    } else {
        like($said, qr/test is successful/, "taken: $lines");
    }
}

done_testing();
