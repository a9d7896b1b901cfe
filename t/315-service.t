# Copyright (C) rs-gateway contributors

# Services seen from outside: devices of another kind, from the enrolment that
# makes them to what they say of their places.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new(acl => 1);
my @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_")
} 1, 2;
my $rest = $node[0]->rest(key => $redis->api_key);
my $foreign = $node[0]->rest(key => $redis->api_key(tenant => 'other'));


sub device_of { return $rest->get('/devices/' . $_[0]->id)->json }


# what is known of its places once it is this

sub load_is {
    my ($device, $load, $name) = @_;
    my $seen;

    wait_until { $seen = device_of($device)->{load};
                 (($seen // {})->{used} // -1) == $load->{used} } 5, $name;

    return is_deeply($seen, $load, $name);
}


sub load {
    return { capacity => $_[0], used => $_[1], queued => $_[2],
             queue => $_[3] };
}


my $renderer = RS::Device->enroll($rest, name => 'browsers',
                                  enrollment => { kind => 'renderer' });
my $recorder = RS::Device->enroll($rest, name => 'tapes',
                                  enrollment => { kind => 'recorder' });
my $desktop = RS::Device->enroll($rest);


subtest 'kinds' => sub {
    my $r = $rest->post('/enrollments', { kind => 'renderer' });

    is($r->json->{kind}, 'renderer', 'of an enrolment');
    is($rest->get("/enrollments/" . $r->json->{id})->json->{kind}, 'renderer',
       'which it keeps');
    is($rest->post('/enrollments', {})->json->{kind}, 'desktop',
       'where none is named');
    is($rest->post('/enrollments', { kind => 'renderer', code => \1 })
           ->status, 201, 'by a code, too');

    $r = $rest->post('/enrollments', { kind => 'printer' });
    is_deeply([$r->status, $r->json->{pointer}], [422, '/kind'],
              'no other kind');

    is($_->[0]->record->{kind}, $_->[1], "a $_->[1]")
        for [$renderer, 'renderer'], [$recorder, 'recorder'],
            [$desktop, 'desktop'];

    for (['renderer', $renderer], ['recorder', $recorder],
         ['desktop', $desktop])
    {
        $r = $rest->get("/devices?kind=$_->[0]");
        is_deeply([map { $_->{id} } @{ $r->json->{items} }], [$_->[1]->id],
                  "all of kind $_->[0]");
    }

    is(@{ $rest->get('/devices')->json->{items} }, 3, 'all of them');
    is($rest->get('/devices?kind=printer')->status, 422,
       'a kind that is none');
    is(@{ $foreign->get('/devices?kind=renderer')->json->{items} }, 0,
       'nobody else has them');
};


subtest 'no host by its name' => sub {
    $renderer->connect($node[0]);

    for my $d ($renderer, $recorder) {
        my $r = $rest->post('/sessions', { host => { type => 'device',
                                                     device_id => $d->id } });

        is_deeply([$r->status, @{ $r->json }{qw(code pointer)}],
                  [422, 'invalid_value', '/host/device_id'],
                  $d->record->{kind});
    }
};


subtest 'load' => sub {
    is(device_of($renderer)->{load}, undef, 'nothing was said yet');

    $renderer->send_json({ type => 'load', %{ load(8, 3, 0, 16) } });
    load_is($renderer, load(8, 3, 0, 16), 'it says how busy it is');

    # many at once: the last one counts

    $renderer->send_json({ type => 'load', %{ load(8, $_, 0, 16) } })
        for 1 .. 20;
    wait_until { device_of($renderer)->{load}{used} == 20 } 5, 'the last one';

    $renderer->send_json({ type => 'load', %{ load(8, 1, 0, 16) },
                           queue => 1001 });
    is($renderer->expect('error')->{code}, 'invalid_value',
       'more than can be');
    $renderer->send_json({ type => 'load' });
    is($renderer->expect('error')->{code}, 'invalid_value', 'too little');

    $desktop->connect($node[1]);
    $desktop->send_json({ type => 'load', %{ load(1, 0, 0, 0) } });
    is($desktop->expect('error')->{code}, 'conflict',
       'a desktop has no places');
    is(device_of($desktop)->{load}, undef, 'and none are kept');
};


subtest 'its socket is gone' => sub {
    $renderer->ws->close();
    wait_until { !device_of($renderer)->{online} } 5, 'it goes';
    is(device_of($renderer)->{load}, undef, 'what it said is void');

    $renderer->connect($node[1], worker => 1);
    is(device_of($renderer)->{load}, undef, 'until it says more');
    $renderer->send_json({ type => 'load', %{ load(2, 0, 0, 0) } });
    load_is($renderer, load(2, 0, 0, 0), 'elsewhere');
};


subtest 'the store loses what it knew' => sub {
    my $key = 'rs:{default}:svcs';

    $redis->call('HDEL', $key, $renderer->id);
    $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    wait_until { $redis->call('HEXISTS', $key, $renderer->id) } 10,
               'it is announced again, with its load';
    like($redis->call('HGET', $key, $renderer->id),
         qr/^renderer \S+ 2 0 0 0$/, 'as it was');

    # one worker has announced it: others may have no link yet

    for my $gw (@node) {
        wait_until { $gw->all_answer('/health/ready', 200) } 10,
                   'each worker has its link again';
    }
};


subtest 'removed' => sub {
    is($rest->delete('/devices/' . $renderer->id)->status, 204, 'a renderer');
    $renderer->ws->expect_close(4403);
    is($redis->call('EXISTS', 'rs:{default}:svcs'), 1,
       'the recorder is left');
    is($rest->delete('/devices/' . $recorder->id)->status, 204,
       'a recorder');
    is($redis->call('EXISTS', 'rs:{default}:svcs'), 0, 'nothing is');
};


done_testing();
