#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Who may do what: groups, policies, grants, keys, users, quotas, and the
# lines all of it leaves in the audit.

use strict;
use warnings;

use FindBin;
use JSON::PP qw(decode_json);
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $key = $s->{key};
my @secrets;                    # what no line may have in it


sub idem { return 'idem:' . RS::Schema::hash() }


sub obj { return RS::Schema::obj($_[0]) }


# A user of the support group; his roles give him verbs by grants.

sub user {
    my (%opt) = @_;
    my $id = $opt{id} // random_id('usr_');
    my $iat = $opt{iat} // time();

    return {
        id => $id,
        json => sub {
            my ($verb, @also) = @_;

            return RS::Schema::caller_json(
                kind => 'user', id => $id, name => $opt{name} // 'Ana',
                iat => $iat, verb => $verb, also => \@also,
                subjects => $opt{subjects} // ["user:$id", 'group:support'],
                tenant => $opt{tenant} // [], granted => $opt{granted} // [
                    qw(devices:read sessions:read sessions:write
                       sessions:view sessions:control)]);
        },
    };
}


sub as {
    my ($u, $name, $keys, $verb, @argv) = @_;
    my ($first, @also) = ref $verb ? @$verb : $verb;

    return $s->fcall($name, ["usr:$u->{id}", @$keys],
                     $u->{json}->($first, @also), @argv);
}


sub ask {
    my ($u, $dev, $also, %opt) = @_;
    my $x = $s->session_call($dev, auth => "usr:$u->{id}", user => $u->{id},
                             scope => $u->{json}->('sessions:write', @$also),
                             %opt);

    push @secrets, @{ $x->{tickets} };
    $x->{reply} = $s->fcall(@{ $x->{call} });

    return $x;
}


sub last_line { return ($s->audit())[-1] }


# groups and policies

my $shops = random_id('grp_');
my @create = ('rs_group_create', [$key, 'grps', 'pols', idem()],
              'groups:write', $shops, 'Shops', '', 'b1');
my $r = $s->fcall(@create);

is_deeply([$r->[0], $r->[1], obj($r->[2])],
          ['ok', 'created', { id => $shops, name => 'Shops', policy => '',
                              created_at => obj($r->[2])->{created_at},
                              version => 1 }], 'a group');
is_deeply($s->fcall(@create)->[1], 'repeated', 'the same call: the same');
is_deeply($s->fcall(@create[0 .. 2], random_id('grp_'), 'x', '', 'b1')->[2],
          $shops, 'with another id: that one');
is_deeply($s->fcall(@create[0 .. 5], 'b2'), ['idempotency_mismatch'],
          'another body');
is_deeply($s->fcall('rs_group_create', [$key, 'grps', 'pols', idem()],
                    'groups:write', random_id('grp_'), 'x', 'none-such', ''),
          ['not_found', 'policy'], 'a policy there is not');

my @put = ('rs_policy_put', [$key, 'pols'], 'policies:write');

my @wide = (0, '', '', 1);

is_deeply([@{ $s->fcall(@put, 'strict', 'required', 1, 300, @wide) }[0, 1]],
          ['ok', 'created'], 'a policy');
is_deeply([@{ $s->fcall(@put, 'strict', 'required', 0, 300, @wide) }[0, 1]],
          ['ok', 'replaced'], 'written again');
$r = obj($s->fcall('rs_policy_get', [$key, 'pols'], 'policies:read',
                   'strict')->[1]);
is_deeply([@$r{qw(id consent relay_only max_ttl_s)}],
          ['strict', 'required', 0, 300], 'is as written last');
$s->dies_like(qr/"loud" is no consent/, 'no consent', @put, 'x', 'loud', 0,
              '', @wide);
$s->dies_like(qr/"up" is no direction/, 'no direction', @put, 'x', '', 0, '',
              0, '', 'up', 1);
is_deeply($s->fcall('rs_group_patch', [$key, 'grps', 'pols'], 'groups:write',
                    $shops, 2, 'name', 'x'), ['precondition_failed'],
          'another version of the group');
is_deeply($s->fcall('rs_group_patch', [$key, 'grps', 'pols'], 'groups:write',
                    $shops, 1, 'policy', 'nope'), ['not_found', 'policy'],
          'no such policy');
is_deeply($s->fcall('rs_group_patch', [$key, 'grps', 'pols'], 'groups:write',
                    $shops, 1, 'colour', 'x'), ['unknown_field'], 'no field');
is(obj($s->fcall('rs_group_patch', [$key, 'grps', 'pols'], 'groups:write',
                 $shops, 1, 'policy', 'strict')->[1])->{version}, 2,
   'patched');
is_deeply($s->fcall('rs_policy_delete', [$key, 'pols', 'grps'],
                    'policies:write', 'strict'), ['conflict'],
          'a policy that a group has stays');

my @more = sort map { $s->group(name => "g$_") } 1 .. 4;
my (@all, $cursor);

do {
    $r = $s->fcall('rs_group_list', [$key, 'grps'], 'groups:read',
                   $cursor // '', 2);
    $cursor = $r->[1];
    push @all, map { obj($_)->{id} } @{ $r->[2] };
} while ($cursor ne '');

is_deeply(\@all, [sort $shops, @more], 'listed by pages, each once');


# devices have groups that there are

my $till = $s->device(online => 'n1.0.00000000000000aa.1',
                      group_id => $shops);
my $other = $s->device(online => 'n1.0.00000000000000aa.2',
                       group_id => $more[0]);
my $plain = $s->device(online => 'n1.0.00000000000000aa.3');

is_deeply($s->fcall('rs_enrollment_create',
                    [$key, 'enr:' . random_id('enr_'), 'enrs', idem(), 'enrx',
                     'grps'], 'enrollments:write', random_id('enr_'), 'h', 1,
                    60, random_id('grp_'), '[]', 'auto', '', 0, ''),
          ['not_found', 'group_id'], 'an enrolment for a group there is not');


sub patch {
    my ($dev, $version, $group) = @_;

    return $s->fcall('rs_device_patch', [$key, "dev:$dev", 'grps', 'gdev'],
                     'devices:write', $version, 'group_id', $group);
}


is_deeply(patch($plain, 1, random_id('grp_')), ['not_found', 'group_id'],
          'a device into one there is not');
is(obj(patch($plain, 1, $more[1])->[1])->{group_id}, $more[1], 'into one');
is_deeply($s->fcall('rs_group_delete', [$key, 'grps', 'grants', 'gdev'],
                    'groups:write', $more[1]), ['conflict'],
          'which then cannot be deleted');
is(obj(patch($plain, 2, '')->[1])->{group_id}, '', 'and out of it');
is_deeply($s->fcall('rs_group_delete', [$key, 'grps', 'grants', 'gdev'],
                    'groups:write', $more[1]), ['ok'], 'now it can');


# grants: nothing, then some

my $ana = user();
my $get = sub { as($_[0], 'rs_device_get', ["dev:$_[1]"], 'devices:read') };

is_deeply($get->($ana, $till), ['not_found'], 'nothing granted: not there');
is_deeply($get->($ana, random_id('dev_')), ['not_found'],
          'as one that is not');

my $grant = $s->grant('group:support', $shops,
                      'devices:read sessions:read sessions:write '
                      . 'sessions:view');

is($get->($ana, $till)->[0], 'ok', 'granted to his group: there');
is_deeply($get->($ana, $other), ['not_found'], 'another group: not');
is_deeply($get->($ana, $plain), ['not_found'], 'no group: not');
is_deeply(as($ana, 'rs_device_patch', ["dev:$till", 'grps', 'gdev'],
             'devices:write', 1, 'name', 'x'), ['forbidden'],
          'a verb his role does not give');

my $x = ask($ana, $till, ['sessions:view'], roles => ['viewer']);

is($x->{reply}[0], 'ok', 'may see');
is(obj($x->{reply}[4])->{user_id}, $ana->{id}, 'the session knows him');
is(obj($x->{reply}[4])->{group_id}, $shops, 'and the group');
is_deeply(ask($ana, $till, ['sessions:control'])->{reply}, ['forbidden'],
          'may not control');
is_deeply(ask($ana, $other, ['sessions:view'])->{reply}, ['not_found'],
          'not there either');
is(as($ana, 'rs_session_get', ["ses:$x->{id}", "par:$x->{id}",
                               "use:$x->{id}"], 'sessions:read')->[0], 'ok',
   'his session');

my $hidden = $s->session($other);

is_deeply(as($ana, 'rs_session_get', ["ses:$hidden->{id}",
                                      "par:$hidden->{id}",
                                      "use:$hidden->{id}"],
             'sessions:read'), ['not_found'], 'one of another group');
is_deeply(as($ana, 'rs_session_end', [RS::Schema::ses_keys($hidden->{id}),
                                      'turn'], 'sessions:write', 'deleted',
             '', '', ''), ['not_found'], 'cannot be ended');

my $seer = user(granted => ['sessions:read', 'sessions:write']);

$s->grant("user:$seer->{id}", $more[0], 'sessions:read');
is_deeply(as($seer, 'rs_session_end', [RS::Schema::ses_keys($hidden->{id}),
                                       'turn'], 'sessions:write', 'deleted',
             '', '', ''), ['forbidden'], 'who may read is told why');

# the session keeps its group when the device moves

patch($till, 1, $more[0]);
is($get->($ana, $till)->[0], 'not_found', 'the device moved');
is(as($ana, 'rs_session_get', ["ses:$x->{id}", "par:$x->{id}",
                               "use:$x->{id}"], 'sessions:read')->[0], 'ok',
   'its session of before has not');
patch($till, 2, $shops);

# who am I

$r = as($ana, 'rs_auth', [], '');
is_deeply([@$r[1, 2], $r->[5]],
          [$ana->{id}, 'Ana', [[$shops, '-', qw(devices:read sessions:read
                                                sessions:view
                                                sessions:write)]]],
          'he is told what he is granted');
is_deeply(as($ana, 'rs_group_create', ['grps', 'pols', idem()], '',
             random_id('grp_'), 'x', '', ''), ['forbidden'],
          'without a verb nothing else');

# whole tenant

$s->grant("user:$seer->{id}", '*', 'sessions:read sessions:write');
is(as($seer, 'rs_session_get', ["ses:$x->{id}", "par:$x->{id}",
                                "use:$x->{id}"], 'sessions:read')->[0], 'ok',
   'granted all groups');

# a grant goes

my $view = $s->grant('group:support', $more[0], 'devices:read');

is($get->($ana, $other)->[0], 'ok', 'one more');
is_deeply($s->fcall('rs_grant_delete', [$key, 'grants'], 'grants:write',
                    $view), ['ok'], 'deleted');
is($get->($ana, $other)->[0], 'not_found', 'counts no more');
is($get->($ana, $till)->[0], 'ok', 'the other one does');
is_deeply([$s->writes(sub { $s->fcall('rs_grant_delete', [$key, 'grants'],
                                      'grants:write', $view) })],
          [1, ['not_found']], 'again: a write, for replicas to confirm');


# limited keys

my ($limited, $limited_id) = $s->api_key('devices:read', 'till', granted => 1);

is_deeply($s->fcall('rs_device_get', [$limited, "dev:$till"],
                    'devices:read'), ['not_found'], 'a limited key: nothing');
$s->grant("key:$limited_id", $shops, 'devices:read');
is($s->fcall('rs_device_get', [$limited, "dev:$till"], 'devices:read')->[0],
   'ok', 'what it is granted');
is($s->fcall('rs_device_get', [$limited, "dev:$other"], 'devices:read')->[0],
   'not_found', 'and no more');

my ($star) = $s->api_key('*', 'star', granted => 1);

is_deeply($s->fcall('rs_group_create', [$star, 'grps', 'pols', idem()],
                    'groups:write', random_id('grp_'), 'x', '', ''),
          ['forbidden'], 'what is of the whole tenant is none of its');
is_deeply($s->fcall('rs_turn_session', [$star, 'ses:' . random_id('ses_'),
                                        'turn'], 'ice', '', 60, 60, '', 0),
          ['forbidden'], 'nor are TURN credentials');
is_deeply($s->turn_revoke($s->turn_session(), undef, auth => $star),
          ['not_found'], 'nor does it end those of others');

# a device does not leave the group by which a caller reaches it

my ($mover, $mover_id) = $s->api_key('devices:read devices:write', 'mover',
                                     granted => 1);
my $moved = sub {
    my ($version, $group) = @_;

    return $s->fcall('rs_device_patch', [$mover, "dev:$till", 'grps', 'gdev'],
                     'devices:write', $version, 'group_id', $group);
};
my $version = obj($get->(user(tenant => ['devices:read']), $till)->[1])
              ->{version};

$s->grant("key:$mover_id", $shops, 'devices:read devices:write');
is_deeply($moved->($version, ''), ['forbidden', 'group_id'],
          'nobody takes a device away from those it was given to');
is_deeply($moved->($version, $more[0]), ['not_found', 'group_id'],
          'nor gives it to others');
is(obj($get->(user(tenant => ['devices:read']), $till)->[1])->{group_id},
   $shops, 'it is where it was');

# cursors name what the caller may see, and nothing else

my ($reader, $reader_id) = $s->api_key('devices:read', 'reader', granted => 1);
my @ids = map { random_id('dev_') } 1 .. 7;
my $ms = time() * 1000;

$redis->call('ZADD', $s->key('devs'), map { ($ms + int($_ / 3), $ids[$_]) }
             0 .. $#ids);
$r = $s->fcall('rs_index_list', [$s->{key}, 'devs'], 'devices:read', '', 200);
my @listed = @{ $r->[2] };

for my $limit (1, 2, 5) {
    my ($cursor, @seen, @cursors) = ('');

    do {
        $r = $s->fcall('rs_index_list', [$reader, 'devs'], 'devices:read',
                       $cursor, $limit);
        push @seen, @{ $r->[2] };
        push @cursors, $cursor = $r->[1];
    } while ($cursor ne '' && @cursors < 100);

    is_deeply(\@seen, \@listed, "a limited caller walks by $limit");
    is(scalar(grep { /dev_/ } @cursors), 0, 'no cursor has an id in it');
}

$redis->call('ZREM', $s->key('devs'), @ids);


# what is minted

my $admin = user(tenant => [qw(keys:write grants:write devices:read
                               users:write audit:read)], granted => []);
my $made = 'key:' . RS::Schema::hash();
my $made_id = random_id('key_');
my @mint = ('rs_key_create', [$made, 'keys', idem()], 'keys:write', $made_id,
            'till');

push @secrets, $made =~ s/^key://r;
is_deeply(as($admin, @mint, 'devices:read devices:write', 0, '', ''),
          ['forbidden'], 'a key with more than its maker has');
is_deeply(as($admin, @mint, '*', 0, '', ''), ['forbidden'], 'or all');
is_deeply(as($admin, @mint, 'node:drain', 0, '', ''), ['forbidden'],
          'or of the fleet');
is_deeply($s->fcall('rs_key_create', [$key, $made, 'keys', idem()],
                    'keys:write', $made_id, 'x', 'node:drain', 0, '', ''),
          ['forbidden'], 'which * is not either');
is(as($admin, @mint, 'devices:read', 0, time() + 100, 'b')->[1], 'created',
   'with what he has');
is_deeply(as($admin, @mint, 'devices:read', 0, time() + 100, 'b'),
          ['ok', 'repeated', $made_id], 'once');
is($s->fcall('rs_device_get', [$made, "dev:$other"], 'devices:read')->[0],
   'ok', 'it works');

my @child = ('key:' . RS::Schema::hash(), 'keys', idem());
my ($short) = $s->api_key('keys:write', 'short', expires_at => time() + 50);

is_deeply($s->fcall('rs_key_create', [$short, @child], 'keys:write',
                    random_id('key_'), 'x', 'keys:write', 0, '', ''),
          ['forbidden'], 'a key that outlives its maker');
is($s->fcall('rs_key_create', [$short, @child], 'keys:write',
             random_id('key_'), 'x', 'keys:write', 0, time() + 40, '')->[0],
   'ok', 'one that does not');

$redis->call('HSET', $s->key($made), 'expires_at', time());
is_deeply($s->fcall('rs_device_get', [$made, "dev:$other"], 'devices:read'),
          ['unauthenticated'], 'an expired key');

$r = $s->fcall('rs_key_find', [$key, 'keys'], 'keys:read', $made_id);
is($r->[2], $made =~ s/^key://r, 'found by its id');
ok(!grep({ /hash/ } @{ $r->[1] }), 'whose object does not have the hash');
is_deeply($s->fcall('rs_key_revoke', [$key, $made, 'keys'], 'keys:write',
                    random_id('key_')), ['not_found'], 'not of that key');
is($s->exists($made), 1, 'which stays');
is_deeply($s->fcall('rs_key_revoke', [$key, $made, 'keys'], 'keys:write',
                    $made_id), ['ok'], 'revoked');
is($s->exists($made), 0, 'is gone');
is_deeply([$s->writes(sub {
    $s->fcall('rs_key_revoke', [$key, $made, 'keys'], 'keys:write', $made_id);
})], [1, ['not_found']], 'again: a write');
is_deeply(as($admin, 'rs_grant_create', ['grants', 'grps', idem()],
             'grants:write', random_id('gra_'), "user:$ana->{id}", '*',
             'devices:read devices:write', '', ''), ['forbidden'],
          'a grant of more than its maker has');
is_deeply(as($admin, 'rs_grant_create', ['grants', 'grps', idem()],
             'grants:write', random_id('gra_'), "user:$ana->{id}",
             random_id('grp_'), 'devices:read', '', ''),
          ['not_found', 'group_id'], 'for a group there is not');

# a list of before version 4

$redis->call('HSET', $s->key('keys'), my $old = random_id('key_'), 'a' x 64);
is($s->fcall('rs_key_find', [$key, 'keys'], 'keys:read', $old)->[2], 'a' x 64,
   'a key that is listed by its hash alone');
is(scalar(grep { $_->[0] eq $old && $_->[1] eq 'a' x 64 }
          @{ $redis->call('FCALL_RO', 'rs_key_list', 1, $s->key('keys'))
             ->[1] }), 1, 'for the tool, too');
$redis->call('HDEL', $s->key('keys'), $old);


# the policy of a session

sub policy {
    my (%opt) = @_;
    my $y = $s->session($opt{dev} // $plain, ttl_s => 600, %opt);
    my $o = obj($y->{reply}[4]);

    $s->end($y);
    $s->fcall('rs_device_unlink', ['dses:' . ($opt{dev} // $plain), 'uses:'],
              $y->{id});

    return "$o->{policy} " . ($o->{expires_at} - $o->{created_at});
}


sub desk {
    my ($relay, $consent, @more) = @_;

    return sprintf '{"relay_only":%s,"consent":"%s","view_only":%s,'
                   . '"clipboard":"%s","files":"%s","sound":%s}', $relay,
                   $consent, @more ? @more : qw(false both both true);
}


is(policy(), desk('false', 'none') . ' 600', 'nobody says');
is(policy(relay_only => 1, consent => 'notify'),
   desk('true', 'notify') . ' 600', 'as asked');
is(policy(dev => $till, consent => 'notify'),
   desk('false', 'required') . ' 300', 'the group is stricter');
$s->fcall(@put, 'default', 'notify', 1, 400, @wide);
is(policy(), desk('true', 'notify') . ' 400',
   'the tenant has one');
is(policy(consent => 'required'),
   desk('true', 'required') . ' 400', 'more is asked');
is(policy(dev => $till), desk('true', 'required') . ' 300',
   'both');
$s->fcall(@put, 'default', '', 0, '', @wide);

# what it may carry: what all of them let through

is(policy(desktop => '1 to_device none 0'),
   desk('false', 'none', qw(true to_device none false)) . ' 600',
   'narrower when asked for');
$s->fcall(@put, 'default', '', 0, '', 0, 'from_device', 'to_device', 1);
is(policy(), desk('false', 'none', qw(false from_device to_device true))
   . ' 600', 'the tenant lets through one way each');
is(policy(desktop => '0 from_device both 1'),
   desk('false', 'none', qw(false from_device to_device true)) . ' 600',
   'no wider by what is asked for');
is(policy(desktop => '0 to_device none 1'),
   desk('false', 'none', qw(false none none true)) . ' 600',
   'two ways that exclude each other leave none');
$s->fcall(@put, 'strict', '', 0, '', 1, 'both', 'from_device', 0);
is(policy(dev => $till),
   desk('false', 'none', qw(true from_device none false)) . ' 600',
   'the group besides');
$redis->call('HSET', $s->key('pols'), 'default',
             '{"consent":"notify","relay_only":"0","max_ttl_s":"",'
             . '"updated_at":"1"}');
is(policy(), desk('false', 'notify') . ' 600',
   'a policy of before version 5 narrows nothing of it');
for my $bad ('0 both both', '2 both both 1', '0 up both 1', '0 both up 1',
             '0 both both 1 ', '')
{
    my @call = @{ $s->session_call($plain, desktop => $bad)->{call} };

    $s->dies_like(qr/is not what a session may carry/, "\"$bad\"", @call);
}

# is it kept?  "required" wins, then "off", then "optional"

# a recorder that is here

$redis->call('HSET', $s->key('svcs'), random_id('dev_'),
             'recorder ' . $s->address() . ' 100 0 0 0');


sub kept {
    my ($asked, $tenant, $group) = @_;
    my ($answer, $p);

    $s->fcall(@put, 'default', '', 0, '', @wide, @{ $tenant // ['', ''] });
    $s->fcall(@put, 'strict', '', 0, '', @wide, @{ $group // ['', ''] });

    my @call = @{ $s->session_call($till,
                                   desktop => "0 both both 1 $asked")->{call} };

    $answer = $s->fcall(@call);

    return join ' ', @$answer if $answer->[0] ne 'ok';

    $p = decode_json(obj($answer->[4])->{policy});

    return join ' ', grep { defined } @{$p}{qw(recording recorder_lost)};
}


for my $case (
    [['- -'], '', 'nothing is said'],
    [['off mark'], '', 'off is asked for'],
    [['optional -'], 'optional', 'optional is asked for'],
    [['required -'], 'required end', 'required, and the loss ends it'],
    [['required mark'], 'required mark', 'or marks it'],
    [['- -', ['optional', '']], 'optional', 'the tenant says optional'],
    [['off -', ['optional', '']], '', 'which is no more than an offer'],
    [['optional -', ['off', '']], 'forbidden recording', 'the tenant says off'],
    [['required -', ['', ''], ['off', '']], 'forbidden recording',
     'the group says off'],
    [['off -', ['off', '']], '', 'what is asked for is as little'],
    [['off -', ['required', '']], 'required end', 'required wins'],
    [['- mark', ['required', '']], 'required end',
     'who only asks does not loosen it'],
    [['- -', ['required', 'mark'], ['off', '']], 'required mark',
     'required wins over off'],
    [['required -', ['required', 'mark']], 'required end',
     'one that wants the end gets it'],
    [['required mark', ['required', 'mark'], ['required', 'end']],
     'required end', 'the group, too'])
{
    is(kept(@{ $case->[0] }), $case->[1], "recording: $case->[2]");
}

$s->dies_like(qr/nothing to say of recording/, 'no word of recording',
              @{ $s->session_call($plain, desktop => '0 both both 1 on end')
                   ->{call} });
$s->dies_like(qr/nothing to say of recording/, 'no word of a policy', @put,
              'bad', '', 0, '', @wide, 'on', '');
$s->fcall(@put, 'default', '', 0, '', @wide);
$s->fcall(@put, 'strict', 'required', 0, 300, @wide);
$s->grant('group:support', '*', 'devices:read sessions:write sessions:control',
          'required');
$s->grant('group:support', $more[0],
          'devices:read sessions:read sessions:write', 'notify');
$x = ask($ana, $other, ['sessions:control']);
is(obj($x->{reply}[4])->{policy},
   desk('false', 'required'), 'the grants of the caller');

# nor does he get around it by a session that somebody else made

my $lax = $s->session($other, consent => 'notify');
my $enter = sub {
    my ($id) = @_;

    return as($ana, 'rs_participant_add',
              ["ses:$id", "par:$id", idem(), 'tkt:' . RS::Schema::hash(),
               "uin:$ana->{id}"],
              ['sessions:write', 'sessions:control'], random_id('par_'),
              'controller', '', $ana->{id}, 60, '')->[0];
};
my $invite = sub {
    my ($id) = @_;

    return as($ana, 'rs_link_create', ["ses:$id", "lnks:$id", idem()],
              ['sessions:write', 'sessions:control'], random_id('lnk_'),
              'controller', '', '', RS::Schema::hash(), '', 1, 600, 60, '')
           ->[0];
};

is($enter->($lax->{id}), 'forbidden', 'his grants want more consent');
is(last_line()->{outcome}, 'deny', 'which is in the audit');
is($invite->($lax->{id}), 'forbidden', 'for a link, too');
is($enter->($x->{id}), 'ok', 'a session with as much');
is($invite->($x->{id}), 'ok', 'and a link of it');
$s->end($lax);


# revocation

$r = as($ana, 'rs_user_revoke',
        ["usr:$ana->{id}", "uses:$ana->{id}", "uin:$ana->{id}"], '', 'own');
is($r->[0], 'ok', 'signs out');
is(scalar @{ $r->[1] }, 2, 'his sessions are named');
is(last_line()->{verb}, 'me:sign-out', 'is in the audit');
is_deeply($get->($ana, $till), ['unauthenticated'], 'his token is void');
is($get->(user(id => $ana->{id}, iat => time() + 2), $till)->[0], 'ok',
   'a newer one is not');
is_deeply(as($seer, 'rs_user_revoke',
             ["usr:$ana->{id}", "uses:$ana->{id}", "uin:$ana->{id}"], '',
             'all'), ['forbidden'], 'nobody does that to another');

# an issuer whose clock is ahead: what it had given out by then is void, too

for my $by ('himself', 'an admin') {
    my $ahead = user(iat => time() + 50, tenant => ['devices:read']);
    my @keys = map { "$_:$ahead->{id}" } qw(usr uses uin);

    is($get->($ahead, $till)->[0], 'ok', 'a token of the future');
    is(as($by eq 'himself' ? ($ahead, 'rs_user_revoke', \@keys, '', 'own')
                           : (user(tenant => ['users:write']),
                              'rs_user_revoke', \@keys, 'users:write',
                              'all'))->[0],
       'ok', "revoked by $by");
    is_deeply($get->($ahead, $till), ['unauthenticated'], 'is void');
    as(user(tenant => ['users:write']), 'rs_user_revoke', \@keys,
       'users:write', 'all');
    is_deeply($get->($ahead, $till), ['unauthenticated'],
              'and stays so when he is revoked once more');
}

is(as($admin, 'rs_user_revoke',
      ["usr:$seer->{id}", "uses:$seer->{id}", "uin:$seer->{id}"],
      'users:write', 'all')->[0], 'ok', 'but who may');

# in sessions of others he is found by who revokes him, not by himself

my $guest = user(tenant => ['sessions:write', 'sessions:control']);
my @in = map { "$_:$guest->{id}" } qw(usr uses uin);
my $theirs = $s->session($other, consent => 'required');
my $join = sub {
    my ($name) = @_;

    return as($guest, 'rs_participant_add',
              ["ses:$theirs->{id}", "par:$theirs->{id}", idem(),
               'tkt:' . RS::Schema::hash(), $in[2]],
              ['sessions:write', 'sessions:control'], random_id('par_'),
              'controller', '', $name, 60, '')->[0];
};
my $revoke = sub { as($admin, 'rs_user_revoke', \@in, 'users:write', @_) };

is($join->('somebody'), 'ok', 'he lets somebody in');
is($redis->call('EXISTS', $s->key($in[2])), 0, 'which is not himself');
is($join->($guest->{id}), 'ok', 'he comes himself');
is_deeply($revoke->('own'), ['ok', []], 'no session of his own');
is_deeply($revoke->('all'), ['ok', [$theirs->{id}]], 'but he is in one');
is_deeply($revoke->('all', $theirs->{id}), ['ok', []], 'that has been ended');
$s->end($theirs);
is_deeply($get->($seer, $till), ['unauthenticated'], 'so it is');
cmp_ok($s->ttl("usr:$ana->{id}"), '>', 7_700_000, 'remembered for 90 days');

is_deeply($s->fcall('rs_device_unlink', ["dses:$other",
                                         "uses:$ana->{id}"], $x->{id}),
          ['ok'], 'a session that has ended');
is($redis->call('ZSCORE', $s->key("uses:$ana->{id}"), $x->{id}), undef,
   'leaves its user\'s list');


# quotas

my $y = $s->session_call($plain, quota => 1);

is_deeply($s->fcall(@{ $y->{call} }), ['limit_reached'], 'sessions');
is_deeply($s->turn_session(quota => 1)->{reply}, ['limit_reached'],
          'those of kind turn, too');
is($s->fcall(@{ $s->session_call($plain, quota => 1000)->{call} })->[0], 'ok',
   'below it');
eval { $s->enrollment(quota => 1) };
like($@, qr/limit_reached/, 'enrolments');
eval { $s->device(quota => 3) };
like($@, qr/limit_reached/, 'devices');
is($s->exists("dev:" . ($s->device(quota => 4))), 1, 'the fourth of four');

my $many = user(subjects => []);

$redis->call('ZADD', $s->key("uses:$many->{id}"),
             map { (time() + 100, random_id('ses_')) } 1 .. 64);
$redis->call('EXPIRE', $s->key("uses:$many->{id}"), 100);
$many = user(id => $many->{id}, tenant => ['sessions:write']);
is_deeply(ask($many, $plain, [])->{reply}, ['limit_reached'],
          'live sessions of one user');

# bounds

$redis->call('HSET', $s->key('grps'),
             map { (random_id('grp_'), '{"name":"x","policy":"",'
                    . '"created_at":"1","version":"1"}') } 1 .. 1000);
is_deeply($s->fcall('rs_group_create', [$key, 'grps', 'pols', idem()],
                    'groups:write', random_id('grp_'), 'x', '', ''),
          ['limit_reached'], 'groups');

for my $i (1 .. 64) {
    $s->grant('group:full', '*', 'ice');
}

is_deeply($s->fcall('rs_grant_create', [$key, 'grants', 'grps', idem()],
                    'grants:write', random_id('gra_'), 'group:full', '*',
                    'ice', '', ''), ['limit_reached'], 'grants of a subject');


# another tenant

my $foreign = bless { %$s, tenant => 'other' }, 'RS::Schema';

($foreign->{key}) = $foreign->api_key('*');

for my $call (['rs_device_get', ["dev:$till"], 'devices:read'],
              ['rs_device_delete', ["dev:$till", 'devs', "dses:$till",
                                    'gdev'], 'devices:write', $till, ''],
              ['rs_group_get', ['grps'], 'groups:read', $shops],
              ['rs_grant_get', ['grants'], 'grants:read', $grant],
              ['rs_grant_delete', ['grants'], 'grants:write', $grant],
              ['rs_key_find', ['keys'], 'keys:read', $limited_id])
{
    my ($name, $keys, @argv) = @$call;

    is_deeply($foreign->fcall($name, [$foreign->{key}, @$keys], @argv),
              ['not_found'], "$name: of another tenant");
}

is(($foreign->audit())[-1]{outcome}, 'deny', 'his audit says so');
is($redis->call('EXISTS', $foreign->key('gsub')), 0, 'nothing else is made');


# the audit

sub called {
    my (%c) = @_;
    my $before = $s->audit();
    my $reply = $s->fcall('rs_device_get', [$key, 'dev:' . ($c{dev} // $till)],
                          RS::Schema::caller_json(verb => 'devices:read',
                                                  %{ $c{with} // {} }));

    return ($reply->[0], ($s->audit())[$before .. $#{ [$s->audit()] }]);
}


is_deeply([called()], ['ok'], 'an allowed read leaves no line');

my ($rc, $line) = called(with => { reads => 1 });

is_deeply([$rc, @$line{qw(outcome reason object)}], ['ok', 'allow', '', $till],
          'but when that is wanted');
($rc, $line) = called(dev => random_id('dev_'));
is_deeply([@$line{qw(outcome reason actor actor_id actor_name verb addr rid)}],
          ['deny', 'not_found', 'key', $s->{key_id}, 'console',
           'devices:read', '192.0.2.1', 'r1'], 'a refused one does');
is_deeply([called(dev => random_id('dev_'), with => { list => 1 })],
          ['not_found'], 'unless it is of a list');
is_deeply([$s->fcall('rs_device_get', ['key:' . RS::Schema::hash(),
                                       "dev:$till"], 'devices:read'),
           last_line()], [['unauthenticated'], $line],
          'nobody leaves no line');
is($s->fcall('rs_session_create', @{ $y->{call} }[1 .. $#{ $y->{call} }])->[0],
   'limit_reached', 'what fails otherwise');
is_deeply([@{ last_line() }{qw(outcome reason object detail)}],
          ['allow', 'limit_reached', $y->{id}, $plain],
          'was allowed, and says why not');

my $z = $s->session($plain);

push @secrets, @{ $z->{tickets} };
$s->host_join($z);
is_deeply([@{ last_line() }{qw(actor actor_id verb object addr detail)}],
          ['participant', $z->{host}, 'session:join', $z->{id}, '192.0.2.3',
           'host'], 'who joins is in it');

my ($wide) = $s->api_key('ice', 'x' . "\xc3\xa9" x 300);

$s->fcall('rs_device_get', [$wide, "dev:$till"], 'devices:read');
is(last_line()->{actor_name}, 'x' . "\xc3\xa9" x 255,
   'a long name is cut between characters');

my @text = map { @{ $_->[1] } }
           @{ $redis->call('XRANGE', $s->key('audit'), '-', '+') };

is_deeply([grep { my $t = $_; grep { index($t, $_) >= 0 } @secrets } @text],
          [], 'no secret, no hash of one');

# read and trimmed

my @lines = $s->audit();
my (@read, $pages);

$cursor = '';

do {
    $r = $s->fcall('rs_audit_list', [$key], 'audit:read', $cursor, 40, 'old');
    push @read, @{ $r->[2] };
    $cursor = $r->[1];
    $pages++;
} while ($cursor ne '');

is(scalar @read, scalar @lines, 'read by pages, oldest first');
cmp_ok($pages, '>', 1, 'several');
is_deeply({ @{ $read[5] }[1 .. $#{ $read[5] }] }, $lines[5], 'as written');
is($s->fcall('rs_audit_list', [$key], 'audit:read', '', 1, 'new')->[2][0][0],
   $read[-1][0], 'newest first');
is_deeply($s->fcall('rs_audit_list', [$key], 'audit:read', 'x', 1, 'new'),
          ['invalid_value'], 'no cursor');
is_deeply($s->fcall('rs_audit_trim', [$key], 'audit:trim', 'x'),
          ['invalid_value'], 'no position');
is_deeply(as($admin, 'rs_audit_trim', [], 'audit:trim', $read[9][0]),
          ['forbidden'], 'by whom may not');
is_deeply($s->fcall('rs_audit_trim', [$key], 'audit:trim', $read[9][0]),
          ['ok', 'done', 10], 'trimmed');
is($s->fcall('rs_audit_list', [$key], 'audit:read', '', 1, 'old')->[2][0][0],
   $read[10][0], 'the rest is there');
is_deeply([@{ last_line() }{qw(verb detail)}],
          ['audit:trim', "through $read[9][0]"], 'and says that it was cut');

# strangers

$s->fcall('rs_denied', ['denied'], 'ticket', 'unauthenticated', '192.0.2.9',
          'r9', 'x' x 2000) for 1 .. 2;
is($redis->call('XLEN', $s->key('denied')), 2, 'strangers have one stream');
is(length({ @{ $redis->call('XRANGE', $s->key('denied'), '-', '+')->[0][1] } }
          ->{detail}), 512, 'and not much room in it');

$s->check_catalogue();

done_testing();
