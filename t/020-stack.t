# Copyright (C) rs-gateway contributors

# util/rs-stack: two stacks side by side; down ends exactly what up started;
# an up that fails half-way leaves nothing and says which log to read.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IPC::Run qw(run);
use JSON ();
use Test::More;

use RS::Rest;
use RS::Util qw(top tempdir read_file write_file wait_until);

my $tool = top('util', 'rs-stack');
my $module = (grep { /ngx_http_rs_signal_module\.so$/ }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                         || top('build', 'module',
                                'ngx_http_rs_signal_module.so'))[0];
my @common = ('--nginx', $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx',
              '--module', $module);
my @dirs;


END {
    my $status = $?;

    stack('down', $_) for @dirs;
    $? = $status;
}


sub stack {
    my ($command, $dir, @options) = @_;

    run([$tool, $command, '--dir', $dir, @options], \undef, \my $out,
        \my $err);

    return ($? >> 8, $out, $err);
}


sub up {
    my (@options) = @_;
    my $dir = tempdir() . '/stack';

    push @dirs, $dir;

    my ($rc, $out, $err) = stack('up', $dir, @common, @options);

    return ($rc, $rc == 0 ? JSON->new->utf8->decode($out) : $out, $err, $dir);
}


# start time of a process that runs, else 0

sub runs {
    my ($pid) = @_;
    my $stat = eval { read_file("/proc/$pid/stat") } // return 0;

    $stat =~ s/^.*\) //s;

    my @fields = split ' ', $stat;

    return $fields[0] eq 'Z' ? 0 : $fields[19];
}


sub alive {
    my ($p) = @_;

    return runs($p->{pid}) == $p->{start};
}


sub ready {
    my ($s) = @_;

    return RS::Rest->new(base => $s->{base}, tls => { ca => $s->{ca} })
                   ->get('/health/ready')->status;
}


my ($rc, $one, $err, $dir_a) = up('--nodes', 2, '--workers', 1);
is($rc, 0, 'a stack of two nodes') or die $err;
like($err, qr/Redis.*coturn.*nginx node 1.*nginx node 2/s,
     'it says what it is doing');

($rc, my $two, $err, my $dir_b) = up('--no-turn', '--quiet', '--http');
is($rc, 0, 'another one beside it') or die $err;
is($err, '', 'quietly');

is(ready($one), 200, 'the first one answers');
is(ready($two), 200, 'and so does the second');
isnt($one->{port_base}, $two->{port_base}, 'on other ports');

my $key = read_file($one->{api_key_file});
chomp $key;

is((stat $one->{api_key_file})[2] & 0777, 0600, 'the key is its owner\'s');
is(RS::Rest->new(base => $one->{nodes}[1]{base}, tls => { ca => $one->{ca} },
                 key => $key)->get('/devices')->status, 200,
   'it opens the second node');
is(RS::Rest->new(base => $two->{base}, tls => { ca => $two->{ca} },
                 key => $key)->get('/devices')->status, 401,
   'it does not open the other stack');
is(RS::Rest->new(base => $two->{nodes}[0]{http_base})
           ->get('/health/live')->status, 200, 'plain HTTP where asked for');
unlike(read_file("$dir_a/stack.json"), qr/\Q$key\E/,
       'the state holds no secret');

my $page = RS::Rest->new(base => $one->{base}, tls => { ca => $one->{ca} });
$page->{path} = '';

is($page->get('/')->header('Location'), "$one->{url}console/",
   'the address leads to the console');

my $console = $page->get('/console/');

is($console->status, 200, 'which is there');
like($console->header('Content-Security-Policy'),
     qr/^default-src 'none'; script-src 'self';/, 'under a strict policy');
like($page->get('/console/rs-client.js')->header('Content-Type'),
     qr{^text/javascript}, 'scripts are scripts');
is($page->get('/console/t/lib.mjs')->status, 404, 'tests are not served');
is($page->request('POST', '/console/')->status, 403, 'nothing but GET');

my ($again, undef, $why) = stack('up', $dir_a, @common);
is($again, 1, 'no second stack in one folder');
like($why, qr/a stack is up there already/, 'it says why');

($again, undef, $why, undef) = up(@common, '--port-base',
                                  $one->{port_base});
is($again, 1, 'no second stack on the same ports');
like($why, qr/--port-base $one->{port_base}: another stack/, 'it says why');

is((stack('status', $dir_a))[0], 0, 'status: up');

my ($env_rc, $env) = stack('env', $dir_a);
like($env, qr/^export RS_BASE=\Q$one->{base}\E$/m, 'env is for a shell');

# a worker that outlived its master is found, too

my ($node) = grep { $_->{name} eq 'node1' } @{ $one->{processes} };
my @workers = split ' ',
              read_file("/proc/$node->{pid}/task/$node->{pid}/children");

ok(@workers > 0, 'node 1 has workers');
kill 'KILL', $node->{pid};
wait_until { !alive($node) } 5, 'the end of the master';
is((stack('status', $dir_a))[0], 3, 'status: not all is up');

my ($down) = stack('down', $dir_a);
is($down, 0, 'down');
is(scalar(grep { alive($_) } @{ $one->{processes} }), 0, 'ends every process');
is(scalar(grep { runs($_) } @workers), 0, 'and orphaned workers');
is(scalar(grep { !alive($_) } @{ $two->{processes} }), 0,
   'and nobody else\'s');
is((stack('down', $dir_a))[0], 0, 'again: nothing to do');

# a pid that was used again is a stranger

my $state = JSON->new->utf8->decode(read_file("$dir_a/stack.json"));
$state->{processes} = [{ name => 'stranger', pid => $$, start => 1,
                         log => '/dev/null' }];
write_file("$dir_a/stack.json", JSON->new->utf8->encode($state));
is((stack('down', $dir_a))[0], 0, 'a stranger is left alone');

# the TURN plugin: with the key the gateways have, beside coturn

for my $mode (qw(compat strict)) {
    my ($up, $three, $log, $dir) = up('--turn-mode', $mode);

    is($up, 0, "a stack with the TURN plugin, $mode") or die $log;

    my ($daemon) = grep { $_->{name} eq 'turn-authd' }
                   @{ $three->{processes} };
    my $port = $three->{turn}{authd}{metrics_port};
    my $health = RS::Rest->new(base => "http://127.0.0.1:$port");

    wait_until { eval { $health->get('/health')->status == 200 } } 10,
               'the daemon';
    like(read_file("$dir/turn/turnserver.conf"), qr/^redis-userdb=/m,
         'coturn asks it');
    is(read_file($three->{turn}{key_file}) =~ /^[0-9a-f]{64}$/m
       && (stat $three->{turn}{key_file})[2] & 0777, 0600,
       'the key is nobody else\'s');

    kill 'KILL', $daemon->{pid};
    wait_until { !alive($daemon) } 5, 'the end of the daemon';
    is((stack('start', $dir, 'turn-authd'))[0], 0, 'it is started again');
    is((stack('status', $dir))[0], 0, 'and all is up');
    is((stack('down', $dir))[0], 0, 'down');
}

is((stack('down', $dir_b))[0], 0, 'down of the second one');
is(scalar(grep { alive($_) } @{ $two->{processes} }), 0,
   'ends every process of that');

# half-way

my $broken = tempdir() . '/ngx_http_rs_signal_module.so';
write_file($broken, "not a module\n");

my ($half, undef, $told, $dir_c) = up('--module', $broken);
is($half, 1, 'a module that cannot be loaded');
like($told, qr/ending what was started/, 'it cleans up');
like($told, qr{read \Q$dir_c\E/\S+log\b}, 'it says which log to read');

my $left = JSON->new->utf8->decode(read_file("$dir_c/stack.json"));
is_deeply($left->{processes}, [], 'nothing is left');

my ($bad, undef, $usage) = up('--nodes', 0);
is($bad, 2, 'wrong usage');
like($usage, qr/--nodes 0: 1 to/, 'names the value');

done_testing();
