# Copyright (C) rs-gateway contributors

# A drain is called off, and before a worker has looked it takes a socket: that
# one is sent away as any other when the node is drained again, or the worker
# ends.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, ready => 0);
my $rest = $gw->rest(key => $redis->api_key(scopes => 'node:drain'));
my $device;


sub called_off {
    my ($told) = (0);

    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'all workers';
    $device //= RS::Device->enroll($gw->rest(key => $redis->api_key));

    my $before = () = $gw->error_log =~ /rs drain of/g;

    $rest->post('/drain');
    wait_until { (() = $gw->error_log =~ /rs drain of/g) == $before + 2 } 5,
               'both workers following';

    my ($here, $there) = map { $gw->socket(worker => $_) } 0, 1;

    $rest->request('DELETE', '/drain', socket => $here);
    $device->connect($gw, socket => $there);

    return;
}


subtest 'drained again' => sub {
    called_off();
    $rest->post('/drain');

    is($device->expect('goaway')->{type}, 'goaway', 'told to leave');
    is($device->ws->expect_close, 1012, 'and closed');

    $rest->delete('/drain');
};


subtest 'reloaded' => sub {
    called_off();
    $gw->reload();

    is($device->expect('goaway')->{type}, 'goaway', 'told to leave');
    is($device->ws->expect_close, 1012, 'and closed');
    wait_until { $gw->children == 2 } 10, 'the end of the old workers';
};


$gw->quit();
$gw->check_log();

done_testing();
