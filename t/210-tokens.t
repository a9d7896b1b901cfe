# Copyright (C) rs-gateway contributors

# ID tokens that are not good: one by one, with the keys of a file and with
# those of an issuer.  All are one answer, byte for byte, the log says why and
# never what, and no token makes the gateway connect anywhere.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Crypt::PK::RSA;
use IO::Select;
use IO::Socket::INET;
use JSON;
use Test::More;

use RS::Gateway;
use RS::Provider;
use RS::Redis;
use RS::Util qw(base64url free_port read_file tempdir top write_file);

my $dir = tempdir();
my $issuer = RS::Provider->new()->serve;
my $redis = RS::Redis->new();

# whoever would follow a token's URL ends here

my $trap = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
                                 LocalPort => free_port())
    or die "a trap: $!";
my $url = 'http://127.0.0.1:' . $trap->sockport . '/keys';

write_file("$dir/jwks.json", $issuer->jwks);

system('cc', '-shared', '-fPIC', '-O', '-Wall', '-o', "$dir/watch.so",
       "$Bin/lib/RS/connect_watch.c", '-ldl') == 0
    or die 'cannot build connect_watch';

write_file("$dir/connects", '');
chmod 0666, "$dir/connects";

my $gw;

{
    local $ENV{LD_PRELOAD} = "$dir/watch.so";
    local $ENV{RS_CONNECT_LOG} = "$dir/connects";

    $gw = RS::Gateway->new(redis => $redis, workers => 2, http => <<"END",
        large_client_header_buffers 4 32k;
        rs_oidc issuer=https://id.example client_id=console;
        rs_oidc_tenant_claim tenants;
        rs_oidc_role technician support;
END
        location => 'rs_jwks_request /_rs_jwks;', server => <<"END");
        location /file/ { rs_gateway; rs_jwks_file $dir/jwks.json; }
        location = /_rs_jwks {
            internal;
            proxy_pass http://127.0.0.1:@{[ $issuer->port ]}/keys;
        }
END
}


my %rest = (request => $gw->rest,
            file => RS::Rest->new(base => 'http://127.0.0.1:'
                                          . $gw->port . '/file'));


# status, headers and body of an answer, but for what is each one's own

sub plain {
    my ($answer) = @_;
    my %h = %{ $answer->{headers} };
    my $text = $answer->content;

    delete @h{qw(date x-request-id)};
    $text =~ s/"request_id":"[0-9a-f]{32}"/"request_id":""/;

    return join("\n", $answer->status, (map { "$_: $h{$_}" } sort keys %h),
                $text);
}


sub ask {
    my ($how, $token) = @_;

    return $rest{$how}->get('/me', { Authorization => "Bearer $token" });
}


# what no credential at all is answered

my $constant = plain($rest{request}->get('/me'));

like($constant, qr/^401\n.*"unauthenticated"/s, 'no credential');


# good ones, or nothing below would mean anything

my @good = (
    [ 'RS256' => $issuer->token ],
    [ 'ES256' => $issuer->token(key => 'ec') ],
    [ 'PS256' => $issuer->token(alg => 'PS256') ],
    [ 'without kid' => $issuer->token(header => { kid => undef }) ],
    [ 'without typ' => $issuer->token(header => { typ => undef }) ],
    [ 'aud an array' => $issuer->token(claims => { aud => ['console'] }) ],
    [ 'two audiences and azp' => $issuer->token(
        claims => { aud => ['x', 'console'], azp => 'console' }) ],
    [ 'within the skew' => $issuer->token(
        claims => { iat => time - 100, exp => time - 30 }) ],
    [ 'exp with a fraction' => $issuer->token(
        text_claims => encode_json({ %{ $issuer->claims }, exp => 0 })
                       =~ s/"exp":0/'"exp":' . (time + 600) . '.5'/er) ],
);

subtest 'good tokens' => sub {
    for my $how (sort keys %rest) {
        for my $case (@good) {
            my $me = ask($how, $case->[1]);

            is($me->status, 200, "$case->[0], keys by $how");
            is($me->json->{name}, 'Anna', 'and the name');
            is_deeply($me->json->{roles}, ['technician'], 'and the role');
        }
    }
};


# name, token, what the log says of it

sub flipped {
    my ($token, $at) = @_;

    substr($token, $at, 1) = substr($token, $at, 1) eq 'A' ? 'B' : 'A';

    return $token;
}


my $good = $issuer->token;
my ($head, $body, $sig) = split /\./, $good;
my $own = Crypt::PK::RSA->new;
my $now = time;

$own->generate_key(256, 65537);

sub header { return $issuer->token(header => { @_ }) }
sub claims { return $issuer->token(claims => { @_ }) }

sub text_claims {
    my ($more) = @_;
    my $text = encode_json($issuer->claims);

    return $issuer->token(text_claims => $text =~ s/\}$/,$more}/r);
}


# signed by the key it brings along

sub own_key {
    my (%header) = @_;
    my $input = base64url(encode_json({ alg => 'RS256', %header })) . '.'
                . base64url(encode_json($issuer->claims));

    return "$input." . base64url($own->sign_message($input, 'SHA256',
                                                    'v1.5'));
}


my $own_jwk = $own->export_key_jwk('public', 1);
my $pem = $own->export_key_pem('public');

my @bad = (
    # no algorithm, in every spelling, without and with a signature
    (map {
        my $alg = $_;
        my $name = $alg // 'null';

        ([ "alg $name" => $issuer->token(text_header => encode_json(
            { alg => $alg, kid => 'rsa' }), signature => ''),
           qr/no signature/ ],
         [ "alg $name, signed" => $issuer->token(text_header => encode_json(
            { alg => $alg, kid => 'rsa' })), qr/"alg"|JSON/ ])
    } 'none', 'None', 'NONE', 'nOnE', 'none ', "none\0", '', undef),
    [ 'no alg' => header(alg => undef), qr/"alg"/ ],
    [ 'alg a number' => header(alg => 256), qr/"alg"/ ],
    [ 'alg an array' => header(alg => ['RS256']), qr/"alg"/ ],
    [ 'alg twice' => $issuer->token(text_header =>
        '{"alg":"none","alg":"RS256","kid":"rsa"}'), qr/twice/ ],
    [ 'Alg' => $issuer->token(text_header => '{"Alg":"RS256"}'),
      qr/"alg"/ ],

    # a public key as the secret of an HMAC
    (map { [ "$_ by the public key" => $issuer->token(alg => $_), qr/"alg"/ ] }
         qw(HS256 HS384 HS512)),
    [ 'HS256 said to be RS256' => $issuer->token(
        alg => 'HS256', header => { alg => 'RS256' }), qr/signature/ ],

    # an algorithm that is not of the list, or not of the key
    [ 'RS384' => $issuer->token(alg => 'RS384'), qr/"alg"/ ],
    [ 'RS512' => $issuer->token(alg => 'RS512'), qr/"alg"/ ],
    [ 'PS512' => $issuer->token(alg => 'PS512'), qr/"alg"/ ],
    [ 'ES384' => $issuer->token(key => 'ec384'), qr/"alg"/ ],
    [ 'rs256' => header(alg => 'rs256'), qr/"alg"/ ],
    [ 'PS256 said to be RS256' => $issuer->token(
        alg => 'PS256', header => { alg => 'RS256' }), qr/signature/ ],
    [ 'RS256 said to be PS256' => header(alg => 'PS256'), qr/signature/ ],
    [ 'RS256 said to be ES256' => header(alg => 'ES256'), qr/length/ ],
    [ 'ES256 by a key of P-384' => $issuer->token(
        key => 'ec384', alg => 'ES256'), qr/length/ ],
    [ 'ES256 with the kid of an RSA key' => $issuer->token(
        key => 'ec', header => { kid => 'rsa' }), qr/no key/ ],
    [ 'RS256 with the kid of P-256' => header(kid => 'ec'), qr/no key/ ],

    # signatures
    [ 'an empty signature' => "$head.$body.", qr/no signature/ ],
    [ 'a bit of the signature' => flipped($good, length($good) - 20),
      qr/signature/ ],
    [ 'a bit of the header' => flipped($good, 5), qr/header|alg/ ],
    [ 'a bit of the claims' => flipped($good, length($head) + 9),
      qr/signature/ ],
    [ 'half of a signature' => "$head.$body." . substr($sig, 0, 170),
      qr/signature/ ],
    [ 'a longer signature' => "$good" . 'AAAA', qr/signature/ ],
    [ 'a signature above all bounds' => "$head.$body." . 'A' x 2048,
      qr/signature is too long/ ],
    [ 'the signature of another token' => "$head.$body."
        . (split /\./, $issuer->token(claims => { sub => 'b' }))[2],
      qr/signature/ ],
    [ 'r = s = 0' => $issuer->token(key => 'ec', signature => "\0" x 64),
      qr/signature/ ],
    [ 'r = 0' => $issuer->token(key => 'ec',
        signature => "\0" x 32 . "\1" x 32), qr/signature/ ],
    [ 's = 0' => $issuer->token(key => 'ec',
        signature => "\1" x 32 . "\0" x 32), qr/signature/ ],
    [ 'r, s above the order' => $issuer->token(
        key => 'ec', signature => "\xff" x 64), qr/signature/ ],
    [ 'RSA of zeros' => $issuer->token(signature => "\0" x 256),
      qr/signature/ ],
    [ 'RSA of one' => $issuer->token(signature => "\0" x 255 . "\1"),
      qr/signature/ ],
    [ 'DER instead of r || s' => $issuer->token(key => 'ec', der => 1),
      qr/length/ ],
    [ 'by somebody else' => $issuer->token(
        key => 'other', header => { kid => 'rsa' }), qr/signature/ ],
    [ 'by 1024 bits' => $issuer->token(
        key => 'rsa1024', header => { kid => 'rsa' }), qr/signature/ ],

    # the form
    [ 'one part' => $head, qr/three parts/ ],
    [ 'two parts' => "$head.$body", qr/three parts/ ],
    [ 'four parts' => "$good.$sig", qr/three parts/ ],
    [ 'five, as a JWE has' => "$head..$body.$sig.$sig", qr/three parts/ ],
    [ 'no claims' => "$head..$sig", qr/three parts/ ],
    [ 'padded' => "$head=.$body.$sig", qr/three parts/ ],
    [ 'the other alphabet' => "$head.$body." . ($sig =~ tr{-_}{+/}r) . '+',
      qr/three parts/ ],
    [ 'JSON serialization' => encode_json({
        protected => $head, payload => $body, signature => $sig }),
      qr/three parts/ ],
    [ 'above its bound' => "$head." . 'A' x 17000 . ".$sig", qr/too long/ ],

    # headers that would have us fetch, or trust the sender's key
    [ 'jku' => own_key(jku => $url, kid => 'x'), qr/"jku"/ ],
    [ 'x5u' => own_key(x5u => $url, kid => 'x'), qr/"x5u"/ ],
    [ 'jwk' => own_key(jwk => { kty => 'RSA', n => $own_jwk->{n},
                                e => $own_jwk->{e} }), qr/"jwk"/ ],
    [ 'x5c' => own_key(x5c => [$pem]), qr/"x5c"/ ],
    [ 'jku beside a good key' => header(jku => $url), qr/"jku"/ ],
    [ 'crit' => header(crit => ['exp'], exp => 1), qr/"crit"/ ],
    [ 'crit, empty' => header(crit => []), qr/"crit"/ ],
    [ 'b64' => header(b64 => JSON::false), qr/"b64"/ ],
    [ 'zip' => header(zip => 'DEF'), qr/"zip"/ ],
    [ 'a token within' => header(cty => 'JWT'), qr/"cty"/ ],
    [ 'an access token' => header(typ => 'at+jwt'), qr/"typ"/ ],
    [ 'a logout token' => header(typ => 'logout+jwt'), qr/"typ"/ ],
    [ 'kid a path' => header(kid => '../../../../../../etc/passwd'),
      qr/no key/ ],
    [ 'kid a URL' => header(kid => $url), qr/no key/ ],
    [ 'kid a command' => header(kid => '|touch /tmp/x; SELECT 1 --'),
      qr/no key/ ],
    [ 'kid of 256 bytes' => header(kid => 'k' x 256), qr/no key/ ],
    [ 'kid of 257 bytes' => header(kid => 'k' x 257), qr/"kid"/ ],
    [ 'kid of 10 kB' => header(kid => 'k' x 10240), qr/too long/ ],
    [ 'kid a number' => header(kid => 1), qr/"kid"/ ],
    [ 'kid empty' => header(kid => ''), qr/"kid"/ ],
    [ 'kid unknown' => header(kid => 'rsa2'), qr/no key/ ],
    [ 'a header that is an array' => $issuer->token(text_header => '[1]'),
      qr/JSON/ ],
    [ 'a deep header' => $issuer->token(
        text_header => '{"alg":"RS256","a":' . '[' x 400 . ']' x 400 . '}'),
      qr/JSON/ ],
    [ 'a header that is not UTF-8' => $issuer->token(
        text_header => "{\"alg\":\"RS256\",\"kid\":\"\xff\"}"), qr/JSON/ ],

    # claims
    [ 'another issuer' => claims(iss => 'https://evil.example'), qr/"iss"/ ],
    [ 'the issuer and a slash' => claims(iss => 'https://id.example/'),
      qr/"iss"/ ],
    [ 'the issuer in other letters' => claims(iss => 'https://ID.example'),
      qr/"iss"/ ],
    [ 'no issuer' => claims(iss => undef), qr/"iss"/ ],
    [ 'issuers' => claims(iss => ['https://id.example']), qr/"iss"/ ],
    [ 'another app of the issuer' => claims(aud => 'mail'), qr/"aud"/ ],
    [ 'another app, azp ours' => claims(aud => 'mail', azp => 'console'),
      qr/"aud"/ ],
    [ 'ours, azp another' => claims(azp => 'mail'), qr/"azp"/ ],
    [ 'two audiences, no azp' => claims(aud => ['console', 'mail']),
      qr/"azp"/ ],
    [ 'two audiences, azp another' => claims(
        aud => ['console', 'mail'], azp => 'mail'), qr/"azp"/ ],
    [ 'no audience' => claims(aud => undef), qr/"aud"/ ],
    [ 'no audience in it' => claims(aud => []), qr/"aud"/ ],
    [ 'audience a number' => claims(aud => 7), qr/"aud"/ ],
    [ 'part of our name' => claims(aud => 'consol'), qr/"aud"/ ],
    [ 'no subject' => claims(sub => undef), qr/"sub"/ ],
    [ 'an empty subject' => claims(sub => ''), qr/"sub"/ ],
    [ 'a subject of 256 bytes' => claims(sub => 's' x 256), qr/"sub"/ ],
    [ 'a subject that is a number' => claims(sub => 7), qr/"sub"/ ],
    [ 'no exp' => claims(exp => undef), qr/"exp"/ ],
    [ 'exp a string' => claims(exp => '' . ($now + 600)), qr/"exp"/ ],
    [ 'exp null' => $issuer->token(text_claims => encode_json(
        { %{ $issuer->claims }, exp => undef })), qr/"exp"/ ],
    [ 'exp below zero' => claims(exp => -1), qr/"exp"/ ],
    [ 'exp of the year 300000000' => claims(exp => 1e19), qr/JSON|"exp"/ ],
    [ 'expired' => claims(iat => $now - 700, exp => $now - 100),
      qr/expired/ ],
    [ 'no iat' => claims(iat => undef), qr/"iat"/ ],
    [ 'iat a string' => claims(iat => "$now"), qr/"iat"/ ],
    [ 'issued in the future' => claims(iat => $now + 300), qr/future/ ],
    [ 'issued two days ago' => claims(iat => $now - 2 * 86400),
      qr/too long ago/ ],
    [ 'not valid yet' => claims(nbf => $now + 300), qr/not valid yet/ ],
    [ 'no nonce, as after a refresh' => claims(nonce => undef),
      qr/no "nonce"/ ],
    [ 'nonce no thumbprint' => claims(nonce => 'n-0S6_WzA2Mj'),
      qr/thumbprint/ ],
    [ 'nonce an array' => claims(nonce => [$RS::Provider::THUMBPRINT]),
      qr/"nonce"/ ],
    [ 'a claim twice' => text_claims('"sub":"root"'), qr/twice/ ],
    [ 'claims that are an array' => $issuer->token(text_claims => '[]'),
      qr/JSON/ ],
    [ 'claims that are none' => $issuer->token(text_claims => 'hello'),
      qr/JSON/ ],
    [ '201 groups' => claims(groups => [map { "g$_" } 1 .. 201]),
      qr/groups_claim/ ],
    [ 'groups an object' => claims(groups => { support => 1 }),
      qr/groups_claim/ ],
    [ 'tenants a number' => claims(tenants => 7), qr/tenant_claim/ ],
);

cmp_ok(scalar @bad, '>=', 60, scalar(@bad) . ' tokens that are not good');

for my $how (sort keys %rest) {
    subtest "keys by $how" => sub {
        for my $case (@bad) {
            my ($name, $token, $why) = @$case;
            my $before = length $gw->error_log;

            is(plain(ask($how, $token)), $constant, $name);
            like(substr($gw->error_log, $before),
                 qr/a token was refused: [^\n]*$why/, "$name: the log");
        }
    };
}


# what came of all that

my $log = $gw->error_log . read_file($gw->dir . '/logs/access.log');

is(scalar(grep { length > 20 && index($log, $_) >= 0 }
          map { split /\./, $_->[1] } @good, @bad), 0,
   'no part of a token is in a log');

ok(!IO::Select->new($trap)->can_read(0), 'nobody came to the URLs');

my %places = map { $_ => 1 } split /\n/, read_file("$dir/connects");
delete $places{'127.0.0.1 ' . $issuer->port};

is_deeply([sort keys %places], [], 'the gateway connected nowhere else');
ok(-s "$dir/connects", 'and was watched');

cmp_ok($issuer->fetches, '<=', 2,
       'the keys were asked for once, and once for all unknown ones');
unlike($issuer->requests, qr/authorization|bearer|\Q$head\E/i,
       'nothing of a client reached the issuer');

$gw->check_log;
done_testing();
