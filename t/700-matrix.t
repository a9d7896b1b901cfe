# Copyright (C) rs-gateway contributors

# The matrix: docs/protocol/roles.json says who may do what, and this tries
# it.  Each REST call by each role, and by API keys with just its verbs and
# with all but one of them; each on an object that is granted, on one of the
# own tenant that is not, on another tenant's and on one that never was.  Each
# message of a participant by each role, in its own session and to another.
# A call of the table without a specimen here fails the test.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Issuer;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file random_id wait_until);

my $table = JSON->new->utf8->decode(
    read_file(top('docs', 'protocol', 'roles.json')));
my @verbs = map { $_->{name} } @{ $table->{verbs} };
my %cell = map { $_->{name} => $_->{verbs} } @{ $table->{roles} };

my $secret = write_file(tempdir() . '/secret',
                        'p8Kd3mWq7ZtRv2Nx9LbHf5YcJg4TsQa6', 0644);
my $redis = RS::Redis->new(acl => 1);
my $issuer = RS::Issuer->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                          http => 'rs_tunnel_ports 20000-20099;', location =>
    $issuer->conf . 'rs_oidc_tenant_claim tenants; '
    . join('', map { "rs_oidc_role $_ g-$_; " } sort keys %cell) . "
    rs_stun_server stun:turn.example.net:3478;
    rs_turn_server eu turn:turn.example.net:3478;
    rs_turn_secret_file $secret;
    rs_webhook_key_file $secret;
");

# two tenants; in the first a group that is granted, and one that is not

my %root = map { $_ => $gw->rest(key => $redis->api_key(
                     tenant => $_, scopes => '* node:drain')) }
           qw(default other);
my %tenant = (granted => 'default', ungranted => 'default',
              foreign => 'other');
my @places = qw(granted ungranted foreign);
my (%group, %device);


sub made {
    my ($place, $path, $body) = @_;
    my $r = $root{$tenant{$place}}->post($path, $body);

    die "POST $path: " . $r->status . ' ' . $r->content if $r->status != 201;

    return $r->json;
}


sub enrol {
    my ($place, %opt) = @_;

    return RS::Device->enroll($root{$tenant{$place}}, name => $place,
        enrollment => { group_id => $opt{group} // $group{$place} });
}


for my $place (@places) {
    $group{$place} = made($place, '/groups', { name => $place })->{id};
    $device{$place} = enrol($place);
    $device{$place}->connect($gw);
}

made('granted', '/grants', {
    subject => "group:g-$_", group_id => $group{granted},
    verbs => [grep { /^(?:devices|sessions|tunnels|commands):/ } @verbs] })
    for qw(observer technician);


sub session {
    my ($place, %body) = @_;

    return made($place, '/sessions', {
        host => { type => 'device', device_id => $device{$place}->id },
        %body });
}


my %session = map { $_ => session($_) } @places;
my %never = map { $_ => random_id("${_}_") }
            qw(ses dev enr grp gra key lnk usr whk tun rec);


# Specimens: for a call of the table what to send, for an object of a place or
# ("never") for one that is none.  needs: the verbs, where they are not the
# one of the table; list: what to look for in it, and where it is; wide: there
# is no object, or it is of no group, so that where it is granted is all of
# the tenant; own: there is no other tenant's; user: what a user gets instead
# of what an API key does; head: what comes does not end, so its head is asked
# for; end: after each.

sub object {
    my ($kind, $path, $fresh) = @_;

    return sub {
        my ($place) = @_;

        return $path . '/' . ($place eq 'never' ? $never{$kind}
                                                : $fresh->(@_));
    };
}


sub fresh_link {
    my ($place) = @_;

    return made($place, "/sessions/$session{$place}{id}/participants",
                { link => JSON::true() })->{id};
}


sub delete_hook {
    my ($place, $r) = @_;

    $root{$tenant{$place}}->delete('/webhooks/' . $r->json->{id});
}


# A tenant has 32 at most: one that was not deleted is used again.

my %doomed;

sub doomed_hook {
    my ($place) = @_;
    my $root = $root{$tenant{$place}};
    my $old = $doomed{$place};

    return $old if $old && $root->get("/webhooks/$old")->status == 200;

    return $doomed{$place} = made($place, '/webhooks',
                                  { url => 'https://ops.example.net/' })->{id};
}


sub delete_tunnel {
    my ($place, $r) = @_;

    $root{$tenant{$place}}->delete('/tunnels/' . $r->json->{id});
}


sub delete_command {
    my ($place, $r) = @_;

    $root{$tenant{$place}}->delete('/tunnels/' . $r->json->{tunnel_id});
}


sub fresh_tunnel {
    my ($place) = @_;

    return made($place, '/devices/' . $device{$place}->id . '/tunnels',
                { target => '127.0.0.1:22', port => JSON::true() })->{id};
}


# A recording, of a recorder that is not here.

sub kept {
    my ($place) = @_;
    my $id = random_id('rec_');
    my $tag = "rs:{$tenant{$place}}";

    $redis->call('HSET', "$tag:rec:$id", 'session_id', random_id('ses_'),
                 'recorder_id', random_id('dev_'), 'state', 'kept',
                 'started_at', time());
    $redis->call('ZADD', "$tag:recs", int(1000 * time()), $id);

    return $id;
}


# One that lists who asks: whether he may is then his verb's to say.

my %listed;

sub listed_tunnel {
    my ($place, $rest) = @_;
    my $root = $root{$tenant{$place}};
    my $path = '/tunnels/' . ($listed{$place} //= fresh_tunnel($place));
    my $me = $rest->get('/me')->json->{id}
             // return $listed{$place};             # he is nobody

    my $r = $root->request('PATCH', $path,
        body => { acl => { users => [$me] } },
        headers => { 'If-Match' => $root->get($path)->header('ETag') });

    die "PATCH $path: " . $r->content if $r->status != 200;

    return $listed{$place};
}


sub close_session {
    my ($place, $r) = @_;

    $root{$tenant{$place}}->delete('/sessions/' . $r->json->{id});
}


my %tunnel = map { $_ => fresh_tunnel($_) } @places;
my $n = 0;
my $policy = sub { my $name = 'p' . ++$n;
                   $root{$tenant{$_[0]}}->request('PUT', "/policies/$name",
                       body => { relay_only => JSON::true() })->status < 300
                       or die; $name };
my $ses = object('ses', '/sessions', sub { $session{$_[0]}{id} });
my $dev = object('dev', '/devices', sub { $device{$_[0]}->id });
my $version = sub {
    my ($path, $place) = @_;
    my $r = $place eq 'never' ? undef : $root{$tenant{$place}}->get($path);

    return { 'If-Match' => $r ? $r->header('ETag') : '"1"' };
};
my $participant = sub {
    my ($verb, %body) = @_;

    return { needs => ['sessions:write', ref $verb ? @$verb : $verb],
             path => sub { $ses->($_[0]) . '/participants' },
             body => sub { \%body } };
};
my $fresh = sub {
    my ($path, $body) = @_;

    return sub { made($_[0], $path, $body->($_[0]))->{id} };
};
my $grant = sub { { subject => 'user:' . random_id('usr_'),
                    group_id => $_[0] eq 'never' ? $never{grp}
                                                 : $group{$_[0]},
                    verbs => ['devices:read'] } };
my $new_key = sub { { name => 'x', scopes => ['devices:read'] } };
my $named = sub { { name => 'n' . ++$n } };
my $hook = sub { { url => 'https://ops.example.net/' . ++$n } };
my %hook = map { $_ => made($_, '/webhooks', $hook->())->{id} } @places;
my $drain = { wide => 1, own => 1, path => '/drain?node=nowhere' };

my %specimen = (
    'POST /sessions' => [
        { path => '/sessions', end => \&close_session,
          body => sub { { host => { type => 'device',
              device_id => $_[0] eq 'never' ? $never{dev}
                                            : $device{$_[0]}->id } } } },
        { path => '/sessions', end => \&close_session,
          needs => ['sessions:write', 'sessions:control'],
          body => sub { { host => { type => 'device',
              device_id => $_[0] eq 'never' ? $never{dev}
                                            : $device{$_[0]}->id },
              participants => [{ role => 'controller' }] } } },
    ],
    'GET /sessions' => [{ path => '/sessions?limit=200',
                          list => sub { $session{$_[0]}{id} } }],
    'GET /sessions/{id}' => [{ path => $ses }],
    'DELETE /sessions/{id}' => [
        { path => object('ses', '/sessions', sub { session($_[0])->{id} }) }],
    'POST /sessions/{id}/participants' => [
        $participant->('sessions:view', role => 'viewer'),
        $participant->('sessions:control', role => 'controller'),
        $participant->(['sessions:view', 'sessions:invite'],
                       link => JSON::true()),
        { %{ $participant->(['sessions:view', 'sessions:invite'],
                            role => 'viewer', name => 'Somebody') },
          key_needs => ['sessions:write', 'sessions:view'] },
    ],
    'POST /sessions/{id}/help' => [{ path => sub { $ses->(@_) . '/help' } }],
    'GET /sessions/{id}/links' => [{ path => sub { $ses->(@_) . '/links' } }],
    'DELETE /sessions/{id}/links/{link}' => [
        { path => sub { $ses->(@_) . '/links/'
                        . ($_[0] eq 'never' ? $never{lnk}
                                            : fresh_link($_[0])) } }],
    'POST /enrollments' => [
        { path => '/enrollments',
          body => sub { { group_id => $_[0] eq 'never' ? $never{grp}
                                                       : $group{$_[0]} } } }],
    'GET /enrollments' => [{ path => '/enrollments?limit=200', list => $fresh->(
        '/enrollments', sub { { group_id => $group{$_[0]} } }) }],
    (map { ("$_ /enrollments/{id}" => [{ path => object('enr', '/enrollments',
        $fresh->('/enrollments', sub { { group_id => $group{$_[0]} } })) }]) }
     qw(GET DELETE)),
    'GET /devices' => [{ path => '/devices?limit=200',
                         list => sub { $device{$_[0]}->id } }],
    'GET /devices/{id}' => [{ path => $dev }],
    'PATCH /devices/{id}' => [{ path => $dev, headers => $version,
                                body => $named }],
    'DELETE /devices/{id}' => [
        { path => object('dev', '/devices', sub { enrol($_[0])->id }) }],
    'POST /watch' => [{ path => '/watch', wide => 1, own => 1 }],
    'GET /events' => [{ path => '/events', wide => 1, own => 1, head => 1 }],
    'POST /webhooks' => [{ path => '/webhooks', body => $hook, wide => 1,
                           own => 1, end => \&delete_hook }],
    'GET /webhooks' => [{ path => '/webhooks?limit=200', wide => 1,
                          own => 1 }],
    (map { my $call = $_;
           ("$call" => [{ path => sub { object('whk', '/webhooks',
                              sub { $hook{$_[0]} })->(@_)
                              . ($call =~ /secret$/ ? '/secret' : '') },
                          wide => 1,
                          $call =~ /^PATCH/ ? (headers => $version,
                                               body => $named) : () }]) }
     'GET /webhooks/{id}', 'PATCH /webhooks/{id}',
     'POST /webhooks/{id}/secret'),
    'DELETE /webhooks/{id}' => [{ path => object('whk', '/webhooks',
                                                 \&doomed_hook),
                                  wide => 1 }],
    'POST /devices/{id}/tunnels' => [
        { path => sub { $dev->(@_) . '/tunnels' }, end => \&delete_tunnel,
          body => sub { { target => '127.0.0.1:22' } } }],
    'POST /devices/{id}/commands' => [
        { path => sub { $dev->(@_) . '/commands' }, end => \&delete_command,
          body => sub { { command => 'uptime' } } }],
    'GET /tunnels' => [{ path => '/tunnels?limit=200',
                         list => sub { $tunnel{$_[0]} } }],
    'GET /tunnels/{id}' => [
        { path => object('tun', '/tunnels', sub { $tunnel{$_[0]} }) }],
    'PATCH /tunnels/{id}' => [
        { path => object('tun', '/tunnels', sub { $tunnel{$_[0]} }),
          headers => $version, body => sub { { label => 'n' . ++$n } } }],
    'DELETE /tunnels/{id}' => [
        { path => object('tun', '/tunnels', \&fresh_tunnel) }],
    'POST /tunnels/{id}/pipes' => [
        { path => sub { object('tun', '/tunnels', \&listed_tunnel)->(@_)
                        . '/pipes' } }],
    'POST /tunnels/{id}/port' => [
        { path => sub { object('tun', '/tunnels', \&listed_tunnel)->(@_)
                        . '/port' } }],
    'GET /recordings' => [
        { path => '/recordings', wide => 1, own => 1 }],
    'GET /recordings/{id}' => [
        { path => object('rec', '/recordings', \&kept), wide => 1 }],
    'DELETE /recordings/{id}' => [
        { path => object('rec', '/recordings', \&kept), wide => 1 }],
    'POST /recordings/{id}/pipes' => [
        { path => sub { object('rec', '/recordings', \&kept)->(@_)
                        . '/pipes' }, wide => 1 }],
    'POST /ice' => [{ path => '/ice', wide => 1, own => 1 }],
    'GET /turn' => [{ path => '/turn?service=turn', wide => 1, own => 1 }],
    (map { ("POST /turn/keys/{id}/credentials/$_" => []) }
     'generate-ice-servers', '{username}/revoke'),    # of an API key: below
    'POST /users/{id}/revoke' => [
        { path => sub { '/users/' . random_id('usr_') . '/revoke' },
          wide => 1, own => 1 }],
    'POST /groups' => [{ path => '/groups', body => $named, wide => 1,
                         own => 1 }],
    'GET /groups' => [{ path => '/groups?limit=200',
                        list => sub { $group{$_[0]} } }],
    'GET /groups/{id}' => [
        { path => object('grp', '/groups', sub { $group{$_[0]} }) }],
    'PATCH /groups/{id}' => [
        { path => object('grp', '/groups', sub { $group{$_[0]} }),
          headers => $version, body => $named }],
    'DELETE /groups/{id}' => [
        { path => object('grp', '/groups', $fresh->('/groups', $named)) }],
    'GET /policies' => [{ path => '/policies?limit=200', list => $policy,
                          by => 'name' }],
    'GET /policies/{name}' => [
        { path => sub { '/policies/' . ($_[0] eq 'never' ? 'never'
                                                         : $policy->(@_)) } }],
    'PUT /policies/{name}' => [
        { path => sub { '/policies/q' . ++$n }, wide => 1, own => 1,
          body => sub { { relay_only => JSON::true() } } }],
    'DELETE /policies/{name}' => [
        { path => sub { '/policies/' . ($_[0] eq 'never' ? 'never'
                                                         : $policy->(@_)) } }],
    'POST /grants' => [{ path => '/grants', body => $grant,
                         key_needs => ['grants:write', 'devices:read'] }],
    'GET /grants' => [{ path => '/grants?limit=200',
                        list => $fresh->('/grants', $grant) }],
    (map { ("$_ /grants/{id}" => [{ path => object('gra', '/grants',
        $fresh->('/grants', $grant)) }]) } qw(GET DELETE)),
    'POST /keys' => [{ path => '/keys', body => $new_key, wide => 1, own => 1,
                       key_needs => ['keys:write', 'devices:read'] }],
    'GET /keys' => [{ path => '/keys?limit=200',
                      list => $fresh->('/keys', $new_key) }],
    (map { ("$_ /keys/{id}" => [{ path => object('key', '/keys',
        $fresh->('/keys', $new_key)) }]) } qw(GET DELETE)),
    'GET /audit' => [{ path => '/audit', wide => 1, own => 1 }],
    'DELETE /audit' => [{ path => '/audit?through=1-1', wide => 1, own => 1 }],
    (map { ("$_ /drain" => [$drain]) } qw(GET POST DELETE)),
);


# One call: its status, and what it says without the request's id.

sub call {
    my ($rest, $method, $s, $place, %headers) = @_;
    my $path = ref $s->{path} ? $s->{path}->($place, $rest) : $s->{path};

    if ($s->{head}) {
        my $r = $rest->request('HEAD', $path, headers => \%headers);

        return $r if $r->status < 300;
    }

    my $r = $rest->request($method, $path,
        $s->{body} ? (body => $s->{body}->($place)) : (),
        headers => { $s->{headers} ? %{ $s->{headers}->($path, $place) } : (),
                     %headers });

    $s->{end}->($place, $r) if $s->{end} && $r->status == 201;

    return $r;
}


sub text { return $_[0]->status . ' '
                  . ($_[0]->content =~ s/"request_id":"[^"]*"//r) }


# What the table says: all|granted|none.

sub right {
    my ($of, @needs) = @_;
    my @cells = map { $of->{$_} } @needs;

    return 'none' if grep { $_ eq 'no' } @cells;
    return (grep { $_ eq 'granted' } @cells) ? 'granted' : 'all';
}


# What is to come of it at a place: done, forbidden, not_found.

sub expected {
    my ($right, $place, $s, $wide_verb) = @_;

    return 'forbidden' if $right eq 'none';
    return 'done' if $s->{wide} && $place ne 'foreign';
    return 'not_found' if $place eq 'foreign' || $place eq 'never';
    return 'done' if $right eq 'all' || $place eq 'granted';
    return 'not_found';
}


my %outcome = (200 => 'done', 201 => 'done', 204 => 'done', 400 => 'done',
               403 => 'forbidden', 404 => 'not_found',
               409 => 'done',           # a code, where the host is a device
               421 => 'done');          # a node that nobody is: it was asked


sub try_call {
    my ($who, $rest, $right, $method, $s, $call) = @_;

    for my $place (@places) {
        next if $place eq 'foreign' && $s->{own};

        my $want = expected($right, $place, $s);
        my $name = "$who, $call, $place";

        if ($s->{list}) {
            my $id = $s->{list}->($place);
            my $r = call($rest, $method, $s, $place);
            my $by = $s->{by} // 'id';

            if ($want eq 'forbidden') {
                is($outcome{$r->status}, $want, "$name: $want");
                next;
            }

            my $got = $r->status == 200
                      && grep { $_->{$by} eq $id } @{ $r->json->{items} };

            is($got ? 'done' : 'not_found', $want, "$name: in the list: $want")
                or diag($r->content);
            next;
        }

        my $r = call($rest, $method, $s, $place);

        is($outcome{$r->status} // $r->status, $want, "$name: $want")
            or diag($r->content);
    }

    return if $s->{list} || $s->{own} || $right eq 'none';

    # what is another tenant's is what never was, to the letter

    my ($foreign, $never) = map { text(call($rest, $method, $s, $_)) }
                                qw(foreign never);

    is($foreign, $never, "$who, $call: another tenant's is as if it never was");
}


my @routes = grep { defined $_->{verb} } @{ $table->{routes} };
my @lost = grep { !$specimen{$_} } map { "$_->{method} $_->{path}" } @routes;

is_deeply(\@lost, [], 'each call of the table has a specimen');


# users, by token

for my $role (sort keys %cell) {
    my $token = sub { $issuer->token(sub => $role, groups => ["g-$role"],
                                     tenants => ['default'], @_) };
    my $user = $gw->rest(key => $token->());

    subtest "role $role" => sub {
        for my $route (@routes) {
            my $call = "$route->{method} $route->{path}";

            for my $s (@{ $specimen{$call} }) {
                my @needs = @{ $s->{needs} // [$route->{verb}] };

                try_call($role, $user, right($cell{$role}, @needs),
                         $route->{method}, $s,
                         $call . ($s->{needs} ? " (@needs)" : ''));
            }
        }
    };

    # in the other tenant he is nobody, nor is he in one that is not there

    subtest "role $role, in another tenant" => sub {
        for my $route (@routes) {
            my $call = "$route->{method} $route->{path}";
            my ($s) = @{ $specimen{$call} } or next;
            my @text = map { text(call($user, $route->{method}, $s, 'granted',
                                       'X-RS-Tenant' => $_)) }
                       'other', 'nowhere';

            like($text[0], qr/^403 .*"forbidden"/, "$call: forbidden");
            is($text[1], $text[0], "$call: whether it exists or not");
        }
    };

    # TURN as a service is for API keys

    my $turn = $user->post("/turn/keys/$never{key}/credentials/"
                           . 'generate-ice-servers', {});

    is($outcome{$turn->status},
       $cell{$role}{ice} eq 'no' ? 'forbidden' : 'not_found',
       "$role: has no API key to ask by");
}


# who has a token, but no role, and who has none

for my $case (['no role', $issuer->token(sub => 'x', groups => ['g-none'],
                                         tenants => ['default']), 403],
              ['no credential', undef, 401])
{
    my ($name, $token, $status) = @$case;
    my $rest = $gw->rest(key => $token);

    subtest $name => sub {
        for my $route (@routes) {
            my $call = "$route->{method} $route->{path}";
            my ($s) = @{ $specimen{$call} } or next;

            is(call($rest, $route->{method}, $s, 'granted')->status, $status,
               "$call: $status");
        }
    };
}


# API keys: just the verbs, and all but one of them

sub api_key {
    return $gw->rest(key => $redis->api_key(scopes => "@_"));
}


for my $route (@routes) {
    my $call = "$route->{method} $route->{path}";

    subtest "API keys, $call" => sub {
        for my $s (@{ $specimen{$call} }) {
            my @needs = @{ $s->{key_needs} // $s->{needs}
                           // [$route->{verb}] };

            try_call("only @needs", api_key(@needs), 'all', $route->{method},
                     $s, $call);

            for my $verb (@needs) {
                try_call("all but $verb",
                         api_key(grep { $_ ne $verb } @verbs), 'none',
                         $route->{method}, $s, $call);
            }
        }

        pass('its specimen is below') if !@{ $specimen{$call} };
    };
}

subtest 'API keys, TURN as a service' => sub {
    my $key = $redis->api_key(scopes => 'ice');
    my $rest = $gw->rest(key => $key);
    my $path = '/turn/keys/' . $redis->key_id($key) . '/credentials';
    my $r = $rest->post("$path/generate-ice-servers", {});

    is($r->status, 201, 'generate-ice-servers with its own id: done');

    my $user = $r->json->{iceServers}[1]{username};
    my $none = api_key(grep { $_ ne 'ice' } @verbs);

    is($rest->post("$path/$user/revoke")->status, 204, 'revoke: done');
    is(api_key('ice')->post("$path/generate-ice-servers", {})->status, 404,
       'generate-ice-servers with another id: not_found');
    is($none->post("$path/generate-ice-servers", {})->status, 403,
       'generate-ice-servers without the verb: forbidden');
    is($none->post("$path/$user/revoke")->status, 403,
       'revoke without the verb: forbidden');
};


# frames: each role of a participant, in its own session and to another

sub room {
    my ($place) = @_;
    my $s = session($place, participants => [
        map { { role => $_ } } qw(controller viewer)]);
    my %ws = (host => $device{$place}->join(
        $gw, expect_invite($place, $s->{id})));

    for my $p (grep { $_->{ticket} } @{ $s->{participants} }) {
        $ws{$p->{role}} = $gw->signal("rs.ticket.$p->{ticket}");
        $ws{$p->{role}}->expect('welcome');
    }

    my %id = map { $_->{role} => $_->{id} }
             @{ $root{$tenant{$place}}->get("/sessions/$s->{id}")
                                      ->json->{participants} };

    return { id => $s->{id}, ws => \%ws, par => \%id, place => $place };
}


sub expect_invite {
    my ($place, $id) = @_;

    while (1) {
        my $invite = $device{$place}->expect('invite');

        return $invite if $invite->{session}{id} eq $id;
    }
}


# What comes of a message: yes, or the code of the error.  A ping after it has
# its answer when the message had its.

sub said {
    my ($ws, $message) = @_;

    $ws->send_json($message);

    return $ws->expect_close == 1000 ? 'yes' : 'closed'
        if $message->{type} eq 'bye';

    $ws->send_json({ type => 'ping' });

    my $waits = $message->{type} =~ /^(?:signal|ice|pipe)$/;
    my $pongs = $message->{type} eq 'ping' ? 2 : 1;
    my $answer;

    until (!$pongs && ($answer || !$waits)) {
        my $m = $ws->recv(20) // return 'nothing';

        return "closed $m->{code}" if $m->{opcode} == 8;

        my $type = $m->{json}{type};

        $pongs-- if $type eq 'pong';
        $answer = 'yes' if $type =~ /^(?:ack|ice|pipe)$/;
        $answer = $m->{json}{code} if $type eq 'error';
    }

    return $answer // 'yes';
}


my %frame = (
    signal => sub { { type => 'signal', id => ++$n, data => 'x', @_ } },
    state => sub { { type => 'state', path => {
        kind => 'direct', protocol => 'udp', local => 'host',
        remote => 'prflx', rtt_ms => ++$n } } },
    ice => sub { { type => 'ice' } },
    pipe => sub { { type => 'pipe', id => ++$n, @_,
                    name => substr(random_id('pip_'), 4) } },
    bye => sub { { type => 'bye' } },
    ping => sub { { type => 'ping' } },
    pong => sub { { type => 'pong' } },
    input => sub { { type => 'input', data => 'x', @_ } },
);

for my $place (qw(granted foreign)) {
    my $room = room('granted');
    my $other = $place eq 'foreign' ? room('foreign') : room('granted');
    my $which = $place eq 'foreign' ? "another tenant's" : 'another session';

    for my $role (qw(host controller viewer)) {
        subtest "frames of a $role; $which" => sub {
            for my $line (@{ $table->{frames} }) {
                my $type = $line->{type};
                my $make = $frame{$type} or die "no specimen of $type";
                my $ws = $room->{ws}{$role};

                # a bye is the last that is tried

                next if $type eq 'bye';

                my $peer = $role eq 'host' ? 'viewer' : 'host';
                my ($to, @own) = $type eq 'pipe'
                                 ? ('with', with => $room->{par}{$peer})
                                 : ('to');

                is(said($ws, $make->(@own)), $line->{$role} eq 'yes'
                                             ? 'yes' : 'forbidden',
                   "$role, $type, own session: $line->{$role}");

                next if $type !~ /^(?:signal|input|pipe)$/;

                my $code = $type eq 'input' ? 'forbidden' : 'unknown_peer';

                is(said($ws, $make->($to => $other->{par}{$_})), $code,
                   "$role, $type to the $_ of $which: $code")
                    for qw(host controller viewer);
            }
        };
    }

    # nobody there has heard of any of it

    for my $role (qw(host controller viewer)) {
        my $ws = $other->{ws}{$role};
        my @types;

        $ws->send_json({ type => 'ping' });

        while (my $m = $ws->recv(20)) {
            push @types, $m->{json}{type};
            last if $types[-1] eq 'pong';
        }

        is_deeply([grep { !/^(?:pong|joined|state)$/ } @types], [],
                  "the $role of $which heard nothing");
    }

    is(said($room->{ws}{$_}, $frame{bye}->()), 'yes', "$_, bye: yes")
        for qw(viewer controller);
    $root{$tenant{$_->{place}}}->delete("/sessions/$_->{id}")
        for $room, $other;
}


# what a device says of a session: of its own, of another's, of none

subtest 'frames of a device' => sub {
    for my $place (qw(ungranted foreign)) {
        my $room = room($place);
        my $own = session('granted');

        for my $type (qw(accept reject consent)) {
            for my $id ($room->{id}, $never{ses}) {
                $device{granted}->send_json({
                    type => $type, session_id => $id,
                    $type eq 'reject' ? (reason => 'policy') : () });
            }
        }

        # its own comes after them, and is refused as it says

        $device{granted}->send_json({ type => 'reject', reason => 'busy',
                                      session_id => $own->{id} });
        wait_until {
            $root{default}->get("/sessions/$own->{id}")->json->{state}
                eq 'ended'
        } 10, 'its own session ends';
        pass("device, reject, own session: yes");

        isnt($root{$tenant{$place}}->get("/sessions/$room->{id}")
             ->json->{state}, 'ended',
             "device, reject, $place session of another: nothing");
        is(said($room->{ws}{viewer}, $frame{signal}->()), 'yes',
           'which goes on');
        $root{$tenant{$place}}->delete("/sessions/$room->{id}");
    }
};


# a ticket is of one session, and of one tenant

subtest 'a ticket elsewhere' => sub {
    my $s = session('granted');
    my $path = "/sessions/$s->{id}/participants";
    my $t = made('granted', $path, { role => 'viewer' })->{ticket};
    my ($id) = $s->{id} =~ /_(.*)/;

    for my $case (['another session', $session{granted}{id}, 'default'],
                  ["another tenant's session", $session{foreign}{id},
                   'other'],
                  ['another tenant', $s->{id}, 'other'])
    {
        my ($name, $ses, $tenant) = @$case;
        my ($to) = $ses =~ /_(.*)/;
        my $moved = $t =~ s/^default\.\Q$id/$tenant.$to/r;

        is($gw->signal("rs.ticket.$moved")->expect_close, 4401, $name);
    }

    is($gw->signal("rs.ticket.$t")->expect('welcome')->{role}, 'viewer',
       'it was not used up');
};


$gw->check_log();
done_testing();
