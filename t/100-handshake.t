# Copyright (C) rs-gateway contributors

# RFC 6455, 4.2: the opening handshake, refused over HTTP where it is
# malformed, comes from a foreign page, or cannot be served.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use RS::Redis;
use RS::Util qw(top);

BEGIN {
    $ENV{TEST_NGINX_BINARY} ||= '/usr/sbin/nginx';
    $ENV{TEST_NGINX_LOAD_MODULES}
        ||= top('build', 'module', 'ngx_http_rs_signal_module.so');

    # a lone process may sleep through QUIT

    $ENV{TEST_NGINX_MASTER_PROCESS} ||= 'on';
}

use Test::Nginx::Socket 'no_plan';

our $redis = RS::Redis->new();
our $http = 'rs_redis ' . $redis->conf . '; rs_node t100;';

our @good = ('Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
             'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
             'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Protocol: rs.v1');


# The sample handshake of RFC 6455, 1.3, with some lines put otherwise; an
# empty value leaves the line out.

sub lines {
    my ($path, %other) = @_;
    my $first = delete $other{first} // "GET /rs/v1/$path HTTP/1.1";
    my %line = map { /^([^:]+): (.*)$/ } @good;

    %line = (%line, %other);

    my @lines = map { "$_: $line{$_}" }
                grep { length $line{$_} } sort keys %line;

    return CORE::join("\r\n", $first, @lines) . "\r\n\r\n";
}


# one that shall succeed: a masked close frame follows, and ends it

sub ::upgrade {
    return lines(@_) . "\x88\x82\0\0\0\0\x03\xe8";
}


# one that shall not

sub ::request {
    return lines(shift, Connection => 'Upgrade, close', @_);
}


add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', $http) if !defined $block->http_config;
    $block->set_value('config', <<'END') if !defined $block->config;
        location /rs/v1/ { rs_gateway; }
END
    $block->set_value('no_error_log', "[alert]\n[emerg]\nSanitizer")
        if !defined $block->no_error_log;
    $block->set_value('timeout', '5s') if !defined $block->timeout;
});

no_shuffle();
run_tests();

# what a test left behind is seen by the next: Redis must go after nginx

END { undef $redis }

__DATA__

=== TEST 1: the store is reached (a worker needs a moment for it)
--- raw_request eval
["GET /rs/v1/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
--- response_body_like: "status":"ok"
--- error_code: 200
--- wait: 0.3


=== TEST 2: the sample of RFC 6455, 1.3
--- raw_request eval: ::upgrade('agent')
--- response_headers
Upgrade: websocket
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Protocol: rs.v1
--- ignore_response_body
--- error_code: 101


=== TEST 3: names and values without case, in lists
--- raw_request eval
::upgrade('agent', Upgrade => 'h2c, WebSocket', Connection => 'keep-alive, UPGRADE')
--- ignore_response_body
--- error_code: 101


=== TEST 4: other subprotocols beside ours
--- raw_request eval
::upgrade('agent', 'Sec-WebSocket-Protocol' => 'chat, rs.v1')
--- response_headers
Sec-WebSocket-Protocol: rs.v1
--- ignore_response_body
--- error_code: 101


=== TEST 5: no WebSocket request at all
--- raw_request eval
"GET /rs/v1/signal HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- response_headers
Content-Type: application/problem+json
Upgrade: websocket
Sec-WebSocket-Version: 13
--- response_body_like: "code":"upgrade_required"
--- error_code: 426


=== TEST 6: another version
--- raw_request eval: ::request('signal', 'Sec-WebSocket-Version' => 8)
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "code":"upgrade_required"
--- error_code: 426


=== TEST 7: no key
--- raw_request eval: ::request('signal', 'Sec-WebSocket-Key' => '')
--- response_body_like: "code":"bad_handshake"
--- error_code: 400


=== TEST 8: a key of 15 bytes
--- raw_request eval
::request('signal', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25j')
--- response_body_like: "code":"bad_handshake"
--- error_code: 400


=== TEST 9: a key that is not base64
--- raw_request eval
::request('signal', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25j!!==')
--- response_body_like: "code":"bad_handshake"
--- error_code: 400


=== TEST 10: not our subprotocol
--- raw_request eval: ::request('signal', 'Sec-WebSocket-Protocol' => 'chat')
--- response_body_like: "code":"bad_handshake"
--- error_code: 400


=== TEST 11: none
--- raw_request eval: ::request('signal', 'Sec-WebSocket-Protocol' => '')
--- response_body_like: "code":"bad_handshake"
--- error_code: 400


=== TEST 12: two credentials
--- raw_request eval
::request('signal', 'Sec-WebSocket-Protocol' => 'rs.v1, rs.ticket.a.b, rs.ticket.a.c')
--- response_body_like: "code":"bad_handshake"
--- error_code: 400


=== TEST 13: POST (with its body: nginx lingers for one, as long as we wait)
--- raw_request eval
::request('signal', first => 'POST /rs/v1/signal HTTP/1.1', 'Content-Length' => 8)
. 'a body, '
--- response_body_like: "code":"method_not_allowed"
--- error_code: 405


=== TEST 14: HTTP/1.0
--- raw_request eval: ::request('signal', first => 'GET /rs/v1/signal HTTP/1.0')
--- response_body_like: "code":"(?:upgrade_required|bad_handshake)"
--- error_code_like: ^4(?:00|26)$


=== TEST 15: the page's own origin
--- raw_request eval: ::upgrade('agent', Origin => 'http://localhost')
--- ignore_response_body
--- error_code: 101


=== TEST 16: another origin
--- raw_request eval: ::request('signal', Origin => 'http://evil.example')
--- response_body_like: "code":"origin_forbidden"
--- error_code: 403


=== TEST 17: another scheme
--- raw_request eval: ::request('signal', Origin => 'https://localhost')
--- response_body_like: "code":"origin_forbidden"
--- error_code: 403


=== TEST 18: null
--- raw_request eval: ::request('signal', Origin => 'null')
--- response_body_like: "code":"origin_forbidden"
--- error_code: 403


=== TEST 19: a listed origin, its default port written out
--- config
    location /rs/v1/ {
        rs_gateway;
        rs_origin https://a.example https://b.example:8443;
    }
--- raw_request eval: ::upgrade('agent', Origin => 'https://A.example:443')
--- ignore_response_body
--- error_code: 101


=== TEST 20: a listed name as the beginning of another
--- config
    location /rs/v1/ {
        rs_gateway;
        rs_origin https://a.example https://b.example:8443;
    }
--- raw_request eval: ::request('signal', Origin => 'https://a.example.evil.example')
--- response_body_like: "code":"origin_forbidden"
--- error_code: 403


=== TEST 21: with a list, the own origin is not on it by itself
--- config
    location /rs/v1/ {
        rs_gateway;
        rs_origin https://a.example;
    }
--- raw_request eval: ::request('signal', Origin => 'http://localhost')
--- response_body_like: "code":"origin_forbidden"
--- error_code: 403


=== TEST 22: a host devices may not connect to
--- config
    location /rs/v1/ {
        rs_gateway;
        rs_agent_host support.example.net;
    }
--- raw_request eval: ::request('agent')
--- error_code_like: ^40[034]$
--- response_body_like: "code":


=== TEST 23: the store is not there
--- http_config
    rs_redis unix:/nonexistent;
--- raw_request eval: ::request('signal')
--- response_headers
Retry-After: 1
--- response_body_like: "code":"unavailable"
--- error_code: 503
