# Copyright (C) rs-gateway contributors

# Tunnels: made, listed, changed and removed; whom pipes of them are for; what
# a device is asked and what comes of its no; pipes of a session; what is left
# in the audit and told as events.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(random_id wait_until);

my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis, workers => 2, location => <<'END');
    rs_max_tunnels 6;
    rs_device_tunnels 4;
    rs_tunnel_pipes 3;
    rs_tunnel_ttl 1h;
END
my $rest = $gw->rest(key => $redis->api_key(name => 'help desk'));
my $me = $rest->get('/me')->json->{id};
my $device = RS::Device->enroll($rest, name => 'desk');
my $other = RS::Device->enroll($rest, name => 'another');
my $path = '/devices/' . $device->id . '/tunnels';

$device->connect($gw, worker => 1);
$other->connect($gw, worker => 0);


sub tunnel {
    my (%body) = @_;
    my $r = $rest->post($path, { target => '127.0.0.1:22', %body });

    return $r->status == 201 ? $r->json : $r;
}


sub remove { is($rest->delete("/tunnels/$_[0]{id}")->status, 204, 'removed') }


sub pipe_of {
    my ($t, $as) = @_;

    return ($as // $rest)->post("/tunnels/$t->{id}/pipes", {});
}


sub patch {
    my ($t, $body) = @_;
    my $etag = $rest->get("/tunnels/$t->{id}")->header('ETag');

    return $rest->request('PATCH', "/tunnels/$t->{id}", body => $body,
                          headers => { 'If-Match' => $etag });
}


sub audited {
    my (%want) = @_;

    return grep { my $l = $_; !grep { ($l->{$_} // '') ne $want{$_} }
                                    keys %want }
           @{ $rest->get('/audit?order=newest&limit=200')->json->{items} };
}


# what is made, and what is not

my $t = tunnel(label => 'ssh', idle_s => 60, ttl_s => 600);

is_deeply([@{$t}{qw(device_id target protocol label idle_s pipes opened
                    bytes_up bytes_down used_at)}],
          [$device->id, '127.0.0.1:22', 'tcp', 'ssh', 60, 0, 0, 0, 0, undef],
          'a tunnel');
is_deeply($t->{acl}, { addresses => [], users => [$me] },
          'is for who made it alone');
is_deeply($t->{created_by}, { kind => 'key', id => $me, name => 'help desk' },
          'who made it');
is($t->{expires_at} - $t->{created_at}, 600, 'for so long');

my %bad = (
    '/target' => [map { { target => $_ } } '', '127.0.0.1', '127.0.0.1:0',
                  'a b:1', '::1:22', 'user@h:22', 'x' x 300 . ':1'],
    '/protocol' => [{ protocol => 'sctp' },
                    { target => 'shell', protocol => 'udp' }],
    '/ttl_s' => [{ ttl_s => 0 }, { ttl_s => 3601 }],
    '/idle_s' => [{ idle_s => 0 }, { idle_s => 86401 }],
    '/label' => [{ label => '' }, { label => "a\nb" }],
    '/acl' => [{ acl => [] }],
    '/acl/addresses' => [{ acl => { addresses => [] } },
                         { acl => { addresses => [('10.0.0.1') x 17] } }],
    '/acl/addresses/0' => [map { { acl => { addresses => [$_] } } }
                           '10.0.0.1/8', '10.0.0.0/33', 'host', '*', 7,
                           '::ffff:10.0.0.0-2001:db8::1', '10.0.0.9-10.0.0.1'],
    '/acl/users/1' => [{ acl => { users => [$me, 'usr_x'] } },
                       { acl => { users => [$me, '*'] } }],
    '/acl/all' => [{ acl => { all => 1 } }],
);

for my $pointer (sort keys %bad) {
    for my $body (@{ $bad{$pointer} }) {
        my $r = tunnel(%$body);

        is(ref $r ne 'HASH' && $r->status == 422 && $r->json->{pointer},
           $pointer, "$pointer is told");
    }
}

is($rest->post('/devices/' . random_id('dev_') . '/tunnels',
               { target => 'shell' })->status, 404, 'no such device');


# the device is asked, by a ticket that nobody else has seen

my $p = pipe_of($t);

is($p->status, 201, 'a pipe');
$p = $p->json;
like($p->{ticket}, qr/^default\.\Q@{[ substr $p->{pipe_id}, 4 ]}\E[a-z2-7]{52}$/,
     'its ticket');
like($p->{url}, qr{^ws://[^/]*/rs/v1/pipe$}, 'and where to go with it');

my $open = $device->expect('tunnel');

is_deeply([@{$open}{qw(op tunnel_id pipe_id target protocol label requester)}],
          ['open', $t->{id}, $p->{pipe_id}, { host => '127.0.0.1', port => 22 },
           'tcp', 'ssh', { kind => 'key', id => $me, name => 'help desk' }],
          'what the device is asked');
like($open->{ticket}, qr/^default\.\Q@{[ substr $p->{pipe_id}, 4 ]}\E[a-z2-7]{52}$/,
     'with a ticket of its own');
isnt($open->{ticket}, $p->{ticket}, 'which is another one');

my $dump = $redis->dump();

unlike($dump, qr/\Q@{[ substr $_, -52 ]}\E/, 'none is in Redis')
    for $open->{ticket}, $p->{ticket};
is($rest->get("/tunnels/$t->{id}")->json->{pipes}, 1, 'one is open');

my $shell = tunnel(target => 'shell');

pipe_of($shell);
is($device->expect('tunnel')->{target}, 'shell', 'a shell');

my $six = tunnel(target => '[2001:db8::1]:443');

pipe_of($six);
is_deeply($device->expect('tunnel')->{target},
          { host => '2001:db8::1', port => 443 }, 'IPv6');
remove($_) for $shell, $six;


# it says no: only of what it was asked

sub ended { return $redis->call('HGET', "rs:{default}:pip:$_[0]", 'ended') }


sub refuse {
    my ($d, $pipe, $reason) = @_;

    $d->send_json({ type => 'tunnel', op => 'refused', tunnel_id => $t->{id},
                    pipe_id => $pipe, reason => $reason,
                    detail => 'because' });
    $d->send_json({ type => 'ping' });
    $d->expect('pong');
}


refuse($other, $p->{pipe_id}, 'policy');

my %told = (target_refused => 'target_refused', policy => 'forbidden',
            target_unreachable => 'target_unreachable', busy => 'overloaded');
my @pipes = ($p->{pipe_id});

for my $reason (sort keys %told) {
    my $id = pop @pipes;

    if (!$id) {
        $id = pipe_of($t)->json->{pipe_id};
        $device->expect('tunnel');
    }

    is(ended($id), undef, 'another device says nothing') if $id eq $p->{pipe_id};
    refuse($device, $id, $reason);
    wait_until { ended($id) } 10, 'the store knows';
    is(ended($id), $told{$reason}, "$reason: the client is told $told{$reason}");

    my ($line) = audited(verb => 'pipe:refuse', reason => $told{$reason});

    is($line->{object}, $t->{id}, "$reason: in the audit");
    like($line->{detail}, qr/^\Q$id\E \Q@{[ $device->id ]}\E $reason because$/,
         "$reason: with the device's words");
}

is($rest->get("/tunnels/$t->{id}")->json->{pipes}, 0, 'none is open');


# whom it is for

my $key = $redis->api_key(name => 'another desk');
my $them = $gw->rest(key => $key);
my $they = $them->get('/me')->json->{id};

is(pipe_of($t, $them)->status, 403, 'not for another key');
is(scalar audited(verb => 'tunnels:use', outcome => 'deny', object => $t->{id},
                  reason => 'forbidden'), 1, 'which is in the audit');
is(patch($t, { acl => { users => [$they] } })->json->{acl}{users}[0], $they,
   'the list is changed');
is(pipe_of($t, $them)->status, 201, 'for another key');
is(pipe_of($t)->status, 403, 'and no longer for who made it');

my %from = (
    '127.0.0.0/8' => 201, '127.0.0.1' => 201, '::ffff:127.0.0.0/104' => 201,
    '127.0.0.1-127.0.0.2' => 201, '10.0.0.0/8' => 403, '::/0' => 403,
    '127.0.0.2-127.255.255.255' => 403,
);

for my $net (sort keys %from) {
    $t = tunnel(acl => { addresses => [$net] });
    is_deeply($t->{acl}, { addresses => [$net], users => [$me] }, "from $net");
    is(pipe_of($t)->status, $from{$net}, "from $net: $from{$net}");
    remove($t);
}

is(patch(tunnel(), { acl => undef, label => undef })->json->{acl}{users}[0],
   $me, 'no list is for who made it');


# bounds

my @all = map { tunnel() } 1 .. 3;

is($all[2]->status, 429, 'four of a device');
is(RS::Gateway::rest($gw, key => $redis->api_key())->post(
       '/devices/' . $other->id . '/tunnels', { target => 'shell' })->status,
   201, 'of another one') for 1, 2;
is($rest->post('/devices/' . $other->id . '/tunnels',
               { target => 'shell' })->status, 429, 'six of the tenant');
is(pipe_of($all[0])->status, 201, 'a pipe') for 1 .. 3;
is(pipe_of($all[0])->status, 429, 'three of a tunnel');


# lists, versions, removal

my $listed = $rest->get('/tunnels?device_id=' . $other->id)->json->{items};

is(scalar @$listed, 2, 'of one device');
is(scalar @{ $rest->get('/tunnels')->json->{items} }, 6, 'all');
is($rest->request('PATCH', "/tunnels/$all[0]{id}", body => {},
                  headers => { 'If-Match' => '"7"' })->status, 412,
   'another version');
remove($all[0]);
is($rest->get("/tunnels/$all[0]{id}")->status, 404, 'it is gone');
is(pipe_of($all[0])->status, 404, 'and so are its pipes');
is($rest->delete("/tunnels/$all[0]{id}")->status, 404, 'once');
is(scalar audited(verb => 'tunnels:write', object => $all[0]{id},
                  detail => 'deleted'), 1, 'in the audit');

is($rest->delete('/devices/' . $other->id)->status, 204, 'a device goes');
is(scalar @{ $rest->get('/tunnels?device_id=' . $other->id)->json->{items} },
   0, 'with its tunnels');
$device->ws->close;
wait_until { !$rest->get('/devices/' . $device->id)->json->{online} } 10,
           'it is off line';
is(pipe_of($all[1])->json->{code}, 'device_offline', 'nobody is asked');


# events

my %seen;
my $events = $redis->call('XRANGE', 'rs:{default}:ev', '-', '+');

for (@$events) {
    my %event = @{ $_->[1] };

    $seen{$event{t}}++;
}

cmp_ok($seen{"tunnel.$_"} // 0, '>', 0, "tunnel.$_")
    for qw(created updated deleted opened refused);


# a session's pipe: the host and one other, by a name they agree on

$device->connect($gw, worker => 1);

my $s = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'controller' }, { role => 'viewer' }] })->json;
my $host = $device->join($gw, $device->expect('invite'), worker => 1);
my ($ana, $bo) = grep { $_->{ticket} } @{ $s->{participants} };
my ($host_id) = map { $_->{id} } grep { $_->{role} eq 'host' }
                @{ $rest->get("/sessions/$s->{id}")->json->{participants} };
my ($a, $b) = map { my $ws = $gw->signal("rs.ticket.$_->{ticket}");
                    $ws->expect('welcome'); $ws } $ana, $bo;
my $id = 0;


sub ask {
    my ($ws, $with, $name) = @_;

    $ws->send_json({ type => 'pipe', with => $with, name => $name,
                     id => ++$id });

    while (1) {
        my $m = $ws->recv(20)->{json};

        return $m if $m->{type} =~ /^(?:pipe|error)$/;
    }
}


my $name = substr random_id('pip_'), 4;
my $client = ask($a, $host_id, $name);

is_deeply([@{$client}{qw(id pipe_id side)}], [1, "pip_$name", 'client'],
          'the client\'s side');
like($client->{ticket}, qr/^default\.\Q$name\E[a-z2-7]{52}$/, 'its ticket');
is(ask($host, $ana->{id}, $name)->{side}, 'host', 'the host\'s');
is_deeply([@{ ask($b, $host_id, $name) }{qw(code id)}], ['conflict', 3],
          'the name is taken');
is(ask($b, $ana->{id}, substr(random_id('pip_'), 4))->{code}, 'forbidden',
   'two guests');
is(ask($b, random_id('par_'), substr(random_id('pip_'), 4))->{code},
   'unknown_peer', 'a stranger');
is(ask($b, $host_id, substr(random_id('pip_'), 4))->{side}, 'client',
   'another pair') for 1 .. 15;
is(ask($b, $host_id, substr(random_id('pip_'), 4))->{code}, 'limit_reached',
   'sixteen of a session');
unlike($redis->dump(), qr/\Q@{[ substr $client->{ticket}, -52 ]}\E/,
       'no ticket is in Redis');


$gw->check_log();
done_testing();
