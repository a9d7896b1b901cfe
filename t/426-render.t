# Copyright (C) rs-gateway contributors

# Rendered sessions seen from outside: what can be asked for, which renderer
# gets one, how it waits, who is told, and where it goes when its renderer is
# lost before it began.

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

my $redis = RS::Redis->new(acl => 1);
my @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_",
                     http => 'rs_lease_ttl 3s;')
} 1, 2;
my $rest = $node[0]->rest(key => $redis->api_key);
my $foreign = $node[1]->rest(key => $redis->api_key(tenant => 'other'));


# a renderer that is here, at one of the nodes

sub renderer {
    my ($gw, $places, %opt) = @_;
    my $d = RS::Device->enroll($opt{rest} // $rest, name => 'browsers',
                               enrollment => { kind => 'renderer' });

    here($d, $gw, $places, %opt);

    return $d;
}


sub here {
    my ($d, $gw, $places, %opt) = @_;

    $d->connect($gw, %opt);

    return load($d, $places, $opt{rest});
}


# by another socket, which has not heard what the one before has

sub again {
    my ($d, @how) = @_;

    $d->ws->close();

    return here($d, @how);
}


# capacity, used, queued, queue

sub load {
    my ($d, $places, $by) = @_;
    my %load;

    @load{qw(capacity used queued queue)} = @$places;
    $d->send_json({ type => 'load', %load });
    wait_until {
        my $l = ($by // $rest)->get('/devices/' . $d->id)->json->{load};

        $l && !grep { $l->{$_} != $load{$_} } keys %load
    } 5, 'its load is known';

    return;
}


sub ask {
    my ($by, %body) = @_;

    $body{host} = { type => 'render', %{ $body{host} // {} } };

    return $by->post('/sessions', \%body);
}


sub session {
    my (%body) = @_;
    my $r = ask($rest, participants => [{ role => 'controller' }], %body);

    is($r->status, 201, 'a rendered session') or diag($r->content);

    return $r->json;
}


sub put {
    my ($path, $body) = @_;

    return $rest->request('PUT', $path, body => $body);
}


sub get { return $rest->get("/sessions/$_[0]{id}")->json }

sub end { return $rest->delete("/sessions/$_[0]{id}")->status }


sub joined {
    my ($gw, $ticket) = @_;
    my $ws = $gw->signal("rs.ticket.$ticket");

    return ($ws, $ws->expect('welcome'));
}


my $none = ask($rest);

is_deeply([$none->status, $none->json->{code}], [409, 'device_offline'],
          'no renderer is here');

my $one = renderer($node[0], [2, 0, 0, 1]);


subtest 'what cannot be asked for' => sub {
    for my $wrong (
        ['/host/url', host => { url => 'file:///etc/passwd' }],
        ['/host/url', host => { url => 'javascript:alert(1)' }],
        ['/host/url', host => { url => 'http://a b/' }],
        ['/host/url', host => { url => 'https://me:pw@example.com/' }],
        ['/host/url', host => { url => 'https://x.test/' . 'a' x 2048 }],
        ['/host/width', host => { width => 321 }],
        ['/host/width', host => { width => 318 }],
        ['/host/width', host => { width => 1922 }],
        ['/host/height', host => { height => 1202 }],
        ['/host/height', host => { height => 241 }],
        ['/host/device_id', host => { device_id => $one->id }],
        ['/policy/consent', policy => { consent => 'required' }],
        ['/policy/urls/1', policy => { urls => ['https://a.test/*',
                                                'ftp://a.test/*'] }],
        ['/policy/urls/0', policy => { urls => ['https://a.*/'] }],
        ['/policy/urls/0', policy => { urls => [7] }],
        ['/policy/urls', policy => { urls => [('https://a.test/*') x 33] }],
        ['/policy/mask/0', policy => { mask => ['a { display: none }'] }],
        ['/policy/mask/0', policy => { mask => [''] }],
        ['/policy/mask/0', policy => { mask => ['a' x 257] }],
        ['/policy/mask', policy => { mask => [('a') x 17] }],
        ['/policy/downloads', policy => { downloads => 'some' }],
        ['/policy/no_submit', policy => { no_submit => 1 }])
    {
        my ($pointer, @body) = @$wrong;
        my $r = ask($rest, @body);

        is_deeply([$r->status, @{ $r->json }{qw(code pointer)}],
                  [422, 'invalid_value', $pointer], $pointer)
            or diag($r->content);
    }

    for my $type ('browser', 'device') {
        my @id = $type eq 'device' ? (device_id => $one->id) : ();
        my $r = $rest->post('/sessions', {
            host => { type => $type, @id, url => 'https://a.test/' } });

        is_deeply([$r->status, $r->json->{pointer}], [422, '/host/type'],
                  "a $type has no page");
        $r = $rest->post('/sessions', {
            host => { type => $type, @id }, policy => { no_submit => \1 } });
        is_deeply([$r->status, $r->json->{pointer}], [422, '/policy'],
                  'nor what holds for pages');
    }
};


subtest 'asked for, and begun' => sub {
    my $s = session(
        host => { url => 'https://shop.test/?q=1', width => 640,
                  height => 480 },
        policy => { urls => ['https://*.test/*'], mask => ['.card'],
                    no_submit => \1, downloads => 'none' });

    is_deeply($s->{host},
              { type => 'render', url => 'https://shop.test/?q=1',
                width => 640, height => 480, device_id => $one->id },
              'its host');
    is_deeply([@$s{qw(state queue group_id)}],
              ['waiting_host', undef, undef], 'it is waited for');

    my %policy = (
        relay_only => JSON::true, consent => 'none',
        view_only => JSON::false, clipboard => 'both', files => 'both',
        sound => JSON::true, urls => [['https://*.test/*']],
        mask => ['.card'], no_submit => JSON::true, downloads => 'none');

    is_deeply($s->{policy}, \%policy, 'relayed, and as asked for');

    my $invite = $one->expect('invite');

    is_deeply({ %{ $invite->{session} }, expires_at => 0 },
              { id => $s->{id}, expires_at => 0, reason => undef,
                policy => \%policy,
                host => { type => 'render', url => 'https://shop.test/?q=1',
                          width => 640, height => 480 } },
              'the renderer is told all of it');

    my ($ann, $welcome) = joined($node[1], $s->{participants}[0]{ticket});

    is_deeply($welcome->{session}{host}, $s->{host}, 'so is who joins');
    ok(exists $welcome->{session}{queue}
       && !defined $welcome->{session}{queue}, 'that it does not wait');

    $one->send_json({ type => 'queued', session_id => $s->{id},
                      position => 3 });

    my $state = $ann->expect('state');

    is_deeply([@$state{qw(session_state queue)}], ['waiting_host', 3],
              'it waits');
    is(get($s)->{queue}, 3, 'as REST says');
    is((joined($node[0], $rest->post("/sessions/$s->{id}/participants",
                                     { role => 'viewer' })->json->{ticket})
       )[1]{session}{queue}, 3, 'and a welcome');
    $one->send_json({ type => 'queued', session_id => $s->{id},
                      position => 1 });
    is($ann->expect('state')->{queue}, 1, 'it is the next');
    $one->send_json({ type => 'accept', session_id => $s->{id} });
    $state = $ann->expect('state');
    is_deeply([@$state{qw(session_state queue)}], ['waiting_host', undef],
              'it begins');

    my $host = $one->join($node[0], $invite);

    is($ann->expect('joined')->{peer}{role}, 'host', 'the browser is here');
    $state = $ann->expect('state');
    is_deeply([@$state{qw(session_state queue)}], ['connecting', undef],
              'and is connected to');
    is_deeply([map { $_->{guest} } @{ $one->welcome->{peers} }],
              [JSON::false, JSON::false], 'it knows who is no guest');
    is(end($s), 204, 'ended');
    is($host->expect('ended')->{reason}, 'deleted', 'and told so');
    is(get($s)->{host}{type}, 'render', 'what it was stays');
};


# a renderer hears that it has nothing to wait for; what it heard of sessions of
# before is left aside

sub revoked {
    my ($dev, $s, $reason) = @_;
    my $m;

    do {
        $m = $dev->expect('revoke');
    } while ($m->{session_id} ne $s->{id} || $m->{reason} ne $reason);

    return 1;
}


subtest 'who is a guest' => sub {
    my $s = session(participants => [
        { role => 'controller' },
        { role => 'controller', name => 'Vera', guest => \1 }]);

    is_deeply([map { $_->{guest} } @{ $s->{participants} }],
              [JSON::false, JSON::true], 'whom a key says so of');

    my ($ann) = joined($node[0], $s->{participants}[0]{ticket});
    my ($vera, $welcome) = joined($node[1], $s->{participants}[1]{ticket});

    is($ann->expect('joined')->{peer}{guest}, JSON::true, 'who is here hears');
    is($welcome->{peers}[0]{guest}, JSON::false, 'a guest hears who is none');

    my $link = $rest->post("/sessions/$s->{id}/participants",
                           { link => \1, role => 'viewer' })->json->{link};
    my $r = $node[1]->rest()->post('/join', { link => $link, name => 'Eve' });

    is($r->json->{guest}, JSON::true, 'by a link, too') or diag($r->content);
    end($s);
};


subtest 'policies of the tenant' => sub {
    my $r = put('/policies/default', {
        urls => ['https://*.corp.test/*'], mask => ['#pin', '.card'],
        downloads => 'none' });

    is($r->status, 201, 'a policy') or diag($r->content);
    is_deeply([@{ $rest->get('/policies/default')->json }
                {qw(urls mask no_submit downloads)}],
              [['https://*.corp.test/*'], ['#pin', '.card'], JSON::false,
               'none'], 'which says so');
    is(put('/policies/x', { urls => ['nothing'] })->json->{pointer},
       '/urls/0', 'not of anything');
    is(put('/policies/x', { mask => ['}'] })->json->{pointer},
       '/mask/0', 'nor this');

    my $s = session(policy => { urls => ['https://a.corp.test/*'],
                                mask => ['.card', '.b'], relay_only => \0,
                                no_submit => \1 });

    is_deeply([@{ $s->{policy} }{qw(relay_only urls mask no_submit
                                    downloads)}],
              [JSON::false, [['https://a.corp.test/*'],
                             ['https://*.corp.test/*']],
               ['.card', '.b', '#pin'], JSON::true, 'none'],
              'the strictest of all');
    end($s);

    is(put('/policies/default', { relay_only => \1 })->status, 200,
       'another one');
    $s = session(policy => { relay_only => \0 });
    is($s->{policy}{relay_only}, JSON::true, 'wins');
    end($s);
    $rest->delete('/policies/default');
};


subtest 'places' => sub {
    my $two = renderer($node[1], [3, 0, 0, 0], worker => 1);
    my @s = (session());

    is($s[0]{host}{device_id}, $two->id, 'the one with more places');
    is($two->expect('invite')->{session}{id}, $s[0]{id}, 'at another node');

    # three at each: the gateway counts what was not answered

    push @s, session() for 1 .. 5;
    is_deeply([map { my $d = $_; scalar grep { $_->{host}{device_id} eq $d->id }
                     @s } $one, $two], [3, 3], 'all places, and the queue');

    my $r = ask($rest);

    is_deeply([$r->status, $r->json->{code}, $r->header('Retry-After')],
              [503, 'renderers_full', 1], 'then it is full');

    my $waits = (grep { $_->{host}{device_id} eq $one->id } @s)[0];

    is(end($waits), 204, 'one that was not answered ends');
    wait_until { my $m = eval { $one->expect('revoke') };
                 $m && $m->{session_id} eq $waits->{id} } 5,
               'the renderer is told so';

    my $again;

    wait_until { $again = ask($rest); $again->status == 201 } 5,
               'and its place is free';
    is($again->json->{host}{device_id}, $one->id, 'there');

    # what it says counts

    load($two, [3, 0, 0, 1]);
    is(session()->{host}{device_id}, $two->id, 'its queue has room now');

    is_deeply([ask($foreign)->status, ask($foreign)->json->{code}],
              [409, 'device_offline'], 'nobody else has these renderers');

    for my $s (@{ $rest->get('/sessions?state=waiting_host')->json->{items} })
    {
        end($s);
    }

    $two->ws->close();
    wait_until { !$rest->get('/devices/' . $two->id)->json->{online} } 5,
               'the second one goes';
    is($rest->delete('/devices/' . $two->id)->status, 204, 'for good');
    again($one, $node[0], [2, 0, 0, 1]);
};


subtest 'many at once' => sub {
    my $two = renderer($node[1], [4, 0, 0, 1]);
    my @by = ($rest, $node[1]->rest(key => $redis->api_key));
    my %body = (body => { host => { type => 'render' } });

    # 3 and 5 there are: of 16 at once, by both nodes, half get one

    my @wait = map { [$by[$_ % 2], $by[$_ % 2]->start('POST', '/sessions',
                                                      %body)] } 1 .. 16;
    my (%status, %at, @made);

    for my $w (@wait) {
        my $r = $w->[0]->finish($w->[1]);

        $status{ $r->status }++;
        next if $r->status != 201;
        $at{ $r->json->{host}{device_id} }++;
        push @made, $r->json;
    }

    is_deeply(\%status, { 201 => 8, 503 => 8 }, 'as many as there is room');
    is_deeply(\%at, { $one->id => 3, $two->id => 5 }, 'none has too many');
    is($rest->post("/sessions/$made[0]{id}/help")->json->{code}, 'conflict',
       'nobody is let in as the host by a code');

    # the same request again is the same session, with a place or without

    my $key = { 'Idempotency-Key' => 'k1' };

    is($rest->post('/sessions', $body{body}, $key)->json->{code},
       'renderers_full', 'no place for this one');
    end(shift @made);

    my $r;

    wait_until { $r = $rest->post('/sessions', $body{body}, $key);
                 $r->status == 201 } 5, 'then there is one';
    is($by[1]->post('/sessions', $body{body}, $key)->json->{code},
       'renderers_full', 'another key\'s request is another one');
    is($rest->post('/sessions', $body{body}, $key)->json->{id},
       $r->json->{id}, 'the same again');
    end($_) for @made, $r->json;
    $two->ws->close();
    wait_until { !$rest->get('/devices/' . $two->id)->json->{online} } 5,
               'the second one goes';
    again($one, $node[0], [2, 0, 0, 1]);
};


# it is asked to take this one

sub invited {
    my ($dev, $s) = @_;
    my $m;

    do {
        $m = $dev->expect('invite');
    } while ($m->{session}{id} ne $s->{id});

    return 1;
}


subtest 'a renderer will not' => sub {
    my $two = renderer($node[1], [1, 0, 0, 0]);

    for my $case (['busy', 'policy', 'busy'], ['failed', 'host_lost',
                                               'failed'])
    {
        my ($reason, $end, $detail) = @$case;
        my $s = session();

        is($s->{host}{device_id}, $one->id, 'given to the first');

        my $old = $one->expect('invite');

        my ($ann) = joined($node[0], $s->{participants}[0]{ticket});

        $one->send_json({ type => 'reject', session_id => $s->{id},
                          reason => $reason });

        my $invite = $two->expect('invite');

        is($invite->{session}{id}, $s->{id}, "$reason: to the second");
        is(get($s)->{host}{device_id}, $two->id, 'which has it now');
        is($node[0]->signal("rs.ticket.$old->{ticket}")->expect('error')
               ->{code}, 'unauthenticated', 'the first ticket is void');

        # the first has no place now

        load($one, [2, 2, 0, 0]);
        $two->send_json({ type => 'reject', session_id => $s->{id},
                          reason => $reason });
        is($ann->expect('ended')->{reason}, $end, 'nobody will: it ends');
        is_deeply([@{ get($s) }{qw(end_reason end_detail)}], [$end, $detail],
                  'and says why');
        load($one, [2, 0, 0, 1]);
        load($two, [1, 0, 0, 0]);

        # both have room for ever: it does not go round for ever

        $s = session();
        ($ann) = joined($node[0], $s->{participants}[0]{ticket});

        for my $d ($one, $two, $one, $two) {
            is(invited($d, $s), 1, "$reason: asked");
            load($_, [2, 0, 0, 1]) for $one, $two;
            $d->send_json({ type => 'reject', session_id => $s->{id},
                            reason => $reason });
        }

        is(eval { $ann->expect('ended')->{reason} }, $end,
           'the fourth ends it');
        load($two, [1, 0, 0, 0]);

        # a place in a queue is for who has not waited yet

        $s = session();
        is(invited($one, $s), 1, 'asked');
        load($two, [1, 1, 0, 1]);
        $one->send_json({ type => 'reject', session_id => $s->{id},
                          reason => $reason });

        if ($reason eq 'failed') {
            is(invited($two, $s), 1, 'failed: it may wait there');
            is(end($s), 204, 'over');

        } else {
            wait_until { get($s)->{state} eq 'ended' } 5,
                       'busy: it waits nowhere else';
        }

        load($two, [1, 0, 0, 0]);
    }

    # by policy it is no other's

    my $s = session();

    $one->expect('invite');
    $one->send_json({ type => 'reject', session_id => $s->{id},
                      reason => 'policy', detail => 'not that one' });
    wait_until { get($s)->{state} eq 'ended' } 5, 'policy: it ends';
    is(get($s)->{end_detail}, 'not that one', 'and says why');

    # one that runs has failed

    $s = session();
    my $host = $one->join($node[0], $one->expect('invite'));

    $one->send_json({ type => 'reject', session_id => $s->{id},
                      reason => 'failed' });
    is($host->expect('ended')->{reason}, 'host_lost',
       'one that runs goes nowhere');

    my $desktop = RS::Device->enroll($rest);

    $desktop->connect($node[0]);
    $desktop->send_json({ type => 'reject', session_id => $s->{id},
                          reason => 'failed' });
    is($desktop->expect('error')->{code}, 'invalid_value',
       'no word of a desktop');
    $desktop->send_json({ type => 'queued', session_id => $s->{id},
                          position => 1 });
    is($desktop->expect('error')->{code}, 'conflict', 'nor is this');
    $one->send_json({ type => 'queued', session_id => $s->{id},
                      position => 1 });
    is(revoked($one, $s, 'session_ended'), 1, 'nothing waits');
    $two->send_json({ type => 'queued', session_id => $s->{id},
                      position => 1 });
    is(revoked($two, $s, 'not_found'), 1, 'what is not its own');
    $two->send_json({ type => 'accept', session_id => $s->{id} });
    is(revoked($two, $s, 'not_found'), 1, 'nor begins it');

    $two->ws->close();
    wait_until { !$rest->get('/devices/' . $two->id)->json->{online} } 5,
               'it goes';
};


subtest 'a renderer is lost' => sub {
    my $two = renderer($node[1], [1, 0, 0, 0], worker => 0);
    my @s = (session(), session());
    my %of = map { $_->{host}{device_id} => $_ } @s;
    my $first = $of{ $one->id };

    ok($first, 'one is given to the first') or return;

    my ($ann) = joined($node[1], $first->{participants}[0]{ticket});

    $one->send_json({ type => 'queued', session_id => $first->{id},
                      position => 1 });
    is($ann->expect('state')->{queue}, 1, 'it waits there');

    # the second one has room for one more

    load($two, [4, 0, 0, 0]);
    $one->ws->close();

    my %seen;

    wait_until { my $m = eval { $two->expect('invite') };
                 $seen{ $m->{session}{id} } = 1 if $m;
                 $seen{ $first->{id} } } 10, 'it is another one\'s';

    my $state = $ann->expect('state');

    is($state->{queue}, undef, 'it waits no more');
    is_deeply($state->{host}, get($first)->{host}, 'who has it now is told');
    is($state->{host}{device_id}, $two->id, 'the second one');

    # nobody is left: it stays, and is asked for again

    $two->ws->close();
    wait_until { !$rest->get('/devices/' . $two->id)->json->{online} } 5,
               'the second one goes, too';
    is(get($first)->{state}, 'waiting_host', 'it is waited for');
    here($two, $node[0], [4, 0, 0, 0]);
    wait_until { my $m = eval { $two->expect('invite') };
                 $m && $m->{session}{id} eq $first->{id} } 5,
               'who comes back is invited again';
    end($_) for @s;
};


subtest 'its worker dies' => sub {
    my $two = RS::Device->enroll($rest, enrollment => { kind => 'renderer' });

    here($one, $node[0], [4, 0, 0, 0]);
    here($two, $node[1], [1, 0, 0, 0]);

    # $two of before is still here, full

    for my $d (@{ $rest->get('/devices?kind=renderer')->json->{items} }) {
        next if !$d->{online} || $d->{id} eq $one->id || $d->{id} eq $two->id;
        is($rest->delete("/devices/$d->{id}")->status, 204, 'another leaves');
    }

    my $s = session();

    is($s->{host}{device_id}, $one->id, 'given to the first');
    $one->expect('invite');
    load($two, [8, 0, 0, 0]);
    $node[0]->kill();
    is($two->expect('invite', 20)->{session}{id}, $s->{id},
       'its duties are another worker\'s, which gives it away');
};


done_testing();
