# Copyright (C) rs-gateway contributors

# Help without installing anything, seen from outside: a session whose host is
# a browser, the code that lets it in, what is told of a wrong one, and how
# many are heard.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;

my $redis = RS::Redis->new();
my @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_",
                     location => 'rs_origin https://a.test https://b.test; '
                                 . 'rs_console_url https://a.test/console/;')
} 1, 2;
my $rest = $node[0]->rest(key => $redis->api_key);
my $nobody = $node[1]->rest();


sub session {
    my (%body) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'browser' },
        participants => [{ role => 'controller' }], %body });

    is($r->status, 201, 'a session without a device') or diag($r->content);

    return $r->json;
}


sub code_of {
    my ($s) = @_;
    my $r = $rest->post("/sessions/$s->{id}/help");

    is($r->status, 201, 'a code') or diag($r->content);

    return $r->json;
}


sub joined {
    my ($gw, $ticket, @headers) = @_;
    my $ws = $gw->signal("rs.ticket.$ticket", headers => \@headers);

    return ($ws, $ws->expect('welcome'));
}


# another code than those that are good

sub wrong {
    my ($code) = @_;

    return sprintf('%08d', ($code + 1) % 100_000_000);
}


subtest 'a browser is the host' => sub {
    my $s = session(reason => 'the printer');

    is_deeply($s->{host}, { type => 'browser', device_id => undef },
              'its host');
    is($s->{state}, 'waiting_host', 'is waited for');

    my ($ann, $welcome) = joined($node[0], $s->{participants}[0]{ticket});

    is_deeply($welcome->{session}{host},
              { type => 'browser', device_id => undef }, 'who is told so');
    is_deeply($welcome->{peers}, [], 'nobody is here yet');

    my $c = code_of($s);

    like($c->{code}, qr/^\d{8}$/, 'eight digits');
    is($c->{url}, 'https://a.test/console/help.html', 'and where to type them');
    ok(abs($c->{expires_at} - time - 600) < 20, 'for ten minutes');

    my $r = $nobody->post('/help', { code => $c->{code}, name => 'Eve' },
                          { Origin => "https://b.test" });
    my $place = $r->json;

    is($r->status, 201, 'at another node, it lets in') or diag($r->content);
    is_deeply([@$place{qw(role name state)}], ['host', 'Eve', 'invited'],
              'as the host');
    is_deeply({ %{ $place->{session} }, expires_at => 0, requester => 0 },
              { id => $s->{id}, reason => 'the printer', expires_at => 0,
                requester => 0 }, 'says what for');
    ok(length $place->{session}{requester}{name}, 'and who asks');
    ok(abs($place->{ticket_expires_at} - time - 600) < 20,
       'with time to read it');

    # the ticket is for pages of the origin that asked for it

    my $ws = $node[1]->signal("rs.ticket.$place->{ticket}",
                              headers => ['Origin: https://a.test']);

    is($ws->expect('error')->{code}, 'unauthenticated',
       'not for pages of another origin');

    (my $eve, $welcome) = joined($node[1], $place->{ticket},
                                 'Origin: https://b.test');

    is($welcome->{role}, 'host', 'she is here');

    my $m = $ann->expect('joined');

    is_deeply([@{ $m->{peer} }{qw(role name)}], ['host', 'Eve'],
              'and seen by who asked');
    is($ann->expect('state')->{session_state}, 'connecting', 'it goes on');

    $ann->send_json({ type => 'signal', id => 1, data => { kind => 'offer' },
                      to => $place->{id} });
    is_deeply($eve->expect('signal')->{data}, { kind => 'offer' },
              'offers reach her');

    $rest->problem($rest->post("/sessions/$s->{id}/help"), 409, 'conflict');

    # who gets help may end it by leaving

    $eve->send_json({ type => 'bye', reason => 'done' });
    is($ann->expect('ended')->{reason}, 'left', 'gone: it is over');
    is($rest->get("/sessions/$s->{id}")->json->{state}, 'ended',
       'for everybody');
};


subtest 'a session has one code' => sub {
    my $s = session();
    my @code = map { code_of($s)->{code} } 1 .. 3;

    is(scalar @{ $redis->call('KEYS', 'rs:{b}:help:*') }, 1,
       'the others are gone');
    is($nobody->post('/help', { code => $code[2] })->status, 201,
       'the newest is good');
};


subtest 'what is wrong is one answer' => sub {
    my $s = session();
    my $old = code_of($s);
    my $c = code_of($s);
    my @no = ($old->{code}, wrong($c->{code}));

    isnt($old->{code}, $c->{code}, 'another code');
    $nobody->problem($nobody->post('/help', { code => $_ }), 403,
                     'link_invalid') for @no;

    is($nobody->post('/help', { code => $c->{code} })->status, 201,
       'the newest is good');
    $nobody->problem($nobody->post('/help', { code => $c->{code} }), 403,
                     'link_invalid');

    my $over = session();
    my $late = code_of($over);

    is($rest->delete("/sessions/$over->{id}")->status, 204, 'ended');
    $nobody->problem($nobody->post('/help', { code => $late->{code} }), 403,
                     'link_invalid');

    $nobody->problem($nobody->post('/help', { code => $_ }), 422,
                     'invalid_value')
        for '1234567', '123456789', '1234567a', '1234 567', "1234567\x{661}";
    $nobody->problem($nobody->post('/help', {}), 422, 'invalid_value');

    # a mistyped one is no try

    my @keys = $redis->keys('rs:{b}:tries:*');

    is(scalar @keys, 1, 'one address tried');
    is($redis->call('HGET', $keys[0], 'count'), 3,
       'codes that are nobody\'s, not that of a session which is over');
    unlike($redis->dump, qr/$c->{code}/, 'no code is kept as it is');
};


subtest 'five wrong ones are heard' => sub {
    my $c = code_of(session());

    $nobody->problem($nobody->post('/help', { code => wrong($c->{code}) }),
                     403, 'link_invalid') for 4 .. 5;

    my $r = $node[0]->rest()->post('/help', { code => $c->{code} });

    $nobody->problem($r, 429, 'rate_limited');
    ok($r->header('Retry-After') > 500 && $r->header('Retry-After') <= 600,
       'at any node, for so long');

    $redis->call('DEL', $redis->keys('rs:{b}:tries:*'));
    is($nobody->post('/help', { code => $c->{code} })->status, 201,
       'a good one was not used up');
};


subtest 'hosts that are none' => sub {
    for my $host ({ type => 'device' }, { type => 'phone' },
                  { type => 'browser',
                    device_id => 'dev_aaaaaaaaaaaaaaaaaaaaaaaaaa' })
    {
        $rest->problem($rest->post('/sessions', { host => $host }), 422,
                       'invalid_value');
    }

    my $device = RS::Device->enroll($rest, name => 'desk');

    $device->connect($node[0]);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id } });

    $rest->problem($rest->post('/sessions/' . $r->json->{id} . '/help'), 409,
                   'conflict');
    $rest->problem($rest->post('/sessions/ses_aaaaaaaaaaaaaaaaaaaaaaaaaa'
                               . '/help'), 404, 'not_found');
};


subtest 'asked for twice' => sub {
    my %key = ('Idempotency-Key' => 'once');
    my @s = map {
        $rest->post('/sessions', { host => { type => 'browser' },
                                   participants => [{ role => 'viewer' }] },
                    \%key)
    } 1, 2;

    is_deeply([map { $_->status } @s], [201, 201], 'repeated');
    is($s[0]->json->{id}, $s[1]->json->{id}, 'it is one session');
};


$_->check_log for @node;
done_testing();
