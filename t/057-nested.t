# Copyright (C) rs-gateway contributors

# What answers as Redis answers with arrays in arrays, as deep as a reply may be
# long: the link goes down, and the worker lives.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Util qw(wait_until spawn tempdir);

# one nesting that is read and freed, were it taken, and one that never ends

my $deep = <<'PERL';
use IO::Socket::UNIX; use Socket;
my ($path, $levels) = @ARGV;
local $SIG{PIPE} = 'IGNORE';
my $l = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die $!;
while (my $c = $l->accept) {
    sysread($c, my $command, 65536) or next;
    print $c "*1\r\n" x $levels, ":1\r\n";
    $c->flush;
    1 while sysread($c, $command, 65536);
}
PERL

for my $levels (8, 2_000_000) {
    my $path = tempdir() . '/redis.sock';
    my $redis = spawn('deep', [$^X, '-e', $deep, $path, $levels],
                      log => "$path.log");

    wait_until { -S $path } 10, 'who answers as Redis';

    my $gw = RS::Gateway->new(redis_conf => "unix:$path", ready => 0);
    my ($pid) = $gw->workers();

    wait_until {
        2 <= (() = $gw->error_log() =~ /a reply breaks the protocol or our/g)
    } 30, 'replies to be refused';
    is_deeply([$gw->workers()], [$pid], "$levels levels: the worker lives");
    is($gw->rest->get('/health/live')->status, 200, 'and answers');
    $gw->check_log();
    $redis->stop();
}

done_testing();
