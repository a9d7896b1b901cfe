# Copyright (C) rs-gateway contributors

# What the plugins beside TURN servers are told: each session that lives, its
# end once, however it ends and whichever worker does it, and who is revoked;
# the calls in the form of Cloudflare's TURN service; what was relayed is shown.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(hmac_sha1_base64);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(tempdir write_file wait_until random_id);

my $secret = 'p8Kd3mWq7ZtRv2Nx9LbHf5YcJg4TsQa6';
my $file = write_file(tempdir() . '/secret', $secret);
my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                          http => 'rs_lease_ttl 3s;', location => <<"END");
            rs_stun_server stun:turn.test:3478;
            rs_turn_server eu turn:eu.test:3478 turns:eu.test:443?transport=tcp;
            rs_turn_server us turn:us.test:3478;
            rs_turn_region \$http_x_region;
            rs_turn_secret_file $file;
            rs_resume_grace 300ms;
END
my $key = $redis->api_key;
my $rest = $gw->rest(key => $key);
my $keys = '/turn/keys/' . $redis->key_id($key) . '/credentials';
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, worker => 1);


# what is published on rs:turn, as words; the mark says that all has come

my $sub = bless { link => undef }, 'Subscriber';

$sub->start($redis);


sub session {
    my (%body) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }, { role => 'viewer' }],
        %body });

    die $r->content if $r->status != 201;

    my $s = $r->json;
    my $x = { id => $s->{id}, expires => $s->{expires_at} };

    ($x->{par}) = map { $_->{id} } grep { $_->{role} eq 'host' }
                  @{ $rest->get("/sessions/$s->{id}")->json->{participants} };
    $x->{invite} = $device->expect('invite');
    $x->{guests} = [map { { id => $_->{id}, ticket => $_->{ticket} } }
                    grep { $_->{ticket} } @{ $s->{participants} }];

    $sub->told('lives', ['live', $x->{id}, $x->{expires}, $x->{par}]);

    return $x;
}


# all of them are in it: the host on one worker, guests on both

sub talking {
    my $x = session(@_);

    $x->{host} = $device->join($gw, $x->{invite}, worker => 1);

    for my $i (0, 1) {
        my $g = $x->{guests}[$i];

        $g->{ws} = $gw->signal("rs.ticket.$g->{ticket}", worker => $i);
        $g->{welcome} = $g->{ws}->expect('welcome');
        $x->{host}->expect('joined');
    }

    return $x;
}


sub ended { return ['end', $_[0]{id}, $_[0]{expires}] }


subtest 'each way a session ends is told, once' => sub {
    my $x = session();

    is($rest->delete("/sessions/$x->{id}")->status, 204, 'DELETE');
    is($rest->delete("/sessions/$x->{id}")->status, 204, 'DELETE again');
    $sub->told('deleted', ended($x));

    $x = session();
    $device->send_json({ type => 'reject', session_id => $x->{id},
                         reason => 'consent_denied' });
    $sub->told('rejected', ended($x));

    $x = talking();
    $x->{host}->send_json({ type => 'bye' });
    $sub->told('the host leaves', ended($x));

    $x = talking();
    $x->{host}->reset();
    $sub->told('the host is lost', ended($x));

    $x = talking();

    my ($one, $two) = @{ $x->{guests} };

    $one->{ws}->send_json({ type => 'bye' });
    $sub->told('a guest leaves', ['rev', $x->{id}, $one->{id}, $x->{expires}]);
    $two->{ws}->reset();
    $sub->told('the last one is lost', ended($x));

    $x = talking();
    $x->{guests}[1]{ws}->reset();
    $sub->told('a guest is lost', ['rev', $x->{id}, $x->{guests}[1]{id},
                                   $x->{expires}]);
    is($rest->delete("/sessions/$x->{id}")->status, 204, 'and the rest');
    $sub->told('is deleted', ended($x));

    # his worker dies: another one says that he is lost

    $x = talking();
    $gw->kill_worker(0);
    $sub->told('whose worker died', ['rev', $x->{id}, $x->{guests}[0]{id},
                                     $x->{expires}]);
    is($rest->delete("/sessions/$x->{id}")->status, 204, 'and the rest');
    $sub->told('is deleted', ended($x));
    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'the worker';

    is_deeply([$redis->call('ZRANGE', 'rs:{default}:turn', 0, -1)], [[]],
              'nothing is left in the list');
};


subtest 'a device is removed' => sub {
    my $other = RS::Device->enroll($rest, name => 'other');

    $other->connect($gw, worker => 0);

    my @x = map {
        $rest->post('/sessions', { host => { type => 'device', device_id =>
                                             $other->id } })->json
    } 1, 2;

    is(scalar(grep { $_->[0] eq 'live' } $sub->got(2)), 2, 'two live');
    is($rest->delete('/devices/' . $other->id)->status, 204, 'removed');
    is_deeply([sort map { "@$_" } $sub->got(2)],
              [sort map { "end default $_->{id} $_->{expires_at}" } @x],
              'both are told');
    $sub->told('once');
};


subtest 'generate-ice-servers' => sub {
    my $r = $rest->post("$keys/generate-ice-servers",
                        { ttl => 120, customIdentifier => 'user4523958' },
                        { 'X-Region' => 'us' });
    my $list = $r->json->{iceServers};

    is($r->status, 201, 'created');
    is_deeply($list->[0], { urls => ['stun:turn.test:3478'] }, 'STUN');
    is_deeply($list->[1]{urls},
              ['turn:us.test:3478', 'turn:eu.test:3478',
               'turns:eu.test:443?transport=tcp'],
              'TURN, the caller\'s region first');
    is(scalar @$list, 2, 'no more');

    my $name = $list->[1]{username};
    my ($expiry, $id) = $name =~ /^(\d+):default\.(ses_\w+)\.par_\w+$/;
    my $p = hmac_sha1_base64($name, $secret);

    is($list->[1]{credential}, $p . '=' x (-length($p) % 4), 'the password');
    cmp_ok(abs($expiry - time() - 120), '<=', 5, 'until when');
    $sub->told('lives', ['live', $id, $expiry, '-']);
    is_deeply($redis->call('HMGET', "rs:{default}:ses:$id", 'kind',
                           'external_id', 'expires_at'),
              ['turn', 'user4523958', $expiry], 'a session stands behind it');

    is($rest->post("$keys/generate-ice-servers")->status, 201, 'no body');
    is($rest->post("$keys/generate-ice-servers", {})->status, 201, 'empty');
    $sub->got(2);

    $rest->problem($rest->post("$keys/generate-ice-servers", { ttl => $_ }),
                   422, 'invalid_value', pointer => '/ttl')
        for 0, 301, 86400, 'x';
    $rest->problem($rest->post("$keys/generate-ice-servers", { ttl_s => 5 }),
                   422, 'unknown_field', pointer => '/ttl_s');
    $rest->problem($rest->post("$keys/generate-ice-servers",
                               { customIdentifier => 'x' x 129 }),
                   422, 'invalid_value', pointer => '/customIdentifier');
    $rest->problem($rest->post("$keys/generate-ice-servers" =~
                               s/key_\w+/random_id('key_')/er),
                   404, 'not_found');
    $rest->problem($rest->post("$keys/generate-ice-servers" =~
                               s/key_\w+/key_x/r), 404, 'not_found');
    $rest->problem($rest->get("$keys/generate-ice-servers"), 405,
                   'method_not_allowed');
    $rest->problem($gw->rest()->post("$keys/generate-ice-servers"), 401,
                   'unauthenticated');

    my $weak = $redis->api_key(scopes => 'sessions:write');

    $rest->problem($gw->rest(key => $weak)
                      ->post('/turn/keys/' . $redis->key_id($weak)
                             . '/credentials/generate-ice-servers'),
                   403, 'forbidden');
    $sub->told('nobody is told of what was refused');
};


sub generated {
    my $r = $rest->post("$keys/generate-ice-servers");
    my $name = $r->json->{iceServers}[1]{username};
    my ($expiry, $id) = $name =~ /^(\d+):default\.(ses_\w+)\./;

    $sub->told('lives', ['live', $id, $expiry, '-']);

    return ($name, $id, $expiry);
}


sub revoke {
    my ($name, $by) = @_;

    return ($by // $rest)->request('POST', "$keys/$name/revoke");
}


subtest 'revoke: a credential without a session' => sub {
    my ($name, $id, $expiry) = generated();

    is(revoke($name)->status, 204, 'revoked');
    $sub->told('the plugins are told', ['end', $id, $expiry]);
    is(revoke($name)->status, 204, 'again');
    is(revoke($name =~ s/:/%3A/r)->status, 204, 'as a client escapes it');
    $sub->told('they are told once');
    is($redis->call('FCALL_RO', 'rs_turn_check', 2,
                    "rs:{default}:ses:$id", 'rs:{default}:trev',
                    'par_' . 'a' x 26)->[1], 'ended', 'it is void');

    # those of POST /ice and GET /turn are the same

    $name = $rest->get('/turn?service=turn')->json->{username};
    $sub->got(1);
    is(revoke($name)->status, 204, 'one of GET /turn');
    is(($sub->got(1))[0][0], 'end', 'is told');

    for my $bad ('x', $name =~ s/^\d+://r, $name =~ s/^(\d+):/$1.5:/r,
                 $name =~ s/default/other/r,
                 $name =~ s/ses_\w+/random_id('ses_')/er, "$name.x")
    {
        $rest->problem(revoke($bad), 404, 'not_found');
    }

    ($name) = generated();

    my $foreign = $redis->api_key(tenant => 'other');
    my $path = '/turn/keys/' . $redis->key_id($foreign) . '/credentials';

    $rest->problem($gw->rest(key => $foreign)
                      ->request('POST', "$path/$name/revoke"),
                   404, 'not_found');
    $rest->problem($gw->rest(key => $foreign)->request('POST', "$path/"
                       . ($name =~ s/default/other/r) . '/revoke'),
                   404, 'not_found');
    $rest->problem(revoke($name, $gw->rest(key => $redis->api_key)), 404,
                   'not_found');
    $rest->problem(revoke($name, $gw->rest()), 401, 'unauthenticated');
    $rest->problem(revoke($name, $gw->rest(key => $redis->api_key(
                       scopes => 'sessions:write'))), 403, 'forbidden');
    $rest->problem($rest->get("$keys/$name/revoke"), 405,
                   'method_not_allowed');
    $sub->told('nobody is told of what was refused');
    is(revoke($name)->status, 204, 'and it could be revoked');
    is(($sub->got(1))[0][0], 'end', 'is told');
};


subtest 'revoke: a participant' => sub {
    my $x = talking();
    my ($one, $two) = @{ $x->{guests} };
    my ($name) = map { $_->{username} // () }
                 @{ $one->{welcome}{ice}{iceServers} };
    my $weak = $redis->api_key(scopes => 'ice');

    $rest->problem($gw->rest(key => $weak)->request(
                       'POST', '/turn/keys/' . $redis->key_id($weak)
                               . "/credentials/$name/revoke"),
                   404, 'not_found');
    $sub->told('a key for ICE alone sees no session');

    is(revoke($name)->status, 204, 'revoked');
    $sub->told('the plugins are told', ['rev', $x->{id}, $one->{id},
                                        $x->{expires}]);
    is(revoke($name)->status, 204, 'again');
    $sub->told('they are told once');

    $one->{ws}->say(1, 'still here');
    is($x->{host}->expect('signal')->{data}, 'still here',
       'he is in the session');
    $rest->problem(revoke($name =~ s/par_\w+/random_id('par_')/er), 404,
                   'not_found');
    is($rest->delete("/sessions/$x->{id}")->status, 204, 'ended');
    $sub->told('ended', ended($x));
    is(revoke($name)->status, 204, 'revoked after the end');
    $sub->told('is told nobody');
};


subtest 'what was relayed' => sub {
    my $x = session();
    my @zero = (allocations => 0, packets_sent => 0, bytes_sent => 0,
                packets_received => 0, bytes_received => 0);
    my $s = $rest->get("/sessions/$x->{id}")->json;

    is_deeply($s->{relay}, { @zero }, 'nothing');
    is_deeply($_->{relay}, { @zero }, "nothing by $_->{role}")
        for @{ $s->{participants} };

    $redis->call('FCALL', 'rs_turn_usage', 2, "rs:{default}:ses:$x->{id}",
                 "rs:{default}:use:$x->{id}",
                 "$x->{par}/r1/1-1", 10, 1000, 20, '3000000000', 0,
                 "$x->{par}/r1/2-1", 1, 100, 2, 200, 1,
                 "$x->{guests}[0]{id}/r2/1-1", 5, 50, 6, 60, 1);

    $s = $rest->get("/sessions/$x->{id}")->json;

    my %relay = map { $_->{id} => $_->{relay} } @{ $s->{participants} };

    is_deeply($relay{ $x->{par} },
              { allocations => 2, packets_sent => 11, bytes_sent => 1100,
                packets_received => 22, bytes_received => 3000000200 },
              'by the host');
    is_deeply($relay{ $x->{guests}[1]{id} }, { @zero }, 'by nobody else');
    is_deeply($s->{relay},
              { allocations => 3, packets_sent => 16, bytes_sent => 1150,
                packets_received => 28, bytes_received => 3000000260 },
              'by all');

    my ($item) = grep { $_->{id} eq $x->{id} }
                 @{ $rest->get('/sessions')->json->{items} };

    is($item->{relay}{allocations}, 3, 'in the list too');
    is($rest->delete("/sessions/$x->{id}")->status, 204, 'ended');
    is($rest->get("/sessions/$x->{id}")->json->{relay}{allocations}, 3,
       'and after the end');
};


unlike($gw->error_log, qr/a call ended with/, 'no call failed');

$device->ws->reset();
$gw->stop;
$gw->check_log(allow => qr/exited on signal 9/);

done_testing();


package Subscriber;

use strict;
use warnings;


sub start {
    my ($self, $server) = @_;

    $self->{redis} = $server;
    $self->{link} = bless { socket => $server->socket }, 'RS::Redis';
    $self->{link}->call('SUBSCRIBE', 'rs:turn');
    $self->{marks} = 0;

    return;
}


# The messages since the last time, at least so many of them if they come at
# all; what was published before the mark is there before it.

sub got {
    my ($self, $n) = @_;
    my $mark = 'mark ' . ++$self->{marks};
    my $marked = 0;
    my @list;

    local $SIG{ALRM} = sub { die "nothing more comes\n" };

    eval {
        alarm 15;

        while (@list < ($n // 0) || !$marked) {
            $self->{redis}->call('PUBLISH', 'rs:turn', $mark)
                if @list >= ($n // 0);

            my $r = RS::Redis::_reply($self->{link}{link});

            $marked = $r->[2] eq $mark;
            push @list, [split / /, $r->[2], -1] if $r->[2] !~ /^mark /;
        }
    };

    alarm 0;

    return @list;
}


sub told {
    my ($self, $name, @want) = @_;
    my @got = $self->got(scalar @want);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::is_deeply(
        \@got, [map { [$_->[0], 'default', @$_[1 .. $#$_]] } @want],
        "$name: what plugins are told");
}
