# Copyright (C) rs-gateway contributors

# Guest links and tickets, seen from outside: who comes in by a link, its PIN,
# what is told of it to whom; the origin a ticket is good for; two nodes that
# are shown one ticket, or the last use of a link, at once.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_",
                     location => 'rs_origin https://a.test https://b.test; '
                                 . 'rs_console_url https://a.test/console/; '
                                 . 'rs_max_participants 16;')
} 1, 2;
my $key = $redis->api_key;
my @rest = map { $_->rest(key => $key) } @node;
my $guest = $node[0]->rest();
my $device = RS::Device->enroll($rest[0], name => 'desk');

$device->connect($node[0]);


sub session {
    my (%participant) = @_;
    my $r = $rest[0]->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        %participant ? (participants => [{ role => 'controller',
                                           %participant }]) : () });

    die $r->content if $r->status != 201;

    my $s = $r->json;

    $device->join($node[0], $device->expect('invite'));

    return $s;
}


sub link_of {
    my ($s, %body) = @_;
    my $r = $rest[0]->post("/sessions/$s->{id}/participants",
                           { link => JSON::true(), %body });

    return $r->status == 201 ? $r->json : $r;
}


sub refused {
    my ($name, $code, %body) = @_;

    note($name);

    return $guest->problem($guest->post('/join', \%body), 403, $code);
}


# What the gateway says to who shows a ticket: welcome, or how it closes.

sub show {
    my ($gw, $ticket, @headers) = @_;
    my $ws = $gw->signal("rs.ticket.$ticket", headers => \@headers);

    return said($ws);
}


sub said {
    my ($ws) = @_;
    my $m = $ws->recv(20);

    return $m->{json}{type} eq 'welcome' ? 'welcome' : $ws->expect_close;
}


subtest 'a link' => sub {
    my $s = session();
    my $l = link_of($s, max_uses => 2, name => 'Guest');

    is($l->{role}, 'viewer', 'of a viewer, where nothing is said');
    is($l->{join_url}, "https://a.test/console/#guest=$l->{link}",
       'in a fragment');
    like($l->{link}, qr/^rsl_default_/, 'its form');
    is_deeply([@$l{qw(pin locked uses max_uses)}],
              [JSON::false(), JSON::false(), 0, 2], 'what it is');

    my @p = map { $guest->post('/join', { link => $l->{link}, %$_ }) }
            {}, { name => 'Gus' };

    is($_->status, 201, 'a use') for @p;
    isnt($p[0]->json->{id}, $p[1]->json->{id}, 'each is somebody else');
    is_deeply([map { $_->json->{name} } @p], ['Guest', 'Gus'], 'by name');

    my $ws = $node[1]->signal('rs.ticket.' . $p[1]->json->{ticket});

    is($ws->expect('welcome')->{role}, 'viewer', 'at the other node');
    $ws->send_json({ type => 'input', data => 1 });
    is($ws->expect('error')->{code}, 'forbidden', 'who only looks on');

    refused('used up', 'link_invalid', link => $l->{link});
    is($rest[1]->get("/sessions/$s->{id}/links")->json->{items}[0]{uses}, 2,
       'the list says so');
    unlike($rest[1]->get("/sessions/$s->{id}/links")->content,
           qr/rsl_|secret|tries/, 'and no secret');

    # nothing of it is in Redis

    my $secret = substr $l->{link}, -52;

    unlike($redis->dump, qr/\Q$secret/, 'Redis does not know the secret');

    $rest[0]->delete("/sessions/$s->{id}");
    refused('the session is over', 'link_invalid', link => $l->{link});
};


subtest 'one answer' => sub {
    my $s = session();
    my $l = link_of($s);
    my ($used, $gone) = map { link_of($s)->{link} } 1, 2;

    $guest->post('/join', { link => $used });

    for my $item (@{ $rest[0]->get("/sessions/$s->{id}/links")
                             ->json->{items} })
    {
        is($rest[1]->delete("/sessions/$s->{id}/links/$item->{id}")->status,
           204, 'deleted') if $gone =~ /@{[substr $item->{id}, 4]}/;
    }

    my %answer = map {
        my $r = $guest->post('/join', { link => $_ });

        ($r->status . ($r->content =~ s/"request_id":"[^"]*"//r) => 1);
    } 'x', $used, $gone, $l->{link} =~ s/.{4}$/aaaa/r,
      $l->{link} =~ s/default/other/r,
      $l->{link} =~ s/_[a-z2-7]{26}_/'_' . 'a' x 26 . '_'/er, "$l->{link}a";

    is(keys %answer, 1, 'for whatever it is') or diag(explain(\%answer));
    is($guest->post('/join', { link => $l->{link} })->status, 201,
       'and the good one is good');
    $rest[0]->delete("/sessions/$s->{id}");
};


subtest 'a PIN' => sub {
    my $s = session();
    my $l = link_of($s, pin => '081547110815', max_uses => 3);
    my %link = (link => $l->{link});

    is($l->{pin}, JSON::true(), 'it is said that there is one');
    unlike($redis->dump, qr/081547110815/, 'Redis does not know it');
    refused('without', 'pin_required', %link);
    is($guest->post('/join', { %link, pin => '081547110815' })->status, 201, 'right');

    # five wrong ones, all at once on two nodes

    my @try = map { my $r = $node[$_ % 2]->rest();
                    [$r, $r->start('POST', '/join',
                                   body => { %link, pin => "000$_" })] }
              1 .. 5;

    is($_->[0]->finish($_->[1])->json->{code}, 'link_invalid', 'wrong')
        for @try;
    refused('the sixth, though right', 'link_invalid', %link, pin => '081547110815');
    refused('and without', 'link_invalid', %link);
    is($rest[0]->get("/sessions/$s->{id}/links")->json->{items}[0]{locked},
       JSON::true(), 'it is locked');

    my @audit = map { { @{ $_->[1] } } }
                @{ $redis->call('XRANGE', 'rs:{default}:audit', '-', '+') };
    my @mine = grep { $_->{actor} eq 'guest' && $_->{actor_id} eq $l->{id} }
               @audit;

    is(join(' ', map { $_->{outcome} } @mine),
       'allow deny deny deny deny deny deny', 'the audit has each try');
    is($mine[-1]{detail}, 'pin, locked', 'and says why');
    is($mine[-1]{addr}, '127.0.0.1', 'and from where');

    # values

    for my $pin ('123', '1' x 13, '12a4', '') {
        $rest[0]->problem(link_of($s, pin => $pin), 422, 'invalid_value',
                          pointer => '/pin');
    }

    $rest[0]->problem(link_of($s, link => JSON::false()), 422,
                      'invalid_value', pointer => '/link');
    $rest[0]->delete("/sessions/$s->{id}");
};


subtest 'who may' => sub {
    my $s = session();

    for my $case (
        ['sessions:write', 'viewer', 403],
        ['sessions:write sessions:invite', 'viewer', 403],
        ['sessions:write sessions:view', 'viewer', 403],
        ['sessions:write sessions:view sessions:invite', 'viewer', 201],
        ['sessions:write sessions:view sessions:invite', 'controller', 403],
        ['sessions:write sessions:control sessions:invite', 'controller',
         201],
        ['sessions:view sessions:invite', 'viewer', 403],
    ) {
        my ($scopes, $role, $status) = @$case;
        my $r = $node[0]->rest(key => $redis->api_key(
                                   scopes => "$scopes sessions:read"));

        is($r->post("/sessions/$s->{id}/participants",
                    { link => JSON::true(), role => $role })->status, $status,
           "$role: $scopes");
    }

    my $foreign = $node[0]->rest(key => $redis->api_key(tenant => 'other'));

    $foreign->problem($foreign->get("/sessions/$s->{id}/links"), 404,
                      'not_found');
    $foreign->problem($foreign->post("/sessions/$s->{id}/participants",
                                     { link => JSON::true() }), 404,
                      'not_found');
    $rest[0]->delete("/sessions/$s->{id}");
};


subtest 'Idempotency-Key' => sub {
    my $s = session();
    my @l = map {
        $rest[$_]->post("/sessions/$s->{id}/participants",
                        { link => JSON::true(), pin => '4711' },
                        { 'Idempotency-Key' => 'k' })->json
    } 0, 1;

    is($l[0]{id}, $l[1]{id}, 'one link');
    refused('the first secret is void', 'link_invalid',
            link => $l[0]{link}, pin => '4711');
    is($guest->post('/join', { link => $l[1]{link}, pin => '4711' })->status,
       201, 'the second one is good, with its PIN');
    $rest[0]->delete("/sessions/$s->{id}");
};


subtest 'the origin of a ticket' => sub {
    my @a = ('Origin: https://a.test');
    my @b = ('Origin: https://b.test');

    # named, or that of the page which asks

    my $named = session(origin => 'https://A.test:443');
    my $s = session();
    my $asked = $rest[0]->post("/sessions/$s->{id}/participants",
                               { role => 'viewer' },
                               { Origin => 'https://a.test' });

    is($asked->status, 201, 'asked for by a page') or diag($asked->content);

    my $l = link_of($s);
    my $guest = $guest->post('/join', { link => $l->{link} },
                             { Origin => 'https://a.test' });

    for my $t ((map { $_->{ticket} ? $_->{ticket} : () }
                @{ $named->{participants} }),
               map { $_->json->{ticket} } $asked, $guest)
    {
        is(show($node[1], $t, @b), 4401, 'another page');
        is(show($node[0], $t), 4401, 'no page');
        is(show($node[1], $t, @a), 'welcome', 'that one, as nothing was used');
        is(show($node[0], $t, @a), 4401, 'once');
    }

    # without: good for all

    my $free = $rest[0]->post("/sessions/$s->{id}/participants",
                              { role => 'viewer' })->json->{ticket};

    is(show($node[0], $free, @b), 'welcome', 'nobody asked for a page');
    $rest[0]->problem($rest[0]->post("/sessions/$s->{id}/participants",
                                     { role => 'viewer',
                                       origin => 'https://a.test/' }),
                      422, 'invalid_value', pointer => '/origin');
    $rest[0]->delete("/sessions/$_->{id}") for $named, $s;
};


subtest 'two nodes at once' => sub {
    my $s = session();

    for my $round (1 .. 5) {
        my $t = $rest[0]->post("/sessions/$s->{id}/participants",
                               { role => 'viewer' })->json->{ticket};
        my @ws = map { RS::WS->connect(port => $node[$_ % 2]->port) } 1 .. 6;

        $_->stream->write($_->request(path => '/rs/v1/signal',
                                      protocols => ['rs.v1',
                                                    "rs.ticket.$t"]))
            for @ws;
        $_->read_answer for @ws;

        my @got = sort map { said($_) } @ws;

        is("@got", '4401 4401 4401 4401 4401 welcome', "a ticket: one wins");
    }

    my $l = link_of($s, max_uses => 2);
    my @try = map { my $r = $node[$_ % 2]->rest();
                    [$r, $r->start('POST', '/join',
                                   body => { link => $l->{link} })] } 1 .. 8;
    my %status;

    $status{ $_->[0]->finish($_->[1])->status }++ for @try;
    is_deeply(\%status, { 201 => 2, 403 => 6 }, 'a link: two of two');
    $rest[0]->delete("/sessions/$s->{id}");
};

$_->check_log for @node;
done_testing();
