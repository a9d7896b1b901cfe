# Copyright (C) rs-gateway contributors

# Who may open a socket: tickets once only, the right device key only, and
# nothing an anonymous client sends holds a key in Redis or a socket for more
# than ten seconds.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Crypt::PK::Ed25519;
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(now random_id wait_until);
use RS::WS;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);


sub session {
    my (@participants) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [@participants] });

    die $r->content if $r->status != 201;

    return $r->json;
}


sub refused {
    my ($name, $ws, $close, $code) = @_;

    is(eval { $ws->expect_close() } // $@, $close, "$name: close $close");
    is($ws->error && $ws->error->{code}, $code, "$name: $code");

    return;
}


subtest 'tickets' => sub {
    my $s = session({ role => 'controller' });
    my $ticket = $s->{participants}[-1]{ticket};
    my ($tenant, $rest_of) = split /\./, $ticket;

    my $wrong = $ticket;
    $wrong =~ tr/a-z/b-za/ for substr($wrong, -1);

    refused('another secret', $gw->signal("rs.ticket.$wrong"), 4401,
            'unauthenticated');
    refused('another tenant', $gw->signal("rs.ticket.other.$rest_of"), 4401,
            'unauthenticated');
    refused('too short', $gw->signal('rs.ticket.default.abc'), 4401,
            'unauthenticated');
    refused('none at all', $gw->ws('/signal', protocols => ['rs.v1']), 4401,
            'unauthenticated');
    refused('a resume token of nobody', $gw->signal(
                "rs.resume.default." . substr($s->{id}, 4) . '.'
                . 'a' x 26 . '.' . 'b' x 52 . '.1-0'),
            4401, 'unauthenticated');

    my $ws = $gw->signal("rs.ticket.$ticket");
    ok($ws->expect('welcome'), 'the right one');

    refused('the same again', $gw->signal("rs.ticket.$ticket", worker => 0),
            4401, 'unauthenticated');
    refused('and on the other worker',
            $gw->signal("rs.ticket.$ticket", worker => 1), 4401,
            'unauthenticated');

    is($rest->delete("/sessions/$s->{id}")->status, 204, 'ended');
    is($ws->expect_close(), 4410, 'closed');
};


subtest 'a ticket used twice within a millisecond on two workers' => sub {
    for my $round (1 .. 10) {
        my $s = session({ role => 'viewer' });
        my $ticket = $s->{participants}[-1]{ticket};
        my @ws = map {
            RS::WS->connect(port => $gw->port,
                            socket => $gw->socket(worker => $_))
        } 0, 1;

        my @requests = map {
            $_->request(path => '/rs/v1/signal',
                        protocols => ['rs.v1', "rs.ticket.$ticket"])
        } @ws;

        $ws[$_]->raw($requests[$_]) for $round % 2 ? (0, 1) : (1, 0);

        my @won = grep {
            $_->read_answer();
            my $m = $_->recv();
            $m->{json} && $m->{json}{type} eq 'welcome'
        } @ws;

        is(scalar @won, 1, "round $round: one wins");
        $rest->delete("/sessions/$s->{id}");
        $_->close() for @ws;
    }
};


subtest 'devices' => sub {
    my $other = Crypt::PK::Ed25519->new();
    $other->generate_key();

    my $stranger = RS::Device->new(id => random_id('dev_'));
    my $copy = sub {
        RS::Device->new(id => $device->id, key => $device->{key}) };

    my @cases = (
        ['another key', $copy->(), key => $other],
        ['another host signed', $copy->(), sign_host => 'evil.example'],
        ['another nonce signed', $copy->(), nonce => 'n' x 32],
        ['another tenant', $copy->(), tenant => 'other'],
        ['a device nobody knows', $stranger],
    );
    my %text;

    for my $case (@cases) {
        my ($name, $dev, %wrong) = @$case;
        my $challenge = $dev->open($gw);

        $dev->ws->send_json($dev->hello($challenge, %wrong));
        refused($name, $dev->ws, 4401, 'unauthenticated');
        $text{ $dev->ws->error->{message} }++;
    }

    is(scalar keys %text, 1, 'all are told the same');
    ok($rest->get('/devices/' . $device->id)->json->{online},
       'the real one stays');

    my $dev = $copy->();
    my $challenge = $dev->open($gw);
    my $hello = $dev->hello($challenge);

    $challenge = $dev->open($gw);
    $dev->ws->send_json($hello);
    refused('a hello replayed', $dev->ws, 4401, 'unauthenticated');

    $dev->open($gw);
    $dev->ws->send_json({ type => 'accept', session_id => 'ses_' . 'a' x 26 });
    refused('a message before hello', $dev->ws, 1002, 'before_welcome');
};


subtest 'the newest connection of a device wins' => sub {
    my $old = $device->ws;
    my $new = RS::Device->new(id => $device->id, key => $device->{key});

    $new->connect($gw, worker => 0);
    is($old->expect_close(), 4409, 'the old one is replaced');
    ok($rest->get('/devices/' . $device->id)->json->{online}, 'online');

    my $s = session();
    is($new->expect('invite')->{session}{id}, $s->{id},
       'the new one is invited');
    $rest->delete("/sessions/$s->{id}");
    is($new->expect('revoke')->{session_id}, $s->{id}, 'and told of the end');
};


subtest 'who connects and never speaks' => sub {
    my %before = map { $_ => 1 } $redis->keys();
    my $start = now();
    my @idle = (
        [agent => $gw->agent()],
        ['nothing at all' => RS::WS->connect(port => $gw->port)],
        ['half a request' => RS::WS->connect(port => $gw->port)],
    );

    $idle[2][1]->raw("GET /rs/v1/signal HTTP/1.1\r\nHost: x\r\n");

    is($idle[0][1]->expect_close(12), 4408, 'agent: close 4408');
    is($idle[0][1]->error->{code}, 'hello_timeout', 'agent: hello_timeout');

    for my $i (1, 2) {
        eval { $idle[$i][1]->stream->read_all(12 - (now() - $start)) };
        is($@, '', "$idle[$i][0]: hung up");
    }

    my $took = now() - $start;
    cmp_ok($took, '<', 12, sprintf('gone after %.1f s', $took));
    is_deeply([grep { !$before{$_} } $redis->keys()], [],
              'no key in Redis');
};


$gw->check_log();

done_testing();
