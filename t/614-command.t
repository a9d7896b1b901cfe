# Copyright (C) rs-gateway contributors

# Commands of devices: what is asked for and what is not, who may, what the
# device is told and nobody else, bounds, and what cuts one.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Pipe;
use RS::Redis;
use RS::Util qw(random_id wait_until);

my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis, workers => 2, location => <<'END');
    rs_max_tunnels 6;
    rs_device_tunnels 4;
    rs_tunnel_ttl 2h;
END
my $root = $gw->rest(key => $redis->api_key(name => 'root'));
my $me = $root->get('/me')->json->{id};
my $group = $root->post('/groups', { name => 'shops' })->json->{id};
my $device = RS::Device->enroll($root, enrollment => { group_id => $group });
my $path = '/devices/' . $device->id . '/commands';

$device->connect($gw, worker => 1);


sub run {
    my ($as, %body) = @_;

    return $as->post($path, { command => 'ping', %body });
}


sub audited {
    my (%want) = @_;

    return grep { my $l = $_; !grep { ($l->{$_} // '') ne $want{$_} }
                                    keys %want }
           @{ $root->get('/audit?order=newest&limit=200')->json->{items} };
}


# An API key that has what a grant gives it.

sub desk {
    my (@verbs) = @_;
    my $key = $root->post('/keys', { name => 'desk',
        granted => JSON::true(), scopes => \@verbs })->json;
    my $r = $root->post('/grants', { subject => "key:$key->{id}",
        group_id => $group, verbs => \@verbs });

    die $r->content if $r->status != 201;

    return { rest => $gw->rest(key => $key->{key}), id => $key->{id},
             grant => $r->json->{id} };
}


sub leg {
    my ($side, $ticket) = @_;

    return RS::Pipe::leg({}, $gw, $side, ticket => $ticket,
                         worker => $side eq 'host' ? 1 : 0);
}


# what is asked for, and what the device is told

my %args = (host => 'a;b $(id) ä', count => 3, word => 'hush-hush');
my $r = run($root, args => \%args, secret => ['word'], label => 'T-1',
            ttl_s => 600);

is($r->status, 201, 'a command');

my $c = $r->json;

like($c->{tunnel_id}, qr/^tun_[a-z2-7]{26}$/, 'a tunnel');
like($c->{ticket},
     qr/^default\.\Q@{[ substr $c->{pipe_id}, 4 ]}\E[a-z2-7]{52}$/,
     'with a pipe, and its ticket');
like($c->{url}, qr{^ws://[^/]*/rs/v1/pipe$}, 'and where to go with it');
cmp_ok(abs($c->{expires_at} - time() - 600), '<', 20, 'for so long');
cmp_ok($c->{ticket_expires_at}, '<', $c->{expires_at}, 'the ticket less');

my $open = $device->expect('tunnel');

is_deeply([@{$open}{qw(op tunnel_id pipe_id protocol label requester)}],
          ['open', $c->{tunnel_id}, $c->{pipe_id}, 'tcp', 'T-1',
           { kind => 'key', id => $me, name => 'root' }],
          'the device is asked');
is_deeply($open->{target}, { command => 'ping', args => \%args,
                             secret => ['word'] }, 'for just this');
isnt($open->{ticket}, $c->{ticket}, 'with a ticket of its own');

my $dump = $redis->dump();

unlike($dump, qr/hush-hush/, 'what is secret is nowhere in Redis');
unlike($dump, qr/\Q@{[ substr $_, -52 ]}\E/, 'nor is a ticket')
    for $open->{ticket}, $c->{ticket};

my ($line) = audited(verb => 'commands:run', object => $c->{tunnel_id});

is_deeply([@{$line}{qw(outcome reason)}], ['allow', undef], 'in the audit');
is($line->{actor}{id}, $me, 'who');
like($line->{detail}, qr/^\Q@{[ $device->id ]} $c->{pipe_id} ping {\E/,
     'what, where');
my ($told) = $line->{detail} =~ /ping (\{.*\})$/;

is_deeply(JSON->new->decode($told), { %args, word => '***' },
          'and with which parameters, but for what is secret');

my $t = $root->get("/tunnels/$c->{tunnel_id}");

is($t->json->{target}, 'run ping', 'it is among the tunnels');
is_deeply($t->json->{acl}, { addresses => [], users => [$me] },
          'for who asked');
is($root->post("/tunnels/$c->{tunnel_id}/pipes", {})->status, 409,
   'and has no second pipe');


# its output, and its end

my $host = leg('host', $open->{ticket});

$host->send_frame(opcode => 2, payload => "\0out");
$host->send_frame(opcode => 2, payload => "\1err");
$host->send_frame(opcode => 2, payload => "\2" . '{"exit":3}');

my $client = leg('client', $c->{ticket});

is(RS::Pipe::message($client), "\0out", 'what it wrote before anybody came');
is(RS::Pipe::message($client), "\1err", 'its errors');
is(RS::Pipe::message($client), "\2" . '{"exit":3}', 'its end');
$client->send_frame(opcode => 8, payload => pack 'n', 1000);
is(RS::Pipe::closed($host, 20), '1000', 'who has all of it closes');
wait_until { audited(verb => 'pipe:end', object => $c->{tunnel_id}) } 10,
           'the end is in the audit';
($line) = audited(verb => 'pipe:end', object => $c->{tunnel_id});
like($line->{detail}, qr/^\Q$c->{pipe_id}\E run ping up 0 down 19 s \d+$/,
     'with the bytes');
is($root->get("/tunnels/$c->{tunnel_id}")->status, 404,
   'the tunnel is over with it');


# what is not asked for

my %bad = (
    '/command' => [map { { command => $_ } } '', 'a b', '../x', 'x' x 65, 7,
                   "a\n"],
    '/args' => [{ args => [] }, { args => { 'a b' => 1 } },
                { args => { map { ("p$_" => 1) } 1 .. 17 } },
                { args => { a => 'x' x 4100 } }],
    '/args/a' => [map { { args => { a => $_ } } } '', undef, 1.5, -1, [],
                  JSON::true()],
    '/secret' => [{ secret => 'a' }],
    '/secret/0' => [{ secret => ['a'] }, { args => { a => 1 }, secret => [1] }],
    '/ttl_s' => [{ ttl_s => 0 }, { ttl_s => 7201 }],
    '/label' => [{ label => '' }, { label => "a\nb" }],
    '/origin' => [{ origin => 'nowhere' }],
);

for my $pointer (sort keys %bad) {
    for my $body (@{ $bad{$pointer} }) {
        $r = run($root, %$body);
        is($r->status == 422 && $r->json->{pointer}, $pointer,
           "$pointer is told");
    }
}

is($root->post($path, {})->status, 422, 'no command');
is(run($root, argv => ['/bin/sh'])->json->{code}, 'unknown_field',
   'nothing else');
is($root->post('/devices/' . random_id('dev_') . '/commands',
               { command => 'ping' })->status, 404, 'no such device');


# who may

my @CASES = (
    [['commands:run', 'devices:read'], 201],
    [['commands:run'], 201],
    [['devices:read'], 403],
    [['tunnels:write', 'tunnels:use', 'devices:read'], 403],
    [['devices:write', 'sessions:control', 'devices:read'], 403],
);

for my $case (@CASES) {
    my ($verbs, $status) = @$case;
    my $desk = desk(@$verbs);

    $r = run($desk->{rest});
    is($r->status, $status, "@$verbs: $status");
    next if $status != 201;
    $device->expect('tunnel');
    is($root->delete('/tunnels/' . $r->json->{tunnel_id})->status, 204,
       'it is ended');
}

my $key = $root->post('/keys', { name => 'none', granted => JSON::true(),
                                 scopes => ['commands:run'] })->json;

is(run($gw->rest(key => $key->{key}))->status, 404, 'without a grant');
ok(audited(verb => 'commands:run', outcome => 'deny', reason => 'not_found'),
   'which is in the audit');
is(run($gw->rest(key => 'rsk_default_' . 'a' x 52))->status, 401, 'nobody');


# it says no: to who waits, and to who comes later

for my $when ('waits', 'is late') {
    $c = run($root)->json;
    $device->expect('tunnel');
    $client = leg('client', $c->{ticket}) if $when eq 'waits';
    wait_until { $redis->call('HGET', "rs:{default}:pip:$c->{pipe_id}",
                              'client') } 10, 'it is there'
        if $when eq 'waits';
    $device->send_json({ type => 'tunnel', op => 'refused',
                         tunnel_id => $c->{tunnel_id},
                         pipe_id => $c->{pipe_id}, reason => 'policy',
                         detail => 'no such [command]' });
    wait_until { audited(verb => 'pipe:refuse',
                         object => $c->{tunnel_id}) } 10, 'refused';
    $client = leg('client', $c->{ticket}) if $when ne 'waits';
    is(RS::Pipe::closed($client, 20), '4403 forbidden',
       "who $when is told");
    is($root->get("/tunnels/$c->{tunnel_id}")->status, 404, 'it is over');
}


# what cuts one

my $n = 0;


sub cuts {
    my ($name, $told, $do) = @_;
    my $desk = desk('commands:run', 'devices:read', 'tunnels:read');
    my $c = run($desk->{rest})->json;
    my $host = leg('host', $device->expect('tunnel', 20)->{ticket});
    my $client = leg('client', $c->{ticket});

    $host->send_frame(opcode => 2, payload => "\0x");
    is(RS::Pipe::message($client), "\0x", "$name: it runs");
    $do->($desk, $c);
    is(RS::Pipe::closed($client, 20), $told, "$name: $told");
    isnt(RS::Pipe::closed($host, 20), '1000', "$name: the device is told");
    wait_until { audited(verb => 'pipe:end', object => $c->{tunnel_id}) } 10,
               "$name: in the audit";

    my ($line) = audited(verb => 'pipe:end', object => $c->{tunnel_id});

    is($line->{reason}, ($told =~ /(\w+)$/)[0], "$name: with why");

    return;
}


cuts('the grant goes', '4403 forbidden',
     sub { $root->delete("/grants/$_[0]{grant}") });
cuts('the key goes', '4401 unauthenticated',
     sub { $root->delete("/keys/$_[0]{id}") });
cuts('somebody ends it', '4410 tunnel_ended',
     sub { $root->delete("/tunnels/$_[1]{tunnel_id}") });


# bounds

is(scalar @{ $root->get('/tunnels')->json->{items} }, 0, 'none is left');

my @all = map { run($root) } 1 .. 5;

is_deeply([map { $_->status } @all], [201, 201, 201, 201, 429],
          'four of a device');
is($all[4]->json->{code}, 'limit_reached', 'and no more');
is($root->delete('/tunnels/' . $all[0]->json->{tunnel_id})->status, 204,
   'one is ended');
is(run($root)->status, 201, 'which makes room');


# not there

$device->ws->close;
wait_until { !$root->get('/devices/' . $device->id)->json->{online} } 10,
           'it is off line';
$r = run($root);
is_deeply([$r->status, $r->json->{code}], [409, 'device_offline'],
          'nobody is asked');


# events and counters

my %seen;

for (@{ $redis->call('XRANGE', 'rs:{default}:ev', '-', '+') }) {
    my %event = @{ $_->[1] };

    $seen{$event{t}}++;
    unlike($event{b}, qr/hush-hush|\$\(id\)/, "$event{t}: no parameters");
}

cmp_ok($seen{"command.$_"} // 0, '>', 0, "command.$_")
    for qw(started refused ended);
is($seen{'tunnel.created'} // 0, 0, 'none is told as a tunnel');

$gw->check_log();
done_testing();
