#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The administrator's tools: load, rs-key, make-acl; and a Redis that runs
# with what make-acl made.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use IPC::Open3 qw(open3);
use Symbol qw(gensym);
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Util qw(top tempdir read_file write_file spawn wait_until library_text
                library_versions);

my $load = top('redis-schema', 'load');
my $make_acl = top('redis-schema', 'acl', 'make-acl');
my $rs_key = top('tools', 'rs-key');
my $dir = tempdir();
my $password = 'p' x 40;


# Exit code, stdout, stderr.

sub run {
    my ($opt, @argv) = @_;
    local %ENV = (%ENV, %{ $opt->{env} // {} });
    my $pid = open3(my $in, my $out, my $err = gensym(), @argv);

    print {$in} $opt->{stdin} // '';
    close $in;

    my ($o, $e) = map { local $/; readline($_) // '' } $out, $err;

    waitpid($pid, 0);

    return ($? >> 8, $o, $e);
}


sub ok_run {
    my ($name, @argv) = @_;
    my ($code, $out, $err) = run({}, @argv);

    is($code, 0, $name) or diag($err);

    return ($out, $err);
}


sub no_run {
    my ($name, $want, $re, @argv) = @_;
    my ($code, $out, $err) = run(ref $argv[0] ? shift @argv : {}, @argv);

    is($code, $want, $name);
    like($err, $re, "$name: says so");
    unlike($err, qr/Traceback/, "$name: as a message");
    is($out, '', "$name: nothing on stdout");

    return;
}


# make-acl

mkdir "$dir/pw" or die $!;
my @acl = ($make_acl, '--passwords', "$dir/pw", '--output', "$dir/users.acl");

no_run('make-acl: no passwords', 1, qr/no file named .*rs-gateway/, @acl);
is(-e "$dir/users.acl", undef, 'nothing is written');
write_file("$dir/pw/rs-gateway", "short\n");
no_run('make-acl: a short password', 1, qr/5 characters; 20 are wanted/, @acl);
write_file("$dir/pw/$_", "$password-$_\n", 0600)
    for qw(rs-gateway rs-plugin rs-eventd rs-deploy);
ok_run('make-acl', @acl);

my $acl = read_file("$dir/users.acl");

is(sprintf('%o', (stat "$dir/users.acl")[2] & 07777), '600', 'for Redis alone');
unlike($acl, qr/\Q$password\E|\@rs-/, 'no password in it, nothing left to fill');
like($acl, qr/^user default off /, 'the user default is off');
is_deeply([$acl =~ /^user (\S+)/gm],
          [qw(default rs-deploy rs-eventd rs-gateway rs-plugin)], 'the users');
no_run('make-acl: cannot write', 1, qr/No such file/, @acl[0 .. 2], '--output',
       "$dir/no/users.acl");
no_run('make-acl: wrong usage', 2, qr/usage/, $make_acl);
ok_run('make-acl: once more, with a user default', @acl, '--keep-default');
unlike(read_file("$dir/users.acl"), qr/^user default/m, 'which is left alone');
ok_run('make-acl: help', $make_acl, '--help');
ok_run('make-acl: and as it was', @acl);


# a Redis with these users

my $sock = "$dir/redis.sock";
my $proc = spawn('redis', ['redis-server', '--port', 0, '--unixsocket', $sock,
                           '--dir', $dir, '--save', '', '--aclfile',
                           "$dir/users.acl"], log => "$dir/log");
my $client = bless { socket => $sock }, 'RS::Redis';

wait_until { -S $sock && eval { $client->_connect(); 1 } } 10, 'redis-server';

eval { $client->call('PING') };
like($@, qr/NOAUTH/, 'who does not say who it is may nothing');

my @at = ('--socket', $sock, '--password-file', "$dir/pw/rs-deploy");


# load

no_run('rs-key: library not loaded', 1, qr/run redis-schema\/load first/,
       $rs_key, 'list', @at);

my ($version, $serves) = library_versions();

is((ok_run('load', $load, @at))[0], "rs: version $version is loaded, it serves "
   . "$serves to $version\n", 'loaded');
ok_run('load again', $load, @at);
no_run('load: not allowed', 1, qr/rs-deploy .* may/, $load, '--socket', $sock,
       '--user', 'rs-gateway', '--password-file', "$dir/pw/rs-gateway");
no_run('load: no such file', 1, qr/No such file/, $load, @at, '--library',
       "$dir/none");
write_file("$dir/bad.lua", "#!lua name=rs\nthis is not lua");
no_run('load: no library', 1, qr/no line "local VERSION/, $load, @at,
       '--library', "$dir/bad.lua");
write_file("$dir/bad.lua",
           "#!lua name=rs\nlocal VERSION = $version\nthis is not lua");
no_run('load: bad library', 1, qr/Redis: .*compiling/, $load, @at,
       '--library', "$dir/bad.lua");
ok_run('the good one is there still', $rs_key, 'list', @at);
ok_run('load: help', $load, '--help');


# a library of another version: taken while it serves who is there

my @next = map { $version + $_ } 0 .. 2;
my @file = ($load, @at, '--library', "$dir/next.lua");

write_file("$dir/next.lua", library_text(version => $next[1]));
like((ok_run('load: a newer one', @file))[0],
     qr/version $next[1] is loaded, it serves $serves to $next[1]$/, 'says so');
ok_run('rs-key is served by it', $rs_key, 'list', @at);
no_run('load: an older one', 1, qr/holds version $next[1] .* this one is $version: .*--force/,
       $load, @at);
write_file("$dir/next.lua", library_text(version => $next[2],
                                         serves => $next[2]));
no_run('load: one too far', 1, qr/this one serves $next[2] to $next[2]: .*between/,
       @file);
ok_run('nothing has changed', $rs_key, 'list', @at);
ok_run('load: one too far, all the same', @file, '--force');
no_run('rs-key: not served', 1,
       qr/is version $next[2] and serves $next[2] to $next[2], this tool needs $version: use the tools/,
       $rs_key, 'list', @at);
ok_run('load: back', $load, @at, '--force');
write_file("$dir/next.lua", library_text(version => $version - 1,
                                         serves => 1));
ok_run('load: an old one', @file, '--force');
no_run('rs-key: an old one', 1, qr/is version @{[$version - 1]} .* run redis-schema\/load/,
       $rs_key, 'list', @at);
(my $silent = library_text()) =~ s/, int\(VERSION\), int\(SERVES\)//
    or die;
write_file("$dir/next.lua", $silent);
no_run('load: one that does not say', 1, qr/does not say its version/, @file,
       '--force');
no_run('rs-key: one that does not say', 1, qr/does not say its version/,
       $rs_key, 'list', @at);
(my $single = library_text()) =~ s/, int\(SERVES\)// or die;
$single =~ s/^local SERVES.*\n//m or die;
write_file("$dir/next.lua", $single);
ok_run('load: one of before the second number', @file);
ok_run('rs-key: it is its own', $rs_key, 'list', @at);
ok_run('load', $load, @at);


# rs-key create

my ($out, $err) = ok_run('create', $rs_key, 'create', '--name', "B\xc3\xbcro 1",
                         '--scopes', 'ice,devices:read ice', @at);

like($out, qr/\Arsk_default_[a-z2-7]{52}\n\z/, 'prints the key');
like($err, qr/^(key_[a-z2-7]{26}) of tenant default, scopes: ice devices:read;/,
     'and tells its id');
my ($id) = $err =~ /^(key_\w+)/;
chomp(my $key = $out);

$client->call('AUTH', 'rs-deploy', "$password-rs-deploy");

my $hash = sha256_hex($key);

is_deeply($client->call('FCALL_RO', 'rs_key_get', 1,
                        "rs:{default}:key:$hash")->[1],
          ['id', $id, 'name', "B\xc3\xbcro 1", 'scopes', 'ice devices:read',
           'created_at', $client->call('HGET', "rs:{default}:key:$hash",
                                       'created_at'),
           'granted', '', 'expires_at', ''],
          'Redis has it by its hash');

my ($second) = ok_run('create for another tenant', $rs_key, 'create',
                      '--name', 'x', '--tenant', 't-2', @at);

like($second, qr/\Arsk_t-2_/, 'is that one\'s');

my ($third) = ok_run('create a limited one', $rs_key, 'create', '--name', 'y',
                     '--tenant', 't-3', '--scopes', 'ice', '--granted',
                     '--expires', '2h', @at);

chomp $third;
$third = { @{ $client->call('FCALL_RO', 'rs_key_get', 1, 'rs:{t-3}:key:'
                                                         . sha256_hex($third))
              ->[1] } };
is($third->{granted}, 1, 'only where it is granted something');
cmp_ok(abs($third->{expires_at} - time() - 7200), '<', 60, 'for two hours');
like((ok_run('list it', $rs_key, 'list', '--tenant', 't-3', @at))[0],
     qr/Z\t\d{4}-\S+Z\tgranted\(ice\)\ty$/, 'is listed so');
no_run('create: no time', 2, qr/'soon': a number and s, m, h or d/, $rs_key,
       'create', '--name', 'y', '--expires', 'soon', @at);

# list

($out) = ok_run('list', $rs_key, 'list', @at);
like($out, qr/\A\Q$id\E\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\t-\tice,devices:read\tB\xc3\xbcro 1\n\z/,
     'one line of this tenant');
unlike($out, qr/\Q$hash\E|rsk_/, 'no key, no hash');
is((ok_run('list of nobody', $rs_key, 'list', '--tenant', 'nobody', @at))[0],
   '', 'is empty');

# delete

no_run('delete: unknown id', 1, qr/has no key key_a/, $rs_key, 'delete',
       'key_' . 'a' x 26, @at);
no_run('delete: of another tenant', 1, qr/has no key/, $rs_key, 'delete', $id,
       '--tenant', 't-2', @at);
ok_run('delete by id', $rs_key, 'delete', $id, @at);
is((ok_run('list', $rs_key, 'list', @at))[0], '', 'is gone');
write_file("$dir/key", $second);
ok_run('delete by the key', $rs_key, 'delete', '--key-file', "$dir/key", @at);
no_run('delete: again', 1, qr/tenant t-2 has not this key/, $rs_key, 'delete',
       '--key-file', "$dir/key", @at);
is((run({ stdin => $second }, $rs_key, 'delete', '--key-file', '-', @at))[0],
   1, 'from stdin');
no_run('delete: no key in the file', 1, qr/is no API key/, $rs_key, 'delete',
       '--key-file', "$dir/pw/rs-deploy", @at);
no_run('delete: no such file', 1, qr/No such file/, $rs_key, 'delete',
       '--key-file', "$dir/none", @at);
is_deeply($client->call('HGETALL', "rs:{default}:key:$hash"), [],
          'nothing is left');

{
    # a deletion is to survive a failover

    my ($primary, $replica) = (RS::Redis->new(port => 1), RS::Redis->new());
    my @there = ('--socket', $primary->socket);
    my $made = sub {
        (ok_run('create', $rs_key, 'create', '--name', 'x', @there))[1]
            =~ /^(key_\w+)/ or die;
        return $1;
    };

    no_run('delete: no replica', 1, qr/ is deleted, but not on the replicas/,
           $rs_key, 'delete', $made->(), '--replicas', 1, @there);
    $replica->replicate($primary);

    my $waits = $primary->calls('wait');

    ok_run('delete: a replica has it', $rs_key, 'delete', $made->(), @there);
    is($primary->calls('wait'), $waits + 1, 'it was asked');
    $replica->freeze;
    no_run('delete: a replica that does not answer', 1,
           qr/^rs-key: key_\w+ is deleted, but not on the replicas/, $rs_key,
           'delete', $made->(), @there);
    ok_run('delete: not waited for', $rs_key, 'delete', $made->(),
           '--replicas', 0, @there);
    $replica->thaw;
}


# wrong usage

for my $case (
    [qr/required: --name/, 'create'],
    [qr/'sessions' is no scope/, 'create', '--name', 'x', '--scopes', 'sessions'],
    [qr/'' is no scope/, 'create', '--name', 'x', '--scopes', ''],
    [qr/a tenant is 1 to 32/, 'list', '--tenant', 'A{b}'],
    [qr/a name is 1 to 128/, 'create', '--name', 'x' x 129],
    [qr/a name is 1 to 128/, 'create', '--name', "a\nb"],
    [qr/not a key id/, 'delete', 'x'],
    [qr/one of the arguments/, 'delete'],
    [qr/0 to 16 replicas/, 'delete', 'key_' . 'a' x 26, '--replicas', '17'],
    [qr/invalid choice/, 'nothing'],
    [qr/required: command/])
{
    my ($re, @argv) = @$case;

    no_run("rs-key " . CORE::join(' ', map { substr($_, 0, 20) =~ s/\n/ /r } @argv),
           2, $re, $rs_key, @argv);
}

ok_run("rs-key $_ --help", $rs_key, $_, '--help') for qw(create list delete);


# where and as whom

write_file("$dir/empty", "\n");

for my $case (
    [qr/first line is empty/, '--socket', $sock, '--password-file', "$dir/empty"],
    [qr/No such file/, '--socket', $sock, '--password-file', "$dir/none"],
    [qr/refuses the user or password/, '--socket', $sock, '--password-file',
     "$dir/pw/rs-gateway"],
    [qr/refuses the user or password/, '--socket', $sock],
    [qr/cannot be reached/, '--socket', "$dir/none"],
    [qr/cannot be reached/, '--redis', "unix:$dir/none"],
    [qr/not redis:/, '--redis', 'redis://localhost:x/0'],
    [qr/not redis:/, '--redis', 'http://localhost/0'],
    [qr/no user or password in the URL/, '--redis', 'redis://:pw@localhost/0'])
{
    my ($re, @argv) = @$case;

    no_run("rs-key list @argv[0, 1]" =~ s/\Q$dir\E/.../gr, 1, $re, $rs_key,
           'list', @argv);
}

is((run({ env => { RS_REDIS => "unix:$sock",
                   RS_REDIS_PASSWORD => "$password-rs-deploy" } },
        $rs_key, 'list'))[0], 0, 'by the environment');

$proc->stop();

done_testing();
