#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Redis Cluster: the whole scenario passes where a key of another slot is
# refused.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Scenario;
use RS::Schema;
use RS::Util qw(free_port wait_until);

my ($port, $bus) = (free_port(), free_port());
my $s = RS::Schema->new(
    user => 'rs-gateway',
    conf => "bind 127.0.0.1\nport $port\ncluster-enabled yes\n"
            . "cluster-port $bus\ncluster-config-file nodes.conf",
    ready => sub {
        my ($redis) = @_;

        $redis->call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
        wait_until { $redis->call('CLUSTER', 'INFO') =~ /cluster_state:ok/ }
                   10, 'the cluster';
    },
);

like($s->redis()->call('INFO', 'cluster'), qr/cluster_enabled:1/,
     'is a cluster');

RS::Scenario::run($s);
RS::Scenario::keys($s);
RS::Scenario::plugin($s);
$s->check_catalogue();

# it does refuse

$s->redis()->call('FUNCTION', 'LOAD', 'REPLACE', <<'END');
#!lua name=stray
redis.register_function('stray', function(keys, args)
    redis.call('DEL', keys[1])
    redis.call('DEL', 'rs:{elsewhere}:sess')
    return { 'ok' }
end)
END

eval { $s->redis()->call('FCALL', 'stray', 1, $s->key('sess')) };
like($@, qr/slot/, 'a key of another slot is refused');

eval { $s->redis()->call('FCALL', 'rs_device_unlink', 2, $s->key('sess'),
                         'rs:{w}:lease', 'x') };
like($@, qr/CROSSSLOT/, 'and a call with keys of two');

done_testing();
