
# Copyright (C) rs-gateway contributors

# rsctl against a gateway: what it lists, changes and ends, what it says when
# it is refused, and that its settings are read without guessing.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IPC::Open3 qw(open3);
use JSON ();
use Symbol qw(gensym);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file free_port);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, node => 'gw1');
my $rest = $gw->rest(key => $redis->api_key);
my $dir = tempdir();
my $key = write_file("$dir/key", $redis->api_key(scopes => '* node:drain')
                     . "\n", 0600);

delete @ENV{grep { /^RS/ } keys %ENV};
$ENV{RSCTL_CONFIG} = conf();


sub conf {
    my (%more) = @_;
    my %gateway = (url => $gw->base, key_file => $key, %more);

    return write_file("$dir/rsctl.conf", CORE::join('', "[gateway]\n",
        map { defined $gateway{$_} ? "$_ = $gateway{$_}\n" : () }
        sort keys %gateway));
}


# exit code, stdout, stderr

sub run {
    my @argv = @_;
    my $pid = open3(my $in, my $out, my $err = gensym(), top('tools', 'rsctl'),
                    @argv);

    close $in;

    my ($o, $e) = map { local $/; readline($_) // '' } $out, $err;

    waitpid($pid, 0);

    return ($? >> 8, $o, $e);
}


sub ok_run {
    my @argv = @_;
    my ($code, $out, $err) = run(@argv);

    is($code, 0, "rsctl @argv") or diag($out, $err);

    return $out;
}


sub json { return JSON::decode_json(ok_run(@_, '--json')) }


sub no_run {
    my ($status, $why, @argv) = @_;
    my ($code, $out, $err) = run(@argv);

    is($code, $status, "rsctl @argv: $status");
    like($err, $why, 'and why') or diag($out);

    return;
}


# devices

my @device = map { RS::Device->enroll($rest, name => "desk $_") } 1 .. 3;
my $there = $device[0]->connect($gw);
my $evil = RS::Device->enroll($rest, name => 'a name of '
                              . 'x' x 100);

like(ok_run('devices', 'list'), qr/^ID\s+NAME\s+STATE\s/, 'a table');
like(ok_run('devices', 'list'),
     qr/^@{[$device[0]->id]}  desk 1\s+online\s+now\s/m, 'who is there');
like(ok_run('devices', 'list'), qr/^@{[$evil->id]}  a name of x{47}\.\.\.  off/m,
     'a long name is cut');
is(scalar @{ json('devices', 'list')->{items} }, 4, 'all of them');
is_deeply([map { $_->{id} } @{ json('devices', 'list', '--online')->{items} }],
          [$device[0]->id], 'only who is there');
is(scalar @{ json('devices', 'list', '--kind', 'desktop')->{items} }, 4,
   'those that are desktops');
is(scalar @{ json('devices', 'list', '--kind', 'renderer')->{items} }, 0,
   'no renderers');
is(scalar @{ json('devices', 'list', '--offline')->{items} }, 3,
   'only who is not');
is(scalar @{ json('--json', 'devices', 'list', '--limit', 2)->{items} }, 2,
   'options before the command, too');

is(json('devices', 'set', $device[1]->id, '--name', 'reception', '--tag',
        'berlin', '--tag', 'desk')->{name}, 'reception', 'a new name');
is_deeply($rest->get('/devices/' . $device[1]->id)->json->{tags},
          ['berlin', 'desk'], 'and tags');
like(ok_run('devices', 'show', $device[1]->id), qr/^name +reception$/m,
     'shown line by line');
is(scalar @{ json('devices', 'list', '--tag', 'berlin')->{items} }, 1,
   'found by a tag');
is_deeply(json('devices', 'set', $device[1]->id, '--no-tags')->{tags}, [],
          'no tags');

no_run(2, qr/say what to change/, 'devices', 'set', $device[1]->id);
no_run(1, qr/nobody to ask\n +--yes answers/, 'devices', 'remove',
       $device[2]->id);
is($rest->get('/devices/' . $device[2]->id)->status, 200, 'it is still there');
ok_run('devices', 'remove', $device[2]->id, '--yes');
is($rest->get('/devices/' . $device[2]->id)->status, 404, 'it is removed');
no_run(1, qr/404 .*\n +rsctl devices, rsctl sessions list/, 'devices', 'show',
       $device[2]->id);
no_run(2, qr/not dev_ and 26/, 'devices', 'show', 'dev_x');


# sessions

my @session = map {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device[0]->id },
        reason => "call $_" });

    $r->status == 201 or die $r->content;
    $r->json->{id} } 1 .. 3;

like(ok_run('sessions', 'list'), qr/^$session[0]  waiting_host\s.*call 1$/m,
     'by whom and why');
is(scalar @{ json('sessions', 'list')->{items} }, 3, 'all sessions');
is(json('sessions', 'show', $session[1])->{id}, $session[1], 'one of them');

is_deeply(json('end', $session[0])->{ended}, [$session[0]], 'ended');
is(scalar @{ json('sessions', 'list')->{items} }, 2, 'and out of the list');
is(scalar @{ json('sessions', 'list', '--all')->{items} }, 3,
   'but for --all');
no_run(2, qr/ids, --device or --all/, 'end');
no_run(2, qr/ids, --device or --all/, 'end', $session[1], '--all');
no_run(1, qr/End 2 sessions/, 'end', '--all');
is(scalar @{ json('end', '--device', $device[0]->id)->{ended} }, 2,
   "a device's");
is_deeply(json('end', '--all', '--yes')->{ended}, [], 'none is left');


# what others wrote reaches no terminal with what it would act on

my $clean = qx(/usr/bin/python3 -B -c 'import sys; sys.path.insert(0, sys.argv[1])
from rsgw.output import Output
Output().table(["A", "B"], [["\\x1b[31mred", "\\u202eback\\n"]])' @{[top('tools')]});

is($clean, "A         B\n?[31mred  ?back?\n", 'control characters');


# keys

my $made = ok_run('keys', 'create', '--name', 'reader', '--scopes',
                  'devices:read', '--expires', '12h');

like($made, qr/^rsk_default_[a-z2-7]{52}$/, 'a key, alone on stdout');

my $reader = $gw->rest(key => $made =~ s/\n//r);
my ($record) = grep { $_->{name} eq 'reader' }
               @{ json('keys', 'list')->{items} };

is($reader->get('/devices')->status, 200, 'it may what it is for');
ok(abs($record->{expires_at} - time - 43200) < 60, 'for so long');
unlike(ok_run('keys', 'list'), qr/rsk_/, 'no list has a key');

write_file("$dir/reader", $made, 0600);
{
    local $ENV{RSCTL_KEY_FILE} = "$dir/reader";

    no_run(1, qr/403 .*\n +the key has not the scope/, 'sessions', 'list');
}
ok_run('keys', 'revoke', $record->{id});
{
    local $ENV{RSCTL_KEY_FILE} = "$dir/reader";

    no_run(1, qr/401 .*\n +is the key in key_file right/, 'devices', 'list');
}


# drain: it waits until the device is gone, or says that it is not

like(ok_run('drain', 'status'), qr/^gw1: serving, 0 participants, 1 devices$/,
     'how it stands');
no_run(1, qr/421/, 'drain', 'begin', '--node', 'gw2');
no_run(1, qr/not empty after 1 s/, 'drain', 'begin', '--node', 'gw1',
       '--wait', '1s');
is(json('drain', 'status')->{draining}, JSON::true, 'draining');
like(ok_run('drain', 'end'), qr/^gw1: serving/, 'and back');


# settings

conf(key_file => undef);
no_run(1, qr/\[gateway\] has no key_file\n/, 'devices', 'list');
{
    local $ENV{RSCTL_KEY} = read_file($key) =~ s/\n//r;

    ok_run('devices', 'list');
}
conf(key_file => "$dir/none");
no_run(1, qr/key_file \Q$dir\E\/none: No such file/, 'devices', 'list');
conf(keyfile => $key);
no_run(1, qr/\[gateway\] has no key 'keyfile'; there are: url,/, 'devices',
       'list');
conf(url => 'http://gw.example.com/rs/v1');
no_run(1, qr/would travel in the clear/, 'devices', 'list');
conf(url => 'https://u:p@gw.example.com/rs/v1');
no_run(1, qr/not https:\/\/HOST\/BASE/, 'devices', 'list');
conf(url => 'http://127.0.0.1:' . free_port() . '/rs/v1');
no_run(1, qr/cannot be reached.*\n +is nginx up/, 'devices', 'list');
no_run(1, qr/there is no such file/, '--config', "$dir/no.conf", 'devices',
       'list');
write_file("$dir/rsctl.conf", "[gateways]\n");
no_run(1, qr/no section \[gateways\] is known/, 'devices', 'list');
no_run(2, qr/required: COMMAND/);


# a certificate of a name and an authority of one's own

my $tls = RS::Gateway->new(redis => $redis, node => 'gw2', tls => 1);

conf(url => $tls->base, ca_file => $tls->ca);
ok_run('devices', 'list');
conf(url => $tls->base);
no_run(1, qr/certificate.*\n +\[gateway\] ca_file/, 'devices', 'list');

# the port of the url does not matter where an address is given

conf(url => 'https://localhost/rs/v1', ca_file => $tls->ca,
     address => '127.0.0.1:' . $tls->port);
ok_run('devices', 'list');

$_->check_log for $gw, $tls;

done_testing();
