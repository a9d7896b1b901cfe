# Copyright (C) rs-gateway contributors

# A REST call whose caller cannot be told yet, because the issuer's keys are
# being fetched: it goes on once, with all of its body, and its client may
# leave at any moment.  Run under the sanitizers too.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Issuer;
use RS::Redis;
use RS::Stream;
use RS::Util qw(wait_until);

my $issuer = RS::Issuer->new();
my $redis = RS::Redis->new();
my $token = $issuer->token(groups => ['admins']);
my $leaver = $issuer->token(groups => ['admins'], sub => 'leaver');


sub gateway {
    return RS::Gateway->new(redis => $redis, workers => 1,
        server => $issuer->keys_location,
        location => $issuer->conf(request => 1) . '
            rs_oidc_role admin admins;
        ', @_);
}


our $gw;



sub served {
    my ($name) = @_;

    is($gw->rest->get('/health/live')->status, 200, "$name: the worker serves");

    return;
}


# a call by hand, in these pieces

sub start {
    my (@pieces) = @_;
    my $s = RS::Stream->connect(port => $gw->port);

    $s->write($_) for @pieces;

    return $s;
}


sub head {
    my ($method, $path, $body, %more) = @_;
    my $who = $path =~ /sign-out/ ? $leaver : $token;

    return "$method /rs/v1$path HTTP/1.1\r\nHost: localhost\r\n"
           . "Authorization: Bearer $who\r\n"
           . ($body ? "Content-Type: application/json\r\n" : '')
           . join('', map { "$_: $more{$_}\r\n" } sort keys %more) . "\r\n";
}


my $body = '{"name":"group"}';
my $full = head('POST', '/groups', $body, 'Content-Length' => length $body);
my $chunked = head('POST', '/groups', $body,
                   'Transfer-Encoding' => 'chunked');
my $chunks = sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 7,
                     substr($body, 0, 7), length($body) - 7,
                     substr($body, 7));

my %calls = (
    'GET'                          => [head('GET', '/me')],
    'a list'                       => [head('GET', '/groups')],
    'POST with its body'           => [$full . $body],
    'POST with half of its body'   => [$full . substr $body, 0, 5],
    'POST with no body yet'        => [$full],
    'chunked'                      => [$chunked . $chunks],
    'chunked, one is there'        => [$chunked . substr $chunks, 0, 12],
    'POST that waits for 100'      => [head('POST', '/groups', $body,
                                           'Content-Length' => length $body,
                                           Expect => '100-continue')],
    'POST without one'             => [head('POST', '/me/sign-out', undef,
                                           'Content-Length' => 0)],
    'DELETE with a body'           => [head('DELETE', '/groups/grp_'
                                            . 'a' x 26, $body,
                                            'Content-Length' => length $body)
                                       . $body],
);

# each with a gateway that has no keys yet

for my $end ('close', 'reset') {
    for my $name (sort keys %calls) {
        subtest "$name, $end" => sub {
            local $gw = gateway();

            my $s = start(@{ $calls{$name} });
            my $asked = $issuer->asked;

            unlike($asked->{text}, qr/authorization|cookie|\Q$token\E/i,
                   'the issuer is told nothing of the client');
            served('it waits');
            $s->$end();
            served('the client has gone');
            $issuer->answer($asked, '503 Later');
            served('the keys were not given');

            my $next = $gw->rest(key => $token)->start('GET', '/me');

            $issuer->answer($issuer->asked);
            is($gw->rest->finish($next, 5)->status, 200,
               'the next one waits for its own');
            $gw->check_log();
        };
    }
}


subtest 'many wait for one fetch, and half of them leave' => sub {
    local $gw = gateway();

    my @s = map { start(head('GET', '/me')) } 1 .. 8;
    my $asked = $issuer->asked;

    served('all are waiting');
    ok($issuer->none, 'one fetch');
    $s[$_]->reset() for 1, 3, 5, 7;
    served('some have left');
    $issuer->answer($asked);

    for my $i (0, 2, 4, 6) {
        like($s[$i]->read_until("\r\n\r\n", 5), qr{^HTTP/1\.1 200 },
             "number $i is answered");
    }

    $gw->check_log();
};


for my $name (sort keys %calls) {
    subtest "$name, and then the keys" => sub {
        local $gw = gateway();

        my $s = start(@{ $calls{$name} });
        my $asked = $issuer->asked;

        served('it waits');
        $issuer->answer($asked);

        my $got = $name =~ /100/ ? $s->read_until("\r\n\r\n", 5) : '';

        like($got, qr{^(?:HTTP/1\.1 100 .*)?$}s, 'told to go on, if it asked');
        $s->write(substr $body, 5) if $name =~ /half/;
        $s->write($body) if $name =~ /no body yet|100/;
        $s->write(substr $chunks, 12) if $name =~ /one is there/;

        my $answer = $s->read_until("\r\n\r\n", 5);
        my $want = $name =~ /DELETE/ ? 404 : $name =~ /without one/ ? 204
                   : $name =~ /POST|chunked/ ? 201 : 200;

        like($answer, qr{^HTTP/1\.1 $want }, "answered with $want");
        $s->close();
        $gw->check_log();
    };
}


subtest 'the issuer gives no keys' => sub {
    my $fresh = gateway();
    my $s = $fresh->rest(key => $token);
    my $stream = $s->start('GET', '/me');

    $issuer->answer($issuer->asked, '500 No');
    $s->problem($s->finish($stream, 5), 503, 'unavailable');
    $fresh->check_log();
};


subtest 'reload while a call waits' => sub {
    my $fresh = gateway();
    my $s = $fresh->rest(key => $token);
    my $stream = $s->start('GET', '/me');
    my $asked = $issuer->asked;
    my $done = $fresh->start_reload();

    $issuer->answer($asked);
    is($s->finish($stream, 5)->status, 200, 'the old worker answers it');
    $done->() if ref $done;
    $fresh->check_log();
};


done_testing();
