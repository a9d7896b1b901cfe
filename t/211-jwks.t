# Copyright (C) rs-gateway contributors

# Keys of an issuer that come by rs_jwks_request: how often they are asked
# for, who waits, who does not, what is kept when the issuer is ill, and what
# a hostile set does.  And those of rs_jwks_file, which a reload reads again.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Select;
use IO::Socket::INET;
use JSON;
use Test::More;

use RS::Gateway;
use RS::Provider;
use RS::Metrics;
use RS::Redis;
use RS::Rest;
use RS::Util qw(base64url free_port read_file tempdir wait_until write_file);

my $dir = tempdir();
my $issuer = RS::Provider->new()->serve;
my $redis = RS::Redis->new();
my $own = 'rs_oidc issuer=https://id.example client_id=console; '
          . 'rs_oidc_role technician support;';


# a gateway that knows no keys yet

sub gateway {
    my (%opt) = @_;

    return RS::Gateway->new(
        redis => $redis, http => $own,
        location => 'rs_jwks_request /_rs_jwks;', server => <<"END", %opt);
        client_header_timeout 300s;
        location = /_rs_jwks {
            internal;
            proxy_pass http://127.0.0.1:@{[ $issuer->port ]}/keys;
            proxy_read_timeout 20s;
            proxy_max_temp_file_size 0;
        }
        location = /metrics { rs_metrics; }
END
}


sub ask {
    my ($gw, $token, %opt) = @_;

    return $gw->rest->request('GET', '/me', %opt, headers => {
        Authorization => "Bearer $token" });
}


# the same without waiting for the answer: a socket

sub begin {
    my ($gw, $token, $socket) = @_;

    return $gw->rest->start('GET', '/me', headers => {
        Authorization => "Bearer $token" },
        socket => $socket // $gw->socket(worker => 0));
}


sub status {
    my ($gw, $stream) = @_;

    return $gw->rest->finish($stream, 20)->status;
}


sub metric {
    my ($gw, $series) = @_;
    my $text = RS::Rest->new(base => 'http://127.0.0.1:' . $gw->port)
                       ->get('/metrics')->content;

    return $text =~ /^\Q$series\E\} (\d+)$/m ? $1 : undef;
}


subtest 'one fetch, whoever waits' => sub {
    my $gw = gateway(workers => 2);
    my $token = $issuer->token;
    my $before = $issuer->fetches;

    # to find a worker takes connections, and they time; a fetch may take long

    my @sockets = map { $gw->socket(worker => $_ % 2) } 1 .. 8;

    $issuer->hang;

    my @waiting = map { begin($gw, $token, $_) } @sockets;

    wait_until { $issuer->fetches > $before } 10, 'a fetch';

    # a token whose form is wrong does not wait

    is(ask($gw, 'a.b.c')->status, 401, 'nobody waits for keys in vain');

    $issuer->answer(200, $issuer->jwks);

    is_deeply([map { status($gw, $_) } @waiting], [(200) x 8],
              '8 calls on two workers waited for them');
    is($issuer->fetches - $before, 1, 'which one of them fetched');

    # nobody knows this one's key: once a minute

    my @unknown = map { $issuer->token(header => { kid => "k$_" }) } 1 .. 20;

    is_deeply([map { ask($gw, $_)->status } @unknown], [(401) x 20],
              '20 tokens of unknown keys');
    is($issuer->fetches - $before, 2, 'cost one fetch');
    is(ask($gw, $token)->status, 200, 'and hurt no other token');

    # the issuer is gone

    $issuer->answer(500, '');
    is(ask($gw, $token)->status, 200, 'keys outlive their issuer');
    is($issuer->fetches - $before, 2, 'which nobody asks meanwhile');

    is(metric($gw, 'rs_id_tokens_total{node="' . $gw->node
                   . '",result="good"'), 10, 'good tokens are counted');
    is(metric($gw, 'rs_id_tokens_total{node="' . $gw->node
                   . '",result="refused"'), 21, 'and refused ones');
    is(metric($gw, 'rs_jwks_fetches_total{node="' . $gw->node
                   . '",result="good"'), 2, 'and fetches');

    $gw->reload;
    is(ask($gw, $token)->status, 200, 'they outlive a reload, too');
    is($issuer->fetches - $before, 2, 'without another fetch');

    my $log = $issuer->requests;

    unlike($log, qr/authorization|bearer|eyJ/i, 'no token has left');
    unlike($log, qr/^(?!GET \/keys)\w+ \//m, 'and nothing but GET');

    $issuer->answer(200, $issuer->jwks);
    $gw->check_log;
    $gw->stop;
};


subtest 'a new key of the issuer' => sub {
    my $gw = gateway();
    my $new = RS::Provider->new();
    my $token = $new->token(header => { kid => 'new' });

    is(ask($gw, $issuer->token)->status, 200, 'the old key');
    $issuer->answer(200, $issuer->jwks($issuer->jwk('rsa'),
                                       $new->jwk('rsa', kid => 'new')));
    is(ask($gw, $token)->status, 200, 'the new one, at once');
    is(ask($gw, $issuer->token)->status, 200, 'the old one still');

    # two of one name: either may have signed

    $gw->stop;
    $gw = gateway();
    $issuer->answer(200, $issuer->jwks($issuer->jwk('rsa'),
                                       $new->jwk('rsa'), $new->jwk('ec')));
    is(ask($gw, $issuer->token)->status, 200, 'the first of its name');
    is(ask($gw, $new->token)->status, 200, 'the second');
    is(ask($gw, $issuer->token(key => 'ec'))->status, 401,
       'the key of this name is another');

    # a key for something else

    $gw->stop;
    $gw = gateway();
    $issuer->answer(200, $issuer->jwks(
        $issuer->jwk('rsa', use => 'enc'), $issuer->jwk('ec', alg => 'ES256'),
        $new->jwk('rsa', kid => 'ps', alg => 'PS256')));
    is(ask($gw, $issuer->token)->status, 401, 'not by a key to encrypt');
    is(ask($gw, $issuer->token(key => 'ec'))->status, 200,
       'by one of its algorithm');
    is(ask($gw, $new->token(header => { kid => 'ps' }))->status, 401,
       'not by one of another algorithm');
    is(ask($gw, $new->token(alg => 'PS256', header => { kid => 'ps' }))
           ->status, 200, 'by this one');

    $issuer->answer(200, $issuer->jwks);
    $gw->check_log;
    $gw->stop;
};


subtest 'whose client leaves' => sub {
    my $gw = gateway();
    my $token = $issuer->token;
    my $before = $issuer->fetches;

    $issuer->hang;

    my $first = begin($gw, $token);
    wait_until { $issuer->fetches == $before + 1 } 10, 'a fetch';
    my @others = map { begin($gw, $token) } 1 .. 3;

    # those have arrived when a later one on the same worker is answered

    is(ask($gw, 'x')->status, 401, 'the others wait');
    $first->close;
    wait_until { $issuer->fetches == $before + 2 } 10,
               'another takes the fetch over';
    $issuer->answer(200, $issuer->jwks);

    is_deeply([map { status($gw, $_) } @others], [200, 200, 200],
              'they are answered');
    is(metric($gw, 'rs_jwks_fetches_total{node="' . $gw->node
                   . '",result="failed"'), 0, 'nothing failed');

    # all of them leave, and it does not count

    $gw->stop;
    $gw = gateway();
    $issuer->hang;
    $before = $issuer->fetches;

    my @all = map { begin($gw, $token) } 1 .. 3;

    wait_until { $issuer->fetches == $before + 1 } 10, 'a fetch';
    $_->close for @all;
    wait_until { ask($gw, 'x')->status == 401
                 && $gw->error_log =~ /client prematurely closed|closed/ } 10,
               'they are gone';
    $issuer->answer(200, $issuer->jwks);
    is(ask($gw, $token)->status, 200, 'the next one fetches again');

    $gw->check_log;
    $gw->stop;
};


# what is no set of keys, or one that nobody should swallow

my $trap = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
                                 LocalPort => free_port())
    or die "a trap: $!";
my $url = 'http://127.0.0.1:' . $trap->sockport . '/keys';
my $set = $issuer->jwks;
my $many = encode_json({ keys => [map { $issuer->jwk('ec', kid => "k$_") }
                                      1 .. 33] });
my $oct = encode_json({ keys => [{ kty => 'oct', kid => 'rsa',
                                   k => base64url('secret') }] });

my @hostile = (
    [ 'HTML' => sub { $issuer->answer(200, '<html>') }, qr/not a JSON/ ],
    [ 'nothing' => sub { $issuer->answer(200, '') }, qr/not a JSON/ ],
    [ 'an error' => sub { $issuer->answer(500, $set) }, qr/200/ ],
    [ 'a redirect' => sub { $issuer->answer(302, $set, Location => $url) },
      qr/200/ ],
    [ 'half of it' => sub { $issuer->answer(200, substr($set, 0, 300)) },
      qr/not a JSON/ ],
    [ 'less than it says' => sub {
        $issuer->answer(200, $set, 'Content-Length' => 9000) }, qr{ended too early} ],
    [ 'no keys' => sub { $issuer->answer(200, '{"keys":[]}') }, qr/no key/ ],
    [ '33 keys' => sub { $issuer->answer(200, $many) }, qr/32/ ],
    [ 'secrets only' => sub { $issuer->answer(200, $oct) }, qr/no key/ ],
    [ 'a name twice' => sub {
        $issuer->answer(200, $set =~ s/\}$/,"keys":[]}/r) }, qr/twice/ ],
    [ 'very deep' => sub {
        $issuer->answer(200, '{"keys":' . '[' x 20000 . ']' x 20000 . '}') },
      qr/deep/ ],
    [ '1 MB' => sub { $issuer->answer(200, $set . ' ' x 1000000) },
      qr/65536/ ],
    [ '8 MB in chunks' => sub {
        $issuer->raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     . ("10000\r\n" . ' ' x 65536 . "\r\n") x 128
                     . "0\r\n\r\n") }, qr/65536/ ],
    [ 'no HTTP' => sub { $issuer->raw("\0\1\2\3\r\n\r\n") }, qr/200/ ],
    [ 'nobody' => sub { $issuer->raw('') }, qr/200/ ],
);

subtest 'hostile sets' => sub {
    for my $case (@hostile) {
        my ($name, $set_up, $why) = @$case;
        my $gw = gateway();
        my $before = $issuer->fetches;

        $set_up->();

        my $answer = ask($gw, $issuer->token(key => 'ec'));

        is($answer->status, 503, "$name: unavailable");
        is($answer->json->{code}, 'unavailable', "$name: and says so");
        like($gw->error_log, qr/rs jwks: no keys from [^\n]*$why/,
             "$name: the log says why");
        is(ask($gw, $issuer->token)->status, 503, "$name: the next one");
        is($issuer->fetches - $before, 1,
           "$name: it is not asked again at once");

        $gw->stop;
    }

    ok(!IO::Select->new($trap)->can_read(0), 'no redirect was followed');

    # those there stay

    $issuer->answer(200, $set);

    my $gw = gateway();

    is(ask($gw, $issuer->token)->status, 200, 'good keys');
    $hostile[0][1]->();
    is(ask($gw, $issuer->token(header => { kid => 'new' }))->status, 401,
       'a fetch that fails');
    like($gw->error_log, qr/rs jwks: no keys/, 'it did');
    is(ask($gw, $issuer->token)->status, 200, 'leaves them');

    $issuer->answer(200, $set);
    $gw->stop;
};


subtest 'an issuer that does not answer' => sub {
    my $gw = gateway();

    $issuer->hang;

    my $answer = ask($gw, $issuer->token);

    is($answer->status, 503, 'is waited for');
    cmp_ok($answer->seconds, '<', 100, sprintf('for ten seconds (%.1f s)',
                                               $answer->seconds));
    like($gw->error_log, qr/rs jwks: no keys from [^\n]*too long/,
         'the log says so');
    $issuer->answer(200, $set);
    $gw->stop;
};


subtest 'keys in a file' => sub {
    my $new = RS::Provider->new();
    my $file = "$dir/jwks.json";

    write_file($file, $set);

    my $gw = RS::Gateway->new(redis => $redis, http => $own,
                              location => "rs_jwks_file $file;");
    my $before = $issuer->fetches;

    is(ask($gw, $issuer->token)->status, 200, 'good');
    is(ask($gw, $new->token)->status, 401, 'not of these');

    write_file($file, $new->jwks);
    is(ask($gw, $issuer->token)->status, 200, 'as they were at start');
    $gw->reload;
    is(ask($gw, $issuer->token)->status, 401, 'until a reload');
    is(ask($gw, $new->token)->status, 200, 'which reads them again');
    is($issuer->fetches, $before, 'nobody was asked');

    $gw->check_log;
    $gw->stop;
};


done_testing();
