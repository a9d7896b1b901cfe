# Copyright (C) rs-gateway contributors

# TURN secrets derived from a key file: what is minted is of the realm and the
# day of the user name, by whichever worker; a participant keeps his user name
# for a while, and no credential outlives its session.  A tenant is in the
# table of tenants before anybody hears of its first session.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(hmac_sha1_base64 hmac_sha256);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(tempdir write_file wait_until);

my @master = ('8e1c74f0a95d3b6217c05f09bd7731ce48a2d6f01b9c835e7a4fd2069c1b7e38',
              '3b9f0c62d7e145a88c1e60f7b2945d3a09e7c4816fd25b0ba3784e9125dc60f1');
my $realm = 'turn.example';
my $file = tempdir() . '/turn.key';

write_file($file, "# the first one\n$master[0]\n", 0600);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, location => <<"END");
            rs_turn_server eu turn:turn.test:3478;
            rs_turn_key_file $file;
            rs_turn_realm $realm;
            rs_session_ttl 1h;
END
my $rest = $gw->rest(key => $redis->api_key);


# RFC 5869 in Perl: one block is enough for 32 bytes

sub secret {
    my ($master, $epoch) = @_;
    my $prk = hmac_sha256(pack('H*', $master), $realm);

    return unpack 'H*', hmac_sha256('rs-turn' . pack('Q>', $epoch) . "\x01",
                                    $prk);
}


sub password {
    my ($master, $username) = @_;
    my ($expiry) = $username =~ /^(\d+):/;
    my $p = hmac_sha1_base64($username, secret($master, int($expiry / 86400)));

    return $p . '=' x (-length($p) % 4);
}


# The credential of an ICE answer.

sub turn {
    my ($ice) = @_;
    my ($t) = grep { $_->{username} } @{ $ice->{iceServers} };

    return $t;
}


sub expiry { return $_[0]{username} =~ /^(\d+):/ ? $1 : undef }
sub field { return $redis->call('HGET', "rs:{default}:ses:$_[0]", $_[1]) }


# the first session of the tenant, watched from outside

my $monitor = $redis->monitor();
my $mark = 0;


# How often was the function called since the last time?

sub called {
    my ($function) = @_;
    my $n = 0;

    $redis->call('ECHO', 'mark ' . ++$mark);

    while (defined(my $line = $monitor->next(10))) {
        return $n if $line =~ /"ECHO" "mark $mark"/i;
        $n++ if $line =~ /"$function"/;
    }

    die 'MONITOR says nothing';
}


sub tens { return $redis->call('ZSCORE', 'rs:{w}:tens', 'default') }


subtest 'REST' => sub {
    my $r = $rest->post('/ice', { ttl_s => 200 });
    my $t = turn($r->json);
    my ($id) = $t->{username} =~ /(ses_\w+)/;

    is($r->status, 200, 'POST /ice');
    is($t->{credential}, password($master[0], $t->{username}),
       'the password is of the derived secret');
    is(expiry($t), field($id, 'expires_at'), 'and ends with its session');
    cmp_ok(abs(tens() - time() - 3800), '<=', 10,
           'plugins look for its sessions');

    $r = $rest->get('/turn?service=turn');
    $t = $r->json;

    is($r->status, 200, 'GET /turn');
    is($t->{password}, password($master[0], $t->{username}), 'the password');
};


my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);


sub session {
    my (%body) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }], %body });

    die $r->content if $r->status != 201;

    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };

    return ($r->json->{id}, $p->{ticket}, $device->expect('invite'));
}


subtest 'a session' => sub {
    my ($id, $ticket, $invite) = session();
    my $host = $device->join($gw, $invite, worker => 1);
    my $ws = $gw->signal("rs.ticket.$ticket", worker => 0);
    my $w = $ws->expect('welcome');
    my @t = (turn($w->{ice}));

    is($t[0]{credential}, password($master[0], $t[0]{username}),
       'its welcome has a password of the derived secret');
    like($t[0]{username}, qr/^\d+:default\.\Q$id\E\.\Q$w->{self}\E$/, 'who');
    cmp_ok(abs(expiry($t[0]) - time() - $w->{ice}{ttl_s}), '<=', 2,
           'until when');
    cmp_ok($w->{ice}{ttl_s}, '<=', 300, 'not longer than rs_turn_ttl');
    cmp_ok($w->{ice}{ttl_s}, '>', 220, 'nor much shorter');

    for (1 .. 3) {
        $ws->send_json({ type => 'ice' });
        push @t, turn($ws->expect('ice')->{ice});
    }

    # elsewhere

    $ws->reset();
    $ws = $gw->signal("rs.resume.$w->{resume}.$w->{position}", worker => 1);
    push @t, turn($ws->expect('welcome')->{ice});

    is_deeply([grep { (expiry($_) - 300) % 75 } @t], [],
              'one user name for a quarter of the time, on all workers');
    is_deeply([map { expiry($_) } @t], [sort map { expiry($_) } @t],
              'never an older one');
    is_deeply([grep { $_->{credential} ne password($master[0], $_->{username}) }
               @t], [], 'passwords are right');

    is($rest->delete("/sessions/$id")->status, 204, 'ended');
};


subtest 'a short session' => sub {
    my ($id, $ticket) = session(ttl_s => 100);
    my $ws = $gw->signal("rs.ticket.$ticket", worker => 0);
    my $ice = $ws->expect('welcome')->{ice};

    is(expiry(turn($ice)), field($id, 'expires_at'),
       'the credential ends with it');
    cmp_ok($ice->{ttl_s}, '<=', 100, 'and says so');
    is($rest->delete("/sessions/$id")->status, 204, 'ended');
};


# its own socket for each worker: both know the tenant from then on

sub on {
    my ($worker, $ttl) = @_;
    my $r = $rest->request('POST', '/ice', body => { ttl_s => $ttl // 300 },
                           socket => $gw->socket(worker => $worker));

    is($r->status, 200, "worker $worker: POST /ice");

    return;
}


subtest 'tenants' => sub {
    on(0);
    on(1);
    called('rs_turn_tenant');
    on($_ % 2) for 1 .. 6;
    is(called('rs_turn_tenant'), 0, 'who has told does not tell each time');

    my ($id) = session(ttl_s => 3600);

    is(called('rs_turn_tenant'), 0, 'nor for as long a session');
    is($rest->delete("/sessions/$id")->status, 204, 'ended');

    # a primary that does not know of it

    $redis->call('DEL', 'rs:{w}:tens');
    $redis->stop;
    $redis->start;
    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'the gateway';

    # for longer than the sessions of an hour that it has

    wait_until { (tens() // 0) - time() > 3600 } 10, 'the tenant';
    pass('who was told is told again, for as long as before');
};


subtest 'a stranger' => sub {
    $monitor = $redis->monitor();

    for my $key ('rsk_nobody_' . 'a' x 52, 'rsk_default_' . 'a' x 52) {
        my $stranger = $gw->rest(key => $key);

        $rest->problem($stranger->post('/ice'), 401, 'unauthenticated');
        $rest->problem($stranger->post('/sessions', {
            host => { type => 'device', device_id => $device->id } }), 401,
            'unauthenticated');
    }

    is(called('rs_turn_tenant'), 0, 'makes up no tenant');

    # one that there is, and the second worker that hears of it

    my $other = $gw->rest(key => $redis->api_key(tenant => 'other'));

    for my $worker (0, 1, 0, 1) {
        is($other->request('POST', '/ice', body => {},
                           socket => $gw->socket(worker => $worker))->status,
           200, 'another tenant');
    }

    is(called('rs_turn_tenant'), 2, 'is told once by each worker');
    is_deeply([sort @{ $redis->call('ZRANGE', 'rs:{w}:tens', 0, -1) }],
              ['default', 'other'], 'who there is');
};


subtest 'the key is changed' => sub {
    $device->ws->reset();

    my $epoch = int((time() + 300) / 86400);

    write_file($file, "$master[0]\n$master[1] from $epoch\n", 0600);
    $gw->reload;

    my $r = $rest->post('/ice');
    my $t = turn($r->json);

    is($t->{credential},
       password($master[expiry($t) >= $epoch * 86400], $t->{username}),
       'the new one is for user names of its days');
};


unlike($gw->error_log, qr/$master[0]|$master[1]/, 'no key is in the log');
unlike($gw->error_log, qr/a call ended with/, 'no call failed');


# nobody is given a session that the plugins might not find

subtest 'the table cannot be written' => sub {
    my $third = $gw->rest(key => $redis->api_key(tenant => 'third'));

    on(0);
    $redis->call('DEL', 'rs:{w}:tens');
    $redis->call('SET', 'rs:{w}:tens', 'x');
    $rest->problem($third->post('/ice'), 503, 'unavailable');
    on(0);
    pass('who is in it already goes on');
    $redis->call('DEL', 'rs:{w}:tens');
    is($third->post('/ice')->status, 200, 'tried again, it can');
};

$gw->stop;
$gw->check_log;

done_testing();
