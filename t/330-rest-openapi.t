# Copyright (C) rs-gateway contributors

# openapi.json and the gateway agree: the same paths, methods and scopes; each
# answer that is documented can be had, and is as its schema says.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(sha256_hex);
use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::OpenAPI;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file random_id wait_until);

my $file = write_file(tempdir() . '/secret',
                      'p8Kd3mWq7ZtRv2Nx9LbHf5YcJg4TsQa6', 0644);
my $redis = RS::Redis->new(acl => 1);
my $issuer = RS::Issuer->new();
my $gw = RS::Gateway->new(redis => $redis,
                          http => 'rs_tunnel_ports 20000-20099;',
                          location => $issuer->conf . "
    rs_oidc_tenant_claim tenants;
    rs_oidc_role admin admins;
    rs_max_participants 4;
    rs_device_tunnels 1;
    rs_stun_server stun:turn.example.net:3478;
    rs_turn_server eu turn:turn.example.net:3478;
    rs_turn_secret_file $file;
    rs_webhook_key_file $file;
    rs_events_heartbeat 1s;
");
my $bare = RS::Gateway->new(redis => $redis);
my $checks = RS::Gateway->new(redis => $redis,
                              http => 'rs_check_rate 1r/m burst=2;');
my $rest = $gw->rest(key => $redis->api_key(scopes => '* node:drain'));
my $unknown = $gw->rest(key => 'rsk_default_' . 'a' x 52);
my $weak = $gw->rest(key => $redis->api_key(scopes => 'none'));
my $many = $gw->rest(key => $issuer->token(groups => ['admins'],
                                           tenants => ['a', 'b']));
my $page = $rest->with(headers => { Origin => 'https://evil.example' });

my $api = RS::OpenAPI->new($rest->get('/openapi.json')->content);


subtest 'the document is the one in the tree' => sub {
    my $text = read_file(top('ngx_rs_signal_module', 'http', 'openapi.json'));

    is_deeply($api->doc, JSON->new->utf8->decode($text), 'openapi.json');
    is(system(top('util', 'openapi-embed'), '--check'), 0,
       'ngx_http_rs_openapi.c is current');
};


# the table in the source is what the gateway knows

subtest 'the same paths, methods and scopes' => sub {
    my $c = read_file(top('ngx_rs_signal_module', 'http',
                          'ngx_http_rs_api_route.c'));
    my %table;

    while ($c =~ /\{ \s* NGX_HTTP_(GET|POST|PUT|PATCH|DELETE), \s* "(\/[^"]*)",
                  \s* \w+, \s* (?:RS_VERB_(\w+)|NGX_HTTP_RS_API_\w+), \s*
                  NGX_HTTP_RS_API_(\w+),/gx)
    {
        my ($call, $verb, $body) = ("$1 $2", $3, $4);

        $table{$call} = [$verb ? lc($verb) =~ s/_/:/r : undef, $body];
    }

    my %doc = map { ("$_->[0] $_->[1]" => $_->[2]) } $api->operations;

    is_deeply([sort keys %table], [sort keys %doc], 'calls');

    for my $call (sort keys %doc) {
        is($table{$call}[0], $doc{$call}{'x-scope'}, "$call: scope");

        my $body = $doc{$call}{requestBody};

        is($table{$call}[1], !$body ? 'NO_BODY' : !$body->{required}
                             ? 'MAY_BODY' : $call =~ /^PATCH/ ? 'PATCH'
                             : 'BODY', "$call: body");
    }
};


subtest 'OPTIONS names the methods' => sub {
    my %methods;

    push @{ $methods{ $_->[1] } }, $_->[0] for $api->operations;

    for my $path (sort keys %methods) {
        my @ids = none_of($path);
        my $real = $path =~ s/\{\w+\}/shift @ids/ger;
        my $r = $rest->request('OPTIONS', $real);
        my %allow = map { $_ => 1 } split /, /, $r->header('Allow');

        delete @allow{qw(HEAD OPTIONS)};
        is($r->status, 204, "$path: 204");
        is_deeply([sort keys %allow], [sort @{ $methods{$path} }],
                  "$path: methods");
    }
};


# what every call of its kind answers

sub none_of {
    my ($path) = @_;
    my $a = 'a' x 26;
    my %none = (SessionId => "ses_$a", EnrollmentId => "enr_$a",
                DeviceId => "dev_$a", KeyId => "key_$a",
                LinkId => "lnk_$a",
                ApiKeyId => "key_$a", GroupId => "grp_$a",
                WebhookId => "whk_$a", TunnelId => "tun_$a",
                RecordingId => "rec_" . "z" x 26,
                GrantId => "gra_$a", UserId => "usr_$a",
                PolicyName => 'none',
                Username => "1790000300:default.ses_$a.par_$a");

    return map { $_->{'$ref'} =~ /(\w+)$/ ? $none{$1} : () }
           @{ $api->doc->{paths}{$path}{parameters} // [] };
}


for my $o ($api->operations) {
    my ($method, $path, $operation) = @$o;
    my $answers = $operation->{responses};
    my $id = [none_of($path)];
    my @match = $method eq 'PATCH' ? (headers => { 'If-Match' => '"1"' }) : ();

    $api->call($unknown, 401, $method, $path, $id, body => sample($path),
               query => query($path, $method), @match)
        if $answers->{401};

    $api->call($page, 403, $method, $path, $id) if $answers->{403};
    $api->call($weak, 403, $method, $path, $id, body => sample($path),
               query => query($path, $method), @match)
        if $operation->{'x-scope'};

    $api->call($many, 400, $method, $path, $id)
        if $operation->{'x-scope'};

    if ($operation->{requestBody}) {
        $api->call($rest, 400, $method, $path, $id, body => \'{', @match);
        $api->call($rest, 413, $method, $path, $id, body => \(' ' x 65537));
        $api->call($rest, 415, $method, $path, $id, body => {},
                   headers => { 'Content-Type' => 'text/plain' });
        $api->call($rest, 422, $method, $path, $id, body => { x => 1 },
                   @match);

    } elsif ($answers->{422}) {
        $api->call($rest, 422, $method, $path, $id, query => '?x=1');
    }

    # of those with a body, a list's cursor, a query

    $api->call($rest, 404, $method, $path, $id, body => sample($path), @match)
        if $answers->{404} && @$id && $method ne 'PUT';
}


# a body that is good but for the object it is about

sub sample {
    my ($path) = @_;

    return { host => { type => 'device', device_id => 'dev_' . 'a' x 26 } }
        if $path eq '/sessions';
    return { token => 'x', name => 'x' } if $path eq '/bootstrap';
    return { token => 'x' } if $path eq '/login';
    return { role => 'viewer' } if $path =~ /participants$/;
    return { target => '127.0.0.1:22' } if $path =~ /tunnels$/;
    return { command => 'ping' } if $path =~ /commands$/;
    return {} if $path =~ m{^/(?:ice|enrollments|devices/|.*/generate
                                 |groups/|policies/|webhooks/|tunnels/
                                 |recordings/)}x;
    return { name => 'n' } if $path eq '/groups';
    return { url => 'https://a.example.net/' } if $path eq '/webhooks';
    return { name => 'n', scopes => ['ice'] } if $path eq '/keys';
    return { subject => 'group:x', group_id => '*', verbs => ['devices:read'] }
        if $path eq '/grants';
    return undef;
}


sub query
{
    return $_[0] eq '/turn' ? '?service=turn'
           : $_[0] eq '/audit' && $_[1] eq 'DELETE' ? '?through=1-1' : '';
}


# what is left, each for its own reason

$api->call($bare->rest, 200, 'GET', '/');
$api->call($rest, 200, 'GET', $_) for '/', '/health/live', '/health/ready',
                                      '/openapi.json';

my %key = (headers => { 'Idempotency-Key' => 'one' });
my $shop = $rest->post('/groups', { name => 'shop' })->json->{id};
my $e = $api->call($rest, 201, 'POST', '/enrollments', undef, %key,
                   body => { max_uses => 5, tags => ['a'],
                             group_id => $shop })->json;

$api->call($rest, 200, 'GET', '/enrollments');
$api->call($rest, 200, 'GET', '/enrollments/{id}', $e->{id});
$api->call($rest, 204, 'DELETE', '/enrollments/{id}', $e->{id});
$api->call($rest, 404, 'POST', '/enrollments', undef, %key,
           body => { max_uses => 5, tags => ['a'], group_id => $shop });

$e = $rest->post('/enrollments', { max_uses => 9, tags => ['é'],
                                   group_id => $shop })->json;

my $nobody = $gw->rest();

$redis->call('FCALL', 'rs_bootstrap_put', 2, 'rs:{new}:boot', 'rs:{new}:keys',
             sha256_hex('a' x 52));
$api->call($nobody, 404, 'GET', '/check');
$api->call($nobody, 404, 'POST', '/check');
$api->call($checks->rest, 200, 'GET', '/check');
$api->call($checks->rest(headers => { 'X-RS-Tenant' => 'A' }), 400, 'POST',
           '/check');
$api->call($checks->rest, 200, 'POST', '/check');
$api->call($checks->rest, 429, 'POST', '/check');
$api->call($nobody, 201, 'POST', '/bootstrap', undef,
           body => { token => 'rsb_new_' . 'a' x 52, name => 'root' });
$redis->call('FCALL', 'rs_login_put', 1,
             'rs:{new}:login:' . sha256_hex('b' x 52), 'link', '*', 600);
$api->call($nobody, 201, 'POST', '/login', undef,
           body => { token => 'rso_new_' . 'b' x 52 });

my $new = RS::Device->new();

$api->call($nobody, 403, 'POST', '/devices', undef,
           body => { enrollment => 'x', public_key => $new->public_key,
                     name => 'x' });
my $d = $api->call($nobody, 201, 'POST', '/devices', undef,
                   body => { enrollment => $e->{token}, name => 'bär',
                             public_key => $new->public_key,
                             meta => { a => 1 } })->json->{device};

$new->{id} = $d->{id};
$api->call($rest, 409, 'DELETE', '/groups/{id}', $shop);
$api->call($rest, 200, 'GET', '/devices/{id}', $d->{id});
$api->call($rest, 409, 'POST', '/sessions', undef,
           body => { host => { type => 'device', device_id => $d->{id} } });

$new->connect($gw, hello => { agent => { name => 'rs-agent',
                                         version => '1', os => 'linux' } });

$api->call($rest, 200, 'GET', '/devices/{id}', $d->{id});
$api->call($rest, 200, 'GET', '/devices');
$api->call($rest, 422, 'GET', '/devices', undef, query => '?limit=0');
$api->call($rest, 428, 'PATCH', '/devices/{id}', $d->{id},
           body => { name => 'n' });
$api->call($rest, 412, 'PATCH', '/devices/{id}', $d->{id},
           body => { name => 'n' }, headers => { 'If-Match' => '"9"' });
$api->call($rest, 200, 'PATCH', '/devices/{id}', $d->{id},
           body => { name => 'n', tags => undef },
           headers => { 'If-Match' => '"1"' });

my %host = (host => { type => 'device', device_id => $d->{id} });
my $s = $api->call($rest, 201, 'POST', '/sessions', undef, %key,
                   body => { %host, reason => 'x', external_id => 'y',
                             metadata => { a => [] }, participants => [
                                 { role => 'controller', name => 'Ann' } ] })
            ->json;
my $host = $new->join($gw, $new->expect('invite'));
my $peer = $gw->signal("rs.ticket.$s->{participants}[0]{ticket}");

$peer->expect('welcome');
$peer->send_json({ type => 'state', path => {
    kind => 'direct', protocol => 'udp', local => 'host', remote => 'prflx',
    rtt_ms => 1 } });
wait_until { $rest->get("/sessions/$s->{id}")->json->{path} } 5, 'the path';

$api->call($rest, 200, 'GET', '/sessions/{id}', $s->{id});
$api->call($rest, 200, 'GET', '/sessions');
$api->call($rest, 201, 'POST', '/sessions/{id}/participants', $s->{id},
           body => { role => 'viewer' });

my $link = $api->call($rest, 201, 'POST', '/sessions/{id}/participants',
                      $s->{id}, body => { link => JSON::true(),
                                          pin => '1234', max_uses => 9 })
               ->json;

$api->call($rest, 200, 'GET', '/sessions/{id}/links', $s->{id});
$api->call($nobody, 403, 'POST', '/join', undef,
           body => { link => $link->{link} });
$api->call($nobody, 201, 'POST', '/join', undef,
           body => { link => $link->{link}, pin => '1234', name => 'Gus' });
$api->call($nobody, 409, 'POST', '/join', undef,
           body => { link => $link->{link}, pin => '1234' });
$api->call($rest, 409, 'POST', '/sessions/{id}/participants', $s->{id},
           body => { role => 'viewer' });
$api->call($rest, 204, 'DELETE', '/sessions/{id}/links/{link}',
           [$s->{id}, $link->{id}]);
$api->call($rest, 409, 'POST', '/sessions/{id}/help', $s->{id});
$api->call($rest, 204, 'DELETE', '/sessions/{id}', $s->{id});
$api->call($rest, 200, 'GET', '/sessions/{id}', $s->{id});
$api->call($rest, 410, 'POST', '/sessions/{id}/help', $s->{id});
$api->call($rest, 410, 'POST', '/sessions/{id}/participants', $s->{id},
           body => { role => 'viewer' });

my $tunnel = $api->call($rest, 201, 'POST', '/devices/{id}/tunnels', $d->{id},
                        %key, body => {
                            target => '127.0.0.1:22', protocol => 'tcp',
                            acl => { addresses => ['127.0.0.0/8'] },
                            idle_s => 60, ttl_s => 60, label => 'ssh',
                            port => JSON::true() })->json;
my $alone = RS::Device->enroll($rest);
my $nowhere = $rest->post('/devices/' . $alone->id . '/tunnels',
                          { target => 'shell' })->json->{id};

$api->call($rest, 429, 'POST', '/devices/{id}/tunnels', $d->{id},
           body => { target => 'shell' });
$api->call($rest, 200, 'GET', '/tunnels', undef,
           query => "?device_id=$d->{id}");
$api->call($rest, 422, 'GET', '/tunnels', undef, query => '?device_id=x');
$api->call($rest, 200, 'GET', '/tunnels/{id}', $tunnel->{id});
$api->call($rest, 428, 'PATCH', '/tunnels/{id}', $tunnel->{id}, body => {});
$api->call($rest, 412, 'PATCH', '/tunnels/{id}', $tunnel->{id}, body => {},
           headers => { 'If-Match' => '"9"' });
$api->call($rest, 200, 'PATCH', '/tunnels/{id}', $tunnel->{id},
           body => { label => undef, acl => undef },
           headers => { 'If-Match' => '"1"' });
$api->call($rest, 201, 'POST', '/tunnels/{id}/pipes', $tunnel->{id},
           body => { origin => 'https://support.example.net' });
$api->call($rest, 409, 'POST', '/tunnels/{id}/pipes', $nowhere);
$api->call($rest, 200, 'POST', '/tunnels/{id}/port', $tunnel->{id});
$api->call($rest, 409, 'POST', '/tunnels/{id}/port', $nowhere);

# a recording, of a recorder that is here, and one that is written still

my $keeper = RS::Device->enroll($rest, name => 'keeper',
                                enrollment => { kind => 'recorder' });

$keeper->connect($gw);
$keeper->send_json({ type => 'load', capacity => 1, used => 0, queued => 0,
                     queue => 0 });
wait_until {
    $rest->get('/devices/' . $keeper->id)->json->{load}
} 5, 'its load';

my @rec = map { "rec_$_" } 'a' x 26, 'b' x 26;

for my $i (0, 1) {
    $redis->call('HSET', "rs:{default}:rec:$rec[$i]", 'session_id', $s->{id},
                 'device_id', $d->{id}, 'recorder_id', $keeper->id, 'state',
                 $i ? 'recording' : 'kept', 'started_at', time(), 'ended_at',
                 time(), 'duration_ms', 1000, 'bytes', 1000, 'sha256',
                 'a' x 64, 'gaps', 0, 'reason', 'ended', 'expires_at',
                 time() + 60);
    $redis->call('ZADD', 'rs:{default}:recs', int(1000 * time()) + $i,
                 $rec[$i]);
}

$api->call($rest, 200, 'GET', '/recordings', undef,
           query => "?device_id=$d->{id}&session_id=$s->{id}");
$api->call($rest, 422, 'GET', '/recordings', undef, query => '?session_id=x');
$api->call($rest, 200, 'GET', '/recordings/{id}', $_) for @rec;
$api->call($rest, 201, 'POST', '/recordings/{id}/pipes', $rec[0],
           body => { origin => 'https://support.example.net' });
$api->call($rest, 409, 'POST', '/recordings/{id}/pipes', $rec[1]);
$api->call($rest, 409, 'DELETE', '/recordings/{id}', $rec[1]);
$api->call($rest, 204, 'DELETE', '/recordings/{id}', $rec[0]);

# a call that is repeated when its port is another's

$redis->call('HSET', 'rs:{b}:ports', $tunnel->{port},
             "other tun_x dev_x tcp " . (time() + 60));
$api->call($rest, 409, 'POST', '/devices/{id}/tunnels', $d->{id}, %key,
           body => { target => '127.0.0.1:22', protocol => 'tcp',
                     acl => { addresses => ['127.0.0.0/8'] }, idle_s => 60,
                     ttl_s => 60, label => 'ssh', port => JSON::true() });
$api->call($rest, 204, 'DELETE', '/tunnels/{id}', $tunnel->{id});

my $run = '/devices/{id}/commands';

$api->call($rest, 201, 'POST', $run, $d->{id},
           body => { command => 'ping', args => { host => 'nas' },
                     secret => ['host'] });
$api->call($rest, 429, 'POST', $run, $d->{id}, body => { command => 'ping' });
$api->call($rest, 409, 'POST', $run, $alone->id,
           body => { command => 'ping' });

my $helped = $api->call($rest, 201, 'POST', '/sessions', undef,
                        body => { host => { type => 'browser' },
                                  reason => 'x' })->json;
my $code = $api->call($rest, 201, 'POST', '/sessions/{id}/help',
                      $helped->{id})->json->{code};

$api->call($nobody, 201, 'POST', '/help', undef,
           body => { code => $code, name => 'Eve' });
$api->call($nobody, 403, 'POST', '/help', undef, body => { code => $code });
$api->call($nobody, 403, 'POST', '/help', undef, body => { code => $code })
    for 2 .. 5;
$api->call($nobody, 429, 'POST', '/help', undef, body => { code => $code });
$api->call($rest, 204, 'DELETE', '/sessions/{id}', $helped->{id});

$api->call($rest, 410, 'POST', '/sessions', undef, %key,
           body => { %host, reason => 'x', external_id => 'y',
                     metadata => { a => [] }, participants => [
                         { role => 'controller', name => 'Ann' } ] });
$api->call($rest, 404, 'POST', '/sessions', undef, body => sample('/sessions'));

for (1 .. 64) {
    my $r = $rest->post('/sessions', \%host);
    die $r->content if $r->status != 201;
}

$api->call($rest, 429, 'POST', '/sessions', undef, body => \%host);

$api->call($rest, 412, 'DELETE', '/devices/{id}', $d->{id},
           headers => { 'If-Match' => '"9"' });
$api->call($rest, 204, 'DELETE', '/devices/{id}', $d->{id});

$api->call($rest, 200, 'POST', '/ice');
$api->call($rest, 200, 'POST', '/ice', undef, body => { relay_only =>
                                                         JSON::true() });
$api->call($rest, 200, 'GET', '/turn', undef, query => '?service=turn');
$api->call($rest, 400, 'GET', '/turn', undef, query => '?service=stun');
$api->call($bare->rest(key => $rest->{key}), 404, 'GET', '/turn', undef,
           query => '?service=turn');

my $turn = '/turn/keys/{id}/credentials';
my $key_id = $redis->key_id($rest->{key});
my $made = $api->call($rest, 201, 'POST', "$turn/generate-ice-servers",
                      $key_id, body => { ttl => 60,
                                         customIdentifier => 'x' })->json;

$api->call($rest, 204, 'POST', "$turn/{username}/revoke",
           [$key_id, $made->{iceServers}[1]{username}]);

my $limited = RS::Gateway->new(redis => $redis,
                               http => 'rs_address_rate 1r/m;');

$limited->agent;

for my $o ($api->operations) {
    my ($method, $path, $operation) = @$o;

    $api->call($limited->rest(key => $rest->{key}), 429, $method, $path,
               [none_of($path)])
        if $operation->{responses}{429};
}

$api->call($_, 200, 'GET', '/me') for $rest, $many;
$api->call($rest, 201, 'POST', '/watch');
$api->call($rest, 403, 'POST', '/me/sign-out');
$api->call($many, 204, 'POST', '/me/sign-out');
$api->call($rest, 204, 'POST', '/users/{id}/revoke', 'usr_' . 'a' x 26);

my %default = (consent => 'required', relay_only => JSON::true(),
               max_ttl_s => 60);

$api->call($rest, 201, 'PUT', '/policies/{name}', 'strict',
           body => \%default);
$api->call($rest, 200, 'PUT', '/policies/{name}', 'strict', body => {});
$api->call($rest, 404, 'PUT', '/policies/{name}', 'STRICT', body => {});
$api->call($rest, 200, 'GET', '/policies/{name}', 'strict');
$api->call($rest, 200, 'GET', '/policies');

my $group = $api->call($rest, 201, 'POST', '/groups', undef, %key,
                       body => { name => 'n', policy => 'strict' })->json;

$api->call($rest, 201, 'POST', '/groups', undef, %key,
           body => { name => 'n', policy => 'strict' });
$api->call($rest, 404, 'POST', '/groups', undef,
           body => { name => 'n', policy => 'none' });
$api->call($rest, 200, 'GET', '/groups/{id}', $group->{id});
$api->call($rest, 200, 'GET', '/groups');
$api->call($rest, 409, 'DELETE', '/policies/{name}', 'strict');
$api->call($rest, 428, 'PATCH', '/groups/{id}', $group->{id}, body => {});
$api->call($rest, 412, 'PATCH', '/groups/{id}', $group->{id}, body => {},
           headers => { 'If-Match' => '"9"' });
$api->call($rest, 200, 'PATCH', '/groups/{id}', $group->{id},
           body => { name => 'm', policy => undef },
           headers => { 'If-Match' => '"1"' });
$api->call($rest, 204, 'DELETE', '/policies/{name}', 'strict');

my $grant = $api->call($rest, 201, 'POST', '/grants', undef, %key, body => {
    subject => 'group:support', group_id => $group->{id},
    verbs => ['sessions:view', 'devices:read'], consent => 'notify' })->json;

$api->call($rest, 404, 'POST', '/grants', undef, body => {
    subject => 'group:support', group_id => 'grp_' . 'a' x 26,
    verbs => ['devices:read'] });
$api->call($rest, 200, 'GET', '/grants/{id}', $grant->{id});
$api->call($rest, 200, 'GET', '/grants');
$api->call($rest, 204, 'DELETE', '/grants/{id}', $grant->{id});
$api->call($rest, 204, 'DELETE', '/groups/{id}', $group->{id});

my $api_key = $api->call($rest, 201, 'POST', '/keys', undef, %key,
                         body => { name => 'k', scopes => ['*'],
                                   ttl_s => 60 })->json;

$api->call($rest, 409, 'POST', '/keys', undef, %key,
           body => { name => 'k', scopes => ['*'], ttl_s => 60 });
$api->call($rest, 200, 'GET', '/keys/{id}', $api_key->{id});
$api->call($rest, 200, 'GET', '/keys');
$api->call($rest, 204, 'DELETE', '/keys/{id}', $api_key->{id});

my $hook = $api->call($rest, 201, 'POST', '/webhooks', undef, %key, body => {
    url => 'https://a.example.net/x', name => 'n',
    types => ['session.ended'] })->json;

$api->call($rest, 201, 'POST', '/webhooks', undef, %key, body => {
    url => 'https://a.example.net/x', name => 'n',
    types => ['session.ended'] });
$api->call($bare->rest(key => $rest->{key}), 404, 'POST', '/webhooks', undef,
           body => { url => 'https://a.example.net/' });
$api->call($rest, 200, 'GET', '/webhooks/{id}', $hook->{id});
$api->call($rest, 200, 'GET', '/webhooks');
$api->call($rest, 428, 'PATCH', '/webhooks/{id}', $hook->{id}, body => {});
$api->call($rest, 412, 'PATCH', '/webhooks/{id}', $hook->{id}, body => {},
           headers => { 'If-Match' => '"9"' });
$api->call($rest, 200, 'PATCH', '/webhooks/{id}', $hook->{id},
           body => { name => undef, enabled => JSON::false() },
           headers => { 'If-Match' => '"1"' });
$api->call($rest, 200, 'POST', '/webhooks/{id}/secret', $hook->{id});
$api->call($rest, 204, 'DELETE', '/webhooks/{id}', $hook->{id});

my $short = $rest->post('/keys', { name => 's', scopes => ['devices:read'],
                                   ttl_s => 2 })->json->{key};

$api->call($rest->with(key => $short), 200, 'GET', '/events');

my $audit = $api->call($rest, 200, 'GET', '/audit', undef,
                       query => '?limit=3&order=newest')->json;

$api->call($rest, 200, 'DELETE', '/audit', undef,
           query => "?through=$audit->{next_cursor}");

for my $method (qw(POST GET DELETE)) {
    $api->call($rest, 200, $method, '/drain', undef,
               query => '?node=' . $gw->node);
    $api->call($rest, 421, $method, '/drain', undef, query => '?node=other');
}

$redis->stop();
wait_until { $rest->get('/health/ready')->status == 503 } 5, '503';

for my $o ($api->operations) {
    my ($method, $path, $operation) = @$o;

    $api->call($rest, 503, $method, $path, [none_of($path)])
        if $operation->{responses}{503};
}

$api->check;
$api->check_complete;

$_->check_log for $gw, $bare, $limited;
done_testing();
