# Copyright (C) rs-gateway contributors

# REST: what a call meets before it does anything. Paths and methods, the
# credential, the body, CORS; each bad input gets its problem (RFC 9457).
#
# A block says "problem: STATUS CODE [POINTER]"; without "no_key" the call
# carries an API key that may do everything.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use RS::Redis;
use RS::Rest;
use RS::Util qw(wait_until);

# a lone process may sleep through QUIT

BEGIN { $ENV{TEST_NGINX_MASTER_PROCESS} ||= 'on' }

use Test::Nginx::Socket 'no_plan';

our $redis = RS::Redis->new();
our $key = $redis->api_key();
our $http = 'rs_redis ' . $redis->conf . '; rs_node t300;';
our $origin = 'https://console.example.net';


sub ::nested { return '{"metadata":' x $_[0] . '1' . '}' x $_[0] }


add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', $http);
    $block->set_value('config', "location /rs/v1/ { rs_gateway; "
                                . ($block->location // '') . " }");

    my @headers = split /\n/, $block->more_headers // '';

    unshift @headers, "Authorization: Bearer $key"
        if !defined $block->no_key;
    unshift @headers, 'Content-Type: application/json'
        if ($block->request // '') =~ /\A(?:POST|PATCH)/
           && !grep { /^Content-Type:/ } @headers;

    @headers = grep { !/:\s*$/ } @headers;

    $block->set_value('more_headers', CORE::join("\n", @headers));

    if (defined $block->problem) {
        my ($status, $code, $pointer) = split ' ', $block->problem;
        my $end = defined $pointer ? qq(,"pointer":"\Q$pointer\E") : '';

        $block->set_value('error_code', $status);
        $block->set_value('response_body_like',
            qq(\\A\\{"type":"about:blank","title":"[^"]+","status":$status,)
            . qq("detail":"(?:[^"\\\\]|\\\\.)+","code":"$code",)
            . qq("request_id":"[0-9A-Za-z._-]{1,64}"$end\\}\\z));
        $block->set_value('response_headers',
            "Content-Type: application/problem+json\n"
            . "Cache-Control: no-store\nX-Content-Type-Options: nosniff\n"
            . ($block->response_headers // ''));
    }

    $block->set_value('no_error_log', "[alert]\n[emerg]\nSanitizer");
    $block->set_value('timeout', '5s') if !defined $block->timeout;
});

# a block begins when the gateway it started can use Redis

my $helper = $Test::Nginx::Util::RunTestHelper;

$Test::Nginx::Util::RunTestHelper = sub {
    my $rest = RS::Rest->new(
        base => 'http://127.0.0.1:' . server_port() . '/rs/v1');

    wait_until {
        my $r = eval { $rest->get('/health/ready') };
        $r && $r->status == 200
    } 10, 'the gateway';

    $helper->(@_);
};

no_shuffle();
run_tests();

# Redis must go after nginx

END { undef $redis }

__DATA__

=== TEST 1: version and features, without a key
--- no_key
--- request
GET /rs/v1/
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: \A\{"api_version":1,"features":\["sessions",.*\]\}\z


=== TEST 2: HEAD is answered as GET, without a body
--- no_key
--- request
HEAD /rs/v1/health/live
--- response_headers
Content-Type: application/json
Content-Length: 15
--- response_body:


=== TEST 3: live
--- no_key
--- request
GET /rs/v1/health/live
--- response_body: {"status":"ok"}


=== TEST 4: the client's request id comes back
--- no_key
--- request
GET /rs/v1/health/live
--- more_headers
X-Request-Id: abc-1.2_Z
--- response_headers
X-Request-Id: abc-1.2_Z


=== TEST 5: an unfit one does not
--- no_key
--- request
GET /rs/v1/health/live
--- more_headers
X-Request-Id: a b
--- raw_response_headers_like: X-Request-Id: [0-9a-f]{32}\r\n


=== TEST 6: nor one that is too long
--- no_key
--- request
GET /rs/v1/health/live
--- more_headers eval
'X-Request-Id: ' . ('a' x 65)
--- raw_response_headers_like: X-Request-Id: [0-9a-f]{32}\r\n


=== TEST 7: no such path
--- request
GET /rs/v1/nothing
--- problem: 404 not_found


=== TEST 8: a trailing slash is another path
--- request
GET /rs/v1/devices/
--- problem: 404 not_found


=== TEST 9: what is no id names nothing
--- request
GET /rs/v1/devices/ses_aaaaaaaaaaaaaaaaaaaaaaaaaa
--- problem: 404 not_found


=== TEST 10: an id in capitals names nothing
--- request
GET /rs/v1/devices/dev_AAAAAAAAAAAAAAAAAAAAAAAAAA
--- problem: 404 not_found


=== TEST 11: no such object
--- request
GET /rs/v1/devices/dev_aaaaaaaaaaaaaaaaaaaaaaaaaa
--- problem: 404 not_found


=== TEST 12: a method the path does not have
--- request
PUT /rs/v1/sessions/ses_aaaaaaaaaaaaaaaaaaaaaaaaaa
--- problem: 405 method_not_allowed
--- response_headers
Allow: GET, HEAD, DELETE, OPTIONS


=== TEST 13: POST where there is only GET
--- request
POST /rs/v1/turn
{}
--- problem: 405 method_not_allowed
--- response_headers
Allow: GET, HEAD, OPTIONS


=== TEST 14: no key
--- no_key
--- request
GET /rs/v1/devices
--- problem: 401 unauthenticated
--- response_headers
WWW-Authenticate: Bearer


=== TEST 15: another scheme
--- no_key
--- request
GET /rs/v1/devices
--- more_headers
Authorization: Basic dXNlcjpwYXNz
--- problem: 401 unauthenticated
--- response_headers
WWW-Authenticate: Bearer


=== TEST 16: not a key's form
--- no_key
--- request
GET /rs/v1/devices
--- more_headers
Authorization: Bearer rsk_default_short
--- problem: 401 unauthenticated


=== TEST 17: a key nobody made
--- no_key
--- request
GET /rs/v1/devices
--- more_headers eval
'Authorization: Bearer rsk_default_' . ('a' x 52)
--- problem: 401 unauthenticated
--- response_headers
WWW-Authenticate: Bearer


=== TEST 18: the right key of a wrong tenant
--- no_key
--- request
GET /rs/v1/devices
--- more_headers eval
'Authorization: Bearer ' . ($::key =~ s/_default_/_other_/r)
--- problem: 401 unauthenticated


=== TEST 19: a key in the query is not looked at
--- no_key
--- request eval
"GET /rs/v1/devices?key=$::key"
--- problem: 401 unauthenticated


=== TEST 20: the scheme's letters may be of any case
--- no_key
--- request
GET /rs/v1/devices
--- more_headers eval
"Authorization: bearer $::key"
--- response_body: {"items":[],"next_cursor":null}


=== TEST 21: Content-Type is missing
--- request
POST /rs/v1/enrollments
{}
--- more_headers eval
"Content-Type: \n"
--- problem: 415 unsupported_media_type


=== TEST 22: Content-Type is another
--- request
POST /rs/v1/enrollments
{}
--- more_headers
Content-Type: text/plain
--- problem: 415 unsupported_media_type


=== TEST 23: a merge patch is for PATCH
--- request
POST /rs/v1/enrollments
{}
--- more_headers
Content-Type: application/merge-patch+json
--- problem: 415 unsupported_media_type


=== TEST 24: Content-Type may have parameters
--- request
POST /rs/v1/enrollments
{}
--- more_headers
Content-Type: Application/JSON ; charset=utf-8
--- error_code: 201
--- response_headers_like
Location: /rs/v1/enrollments/enr_[a-z2-7]{26}


=== TEST 25: no body where one is needed
--- request
POST /rs/v1/sessions
--- problem: 400 invalid_json


=== TEST 26: no body where none is needed
--- request
POST /rs/v1/enrollments
--- error_code: 201


=== TEST 27: not JSON
--- request
POST /rs/v1/enrollments
{"max_uses":
--- problem: 400 invalid_json


=== TEST 28: something behind it
--- request
POST /rs/v1/enrollments
{} {}
--- problem: 400 invalid_json


=== TEST 29: not an object
--- request
POST /rs/v1/enrollments
[]
--- problem: 400 invalid_json


=== TEST 30: a key twice
--- request
POST /rs/v1/enrollments
{"max_uses":1,"max_uses":2}
--- problem: 400 invalid_json


=== TEST 31: a key twice, deep inside
--- request
POST /rs/v1/sessions
{"host":{"type":"device","type":"device"}}
--- problem: 400 invalid_json


=== TEST 32: not UTF-8
--- request eval
"POST /rs/v1/enrollments\n{\"group_id\":\"\xff\"}"
--- problem: 400 invalid_json


=== TEST 33: depth 17
--- request eval
"POST /rs/v1/sessions\n" . ::nested(17)
--- problem: 400 invalid_json


=== TEST 34: depth 16 is read, and misses its host
--- request eval
"POST /rs/v1/sessions\n" . ::nested(16)
--- problem: 422 invalid_value /host


=== TEST 35: an unknown field
--- request
POST /rs/v1/enrollments
{"max_use":1}
--- problem: 422 unknown_field /max_use


=== TEST 36: an unknown field below
--- request
POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa","x":1}}
--- problem: 422 unknown_field /host/x


=== TEST 37: an unknown field in an array
--- request eval
'POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"},'
. '"participants":[{"role":"viewer"},{"role":"viewer","pin":1}]}'
--- problem: 422 unknown_field /participants/1/pin


=== TEST 38: ttl_s 0
--- request
POST /rs/v1/enrollments
{"ttl_s":0}
--- problem: 422 invalid_value /ttl_s


=== TEST 39: ttl_s "3600"
--- request
POST /rs/v1/enrollments
{"ttl_s":"3600"}
--- problem: 422 invalid_value /ttl_s


=== TEST 40: ttl_s 1.5
--- request
POST /rs/v1/enrollments
{"ttl_s":1.5}
--- problem: 422 invalid_value /ttl_s


=== TEST 41: ttl_s above the limit of enrolments
--- request
POST /rs/v1/enrollments
{"ttl_s":2592001}
--- problem: 422 invalid_value /ttl_s


=== TEST 42: ttl_s above the limit of a session
--- location: rs_session_ttl 60s;
--- request
POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"},"ttl_s":61}
--- problem: 422 invalid_value /ttl_s


=== TEST 43: ttl_s of a ticket above its limit
--- request
POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"},"participants":[{"role":"viewer","ttl_s":86401}]}
--- problem: 422 invalid_value /participants/0/ttl_s


=== TEST 44: max_uses above the limit
--- request
POST /rs/v1/enrollments
{"max_uses":10001}
--- problem: 422 invalid_value /max_uses


=== TEST 45: a tag too many
--- request eval
'POST /rs/v1/enrollments
{"tags":[' . CORE::join(',', map { "\"$_\"" } 1 .. 17) . ']}'
--- problem: 422 invalid_value /tags


=== TEST 46: a tag too long
--- request eval
'POST /rs/v1/enrollments
{"tags":["a","' . ('x' x 65) . '"]}'
--- problem: 422 invalid_value /tags/1


=== TEST 47: 64 characters are counted, not bytes
--- request eval
use utf8;
my $s = "POST /rs/v1/enrollments\n{\"tags\":[\"" . ('ö' x 64) . '"]}';
utf8::encode($s);
$s
--- error_code: 201


=== TEST 48: a tag twice
--- request
POST /rs/v1/enrollments
{"tags":["a","a"]}
--- problem: 422 invalid_value /tags/1


=== TEST 49: a tag that is a number
--- request
POST /rs/v1/enrollments
{"tags":[1]}
--- problem: 422 invalid_value /tags/0


=== TEST 50: a role that cannot be asked for
--- request
POST /rs/v1/sessions/ses_aaaaaaaaaaaaaaaaaaaaaaaaaa/participants
{"role":"host"}
--- problem: 422 invalid_value /role


=== TEST 51: a control character in a name
--- request
POST /rs/v1/sessions/ses_aaaaaaaaaaaaaaaaaaaaaaaaaa/participants
{"role":"viewer","name":"a\u0007b"}
--- problem: 422 invalid_value /name


=== TEST 52: metadata too large
--- request eval
'POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"},"metadata":{"a":"' . ('x' x 4090) . '"}}'
--- problem: 422 invalid_value /metadata


=== TEST 53: metadata of another type
--- request
POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"},"metadata":[]}
--- problem: 422 invalid_value /metadata


=== TEST 54: another kind of host
--- request
POST /rs/v1/sessions
{"host":{"type":"printer","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"}}
--- problem: 422 invalid_value /host/type


=== TEST 55: a host that is no device's id
--- request
POST /rs/v1/sessions
{"host":{"type":"device","device_id":"ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"}}
--- problem: 422 invalid_value /host/device_id


=== TEST 56: too many participants
--- location: rs_max_participants 3;
--- request eval
'POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"},'
. '"participants":[{"role":"viewer"},{"role":"viewer"},{"role":"viewer"}]}'
--- problem: 422 invalid_value /participants


=== TEST 57: a device nobody enrolled
--- request
POST /rs/v1/sessions
{"host":{"type":"device","device_id":"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"}}
--- problem: 404 not_found /host/device_id


=== TEST 58: a body larger than rs_body_size is not read
--- location: rs_body_size 1k;
--- request eval
'POST /rs/v1/enrollments
{"group_id":"' . ('x' x 2000) . '"}'
--- problem: 413 body_too_large
--- response_headers
Connection: close


=== TEST 59: nor does its client hear "100 Continue"
nginx waits for the promised body before it closes, by default as long as this
test waits for the end.
--- location: rs_body_size 1k; lingering_timeout 200ms;
--- raw_request eval
"POST /rs/v1/enrollments HTTP/1.1\r\nHost: localhost\r\n"
. "Authorization: Bearer $::key\r\nContent-Type: application/json\r\n"
. "Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n"
--- problem: 413 body_too_large


=== TEST 60: a chunked body is cut off at rs_body_size
--- location: rs_body_size 1k;
--- raw_request eval
"POST /rs/v1/enrollments HTTP/1.1\r\nHost: localhost\r\n"
. "Authorization: Bearer $::key\r\nContent-Type: application/json\r\n"
. "Transfer-Encoding: chunked\r\n\r\n"
. ("200\r\n" . (' ' x 512) . "\r\n") x 3
--- problem: 413 body_too_large


=== TEST 61: a chunked body, in pieces
--- raw_request eval
["POST /rs/v1/enrollments HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Authorization: Bearer $::key\r\nContent-Type: application/json\r\n"
. "Transfer-Encoding: chunked\r\n\r\n", "2\r\n{\"\r\n", "c\r\nmax_uses\":3}",
"\r\n0\r\n", "\r\n"]
--- raw_request_middle_delay: 0.05
--- error_code: 201
--- response_body_like: "max_uses":3,


=== TEST 62: a chunked body that is not framed as it should be
--- raw_request eval
"POST /rs/v1/enrollments HTTP/1.1\r\nHost: localhost\r\n"
. "Authorization: Bearer $::key\r\nContent-Type: application/json\r\n"
. "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
--- problem: 400 bad_request


=== TEST 63: a body of exactly rs_body_size
--- location: rs_body_size 1k;
--- request eval
"POST /rs/v1/enrollments\n{" . (' ' x 1022) . '}'
--- error_code: 201


=== TEST 64: one byte at a time
--- raw_request eval
[split //, "POST /rs/v1/enrollments HTTP/1.1\r\nHost: l\r\nConnection: close\r\n"
. "Authorization: Bearer $::key\r\nContent-Type: application/json\r\n"
. "Content-Length: 14\r\n\r\n{\"max_uses\":7}"]
--- raw_request_middle_delay: 0.001
--- timeout: 10s
--- error_code: 201
--- response_body_like: "max_uses":7,


=== TEST 65: two requests at once on one connection
--- pipelined_requests eval
["GET /rs/v1/devices", "GET /rs/v1/sessions"]
--- response_body eval
['{"items":[],"next_cursor":null}', '{"items":[],"next_cursor":null}']


=== TEST 66: an empty Idempotency-Key
--- request
POST /rs/v1/enrollments
--- more_headers eval
"Idempotency-Key: a b"
--- problem: 400 bad_request


=== TEST 67: an Idempotency-Key of 256 characters
--- request
POST /rs/v1/enrollments
--- more_headers eval
'Idempotency-Key: ' . ('k' x 256)
--- problem: 400 bad_request


=== TEST 68: an Idempotency-Key of 255
--- request
POST /rs/v1/enrollments
--- more_headers eval
'Idempotency-Key: ' . ('k' x 255)
--- error_code: 201


=== TEST 69: limit 0
--- request
GET /rs/v1/devices?limit=0
--- problem: 422 invalid_value


=== TEST 70: limit 201
--- request
GET /rs/v1/sessions?limit=201
--- problem: 422 invalid_value


=== TEST 71: limit 1e2
--- request
GET /rs/v1/sessions?limit=1e2
--- problem: 422 invalid_value


=== TEST 72: a cursor nobody gave
--- request
GET /rs/v1/devices?cursor=%2a
--- problem: 422 invalid_value


=== TEST 73: a cursor of the right letters
--- request
GET /rs/v1/devices?cursor=abc
--- problem: 422 invalid_value


=== TEST 74: an unknown parameter
--- request
GET /rs/v1/devices?onlin=true
--- problem: 422 unknown_field


=== TEST 75: a parameter of another list
--- request
GET /rs/v1/enrollments?online=true
--- problem: 422 unknown_field


=== TEST 76: a parameter twice
--- request
GET /rs/v1/devices?limit=1&limit=2
--- problem: 422 invalid_value


=== TEST 77: an empty parameter
--- request
GET /rs/v1/devices?tag=
--- problem: 422 invalid_value


=== TEST 78: a parameter that is not UTF-8
--- request
GET /rs/v1/devices?tag=%ff
--- problem: 422 invalid_value


=== TEST 79: a state that is none
--- request
GET /rs/v1/sessions?state=open
--- problem: 422 invalid_value


=== TEST 80: online is true or false
--- request
GET /rs/v1/devices?online=1
--- problem: 422 invalid_value


=== TEST 81: another service than TURN
--- request
GET /rs/v1/turn?service=stun
--- problem: 400 bad_request


=== TEST 82: no service
--- request
GET /rs/v1/turn
--- problem: 400 bad_request


=== TEST 83: no TURN server
--- request
GET /rs/v1/turn?service=turn
--- problem: 404 not_found


=== TEST 84: CORS: the page's own host
--- request
GET /rs/v1/devices
--- more_headers
Origin: http://localhost
--- response_headers
Access-Control-Allow-Origin: http://localhost


=== TEST 85: CORS: a listed origin, with what it may read
--- location eval: "rs_origin $::origin;"
--- request
GET /rs/v1/devices
--- more_headers eval
"Origin: $::origin"
--- response_headers eval
"Access-Control-Allow-Origin: $::origin
Access-Control-Expose-Headers: ETag, Location, Retry-After, X-Request-Id
Vary: Origin"


=== TEST 86: CORS: problems can be read too
--- location eval: "rs_origin $::origin;"
--- request
GET /rs/v1/nothing
--- more_headers eval
"Origin: $::origin"
--- problem: 404 not_found
--- response_headers eval
"Access-Control-Allow-Origin: $::origin"


=== TEST 87: CORS: another origin
--- location eval: "rs_origin $::origin;"
--- request
GET /rs/v1/devices
--- more_headers
Origin: https://evil.example
--- problem: 403 origin_forbidden
--- response_headers
Access-Control-Allow-Origin:


=== TEST 88: CORS: "null"
--- request
GET /rs/v1/devices
--- more_headers
Origin: null
--- problem: 403 origin_forbidden


=== TEST 89: CORS: preflight, which carries no key
--- no_key
--- location eval: "rs_origin $::origin;"
--- request
OPTIONS /rs/v1/devices/dev_aaaaaaaaaaaaaaaaaaaaaaaaaa
--- more_headers eval
"Origin: $::origin
Access-Control-Request-Method: PATCH
Access-Control-Request-Headers: authorization, if-match"
--- error_code: 204
--- response_headers eval
"Access-Control-Allow-Origin: $::origin
Access-Control-Allow-Methods: GET, HEAD, PATCH, DELETE, OPTIONS
Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-Match, "
. "Last-Event-ID, X-Request-Id, X-RS-Tenant
Access-Control-Max-Age: 600"
--- response_body:


=== TEST 90: CORS: preflight of another origin
--- no_key
--- location eval: "rs_origin $::origin;"
--- request
OPTIONS /rs/v1/devices
--- more_headers
Origin: https://evil.example
--- problem: 403 origin_forbidden


=== TEST 91: CORS: preflight of no path
--- no_key
--- request
OPTIONS /rs/v1/nothing
--- problem: 404 not_found


=== TEST 92: variables for the access log
--- location: add_header X-Vars "$rs_node $rs_worker $rs_request_id $rs_tenant $rs_device_id $rs_error" always;
--- request
GET /rs/v1/devices/dev_aaaaaaaaaaaaaaaaaaaaaaaaaa
--- more_headers
X-Request-Id: r1
--- problem: 404 not_found
--- response_headers_like
X-Vars: t300 t300\.0\.[0-9a-f]{16} r1 default dev_a{26} not_found
