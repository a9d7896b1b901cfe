# Copyright (C) rs-gateway contributors

# The client leaves while the store has not answered yet: at every step of an
# upgrade, of a device's hello, of a message, of each kind of REST call.  The
# store is held by SIGSTOP, so that the reply is surely under way; then it
# goes on, or it is killed.  Run under the sanitizers too.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::Redis;
use RS::Util qw(wait_until);
use RS::WS;

my $issuer = RS::Issuer->new();
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 1,
                          http => 'rs_redis_timeout 5s;',
                          location => $issuer->conf . '
                              rs_resume_grace 1s;
                              rs_oidc_role admin admins;
                          ');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw);

my $enrollment = $rest->post('/enrollments', { max_uses => 100 })->json;


sub session {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;
    $device->expect('invite');

    return $r->json;
}


sub ticket {
    my ($s) = @_;

    return (grep { $_->{ticket} } @{ $s->{participants} })[0]{ticket};
}


# what the worker's answer to a liveness request means: it has worked off
# everything that came before on its event loop

sub served {
    my ($name) = @_;
    my $r = $rest->get('/health/live');

    is($r->status, 200, "$name: the worker serves");

    return;
}


my $json = { type => 'device', device_id => $device->id };

my %rest = (
    'POST /sessions'        => ['POST', '/sessions', { host => $json }],
    'GET /sessions'         => ['GET', '/sessions'],
    'GET /devices'          => ['GET', '/devices'],
    'GET /devices/{id}'     => ['GET', '/devices/' . $device->id],
    'GET /sessions/{id}'    => ['GET', '/sessions/ses_' . 'a' x 26],
    'DELETE /sessions/{id}' => ['DELETE', '/sessions/ses_' . 'a' x 26],
    'POST /enrollments'     => ['POST', '/enrollments', {}],
    'POST /ice'             => ['POST', '/ice', {}],
    'GET /me'               => ['GET', '/me'],
    'POST /groups'          => ['POST', '/groups', { name => 'gone' }],
    'GET /groups'           => ['GET', '/groups'],
    'PUT /policies/{name}'  => ['PUT', '/policies/gone', {}],
    'POST /grants'          => ['POST', '/grants', {
        subject => 'group:gone', group_id => '*',
        verbs => ['devices:read'] }],
    'POST /keys'            => ['POST', '/keys', {
        name => 'gone', scopes => ['ice'] }],
    'DELETE /keys/{id}'     => ['DELETE', '/keys/key_' . 'a' x 26],
    'POST /users/{id}/revoke' => ['POST', '/users/usr_' . 'a' x 26
                                          . '/revoke'],
    'GET /audit'            => ['GET', '/audit'],
    'DELETE /audit'         => ['DELETE', '/audit?through=1-1'],
    'POST /devices'         => ['POST', '/devices', {
        enrollment => $enrollment->{token}, name => 'gone',
        public_key => $device->public_key }],
);


# each of these begins something that asks the store, and gives the streams
# whose client shall go

my @begins;

for my $name (sort keys %rest) {
    my ($method, $path, $body) = @{ $rest{$name} };

    push @begins, [$name, sub {
        return $rest->start($method, $path,
                            $body ? (body => $body) : ());
    }];
}

push @begins, ['a join', sub {
    my ($s) = @_;

    return $gw->signal('rs.ticket.' . ticket($s))->stream;
}];

push @begins, ['a join in the upgrade\'s own segment', sub {
    my ($s) = @_;
    my $ws = RS::WS->connect(port => $gw->port);

    $ws->raw($ws->request(path => '/rs/v1/signal',
             protocols => ['rs.v1', 'rs.ticket.' . ticket($s)]));

    return $ws->stream;
}];

push @begins, ['a resume', sub {
    my (undef, $token) = @_;

    return $gw->signal($token)->stream;
}];

push @begins, ['a hello', sub {
    my $dev = RS::Device->new(id => $device->id, key => $device->{key});
    my $challenge = $dev->open($gw);

    $dev->ws->send_json($dev->hello($challenge));

    return $dev->ws->stream;
}];

push @begins, ['a signal, a state and a bye', sub {
    my (undef, undef, $ws) = @_;

    $ws->send_json({ type => 'signal', id => 1, data => 1 });
    $ws->send_json({ type => 'state', path => {
        kind => 'direct', protocol => 'udp', local => 'host',
        remote => 'host', rtt_ms => 1 } });
    $ws->send_json({ type => 'bye' });

    return $ws->stream;
}];


# what only an existing session or socket can begin is made beforehand

sub prepare {
    my $s = session();
    my $t = session();
    my $u = session();
    my $gone = $gw->signal('rs.ticket.' . ticket($t));
    my $w = $gone->expect('welcome');
    my $live = $gw->signal('rs.ticket.' . ticket($u));

    $live->expect('welcome');
    $gone->reset();

    return ($s, "rs.resume.$w->{resume}.$w->{position}", $live,
            map { $_->{id} } $s, $t, $u);
}


for my $end ('close', 'reset') {
    for my $case (@begins) {
        my ($name, $begin) = @$case;

        subtest "$name, $end" => sub {
            my @made = prepare();

            $redis->freeze();

            my $stream = eval { $begin->(@made) };
            my $error = $@;

            served('it is waiting') if $stream;
            $stream->$end() if $stream;
            served('the client has gone');
            $redis->thaw();

            is($error, '', 'begun');
            wait_until {
                my $r = eval { $rest->get('/health/ready') };
                $r && $r->status == 200
            } 10, 'readiness';
            is($rest->get('/devices/' . $device->id)->status, 200,
               'the store answers');

            $rest->delete("/sessions/$_") for @made[3 .. 5];

            # a hello with the same key has replaced the device

            if ($name eq 'a hello') {
                $device->connect($gw);
            }
        };
    }
}


subtest 'client and store go together' => sub {
    my @made = prepare();
    my @streams;

    $redis->freeze();
    push @streams, $_->[1]->(@made) for @begins;
    served('all are waiting');
    $_->reset() for @streams;
    $redis->kill();
    served('store and clients are gone');
    $redis->start();
    wait_until {
        my $r = eval { $rest->get('/health/ready') };
        $r && $r->status == 200
    } 10, 'readiness';
    is($rest->get('/devices')->status, 200, 'everything works again');
};


subtest 'a user signs out, and does not wait for it' => sub {
    $device->connect($gw);

    for my $end ('close', 'reset') {
        my $user = $gw->rest(key => $issuer->token(groups => ['admins'],
                                                   sub => $end));
        my %host = (host => { type => 'device', device_id => $device->id });

        is($user->post('/sessions', \%host)->status, 201, 'a session of his')
            for 1 .. 3;

        $redis->freeze();

        my $stream = $user->start('POST', '/me/sign-out');

        served('it is waiting');
        $stream->$end();
        served('the client has gone');
        $redis->thaw();
        wait_until { $user->get('/me')->status == 401 } 10, 'his tokens void';

        my $id = $issuer->user_id($end);

        is($rest->post("/users/$id/revoke")->status, 204, 'the rest is ended');
        is_deeply([grep { $_->{state} ne 'ended' && ($_->{user_id} // '')
                          eq $id } @{ $rest->get('/sessions')->json->{items} }],
                  [], 'all of it');
    }
};


subtest 'the store goes first' => sub {
    my $s = do {
        $device->connect($gw);
        session();
    };
    my @streams;

    $redis->freeze();

    my $ws = $gw->signal('rs.ticket.' . ticket($s));
    my $stream = $rest->start('GET', '/devices');

    $redis->kill();

    is($rest->finish($stream, 5)->status, 503, 'REST: 503');
    is($ws->expect_close(), 1013, 'a join: close 1013');
    is($ws->error->{code}, 'unavailable', 'unavailable');
    $redis->start();
    wait_until {
        my $r = eval { $rest->get('/health/ready') };
        $r && $r->status == 200
    } 10, 'readiness';
    pass('and works again');
};


$gw->check_log();

done_testing();
