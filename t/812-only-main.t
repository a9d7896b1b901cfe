# Copyright (C) rs-gateway contributors

# A WebSocket is made of a client's own request only.  When another location
# led a handshake here as a subrequest, the socket was taken over by it, and
# the worker ended at the next event.  And a URI that was rewritten to one
# that is shorter than its location was read beyond its end.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::WS;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, server => <<'END',
        location /mirror-agent {
            mirror /rs/v1/agent;
            return 200;
        }

        location /mirrored/ {
            mirror /rs/v1/signal;
            mirror /rs/v1/agent;
        }
END
    location => <<'END');
            rewrite ^/rs/v1/short$ / break;
            rewrite ^/rs/v1/other$ /rs/v2/health/live break;
END
my $rest = $gw->rest(key => $redis->api_key);
my @pids = $gw->workers;

for my $path ('/mirror-agent', '/mirrored/none') {
    my $ws = RS::WS->connect(port => $gw->port);

    $ws->raw($ws->request(path => $path, protocols => ['rs.v1']));
    isnt($ws->read_answer(), 101, "$path: no upgrade by a subrequest");
    eval { $ws->send_json({ type => 'ping' }); $ws->recv(1) };
    $ws->close();
}

is($rest->get('/short')->status, 404, 'shorter than its location: 404');
is($rest->get('/other')->status, 404, 'outside of its location: 404');
is($rest->get('/health/live')->status, 200, 'what is there is there');
is_deeply([$gw->workers], \@pids, 'no worker has ended');

$gw->stop;
$gw->check_log;

done_testing();
