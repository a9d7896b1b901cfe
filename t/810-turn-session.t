# Copyright (C) rs-gateway contributors

# The session behind a TURN credential is nobody's business: its id stands in
# the TURN user name, and naming it in REST answers 404 like any id that is
# none.  DELETE used to run into the functions for sessions with a log: 500,
# and a stream without an expiry stayed in Redis.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(tempdir write_file);

my $secret = tempdir() . '/turn-secret';

write_file($secret, join('', map { sprintf '%02x', 7 * $_ % 251 } 1 .. 32));

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, location => <<"END");
            rs_turn_server eu turn:turn.test:3478;
            rs_turn_secret_file $secret;
END
my $rest = $gw->rest(key => $redis->api_key);

my $r = $rest->post('/ice', {});

is($r->status, 200, 'POST /ice');

my ($id) = map { m{^rs:\{default\}:ses:(.*)$} ? $1 : () } $redis->keys();
my $path = "/sessions/$id";

like($r->content, qr/\Q$id\E/, 'its session is named in the credential');

is($rest->get($path)->status, 404, 'GET: 404');
is($rest->delete($path)->status, 404, 'DELETE: 404');
is($rest->post("$path/participants", { role => 'viewer' })->status, 404,
   'POST participants: 404');
is(scalar @{ $rest->get('/sessions')->json->{items} }, 0, 'not in the list');

is($redis->count('rs:{default}:log:*'), 0, 'nothing was written for it');
is($redis->call('HGET', "rs:{default}:ses:$id", 'state'), 'active',
   'it is what it was');
unlike($gw->error_log, qr/a call ended with/, 'no call failed');

$gw->stop;
$gw->check_log;

done_testing();
