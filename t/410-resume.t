# Copyright (C) rs-gateway contributors

# A participant whose socket broke comes back, to whichever worker: the same
# participant, each missed message once and in order, the token changed, the
# old socket fenced.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2, location => <<'END');
    rs_resume_grace 30s;
    rs_log_size 20k;
END
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);


sub both {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });

    die $r->content if $r->status != 201;

    my $host = $device->join($gw, $device->expect('invite'), worker => 1);
    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => 0);

    $ws->{welcome} = $ws->expect('welcome');
    $host->expect('joined');

    return ($r->json->{id}, $host, $ws);
}


sub say {
    my ($ws, $id, $data) = @_;

    $ws->send_json({ type => 'signal', id => $id, data => $data });
    is($ws->expect('ack')->{id}, $id, "message $id is in the log");

    return;
}


sub refused {
    my ($name, $ws, $code) = @_;

    like(eval { $ws->expect_close() } // $@, qr/^44/, "$name: closed");
    is($ws->error->{code}, $code, "$name: $code");

    return;
}


for my $worker (0, 1) {
    subtest "on worker $worker" => sub {
        my ($s, $host, $ws) = both();
        my $w = $ws->{welcome};
        my $position = $w->{position};

        say($host, 1, 'one');
        is($ws->expect('signal')->{data}, 'one', 'one arrives');
        say($ws, 1, 'mine');

        $ws->reset();
        say($host, 2, 'two');
        say($host, 3, 'three');

        my $back = $gw->signal("rs.resume.$w->{resume}.$position",
                               worker => $worker);
        my $w2 = $back->expect('welcome');

        is($w2->{self}, $w->{self}, 'the same participant');
        isnt($w2->{resume}, $w->{resume}, 'another token');
        is($back->expect('signal')->{data}, $_, "$_ comes")
            for qw(one two three);

        say($host, 4, 'four');
        is($back->expect('signal')->{data}, 'four', 'and what follows');

        $back->send_json({ type => 'signal', id => 1, data => 'again' });
        is($back->expect('ack')->{id}, 1, 'sent again: acknowledged');
        say($back, 2, 'next');

        is($host->expect('signal')->{data}, 'next', 'the next arrives');
        is_deeply([map { $_->{data} } grep { $_->{type} eq 'signal' }
                   $host->seen], ['mine'], 'the repeated one came once');

        refused('the old token',
                $gw->signal("rs.resume.$w->{resume}.$position"),
                'unauthenticated');

        is($rest->delete("/sessions/$s")->status, 204, 'ended');
        is($back->expect_close(), 4410, 'closed');
        refused('after the end',
                $gw->signal("rs.resume.$w2->{resume}.$position"),
                'session_ended');
    };
}


subtest 'the old socket is fenced' => sub {
    my ($s, $host, $ws) = both();
    my $w = $ws->{welcome};

    my $back = $gw->signal("rs.resume.$w->{resume}.$w->{position}",
                           worker => 1);
    $back->expect('welcome');

    is($ws->expect_close(), 4409, 'replaced');
    say($back, 1, 'still here');
    is($host->expect('signal')->{data}, 'still here', 'the new one speaks');
    is(scalar(grep { $_->{type} eq 'left' } $host->seen), 0,
       'nobody has left');
    $rest->delete("/sessions/$s");
};


subtest 'a position that was trimmed' => sub {
    my ($s, $host, $ws) = both();
    my $w = $ws->{welcome};

    $ws->reset();
    say($host, $_, 'x' x 4000) for 1 .. 8;

    refused('too old', $gw->signal("rs.resume.$w->{resume}.$w->{position}"),
            'resume_too_old');
    $rest->delete("/sessions/$s");
};


subtest 'nobody comes back' => sub {
    $gw->reload(location => 'rs_resume_grace 2s;');
    $device->connect($gw, worker => 1);

    my ($s, $host, $ws) = both();

    my $more = $rest->post("/sessions/$s/participants",
                           { role => 'viewer' })->json;
    my $viewer = $gw->signal("rs.ticket.$more->{ticket}", worker => 0);

    $viewer->expect('welcome');
    $ws->reset();

    wait_until {
        my ($p) = grep { $_->{id} eq $ws->{welcome}{self} }
                  @{ $rest->get("/sessions/$s")->json->{participants} };
        $p->{state} eq 'away'
    } 5, 'away';
    pass('away at first');

    my $left = $host->expect('left', 6);
    is($left->{peer}, $ws->{welcome}{self}, 'then it has left');
    is($left->{reason}, 'lost', 'lost');

    refused('too late', $gw->signal("rs.resume.$ws->{welcome}{resume}."
                                    . $left->{position}), 'unauthenticated');

    $host->reset();
    is($viewer->expect('ended', 6)->{reason}, 'host_lost',
       'a host lost ends the session');
};


$gw->check_log();

done_testing();
