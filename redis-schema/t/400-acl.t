#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The ACL users can do what they are for, and nothing else.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Scenario;
use RS::Schema;
use RS::Util qw(top read_file random_id);

my $s = RS::Schema->new(user => 'rs-gateway');
my $redis = $s->redis();
my $lib = read_file(top('redis-schema', 'lib', 'rs.lua'));
my $w = 'rs:w:n1.0.00000000000000aa';
my @users = qw(rs-gateway rs-plugin rs-eventd rs-deploy);
my %link = map { $_ => $s->connect($_) } @users, qw(rs-backup rs-restore);


sub denied {
    my ($user, @command) = @_;
    my $name = "$user: no " . CORE::join(' ', map { length > 60 ? '...' : $_ } @command);

    eval { $link{$user}->call(@command); 1 } and return fail($name);

    return like($@, qr/NOPERM|ACL failure in script|user executing the script can't access/, $name);
}


sub allowed {
    my ($user, @command) = @_;
    my $r = eval { $link{$user}->call(@command) };

    is($@, '', "$user: $command[0] " . ($command[1] // ''));

    return $r;
}


# the gateway lives a whole life

RS::Scenario::run($s);
my $p = RS::Scenario::plugin($s);
$s->check_catalogue();

my %called = $s->{catalogue}->called();
my @mine = grep { !/^rs_key_|^rs_ban_lift$|^rs_(?:bootstrap|login)_put$/ } $lib =~ /^register\('(\w+)'/gm;

is_deeply([grep { !$called{$_} } @mine], [],
          'it and the plugin have called each function');

my $dev = $s->device(online => "n1.0.00000000000000aa.1");
my $x = $s->session($dev);
my $ses = $s->key("ses:$x->{id}");
my $key = $s->key($s->{key});


# what no user may

for my $user (sort @users) {
    allowed($user, 'PING');
    allowed($user, 'INFO', 'replication');
    allowed($user, 'INFO', 'memory');
    allowed($user, 'CLIENT', 'SETNAME', 'x');
    allowed($user, 'HELLO', '2');
    allowed($user, 'SELECT', '0');

    denied($user, @$_) for
        ['FLUSHALL'], ['FLUSHDB'], ['KEYS', '*'], ['SCAN', '0'],
        ['CONFIG', 'GET', '*'], ['CONFIG', 'SET', 'maxmemory', '1'],
        ['SHUTDOWN'], ['MONITOR'],
        ['ACL', 'LIST'], ['ACL', 'SETUSER', 'x'], ['CLIENT', 'KILL', 'ID', '1'],
        ['CLIENT', 'LIST'], ['EVAL', 'return 1', '0'], ['SCRIPT', 'FLUSH'],
        ['FUNCTION', 'FLUSH'], ['FUNCTION', 'DELETE', 'rs'],
        ['REPLICAOF', 'NO', 'ONE'], ['SAVE'], ['DUMP', $ses],
        ['RENAME', $ses, "$ses."], ['RANDOMKEY'], ['DBSIZE'],
        ['GET', 'other'], ['SET', 'other', '1'], ['DEL', 'other'],
        ['HGETALL', 'other'], ['SET', $ses, '1'],
        ['PUBLISH', 'other', 'x'], ['SUBSCRIBE', 'other'],
        ['PSUBSCRIBE', '*'], ['SPUBLISH', $w, 'x'];
}

# the gateway: keys of its own kinds, no list of API keys with their hashes

allowed('rs-gateway', 'SUBSCRIBE', $w);
$link{'rs-gateway'} = $s->connect('rs-gateway');

denied('rs-gateway', @$_) for
    ['FCALL', 'rs_key_put', 1, $key, 'key_x', 'x', '*', '', ''],
    ['FCALL', 'rs_key_delete', 1, $key],
    ['FCALL_RO', 'rs_key_list', 1, $s->key('keys')],
    ['FCALL', 'rs_append', 3, 'a', 'b', 'c', '', '', '1', '', '', '', '1', '1'],
    ['FCALL', 'foreign', 1, $ses], ['FCALL_RO', 'foreign', 1, $ses],
    ['HSET', 'rs:{default}:other', 'a', 'b'],
    ['DEL', 'rs:{default}:other'], ['DEL', 'session:1'],
    ['ZADD', 'rs:{w}:other', '1', 'x'], ['FUNCTION', 'LOAD', 'REPLACE', $lib],
    ['FUNCTION', 'LIST'], ['PSUBSCRIBE', 'rs:w:*'],
    ['FCALL', 'rs_ban_lift', 2, $s->key('ban:a:192.0.2.1'), $s->key('bans')];

# a function of the library is no way round: what it does is checked as the
# caller's

denied('rs-gateway', 'FCALL', 'rs_device_unlink', 2, $s->key('other'),
       $s->key('uses:'), 'x');


# what the plugin writes, and what only it reads

denied('rs-gateway', @$_) for
    ['FCALL', 'rs_turn_usage', 2, $s->key("ses:$p->{id}"),
     $s->key("use:$p->{id}"), "$p->{host}/r/1-1", 1, 1, 1, 1, 0],
    ['HSET', $s->key("use:$p->{id}"), "$p->{host}/r/1-1", '1 1 1 1 0'],
    ['DEL', $s->key("use:$p->{id}")],
    ['FCALL_RO', 'rs_turn_list', 1, $s->key('turn'), '', 10],
    ['FCALL_RO', 'rs_turn_tenants', 1, $s->key('tens'), '', 10];


# the plugin: hears and lists what lives and ends, writes what was relayed

my $turn = $s->key('turn');
my $use = $s->key("use:$p->{id}");

allowed('rs-plugin', 'SUBSCRIBE', 'rs:turn');
$link{'rs-plugin'} = $s->connect('rs-plugin');

denied('rs-plugin', @$_) for
    ['SUBSCRIBE', $w], ['PSUBSCRIBE', 'rs:w:*'], ['PSUBSCRIBE', 'rs:turn'],
    ['PUBLISH', $w, 'x'], ['PUBLISH', 'rs:turn', 'x'],
    ['HSET', $ses, 'state', 'ended'], ['DEL', $ses], ['HGETALL', $ses],
    ['HGETALL', $key], ['HGETALL', $s->key("mem:$x->{id}")],
    ['HGETALL', $s->key("par:$x->{id}")],
    ['HGETALL', $s->key("tkt:$x->{tickets}[0]")],
    ['ZADD', $turn, 1, 'x'], ['ZREM', $turn, 'x'], ['DEL', $turn],
    ['ZADD', $s->key('trev'), 1, 'x'], ['DEL', $s->key('trev')],
    ['ZADD', $s->key('tens'), 1, 'x'], ['DEL', $use],
    ['ZRANGE', $s->key('sess'), 0, -1],
    ['FCALL', 'rs_device_unlink', 1, $s->key("dses:$dev"), $x->{id}],
    ['FCALL', 'rs_turn_tenant', 1, $s->key('tens'), 10, 'x'],
    ['FCALL', 'rs_turn_session', 3, $key, $ses, $turn, '', '', 60, 60, ''],
    ['FCALL', 'rs_turn_revoke', 5, $key, $ses, $ses, $turn, $turn, '', '', '',
     ''],
    ['FCALL', 'rs_turn_usage', 2, $ses, $key, "$p->{host}/r/1-1", 1, 1, 1, 1,
     0],
    ['FCALL', 'rs_turn_usage', 2, $ses, $s->key("mem:$x->{id}"),
     "$p->{host}/r/1-1", 1, 1, 1, 1, 0],
    ['FCALL_RO', 'rs_turn_list', 1, $s->key('sess'), '', 10],
    ['FCALL_RO', 'rs_session_get', 4, $ses, $ses, $ses, $use, ''],
    ['FCALL_RO', 'rs_range', 2, $ses, $s->key("log:$x->{id}"), '0-0', 10],
    ['FCALL_RO', 'rs_auth', 1, $key, 'ice'],
    ['FUNCTION', 'LOAD', 'REPLACE', $lib];

is(allowed('rs-plugin', 'FCALL', 'rs_turn_usage', 2, $s->key("ses:$p->{id}"),
           $use, "$p->{host}/r/1-1", 1, 1, 1, 1, 0)->[0], 'ok', 'its own');


# the daemon that delivers webhooks: events, and what came of them

denied('rs-eventd', @$_) for
    ['SUBSCRIBE', $w], ['SUBSCRIBE', 'rs:turn'], ['PSUBSCRIBE', 'rs:*'],
    ['PUBLISH', 'rs:watch', 'x'], ['HGETALL', $key], ['HGETALL', $ses],
    ['HSET', $ses, 'state', 'ended'],
    ['XADD', $s->key('ev'), '*', 't', 'x'], ['DEL', $s->key('ev')],
    ['HDEL', $s->key('hooks'), 'x'], ['DEL', $s->key('hooks')],
    ['XRANGE', $s->key('audit'), '-', '+'],
    ['XRANGE', $s->key("log:$x->{id}"), '-', '+'],
    ['FCALL', 'rs_webhook_told', 2, $ses, $ses, 'x', 1, 1, '1-0'],
    ['FCALL', 'rs_webhook_delete', 5, $key, $key, $key, $s->key('hooks'),
     $s->key('hookst'), '', 'x'],
    ['FCALL', 'rs_webhook_tenant', 1, 'rs:{b}:hookt', 'x'],
    ['FCALL_RO', 'rs_event_tail', 1, $s->key('audit'), '0-0', 10],
    ['FCALL_RO', 'rs_event_tail', 1, $s->key("log:$x->{id}"), '0-0', 10],
    ['FUNCTION', 'LOAD', 'REPLACE', $lib];
denied('rs-gateway', @$_) for
    ['FCALL', 'rs_webhook_lease', 1, 'rs:{b}:eventd', 'x', 1],
    ['FCALL_RO', 'rs_event_tail', 1, $s->key('ev'), '0-0', 10],
    ['FCALL', 'rs_webhook_told', 2, $s->key('hooks'), $s->key('hookst'), 'x',
     1, 1, '1-0'];

allowed('rs-eventd', 'SUBSCRIBE', 'rs:watch');
$link{'rs-eventd'} = $s->connect('rs-eventd');


# deploy: the library and API keys

is(allowed('rs-deploy', 'FUNCTION', 'LOAD', 'REPLACE', $lib), 'rs', 'loads');
is(allowed('rs-deploy', 'FCALL', 'rs_version', 0)->[0], 'ok', 'version');

my @new = ($s->key('key:' . RS::Schema::hash()), $s->key('keys'));

is(allowed('rs-deploy', 'FCALL', 'rs_key_put', 2, @new, random_id('key_'),
           'x', '*', '', '')->[0], 'ok', 'makes a key');
is(allowed('rs-deploy', 'FCALL_RO', 'rs_key_list', 1, $new[1])->[0], 'ok',
   'lists keys');
is(allowed('rs-deploy', 'FCALL_RO', 'rs_key_get', 1, $new[0])->[0], 'ok',
   'reads one');
is(allowed('rs-deploy', 'FCALL', 'rs_key_delete', 2, @new)->[0], 'ok',
   'deletes it');
is(allowed('rs-deploy', 'FCALL', 'rs_bootstrap_put', 2,
           'rs:{newer}:boot', 'rs:{newer}:keys', RS::Schema::hash())->[0], 'ok',
   'makes a bootstrap token');
is(allowed('rs-deploy', 'FCALL', 'rs_login_put', 1,
           'rs:{newer}:login:' . RS::Schema::hash(), 'x', '*', 60)->[0], 'ok',
   'makes a link to sign in by');
is(allowed('rs-deploy', 'FCALL_RO', 'rs_ban_list', 1, $s->key('bans'), 9)
   ->[0], 'ok', 'lists bans');
is(allowed('rs-deploy', 'FCALL', 'rs_ban_lift', 2,
           $s->key('ban:a:192.0.2.1'), $s->key('bans'))->[0], 'ok',
   'lifts one');

denied('rs-deploy', @$_) for
    ['HGETALL', $ses], ['DEL', $ses], ['PUBLISH', $w, 'x'],
    ['SUBSCRIBE', $w], ['HSET', $s->key("dev:$dev"), 'owner', ''],
    ['FCALL', 'rs_device_unlink', 1, $s->key("dses:$dev"), $x->{id}],
    ['FCALL_RO', 'rs_session_get', 4, $key, $ses, $ses, $ses, ''],
    ['FCALL_RO', 'rs_turn_list', 1, $turn, '', 10], ['SUBSCRIBE', 'rs:turn'],
    ['PUBLISH', 'rs:turn', 'x'],
    ['FCALL', 'rs_ban_fail', 2, $s->key('ban:a:192.0.2.1'), $s->key('bans'), 1,
     60, 10, 60];


# backup reads what the catalogue says is in one, and nothing else; restore
# writes it, and reads none of it

my %kept;

for my $path (glob(top('redis-schema', 'keys', '*.json'))) {
    my $k = JSON::PP->new->decode(read_file($path));
    my $name = $s->key($k->{key} . ($k->{pattern} =~ /\}:.*:</ ? ':x' : ''));

    next if $k->{slot} ne '<tenant>';

    $kept{$name} = $k->{type} if $k->{backup};

    my @read = $k->{type} eq 'zset' ? ('ZRANGE', $name, 0, -1)
        : $k->{type} eq 'stream' ? ('XRANGE', $name, '-', '+', 'COUNT', 1)
        : ('HGETALL', $name);

    $k->{backup} ? allowed('rs-backup', @read) : denied('rs-backup', @read);
    denied('rs-restore', @read);
}

is_deeply([sort keys %kept], [sort map { $s->key($_) }
          qw(audit dev:x devs enr:x enrs enrx gdev grants grps gsub hooks key:x keys
             pols rdel:x rec:x recs recx usr:x)], 'what is kept');

for my $name (sort keys %kept) {
    my @write = $kept{$name} eq 'zset' ? ('ZADD', $name, 1, 'x')
        : $kept{$name} eq 'stream' ? ('XADD', $name, '*', 'a', 'b')
        : ('HSET', $name, 'a', 'b');

    allowed('rs-restore', @write);
    denied('rs-backup', @write);
    denied('rs-backup', 'DEL', $name);
    allowed('rs-restore', 'DEL', $name) if $name =~ /:x$/;
}

allowed('rs-backup', 'SCAN', 0);
allowed('rs-restore', 'ZCOUNT', 'rs:{w}:lease', 0, '+inf');
allowed('rs-restore', 'ZADD', 'rs:{b}:hookt', 0, 'x');
denied('rs-backup', 'ZADD', 'rs:{b}:hookt', 0, 'x');

for my $user (qw(rs-backup rs-restore)) {
    denied($user, @$_) for
        ['HSET', $ses, 'state', 'ended'], ['DEL', $ses],
        ['ZADD', 'rs:{w}:lease', 1, 'x'], ['PUBLISH', $w, 'x'],
        ['FCALL', 'rs_key_put', 1, $key, 'key_x', 'x', '*', '', ''],
        ['FUNCTION', 'LOAD', 'REPLACE', $lib], ['DUMP', $key],
        ['CONFIG', 'GET', '*'], ['KEYS', '*'], ['FLUSHALL'],
        ['ACL', 'LIST'], ['EVAL', 'return 1', '0'];
}


# Users of before events were: while a fleet is upgraded or rolled back there is
# this library, and rights that know of no events.  Gateways go on without.

{
    my ($rules) = read_file(top('redis-schema', 'acl', 'gateway.acl'))
                  =~ /^user rs-gateway on #\@rs-gateway\@ (.*)$/m;

    $rules =~ s/ ~rs:\{\*\}:ev(?= )// or die;
    $redis->call('ACL', 'SETUSER', 'before', 'on', '>x', split / /, $rules);

    local $s->{link} = $s->connect();

    $s->{link}->call('AUTH', 'before', 'x');

    my $had = $redis->call('XLEN', $s->key('ev'));
    my $old = $s->device(online => "n1.0.00000000000000aa.1");
    my $y = $s->session($old);

    is($s->end($y)->[0], 'ok', 'a session, begun and ended without the right');
    is($redis->call('XLEN', $s->key('ev')), $had, 'which wrote no events');
}


# the templates: hashes only, nothing open

for my $path (glob(top('redis-schema', 'acl', '*.acl'))) {
    my ($name) = $path =~ m{([^/]+)\.acl$};
    my @users = grep { /^user / } split /\n/, read_file($path);

    is(scalar @users, 1, "$name: one user");
    like($users[0], qr/^user rs-\Q$name\E on #\@rs-\Q$name\E\@ -\@all resetchannels /,
         "$name: starts from nothing, its password is to be filled in");
    unlike($users[0], qr/nopass|allkeys|allchannels|~\*(?:\s|$)|&\*|\+@|>/,
           "$name: nothing is open");
}

done_testing();
