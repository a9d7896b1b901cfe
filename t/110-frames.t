# Copyright (C) rs-gateway contributors

# RFC 6455, section 5, as a hostile or clumsy client would have it: each wrong
# frame gets its close code, each right one is taken in whatever pieces it
# comes, and nothing is left behind.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis,
                          location => 'rs_max_participants 64;');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw);

my $session = session();


sub session {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id } });

    is($r->status, 201, 'a session') or diag($r->content);

    return $r->json->{id};
}


# a participant that was welcomed

sub joined {
    my (%opt) = @_;
    my $r = $rest->post("/sessions/$session/participants",
                        { role => 'viewer' });

    die $r->content if $r->status != 201;

    my $ws = $gw->signal('rs.ticket.' . $r->json->{ticket}, %opt);
    $ws->expect('welcome');

    return $ws;
}


# wrong NAME, CODE, WHAT: what is sent must be answered by `error` CODE and
# this close code

sub wrong {
    my ($name, $close, $code, $send) = @_;
    my $ws = joined();

    $send->($ws);

    is(eval { $ws->expect_close() } // $@, $close, "$name: close $close");
    is($ws->error && $ws->error->{code}, $code, "$name: $code");
    $ws->send_json({ type => 'bye' });
    $ws->close();

    return;
}


my $text = '{"type":"ping"}';

wrong('unmasked', 1002, 'ws_protocol',
      sub { $_[0]->send_frame(payload => $text, mask => 0) });

for my $rsv (1, 2, 4) {
    wrong("reserved bit $rsv", 1002, 'ws_protocol',
          sub { $_[0]->send_frame(payload => $text, rsv => $rsv) });
}

for my $opcode (3 .. 7, 11 .. 15) {
    wrong("opcode $opcode", 1002, 'ws_protocol',
          sub { $_[0]->send_frame(payload => '', opcode => $opcode) });
}

wrong('a continuation of nothing', 1002, 'ws_protocol',
      sub { $_[0]->send_frame(payload => $text, opcode => 0) });
wrong('a message within a message', 1002, 'ws_protocol', sub {
    $_[0]->send_frame(payload => '{', fin => 0);
    $_[0]->send_frame(payload => $text);
});
wrong('a fragmented ping', 1002, 'ws_protocol',
      sub { $_[0]->send_frame(opcode => 9, fin => 0) });
wrong('a ping of 126 bytes', 1002, 'ws_protocol',
      sub { $_[0]->send_frame(opcode => 9, payload => 'x' x 126) });
wrong('a close frame of one byte', 1002, 'ws_protocol',
      sub { $_[0]->send_frame(opcode => 8, payload => 'x') });
wrong('a close frame with code 1005', 1002, 'ws_protocol',
      sub { $_[0]->send_close(1005) });
wrong('a close frame whose reason is not UTF-8', 1007, 'ws_utf8',
      sub { $_[0]->send_close(1000, "\xff") });
wrong('a length not in its shortest form', 1002, 'ws_protocol',
      sub { $_[0]->send_frame(payload => $text, form => 16) });
wrong('a length above 2^63', 1002, 'ws_protocol', sub {
    $_[0]->raw(pack('CCQ>N', 0x81, 0xff, 2 ** 63, 0));
});
wrong('a binary frame', 1003, 'ws_unsupported',
      sub { $_[0]->send_frame(opcode => 2, payload => 'x') });
wrong('not UTF-8', 1007, 'ws_utf8',
      sub { $_[0]->send_frame(payload => qq({"type":"\xc3\x28"})) });
wrong('not UTF-8 over two fragments', 1007, 'ws_utf8', sub {
    $_[0]->send_frame(payload => qq({"type":"\xe2\x82), fin => 0);
    $_[0]->send_frame(payload => qq("}), opcode => 0);
});
wrong('UTF-8 cut off at the end', 1007, 'ws_utf8',
      sub { $_[0]->send_frame(payload => qq({"type":"\xe2\x82)) });
wrong('a surrogate', 1007, 'ws_utf8',
      sub { $_[0]->send_frame(payload => qq({"type":"\xed\xa0\x80"})) });
wrong('64 KiB and a byte, by its header alone', 1009, 'ws_too_big',
      sub { $_[0]->raw(pack('CCQ>N', 0x81, 0xff, 65537, 0)) });
wrong('a terabyte, by its header alone', 1009, 'ws_too_big',
      sub { $_[0]->raw(pack('CCQ>N', 0x81, 0xff, 2 ** 40, 0)) });
wrong('64 KiB and a byte, by fragments', 1009, 'ws_too_big', sub {
    $_[0]->send_frame(payload => ' ' x 65000, fin => 0);
    $_[0]->send_frame(payload => ' ' x 537, opcode => 0);
});
wrong('33 fragments', 1009, 'ws_fragments', sub {
    $_[0]->send_fragments(' ' x 33, (1) x 32);
});


subtest 'what is right' => sub {
    my $ws = joined();

    $ws->send_text($text);
    ok($ws->expect('pong'), 'a frame');

    $ws->send_fragments($text, (0) x 15, (1) x 14);
    ok($ws->expect('pong'), '30 fragments, empty ones too');

    $ws->send_fragments(' ' x 17 . $text, (1) x 31);
    ok($ws->expect('pong'), '32 fragments');

    $ws->send_frame(payload => substr($text, 0, 5), fin => 0);
    $ws->send_ping('between');
    $ws->send_frame(payload => substr($text, 5), opcode => 0);

    # which of the two answers comes first is the server's choice

    my %got = map { $_->{opcode} => $_ } $ws->recv(), $ws->recv();
    is($got{10} && $got{10}{data}, 'between',
       'a ping between two fragments: its payload comes back');
    is($got{1} && $got{1}{json}{type}, 'pong', 'and the message is whole');

    $ws->raw($_) for split //, $ws->frame(payload => $text);
    ok($ws->expect('pong'), 'one byte at a time');

    $ws->raw($ws->frame(payload => $text) x 20);
    ok($ws->expect('pong'), 'twenty in one segment: ' . $_) for 1 .. 20;

    my $pad = 65536 - length $text;
    $ws->send_frame(payload => $text . ' ' x $pad);
    ok($ws->expect('pong'), '64 KiB');

    $ws->send_frame(payload => $text, mask => "\0\0\0\0");
    ok($ws->expect('pong'), 'a mask of zeros');

    $ws->send_frame(opcode => 10, payload => 'unasked');
    $ws->send_text($text);
    ok($ws->expect('pong'), 'a pong nobody asked for');

    $ws->send_close(1000, 'enough');
    is($ws->expect_close(), 1000, 'a close is answered with its code');
};


subtest 'with the upgrade in one segment' => sub {
    my $r = $rest->post("/sessions/$session/participants",
                        { role => 'viewer' });
    my $ws = RS::WS->connect(port => $gw->port);

    $ws->upgrade(path => '/rs/v1/signal', early => $ws->frame(payload => '{'),
                 protocols => ['rs.v1', 'rs.ticket.' . $r->json->{ticket}]);

    is($ws->status, 101, 'upgraded');
    ok($ws->expect_close(), 'closed');
    is($ws->error->{code}, 'before_welcome', 'it was read: too early');
};


subtest 'the upgrade one byte at a time' => sub {
    my $r = $rest->post("/sessions/$session/participants",
                        { role => 'viewer' });
    my $ws = RS::WS->connect(port => $gw->port);
    my $request = $ws->request(
        path => '/rs/v1/signal',
        protocols => ['rs.v1', 'rs.ticket.' . $r->json->{ticket}]);

    $ws->raw($_) for split //, $request;

    is($ws->read_answer(), 101, 'upgraded');
    ok($ws->expect('welcome'), 'welcomed');
    $ws->send_json({ type => 'bye' });
    is($ws->expect_close(), 1000, 'bye');
};


is($rest->delete("/sessions/$session")->status, 204, 'the session ends');

# the one that came too early did not use its ticket: it has its minute

cmp_ok($redis->call('TTL', $_), '<=', 60, "$_ goes by itself")
    for $redis->keys('rs:{default}:tkt:*');

$gw->check_log();

done_testing();
