package RS::Scenario;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Scenario - one life of everything: each function, each way to a key

=head1 DESCRIPTION

C<run($schema)> enrols a device, lives through sessions of several kinds of
end, and removes all again.  What users, cluster and catalogue are tested
with.  It asserts little: that each step gives the answer named here.

=cut

use strict;
use warnings;

use Test::More;

use RS::Schema;
use RS::Util qw(random_id);

my $W1 = 'n1.0.00000000000000aa';
my $W2 = 'n2.1.00000000000000bb';


sub step {
    my ($name, $reply, @want) = @_;
    my @got = map { $reply->[$_] } 0 .. $#want;

    return is_deeply(\@got, \@want, $name);
}


sub run {
    my ($s) = @_;

    leases($s);

    my $dev = devices($s);

    create($s, $dev);
    talk($s, $dev);
    ends($s, $dev);
    turn($s, $dev);
    dead($s, $dev);
    tenant($s);
    users($s, $dev);
    events($s);
    tunnels($s, $dev);
    services($s);
    recordings($s);
    rest($s, $dev);

    return $dev;
}


sub leases {
    my ($s) = @_;

    step('version', $s->fcall_ro('rs_version', []), 'ok');
    step('lease', $s->lease($W1), 'ok');
    step('lease', $s->lease($W2), 'ok');
    step('drop', $s->lease_drop($W2), 'ok');
    step('auth', $s->fcall_ro('rs_auth', [$s->{key}], 'ice'), 'ok',
         $s->{key_id});
    step('a failure', $s->fcall('rs_ban_fail', ['ban:a:192.0.2.1', 'bans'],
                                1, 60, 10, 60), 'ok', 10);

    my $token = RS::Schema::hash();
    my @boot = map { "rs:{new}:$_" } 'boot', 'key:' . RS::Schema::hash(),
                                     'keys', 'audit';

    step('token', $s->redis()->call('FCALL', 'rs_bootstrap_put', 2,
                                    @boot[0, 2], $token), 'ok');
    step('the first key', $s->{link}->call('FCALL', 'rs_bootstrap_use', 4,
                                           @boot, $token, random_id('key_'),
                                           'root', '', ''), 'ok', 'created');

    my $login = 'rs:{new}:login:' . RS::Schema::hash();

    $boot[1] = 'rs:{new}:key:' . RS::Schema::hash();
    step('a link', $s->redis()->call('FCALL', 'rs_login_put', 1, $login,
                                     'link', '*', 60), 'ok');
    step('its key', $s->{link}->call('FCALL', 'rs_login_use', 4, $login,
                                     @boot[1 .. 3], random_id('key_'), '', ''),
         'ok', 'created');
    step('bans', $s->fcall_ro('rs_ban_list', ['bans'], 10), 'ok');

    return;
}


sub devices {
    my ($s) = @_;
    my $idem = 'idem:' . RS::Schema::hash();
    my $id = random_id('enr_');
    my @call = ('rs_enrollment_create', [$s->{key}, "enr:$id", 'enrs', $idem, 'enrx',
                                         'grps'],
                'enrollments:write', $id, RS::Schema::hash(), 1, 60, '',
                '["a"]', 'auto', RS::Schema::hash(), 0, '');

    step('enrolment', $s->fcall(@call), 'ok', 'created');
    step('again', $s->fcall(@call), 'ok', 'repeated');
    step('renewed', $s->fcall('rs_enrollment_renew', [$s->{key}, "enr:$id"],
                              'enrollments:write', RS::Schema::hash()), 'ok');
    step('read', $s->fcall_ro('rs_enrollment_get', [$s->{key}, "enr:$id"],
                              'enrollments:read'), 'ok');
    step('listed', $s->fcall_ro('rs_index_list', [$s->{key}, 'enrs'],
                                'enrollments:read', '', 10), 'ok', '');
    step('deleted', $s->fcall('rs_enrollment_delete',
                              [$s->{key}, "enr:$id", 'enrs', 'enrx'],
                              'enrollments:write', $id), 'ok');

    my $dev = $s->device(name => "B\xc3\xbcro \"1\"\\2");

    step('online', $s->online($dev, "$W1.1"), 'ok', 1);
    step('again', $s->online($dev, "$W1.2"), 'ok', 2);
    step('offline', $s->offline($dev, "$W1.2"), 'ok', 'gone');
    step('online', $s->online($dev, "$W1.3"), 'ok', 3);
    step('read', $s->fcall_ro('rs_device_get', [$s->{key}, "dev:$dev"],
                              'devices:read'), 'ok');
    step('patched', $s->fcall('rs_device_patch', [$s->{key}, "dev:$dev", 'grps',
                                               'gdev'],
                              'devices:write', 1, 'name', 'desk'), 'ok');
    step('another key', $s->fcall('rs_device_rotate', ["dev:$dev", 'audit'],
                                  "$W1.3", 'cHVibGlj', 'a2V5', 'c2ln', ''),
         'ok', 'rotated');
    step('a wrong one', $s->fcall('rs_device_mismatch', ["dev:$dev", 'audit'],
                                  '192.0.2.1', 'unknown'), 'ok', 'audited');
    step('listed', $s->fcall_ro('rs_index_list', [$s->{key}, 'devs'],
                                'devices:read', '', 10), 'ok', '', [$dev]);

    return $dev;
}


sub create {
    my ($s, $dev) = @_;
    my $x = $s->session_call($dev, body => RS::Schema::hash());
    my $p = random_id('par_');
    my @add = ('rs_participant_add',
               [$s->{key}, "ses:$x->{id}", "par:$x->{id}",
                'idem:' . RS::Schema::hash(), 'tkt:' . RS::Schema::hash(),
                'uin:'],
               'sessions:write', $p, 'viewer', 'Bo', '', 60,
               RS::Schema::hash());

    step('session', $s->fcall(@{ $x->{call} }), 'ok', 'created');
    step('again', $s->fcall(@{ $x->{call} }), 'ok', 'repeated');
    step('retry', $s->fcall('rs_session_retry',
                            [$s->{key}, "ses:$x->{id}", "par:$x->{id}",
                             "tkt:$x->{tickets}[0]"],
                            'sessions:write', 1, 60), 'ok', 'repeated');
    step('one more', $s->fcall(@add), 'ok', 'created');
    step('again', $s->fcall(@add), 'ok', 'repeated');
    step('retry', $s->fcall('rs_participant_retry',
                            [@{ $add[1] }[0 .. 2], $add[1][4]],
                            'sessions:write', $p, 60), 'ok', 'repeated');
    step('listed', $s->fcall_ro('rs_index_list', [$s->{key}, 'sess'],
                                'sessions:read', '', 10), 'ok', '',
         [$x->{id}]);

    links($s, $x);
    help($s);

    # two members, then the retried one comes and the session is deleted

    my $host = $s->host_join($x);

    step('joins', $s->join($x, $x->{tickets}[0], "$W1.20"), 'ok');
    step('too late', $s->invite($x, RS::Schema::hash()), 'conflict');

    for my $what (qw(waiting given)) {
        step("consent $what",
             $s->fcall('rs_session_consent',
                       ["ses:$x->{id}", "mem:$x->{id}", "log:$x->{id}",
                        'audit'], $x->{pars}[0], $what, $dev,
                       RS::Schema::REPLID()), 'ok');
    }

    step('away', $s->leave($x, $x->{host}, $host, 'away'), 'ok', 'away', $dev);
    step('never heard', $s->invite($x, RS::Schema::hash()), 'ok');
    step('deleted', $s->end($x), 'ok', 'ended', $dev);
    step('again', $s->end($x), 'ok', 'already', $dev);
    step('unlinked', $s->fcall('rs_device_unlink', ["dses:$dev", 'uses:'], $x->{id}),
         'ok');

    return;
}


sub links {
    my ($s, $x) = @_;
    my $l = random_id('lnk_');
    my ($secret, $pin) = map { RS::Schema::hash() } 1, 2;
    my @at = ("ses:$x->{id}", "lnks:$x->{id}");
    my @use = ('rs_link_use', [$at[0], "par:$x->{id}", $at[1],
                               'tkt:' . RS::Schema::hash(), 'audit'], $l);

    step('link', $s->fcall('rs_link_create',
                           [$s->{key}, @at, 'idem:' . RS::Schema::hash()],
                           'sessions:write', $l, 'viewer', '', '', $secret,
                           $pin, 2, 60, 60, RS::Schema::hash()),
         'ok', 'created');
    step('renewed', $s->fcall('rs_link_renew', [$s->{key}, @at],
                              'sessions:write', $l, $secret, $pin), 'ok');
    step('wrong', $s->fcall(@use, $secret, RS::Schema::hash(),
                            random_id('par_'), '', '', ''), 'link_invalid');
    step('used', $s->fcall(@use, $secret, $pin, random_id('par_'), 'Gus',
                           '192.0.2.1', 'r'), 'ok');
    step('listed', $s->fcall('rs_link_list', [$s->{key}, @at],
                             'sessions:read'), 'ok');
    step('deleted', $s->fcall('rs_link_delete', [$s->{key}, @at],
                              'sessions:invite', $l), 'ok');

    return;
}


# A browser comes as the host, by a code.

sub help {
    my ($s) = @_;
    my $x = $s->session('');
    my $code = RS::Schema::hash();
    my @take = ('rs_help_take', ["help:$code", 'tries:a:192.0.2.7'], '');

    step('a code', $s->fcall('rs_help_create',
                             [$s->{key}, "ses:$x->{id}", "par:$x->{id}"],
                             'sessions:write', $code, 600), 'ok');
    step('kept', $s->fcall('rs_help_put', ["help:$code", "help:$code"],
                           $s->{tenant}, $x->{id}, 600), 'ok');
    step('taken', $s->fcall(@take), 'ok', $s->{tenant}, $x->{id});
    step('once', $s->fcall(@take), 'link_invalid');
    step('used', $s->fcall('rs_help_use',
                           ["ses:$x->{id}", "par:$x->{id}",
                            'tkt:' . RS::Schema::hash(), 'audit'],
                           $code, 'Eve', 60, '192.0.2.7', 'r'), 'ok');
    step('ended', $s->end($x), 'ok', 'ended', '');

    return;
}


sub talk {
    my ($s, $dev) = @_;
    my $x = $s->session($dev, roles => ['controller', 'viewer']);
    my $host = $s->host_join($x, "$W1.30");
    my ($a, $b) = @{ $x->{pars} };

    $s->guest_join($x, 0, "$W2.31");
    step('joins', $s->join($x, $x->{tickets}[1], "$W2.32", log_size => 300),
         'ok');

    step('no control', $s->control($x, $b, "$W2.32", 'request'), 'forbidden');
    step('to one', $s->append($x, $a, "$W2.31", 1, to => $x->{host}), 'ok');
    step('to all', $s->append($x, $x->{host}, $host, 1), 'ok');
    step('small log', $s->append($x, $a, "$W2.31", 2, log_size => 300), 'ok');
    step('path', $s->state($x, $a, "$W2.31", '{"kind":"direct"}',
                             log_size => 300), 'ok');
    step('control', $s->control($x, $x->{host}, $host, 'take'), 'ok', 'said');
    step('away', $s->leave($x, $b, "$W2.32", 'away'), 'ok', 'away', $dev);

    my ($ses) = $s->get($x);
    my $r = $s->resume($x, $b, $x->{resume}{"$W2.32"}, $ses->{pos}, "$W1.33",
                       replid => 'b' x 40);

    step('resumes', $r, 'ok');
    step('read', $s->range($x, $ses->{pos}), 'ok', []);
    is($s->route($x)->[0], 'ok', 'the members\' addresses');
    step('failover', $s->append($x, $a, "$W2.31", 3, replid => 'b' x 40),
         'ok', '2-0');
    step('path of who is back',
         $s->state($x, $b, "$W1.33", '{"kind":"direct"}',
                   replid => 'b' x 40), 'ok');
    step('one leaves', $s->leave($x, $b, "$W1.33", 'bye', replid => 'b' x 40,
                                 log_size => 300), 'ok', 'left', $dev);
    step('host leaves', $s->leave($x, $x->{host}, $host, 'lost'), 'ok',
         'ended', $dev);

    return;
}


sub ends {
    my ($s, $dev) = @_;
    my $x = $s->session($dev);

    $s->expire($x);
    step('expired', $s->invite($x, RS::Schema::hash()), 'session_ended');
    $x->{id} = random_id('ses_');
    step('unknown', $s->invite($x, RS::Schema::hash()), 'not_found');

    return;
}


# What the plugin beside a TURN server is told and asks, and what it tells.

sub turn {
    my ($s, $dev) = @_;
    my $x = $s->session($dev);
    my $par = $x->{pars}[0];

    step('tenant', $s->fcall('rs_turn_tenant', ['tens'], 3600, $s->{tenant}),
         'ok');

    my $y = $s->turn_session();

    step('turn', $y->{reply}, 'ok', $s->{key_id});
    step('revoked', $s->turn_revoke($x, $par), 'ok', 'revoked');
    step('again', $s->turn_revoke($x, $par), 'ok', 'already');
    step('ended', $s->turn_revoke($y), 'ok', 'ended');
    step('ended', $s->end($x), 'ok', 'ended', $dev);

    return $x;
}


# What the plugin calls, as its own user.

sub plugin {
    my ($s) = @_;
    my $dev = $s->device(online => "$W1.60");
    my $x = $s->session($dev);
    my $par = $x->{pars}[0];
    my $link = $s->connect('rs-plugin');
    my $call = sub { $link->call(@_) };
    my @keys = map { $s->key($_) } "ses:$x->{id}", 'trev', "use:$x->{id}";

    step('version', $call->('FCALL_RO', 'rs_version', 0), 'ok');
    step('tenants', $call->('FCALL_RO', 'rs_turn_tenants', 1, $s->key('tens'),
                            '', 100), 'ok', '', [$s->{tenant}]);
    step('live ones', $call->('FCALL_RO', 'rs_turn_list', 1, $s->key('turn'),
                              '', 1), 'ok');
    step('revoked ones', $call->('FCALL_RO', 'rs_turn_list', 1,
                                 $s->key('trev'), '', 100), 'ok', '');
    step('one', $call->('FCALL_RO', 'rs_turn_check', 2, @keys[0, 1], $par),
         'ok', 'live');
    step('usage', $call->('FCALL', 'rs_turn_usage', 2, @keys[0, 2],
                          "$par/relay-1/7-1790000000", 1, 100, 2, 200, 0),
         'ok', 0);
    step('more', $call->('FCALL', 'rs_turn_usage', 2, @keys[0, 2],
                         "$par/relay-1/7-1790000000", 2, 200, 3, 300, 1),
         'ok', 0);
    is(($s->get($x))[0]{id}, $x->{id}, 'the session has it');

    return $x;
}


# A worker dies: another walks what it had.

sub dead {
    my ($s, $dev) = @_;
    my $w3 = 'n3.0.00000000000000cc';
    my $x = $s->session($dev, roles => ['controller', 'viewer']);
    my @p = @{ $x->{pars} };
    my $host = $s->host_join($x, "$W1.40");

    $s->guest_join($x, 0, "$w3.41");
    $s->guest_join($x, 1, "$w3.42");

    step('its tenant', $s->fcall('rs_tenant', ["ten:$w3"], $s->{tenant}),
         'ok');
    step('kept', $s->fcall('rs_own_keep', ["own:$w3"]), 'ok');
    step('lease', $s->lease($w3), 'ok');
    step('dies', $s->lease_drop($w3), 'ok');
    step('walked by', $s->lease($W1)->[4] eq $w3 ? ['ok'] : ['nobody'], 'ok');

    my @reap = ('rs_reap_tenant', ["ten:$w3", 'dead'], $w3);

    step('tenant', $s->fcall(@reap, ''), 'ok', 'next', $s->{tenant});
    step('duties', [scalar @{ $s->duties($w3)->[2] }], 2);
    step('adopted', $s->adopt($x, $p[0], $w3, $W1, 1), 'ok', 'adopted');
    step('adopted', $s->adopt($x, $p[1], $w3, $W1, 1), 'ok', 'adopted');
    step('lives', $s->sync($x, $p[1], "$w3.42", '1-0'), 'ok', 1);
    step('tenant done', $s->fcall(@reap, $s->{tenant}), 'ok', 'none');
    step('due', [scalar @{ $s->duties($W1, 'due')->[2] }], 2);
    step('lost', $s->lost($x, $p[0], $W1), 'ok', 'left', $dev);
    step('not lost', $s->lost($x, $p[1], $W1), 'ok', 'stale', $dev);
    step('another server', $s->sync($x, $p[1], "$w3.42", '1-0',
                                    replid => 'c' x 40), 'ok', 2);
    step('away', $s->leave($x, $p[1], "$w3.42", 'away', grace => 0), 'ok',
         'away', $dev);
    step('the last one is lost', $s->lost($x, $p[1], $w3), 'ok', 'ended',
         $dev);
    $s->fcall('rs_device_unlink', ["dses:$dev", 'uses:'], $x->{id});

    return;
}


# What a tenant sets up, and takes down again.

sub tenant {
    my ($s) = @_;
    my $auth = $s->{key};
    my $idem = sub { return 'idem:' . RS::Schema::hash() };
    my ($grp, $gra, $key) = map { random_id($_) } qw(grp_ gra_ key_);
    my $hash = 'key:' . RS::Schema::hash();
    my $body = RS::Schema::hash();
    my @group = ('rs_group_create', [$auth, 'grps', 'pols', $idem->()],
                 'groups:write', $grp, 'Shops', 'strict', $body);
    my @grant = ('rs_grant_create', [$auth, 'grants', 'grps', $idem->()],
                 'grants:write', $gra, 'group:support', $grp,
                 'devices:read sessions:read', 'notify', $body);
    my @key = ('rs_key_create', [$auth, $hash, 'keys', $idem->()],
               'keys:write', $key, 'till', 'ice', 0, '', $body);

    step('policy', $s->fcall('rs_policy_put', [$auth, 'pols'],
                             'policies:write', 'strict', 'required', 1, 600, 0,
                             'both', '', 1),
         'ok', 'created');
    step('read', $s->fcall('rs_policy_get', [$auth, 'pols'], 'policies:read',
                           'strict'), 'ok');
    step('listed', $s->fcall('rs_policy_list', [$auth, 'pols'],
                             'policies:read', '', 10), 'ok', '');
    step('group', $s->fcall(@group), 'ok', 'created');
    step('again', $s->fcall(@group), 'ok', 'repeated');
    step('read', $s->fcall('rs_group_get', [$auth, 'grps'], 'groups:read',
                           $grp), 'ok');
    step('listed', $s->fcall('rs_group_list', [$auth, 'grps'], 'groups:read',
                             '', 10), 'ok', '');
    step('patched', $s->fcall('rs_group_patch', [$auth, 'grps', 'pols'],
                              'groups:write', $grp, 1, 'policy', 'strict'),
         'ok');
    step('grant', $s->fcall(@grant), 'ok', 'created');
    step('again', $s->fcall(@grant), 'ok', 'repeated');
    step('read', $s->fcall('rs_grant_get', [$auth, 'grants'], 'grants:read',
                           $gra), 'ok');
    step('listed', $s->fcall('rs_grant_list', [$auth, 'grants'],
                             'grants:read', '', 10), 'ok', '');
    step('deleted', $s->fcall('rs_grant_delete', [$auth, 'grants'],
                              'grants:write', $gra), 'ok');
    step('grant', $s->fcall('rs_grant_create', [$auth, 'grants', 'grps',
                                                $idem->()],
                            'grants:write', random_id('gra_'), "key:$key",
                            $grp, 'ice', '', ''), 'ok', 'created');
    step('has a group', $s->fcall('rs_policy_delete', [$auth, 'pols', 'grps'],
                                  'policies:write', 'strict'), 'conflict');
    step('group and grant go', $s->fcall('rs_group_delete',
                                         [$auth, 'grps', 'grants', 'gdev'],
                                         'groups:write', $grp), 'ok');
    step('policy goes', $s->fcall('rs_policy_delete', [$auth, 'pols', 'grps'],
                                  'policies:write', 'strict'), 'ok');
    step('key', $s->fcall(@key), 'ok', 'created');
    step('again', $s->fcall(@key), 'ok', 'repeated', $key);
    step('listed', $s->fcall('rs_key_page', [$auth, 'keys'], 'keys:read', '',
                             10), 'ok', '');
    step('found', $s->fcall('rs_key_find', [$auth, 'keys'], 'keys:read',
                            $key), 'ok');
    step('gone', $s->fcall('rs_key_revoke', [$auth, $hash, 'keys'],
                           'keys:write', $key), 'ok');
    step('audit', $s->fcall('rs_audit_list', [$auth], 'audit:read', '', 1,
                            'old'), 'ok');
    step('trimmed', $s->fcall('rs_audit_trim', [$auth], 'audit:trim', '1-0'),
         'ok', 'done', 0);
    step('newest', $s->fcall('rs_audit_list', [$auth], 'audit:read', '', 1,
                             'new'), 'ok');
    my $wat = 'wat:' . RS::Schema::hash();

    step('to watch', $s->fcall('rs_watch_create', [$auth, $wat],
                               'devices:read', 60, ''), 'ok');
    step('watches', $s->fcall('rs_watch_open', [$wat, "$wat"]), 'ok');
    step('may see', $s->fcall('rs_watch_check', [$auth], 'devices:read'),
         'ok');
    step('a stranger', $s->fcall('rs_denied', ['denied'], 'api key',
                                 'unauthenticated', '192.0.2.1', 'r', ''),
         'ok');

    return;
}


# A user with nothing granted.

sub users {
    my ($s, $dev) = @_;
    my $id = random_id('usr_');
    my $user = sub {
        return RS::Schema::caller_json(
            kind => 'user', id => $id, name => 'Ana', iat => time(),
            subjects => ["user:$id", 'group:support'], tenant => [],
            granted => ['devices:read', 'devices:write'], verb => $_[0]);
    };

    step('who', $s->fcall('rs_auth', ["usr:$id"], $user->('')), 'ok', $id,
         'Ana');
    step('sees nothing', $s->fcall('rs_device_get', ["usr:$id", "dev:$dev"],
                                   $user->('devices:read')), 'not_found');
    my $grp = $s->group();
    my $moved = $s->device(group_id => $grp, online => "$W1.70");

    $s->grant("user:$id", $grp, 'sessions:write', 'notify');

    my $x = $s->session_call($moved, auth => "usr:$id", user => $id,
                             scope => RS::Schema::caller_json(
                                 kind => 'user', id => $id, name => 'Ana',
                                 iat => time(), subjects => ["user:$id"],
                                 tenant => [], granted => ['sessions:write'],
                                 verb => 'sessions:write'));

    step('asks for a session', $s->fcall(@{ $x->{call} }), 'ok', 'created');

    my $theirs = $s->session($moved, consent => 'notify');

    step('comes into another one',
         $s->fcall('rs_participant_add',
                   ["usr:$id", "ses:$theirs->{id}", "par:$theirs->{id}",
                    'idem:' . RS::Schema::hash(), 'tkt:' . RS::Schema::hash(),
                    "uin:$id"],
                   RS::Schema::caller_json(
                       kind => 'user', id => $id, name => 'Ana',
                       iat => time(), subjects => ["user:$id"],
                       tenant => ['sessions:write'], granted => [],
                       verb => 'sessions:write'),
                   random_id('par_'), 'viewer', 'Ana', $id, 60, ''),
         'ok', 'created');
    $s->end($theirs);
    step('which ends', $s->end($x), 'ok', 'ended', $moved, $id);
    step('and leaves his list', $s->fcall('rs_device_unlink',
                                          ["dses:$moved", "uses:$id"],
                                          $x->{id}), 'ok');
    step('the device leaves its group',
         $s->fcall('rs_device_patch', [$s->{key}, "dev:$moved", 'grps',
                                       'gdev'], 'devices:write', 1,
                   'group_id', ''), 'ok');
    step('and comes back',
         $s->fcall('rs_device_patch', [$s->{key}, "dev:$moved", 'grps',
                                       'gdev'], 'devices:write', 2,
                   'group_id', $grp), 'ok');
    step('and is removed',
         $s->fcall('rs_device_delete', [$s->{key}, "dev:$moved", 'devs',
                                        "dses:$moved", 'gdev'],
                   'devices:write', $moved, ''), 'ok', "$W1.70");
    step('signs out', $s->fcall('rs_user_revoke', ["usr:$id", "usr:$id",
                                                   "uses:$id", "uin:$id"],
                                $user->(''), 'all', $theirs->{id}),
         'ok', []);
    step('for good', $s->fcall('rs_auth', ["usr:$id"], $user->('')),
         'unauthenticated');

    return;
}


# Events, and webhooks that are told of them.

sub events {
    my ($s) = @_;
    my $auth = $s->{key};
    my $id = random_id('whk_');
    my @keys = ([$auth, 'hooks', 'hookst'], 'webhooks:read');
    my @make = ('rs_webhook_create', [$auth, 'hooks', 'hookst', 'ev',
                                      'idem:' . RS::Schema::hash()],
                'webhooks:write', $id, 'ops', 'https://ops.example.net/x',
                'device.online', 1, RS::Schema::hash());

    step('events', $s->fcall('rs_event_list', [$auth, 'ev'], 'devices:read',
                             '0-0', 10), 'ok');
    step('tenant', $s->fcall('rs_webhook_tenant', ['hookt'], $s->{tenant}),
         'ok');
    step('webhook', $s->fcall(@make), 'ok', 'created');
    step('again', $s->fcall(@make), 'ok', 'repeated');
    step('read', $s->fcall('rs_webhook_get', @keys, $id), 'ok');
    step('listed', $s->fcall('rs_webhook_list', @keys, '', 10), 'ok', '');

    for my $enabled (0, 1) {
        step('changed', $s->fcall('rs_webhook_patch',
                                  [$auth, 'hooks', 'hookst', 'ev'],
                                  'webhooks:write', $id, '', 'enabled',
                                  $enabled, 'secret', ''), 'ok');
    }

    delivers($s, $id);
    step('deleted', $s->fcall('rs_webhook_delete',
                              [$auth, 'hooks', 'hookst'], 'webhooks:write',
                              $id), 'ok');

    return;
}


# As the daemon's own user.

sub delivers {
    my ($s, $id) = @_;
    my $link = $s->connect('rs-eventd');
    my $call = sub {
        my ($how, $name, $n, @rest) = @_;

        return $link->call($how, $name, $n,
                           map { $rest[$_] =~ /^(?:ev|hooks|hookst|hookt|eventd)\z/
                                 && $_ < $n ? $s->key($rest[$_]) : $rest[$_] }
                           0 .. $#rest);
    };

    step('version', $call->('FCALL_RO', 'rs_version', 0), 'ok');
    step('delivers', $call->('FCALL', 'rs_webhook_lease', 1, 'eventd', 'd1',
                             10000), 'ok', 'held', 1);
    step('tenants', $call->('FCALL_RO', 'rs_webhook_tenants', 1, 'hookt', ''),
         'ok', [$s->{tenant}]);
    step('webhooks', $call->('FCALL_RO', 'rs_webhook_work', 2, 'hooks',
                             'hookst'), 'ok');
    step('events', $call->('FCALL_RO', 'rs_event_tail', 1, 'ev', '0-0', 10),
         'ok');
    step('told', $call->('FCALL', 'rs_webhook_told', 2, 'hooks', 'hookst',
                         $id, 1, 3, '1-0', 'failures', 1, 'gone', ''), 'ok');

    return;
}


# A tunnel of a device that is at "$W1.3", pipes of it, and of a session.

sub tunnels {
    my ($s, $dev) = @_;
    my $tun = random_id('tun_');
    my @make = ('rs_tunnel_create',
                [$s->{key}, "tun:$tun", 'tuns', 'tunx', "dev:$dev",
                 "dtun:$dev", "pips:$tun", 'idem:' . RS::Schema::hash()],
                'tunnels:write', $tun, $dev, '127.0.0.1:22', 'tcp', 'ssh', '',
                '', '', 600, 3600, 8, 0, RS::Schema::hash(), 20000);

    step('room', $s->fcall('rs_tunnel_room',
                           [$s->{key}, 'tunx', "dev:$dev", "dtun:$dev",
                            $make[1][-1]],
                           'tunnels:write', $tun, 8, 0, $make[-2]), 'ok',
         'room');
    step('port', $s->fcall('rs_port_take', ['ports'], 20000, 20099,
                           $s->{tenant}, $tun, $dev, 'tcp', 3600), 'ok', 20000);
    step('tunnel', $s->fcall(@make), 'ok', 'created');
    step('again', $s->fcall(@make), 'ok', 'repeated');
    step('listed', $s->fcall_ro('rs_index_list', [$s->{key}, 'tuns'],
                                'tunnels:read', '', 10), 'ok', '', [$tun]);
    step('its device', $s->fcall_ro('rs_tunnel_device', ["tun:$tun"]), 'ok',
         $dev);

    step('kept', $s->fcall('rs_port_keep', ['ports'], 20000, $s->{tenant},
                           $tun, $dev, 'tcp', time() + 3600), 'ok');
    step('of its port', $s->fcall_ro('rs_port_get', ['ports'], 20000), 'ok',
         $s->{tenant}, $tun, $dev);
    step('admitted', $s->fcall('rs_tunnel_admit',
                               [$s->{key}, "tun:$tun", "dev:$dev", "adm:$tun"],
                               'tunnels:use', '4c0000201', '', ''),
         'ok', 20000);
    step('comes', $s->fcall('rs_port_enter', ["tun:$tun", "adm:$tun", 'audit'],
                            '4c0000201'), 'ok', 'key');
    step('a stranger', $s->fcall('rs_port_enter',
                                 ["tun:$tun", "adm:$tun", 'audit'],
                                 '4c0000202'), 'forbidden');

    for my $end ('gone', 'refused') {
        my $p = $s->pipe($tun, $dev);

        step('offered', $s->pipe_offer($p, "$W1.3"), 'ok', $tun,
             '127.0.0.1:22', 'tcp');

        if ($end eq 'gone') {
            step('host', $s->pipe_attach($p, 'host', "$W1.50"), 'ok',
                 'first', 'tunnel', $tun, $dev);
            step('client', $s->pipe_attach($p, 'client', "$W2.51"), 'ok',
                 'second', 'tunnel', $tun, $dev, "$W1.50");
            step('may', $s->pipe_check($p), 'ok');
            step('gone', $s->pipe_gone($p, 'client', "$W2.51"), 'ok', 'gone');
        } else {
            step('refused', $s->pipe_refuse($p, "$W1.3", 'target_refused'),
                 'ok', 'refused');
        }
    }

    step('read', $s->fcall('rs_tunnel_get', [$s->{key}, "tun:$tun",
                                             "pips:$tun"], 'tunnels:read'),
         'ok');
    step('changed', $s->fcall('rs_tunnel_patch', [$s->{key}, "tun:$tun",
                                                  "pips:$tun"],
                              'tunnels:write', 1, 'label', 'x'), 'ok');
    step('deleted', $s->fcall('rs_tunnel_delete',
                              [$s->{key}, "tun:$tun", 'tuns', 'tunx',
                               "dtun:$dev", "pips:$tun", "adm:$tun"],
                              'tunnels:write', $tun, 'deleted'), 'ok', $dev,
         20000);
    step('freed', $s->fcall('rs_port_free', ['ports'], 20000, $s->{tenant},
                            $tun), 'ok', 'freed');
    command($s, $dev);
    session_pipe($s, $dev);

    return;
}


sub command {
    my ($s, $dev) = @_;

    for my $end ('gone', 'refused') {
        my $p = $s->run_command($dev, 'backup');

        step('command', $p->{reply}, 'ok', "$W1.3");
        step('offered', $s->pipe_offer($p, "$W1.3"), 'ok', $p->{object},
             'run backup', 'tcp');

        if ($end eq 'gone') {
            step('host', $s->pipe_attach($p, 'host', "$W1.52"), 'ok',
                 'first', 'tunnel', $p->{object}, $dev);
            step('gone', $s->pipe_gone($p, 'host', "$W1.52"), 'ok', 'gone');
        } else {
            step('refused', $s->pipe_refuse($p, "$W1.3", 'forbidden'),
                 'ok', 'refused');
        }
    }

    return;
}


sub session_pipe {
    my ($s, $dev) = @_;
    my $x = $s->session($dev);
    my $host = $s->host_join($x, "$W1.55");
    my $at = $s->guest_join($x, 0, "$W2.56");
    my $p = { id => random_id('pip_'), object => $x->{id} };

    step('asks', $s->pipe_join($p, $x, $x->{pars}[0], $at, $x->{host}), 'ok',
         'client');
    step('host', $s->pipe_join($p, $x, $x->{host}, $host, $x->{pars}[0]),
         'ok', 'host');
    step('comes', $s->pipe_attach($p, 'host', "$W1.57"), 'ok', 'first',
         'session', $x->{id});
    step('may', $s->pipe_check($p, ''), 'ok');
    step('gone', $s->pipe_gone($p, 'host', "$W1.57"), 'ok', 'gone');
    step('ended', $s->end($x), 'ok', 'ended', $dev);

    return;
}


# Two machines with one key.

sub flaps {
    my ($s, $dev) = @_;

    for my $i (1 .. 8) {
        my $r = $s->online($dev, ($i % 2 ? $W1 : $W2) . ".9$i");

        step("socket $i", $r, $i == 8 ? 'device_quarantined' : 'ok');
    }

    return;
}


# Services: devices of another kind.

sub services {
    my ($s) = @_;
    my $dev = $s->device(kind => 'renderer', online => "$W1.95");

    step('a load', $s->load($dev, "$W1.95", 2, 0, 0, 4), 'ok', 'renderer');
    step('a place', $s->place(), 'ok', [$dev, "$W1.95"]);

    my $x = $s->session($dev, web => RS::Schema::web());

    step('an answer', $s->queue($x, 1), 'ok', 'said');

    my $other = $s->device(kind => 'renderer', online => "$W1.96");

    $s->load($other, "$W1.96", 2, 0, 0, 4);
    step('elsewhere', $s->move($x, $other), 'ok', "$W1.96");
    step('another answer', $s->taken($other, $x->{id}), 'ok', 'taken');
    step('its end', $s->end($x), 'ok', 'ended');
    $s->offline($other, "$W1.96");
    step('away', $s->offline($dev, "$W1.95"), 'ok', 'gone');
    step('nobody', $s->place(), 'device_offline');
    step('removed', $s->fcall('rs_device_delete',
                              [$s->{key}, "dev:$dev", 'devs', "dses:$dev",
                               'gdev', "dtun:$dev", 'svcs'],
                              'devices:write', $dev, ''), 'ok', '');

    return;
}


# A session that is kept, lost twice, and what was kept of it.

sub recordings {
    my ($s) = @_;
    my $desk = $s->device(online => "$W1.80");
    my $dev = $s->device(kind => 'recorder', online => "$W1.81");
    my ($rec, $next, $tun, $pip) = map { random_id($_) }
                                       qw(rec_ rec_ tun_ pip_);
    my (@own, $x) = map { "own:$_" } $W1;

    $s->load($dev, "$W1.81", 9, 0, 0, 0);
    $x = $s->session($desk, desktop => '0 both both 1 required mark');

    my @ses = map { "$_:$x->{id}" } qw(ses par mem log);
    my @all = (@ses, @own, 'turn', 'trev', 'svcs', 'rses');

    step('its work', $s->fcall_ro('rs_recorder_work',
                                  ["dev:$dev", 'rses', "rdel:$dev"],
                                  "$W1.81", 100, ''), 'ok', [$x->{id}]);
    $s->host_join($x);

    my $in = sub {
        my ($address) = @_;
        my $tkt = RS::Schema::hash();
        my $r = $s->fcall('rs_invite', [@ses[0 .. 2], "dses:$dev",
                                        "tkt:$tkt", 'rses'],
                          "$W1.81", $dev, 60, 'recorder');

        step('asked in', $r, 'ok');
        step('it comes', $s->join($x, $tkt, $address), 'ok');

        return { @{ $r->[2] } }->{id};
    };

    my $par = $in->("$W1.82");

    step('it records', $s->fcall('rs_recording_begin',
                                 [@ses, "rec:$rec", 'recs', 'recx', 'audit'],
                                 $dev, $rec, 'a' x 40), 'ok', 'begun');
    step('it is written', $s->fcall('rs_recording_get',
                                    [$s->{key}, "rec:$rec", 'svcs'],
                                    'recordings:read'), 'ok');
    step('it is lost', $s->fcall('rs_leave', \@all, $par, "$W1.82", 'lost',
                                 'a' x 40, 1 << 20, 3000), 'ok', 'left');
    $par = $in->("$W1.83");
    step('away', $s->fcall('rs_leave', \@all, $par, "$W1.83", 'away', 'a' x 40,
                           1 << 20, 3000), 'ok', 'away');
    $s->redis()->call('ZADD', $s->key($own[0]), 1, "p.$x->{id}.$par");
    step('lost again', $s->fcall('rs_lost', \@all, $par, 'a' x 40), 'ok',
         'left');
    $in->("$W1.84");
    step('it fails', $s->fcall('rs_recorder_failed', \@all, $dev, 'error',
                               'a' x 40), 'ok', 'left');
    $s->end($x);
    step('said too late', $s->fcall('rs_recorder_failed', \@all, $dev,
                                    'error', 'a' x 40), 'session_ended');
    step('asked too late', $s->fcall('rs_invite',
                                     [@ses[0 .. 2], "dses:$dev", 'tkt:'
                                      . RS::Schema::hash(), 'rses'],
                                     "$W1.81", $dev, 60, 'recorder'),
         'session_ended');
    step('what it has', $s->fcall('rs_recording_end',
                                  ["rec:$rec", $ses[0], 'rses', 'audit'],
                                  $dev, 'lost', 1000, 2000, 'a' x 64, 1, ''),
         'ok', 'kept');
    step('whose', $s->fcall_ro('rs_recording_device', ["rec:$rec"]), 'ok',
         $dev);
    step('read', $s->fcall('rs_recording_get', [$s->{key}, "rec:$rec", 'svcs'],
                           'recordings:read'), 'ok');
    step('listed', $s->fcall('rs_index_list', [$s->{key}, 'recs'],
                             'recordings:read', '', 10), 'ok', '', [$rec]);
    step('opened', $s->fcall('rs_recording_open',
                             [$s->{key}, "rec:$rec", "tun:$tun", 'tuns',
                              'tunx', "dev:$dev", "dtun:$dev", "pips:$tun",
                              "pip:$pip"],
                             'recordings:read', $tun, $dev, 60, 8, 0,
                             RS::Schema::hash(), 60, '', ''), 'ok');
    step('to be deleted', $s->fcall('rs_recording_delete',
                                    [$s->{key}, "rec:$rec", 'svcs',
                                     "rdel:$dev"],
                                    'recordings:delete', $dev), 'ok',
         'asked');
    step('it is', $s->fcall('rs_recording_gone', ["rec:$rec", 'recx',
                                                  "rdel:$dev", 'audit'],
                            $dev), 'ok', 'gone');
    $s->redis()->call('ZADD', $s->key('recx'), 1, $rec);
    $x = $s->session($desk, desktop => '0 both both 1 required end');
    @ses = map { "$_:$x->{id}" } qw(ses par mem log);
    $s->host_join($x);
    $in->("$W1.85");
    step('the next one', $s->fcall('rs_recording_begin',
                                   [@ses, "rec:$next", 'recs', 'recx',
                                    'audit'],
                                   $dev, $next, 'a' x 40), 'ok', 'begun');
    $s->end($x);

    my $two = $s->device(kind => 'recorder', online => "$W1.86");

    $s->load($two, "$W1.86", 1, 0, 0, 0);
    $x = $s->session($desk, desktop => '0 both both 1 required end');
    @all[0 .. 3] = map { "$_:$x->{id}" } qw(ses par mem log);
    step('another one', $s->fcall('rs_recorder_failed', \@all, $dev, 'busy',
                                  'a' x 40), 'ok', 'left');
    step('nor that one', $s->fcall('rs_recorder_failed', \@all, $two,
                                   'no_media', 'a' x 40), 'ok', 'ended');

    step('it goes', $s->offline($two, "$W1.86"), 'ok', 'gone', [], $two);

    for my $id ($desk, $dev, $two) {
        step('removed', $s->fcall('rs_device_delete',
                                  [$s->{key}, "dev:$id", 'devs', "dses:$id",
                                   'gdev', "dtun:$id", 'svcs', 'rses'],
                                  'devices:write', $id, ''), 'ok');
    }

    return;
}


sub rest {
    my ($s, $dev) = @_;

    step('device removed', $s->fcall('rs_device_delete',
                                     [$s->{key}, "dev:$dev", 'devs',
                                      "dses:$dev", 'gdev', "dtun:$dev"],
                                     'devices:write', $dev, ''),
         'ok', "$W1.3");

    flaps($s, $s->device());

    return;
}


# What an administrator does.

sub keys {
    my ($s) = @_;
    my ($key, $id) = $s->api_key('ice');
    my $redis = $s->redis();

    step('keys', $redis->call('FCALL_RO', 'rs_key_list', 1, $s->key('keys')),
         'ok');
    step('key', $redis->call('FCALL_RO', 'rs_key_get', 1, $s->key($key)),
         'ok');
    step('key gone', $redis->call('FCALL', 'rs_key_delete', 2, $s->key($key),
                                  $s->key('keys')), 'ok');
    step('a ban lifted', $redis->call('FCALL', 'rs_ban_lift', 2,
                                      $s->key('ban:a:192.0.2.1'),
                                      $s->key('bans')), 'ok');

    return;
}


1;
