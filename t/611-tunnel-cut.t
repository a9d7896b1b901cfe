# Copyright (C) rs-gateway contributors

# What cuts pipes of tunnels, within two seconds: each way in which who has one
# may no more.  Whole: calls of REST, a device that is asked, both legs, at
# two workers, and what is left in the audit.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::Pipe;
use RS::Redis;
use RS::Util qw(now patience random_id start wait_until);

my @VERBS = qw(devices:read tunnels:read tunnels:write tunnels:use);
my $redis = RS::Redis->new(acl => 1);
my $issuer = RS::Issuer->new();

# Workers that know each other by Redis only have no way to carry a pipe.

my $gw = RS::Gateway->new(redis => $redis, workers => 2, ipc => 'on',
                          location => $issuer->conf . <<'END');
    rs_oidc_tenant_claim tenants;
    rs_oidc_role technician techs;
    rs_device_tunnels 64;
END
my $root = $gw->rest(key => $redis->api_key(name => 'root'));
my $group = $root->post('/groups', { name => 'shops' })->json->{id};
my $elsewhere = $root->post('/groups', { name => 'depot' })->json->{id};


sub device {
    my $d = RS::Device->enroll($root, enrollment => { group_id => $group });

    $d->connect($gw, worker => 1);

    return $d;
}


my $device = device();


# An API key that has what its grant gives it; a user of a role.

sub desk {
    my $key = $root->post('/keys', { name => 'desk',
        granted => JSON::true(), scopes => \@VERBS })->json;

    return granted($gw->rest(key => $key->{key}), 'key', $key->{id});
}


sub granted {
    my ($rest, $kind, $id) = @_;
    my $r = $root->post('/grants', { subject => "$kind:$id",
        group_id => $group, verbs => \@VERBS });

    die $r->content if $r->status != 201;

    return { rest => $rest, id => $id, grant => $r->json->{id} };
}


sub user {
    my ($name) = @_;
    my $rest = $gw->rest(key => $issuer->token(sub => $name,
        groups => ['techs'], tenants => ['default']));

    return granted($rest, 'user', $rest->get('/me')->json->{id});
}


sub tunnel {
    my ($who, $d, %body) = @_;
    my $r = $who->{rest}->post('/devices/' . $d->id . '/tunnels',
                               { target => '127.0.0.1:22', %body });

    die $r->content if $r->status != 201;

    return $r->json;
}


# A pipe with both legs, through which something went.

sub pipe_of {
    my ($who, $t, $d) = @_;
    my $r = $who->{rest}->post("/tunnels/$t->{id}/pipes", {});

    die $r->content if $r->status != 201;

    my $p = $r->json;
    my $open = $d->expect('tunnel', 20);
    my %leg = (
        host => RS::Pipe::leg({}, $gw, 'host', ticket => $open->{ticket},
                              worker => 1),
        client => RS::Pipe::leg({}, $gw, 'client', ticket => $p->{ticket},
                                worker => 0),
    );

    for my $way (['client', 'host'], ['host', 'client']) {
        $leg{$way->[0]}->send_frame(opcode => 2, payload => 'x');
        RS::Pipe::message($leg{$way->[1]});
    }

    return { %leg, id => $p->{pipe_id}, tunnel => $t->{id} };
}


# Done, it is cut at both ends soon, and the audit says why.

sub cuts {
    my ($name, $p, $told, $do) = @_;
    my ($code) = $told =~ /(\w+)$/;
    my $start = start();

    $do->();

    my $began = now();

    is(RS::Pipe::closed($p->{client}, 20), $told, "$name: $told");
    cmp_ok(now() - $began, '<', patience($start, 2), "$name: at once");
    isnt(RS::Pipe::closed($p->{host}, 20), '1000',
         "$name: no end of a stream for the device");

    my $line;

    wait_until {
        ($line) = grep { $_->{verb} eq 'pipe:end'
                         && $_->{detail} =~ /^\Q$p->{id}\E / }
                  @{ $root->get('/audit?order=newest&limit=50')
                          ->json->{items} };
    } 10, "$name: in the audit";
    is($line->{reason}, $code, "$name: with why");
    is($line->{object}, $p->{tunnel}, "$name: and of what");
    like($line->{detail}, qr/ up \d+ down 1 /, "$name: and the bytes");
}


sub change {
    my ($t, $body) = @_;
    my $r = $root->request('PATCH', "/tunnels/$t->{id}", body => $body,
        headers => { 'If-Match' => $root->get("/tunnels/$t->{id}")
                                        ->header('ETag') });

    die $r->content if $r->status != 200;
}


# the list is edited while a pipe is open; who is still on it keeps his

my ($ana, $bo) = map { desk() } 1, 2;
my $t = tunnel($ana, $device, acl => { users => [$ana->{id}, $bo->{id}] });
my ($hers, $his) = map { pipe_of($_, $t, $device) } $ana, $bo;

cuts('off the list', $his, '4403 forbidden',
     sub { change($t, { acl => { users => [$ana->{id}] } }) });
$hers->{client}->send_frame(opcode => 2, payload => 'still');
is(RS::Pipe::message($hers->{host}), 'still', 'who is on it goes on');
cuts('from elsewhere', $hers, '4403 forbidden',
     sub { change($t, { acl => { users => [$ana->{id}],
                                 addresses => ['10.0.0.0/8'] } }) });
is($ana->{rest}->post("/tunnels/$t->{id}/pipes", {})->status, 403,
   'and gets no other one');


# the tunnel

$t = tunnel($ana, $device);
cuts('deleted', pipe_of($ana, $t, $device), '4410 tunnel_ended',
     sub { $root->delete("/tunnels/$t->{id}") });

$t = tunnel($ana, $device, ttl_s => 4);
my $short = pipe_of($ana, $t, $device);
cuts('its time is over', $short, '4410 tunnel_ended',
     sub { wait_until { time() >= $t->{expires_at} } 10, 'its end' });


# who opened it

$t = tunnel($ana, $device);
cuts('the grant', pipe_of($ana, $t, $device), '4403 forbidden',
     sub { $root->delete("/grants/$ana->{grant}") });

$t = tunnel($bo, $device);
cuts('the key', pipe_of($bo, $t, $device), '4401 unauthenticated',
     sub { $root->delete("/keys/$bo->{id}") });

my $eve = user('eve');

$t = tunnel($eve, $device);
cuts('signed out', pipe_of($eve, $t, $device), '4401 unauthenticated',
     sub { $root->post("/users/$eve->{id}/revoke") });


# the device

my $gus = desk();
my $moved = device();

$t = tunnel($gus, $moved);
cuts('moved to another group', pipe_of($gus, $t, $moved), '4403 forbidden',
     sub {
         my $path = '/devices/' . $moved->id;

         $root->request('PATCH', $path, body => { group_id => $elsewhere },
                        headers => { 'If-Match' => $root->get($path)
                                                        ->header('ETag') });
     });

my $removed = device();

$t = tunnel($gus, $removed);
cuts('removed', pipe_of($gus, $t, $removed), '4403 device_removed',
     sub { $root->delete('/devices/' . $removed->id) });
is($root->get("/tunnels/$t->{id}")->status, 404, 'removed: with its tunnels');


# it says no, to who waits and to who comes later

for my $when ('waits', 'is late') {
    $t = tunnel($gus, $device);

    my $p = $gus->{rest}->post("/tunnels/$t->{id}/pipes", {})->json;
    my $open = $device->expect('tunnel', 20);
    my $leg = sub { RS::Pipe::leg({}, $gw, 'client', ticket => $p->{ticket},
                                  worker => 0) };
    my $client = $when eq 'waits' ? $leg->() : undef;
    my $pip = "rs:{default}:pip:$p->{pipe_id}";

    wait_until { $redis->call('HGET', $pip, 'client') } 10, 'it is there'
        if $client;
    $device->send_json({ type => 'tunnel', op => 'refused',
                         tunnel_id => $t->{id}, pipe_id => $p->{pipe_id},
                         reason => 'target_refused' });
    wait_until { $redis->call('HGET', $pip, 'ended') } 10, 'refused';
    $client //= $leg->();
    is(RS::Pipe::closed($client, 20), '4521 target_refused',
       "the client $when: told why");
}


# nobody comes: the device is told that it need not

$t = tunnel($gus, $device);

my $p = $gus->{rest}->post("/tunnels/$t->{id}/pipes", {})->json;

$device->expect('tunnel', 20);

my $client = RS::Pipe::leg({}, $gw, 'client', ticket => $p->{ticket},
                           worker => 0);

wait_until { $redis->call('HGET', "rs:{default}:pip:$p->{pipe_id}", 'client') }
           10, 'it is there';
$client->close;

my $cut = $device->expect('tunnel', 20);

is_deeply([@{$cut}{qw(op pipe_id)}], ['cut', $p->{pipe_id}],
          'a client that leaves: the device is told');


$gw->check_log();
done_testing();
