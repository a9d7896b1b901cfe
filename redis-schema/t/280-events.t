#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# Events: what is written of what happens, who may read it, from where a
# reader goes on, and what is kept of webhooks and of who delivers to them.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id wait_until);

my $s = RS::Schema->new();
my $redis = $s->redis();
my $W = 'n1.0.00000000000000aa';
my $pos = '0-0';


# Events after a position: {type, at, tenant, data, id}.

sub read_from {
    my ($from, %opt) = @_;
    my $r = $s->fcall('rs_event_list', [$opt{auth} // $s->{key}, 'ev'],
                      'devices:read', $from, $opt{count} // 200);

    die "rs_event_list: $r->[0]" if $r->[0] ne 'ok';

    my @events = map {
        my ($id, $type, $json) = @$_;
        my $e = JSON::PP->new->utf8->decode(qq({"id":"$id",$json));

        is($e->{type}, $type, "$type: is what its JSON says");
        $e;
    } @{ $r->[4] };

    return ($r, @events);
}


# What has come since the last look: type and the data named.

sub told {
    my ($name, @want) = @_;
    my ($r, @events) = read_from($pos);

    $pos = $r->[1];

    return is_deeply(
        [map { my ($e, $w) = ($events[$_], $want[$_]);
               [$e->{type}, map { $_ => $e->{data}{$_} }
                            sort keys %{ $w->[1] // {} }] } 0 .. $#events],
        [map { my $w = $_;
               [$w->[0], map { $_ => $w->[1]{$_} } sort keys %{ $w->[1] }] }
         @want], $name);
}


# devices

my ($one, $two) = map { $s->group(name => $_) } 'one', 'two';
my $name = "B\xc3\xbcro \"1\"\\2";
my $dev = $s->device(name => $name, group_id => $one);
my @of = (device_id => $dev);

told('enrolled', ['device.enrolled',
                  { @of, name => "B\x{fc}ro \"1\"\\2", group_id => $one,
                    reason => undef }]);
$s->online($dev, "$W.1");
told('came', ['device.online', { @of, group_id => $one }]);
$s->online($dev, "$W.2");
$s->online($dev, "$W.2", 2);
told('it was there: a newer socket, and one announced again, are nothing');
$s->fcall('rs_device_patch', [$s->{key}, "dev:$dev", 'grps', 'gdev'],
          'devices:write', 1, 'name', 'desk');
told('renamed', ['device.updated', { @of, name => 'desk' }]);
$s->fcall('rs_device_patch', [$s->{key}, "dev:$dev", 'grps', 'gdev'],
          'devices:write', 2, 'group_id', $two);
told('another group: the old one is told that it left',
     ['device.moved', { @of, group_id => $one }],
     ['device.updated', { @of, group_id => $two }]);
$s->offline($dev, "$W.1");
told('a socket that is not its owner any more');
$s->offline($dev, "$W.2");
told('went', ['device.offline', { @of, reason => undef }]);

for my $i (1 .. 8) {
    $s->online($dev, 'n' . ($i % 2) . ".0.00000000000000aa.9$i");
}

told('two machines with one key', ['device.online', { @of }],
     ['device.offline', { @of, reason => 'device_quarantined' }]);


# a session, consent, a recorder

my $other = $s->device(group_id => $two, online => "$W.5");
my $x = $s->session($other, roles => ['controller', 'recorder'],
                    external_id => 'T-1');
my ($a, $rec) = @{ $x->{pars} };
my %ses = (session_id => $x->{id}, device_id => $other, group_id => $two,
           external_id => 'T-1');

told('created', ['device.enrolled', {}], ['device.online', {}],
     ['session.created', { %ses, state => 'waiting_host', user_id => undef,
                           key_id => $s->{key_id},
                           expires_at => 0 + ($s->get($x))[0]{expires_at} }]);

my $host = $s->host_join($x);

told('the host', ['participant.joined', { %ses, role => 'host',
                                          participant_id => $x->{host} }],
     ['session.state', { %ses, state => 'connecting' }]);

for my $what (qw(waiting given)) {
    $s->fcall('rs_session_consent', ["ses:$x->{id}", "mem:$x->{id}",
                                     "log:$x->{id}", 'audit'],
              $a, $what, $other, RS::Schema::REPLID());
}

told('consent', ['consent.asked', { %ses, participant_id => $a }],
     ['session.state', { state => 'waiting_consent' }],
     ['consent.given', { %ses, participant_id => $a }],
     ['session.state', { state => 'connecting' }]);

$s->guest_join($x, 0, "$W.31");
$s->guest_join($x, 1, "$W.32");
$s->state($x, $a, "$W.31", '{"kind":"direct"}');
$s->state($x, $a, "$W.31", '{"kind":"relay"}');
told('who comes, and a path: active once',
     ['participant.joined', { role => 'controller', name => 'Ana',
                              participant_external_id => 'ext' }],
     ['participant.joined', { role => 'recorder' }],
     ['recording.started', { %ses, participant_id => $rec }],
     ['session.state', { state => 'active' }]);
$s->append($x, $a, "$W.31", 1);
told('a message is no event');
$s->leave($x, $rec, "$W.32", 'bye');
told('the recorder goes',
     ['participant.left', { participant_id => $rec, reason => 'bye' }],
     ['recording.stopped', { participant_id => $rec, reason => 'bye' }]);
$s->end($x);
told('the end', ['session.ended', { %ses, end_reason => 'deleted' }]);
$s->end($x);
told('once');
$s->turn_session();
told('sessions of kind turn are none');

for my $what (qw(denied timeout)) {
    my $y = $s->session($other);
    my $h = $s->host_join($y);

    $s->fcall('rs_session_consent', ["ses:$y->{id}", "mem:$y->{id}",
                                     "log:$y->{id}", 'audit'],
              $y->{pars}[0], $what, $other, RS::Schema::REPLID());
    $s->leave($y, $y->{host}, $h, 'bye');
    told($what, ['session.created', {}], ['participant.joined', {}],
         ['session.state', {}], ["consent.$what", {}],
         ['participant.left', { reason => 'bye' }],
         ['session.ended', { end_reason => 'left' }]);
}

$s->fcall('rs_device_delete', [$s->{key}, "dev:$other", 'devs',
                               "dses:$other", 'gdev'],
          'devices:write', $other, '');
told('removed', ['device.removed', { device_id => $other,
                                     group_id => $two }]);


# each event has its line for who listens

my $listener = $s->subscribe('rs:watch');
my $third = $s->device(group_id => $one, online => "$W.7");
my $y = $s->session($third);

$s->host_join($y);
$s->fcall('rs_session_consent', ["ses:$y->{id}", "mem:$y->{id}",
                                 "log:$y->{id}", 'audit'],
          $y->{pars}[0], 'waiting', $third, RS::Schema::REPLID());

my @lines = map { "@$_" } $listener->got();

cmp_ok(scalar @lines, '>=', 6, 'lines');
is(scalar(grep { !/^default (?:dev|ses) \S+ \Q$one\E \w+$/ } @lines), 0,
   'of the kind there always was');
told('and events', ['device.enrolled', {}], ['device.online', {}],
     ['session.created', {}], ['participant.joined', {}],
     ['session.state', {}], ['consent.asked', {}], ['session.state', {}]);


# who may see what: at each read anew

my ($key, $id) = $s->api_key('devices:read sessions:read', 'given',
                             granted => 1);
my $seen = sub {
    my (undef, @e) = read_from('0-0', auth => $key);
    my %n;

    $n{"$_->{data}{group_id}" eq $one ? 'one' : 'two'}{
        $_->{type} =~ /^device/ ? 'dev' : 'ses'}++ for @e;

    return { map { my $g = $_; ($g => CORE::join(' ', sort keys %{ $n{$g} })) }
             keys %n };
};

is_deeply($seen->(), {}, 'nothing granted, nothing seen');
$s->grant("key:$id", $one, 'devices:read');
is_deeply($seen->(), { one => 'dev' }, 'devices of a group');

my $grant = $s->grant("key:$id", $two, 'sessions:read');

is_deeply($seen->(), { one => 'dev', two => 'ses' }, 'sessions of another');
$s->fcall('rs_grant_delete', [$s->{key}, 'grants'], 'grants:write', $grant);
is_deeply($seen->(), { one => 'dev' }, 'taken away: no more');
is_deeply($s->fcall('rs_event_list', [($s->api_key('ice'))[0], 'ev'],
                    'devices:read', '', 1), ['forbidden'], 'not with any key');
is(($s->audit())[-1]{outcome}, 'deny', 'which the audit has');
is_deeply($s->fcall('rs_event_list', ['key:' . RS::Schema::hash(), 'ev'],
                    'devices:read', '', 1), ['unauthenticated'], 'nobody');


# positions

my ($r) = read_from('');

is_deeply([@$r[1 .. 4]], [$pos, 0, 0, []], 'no position: from now on');
is($r->[5], $s->{key_id}, 'whose reading it is');
($r) = read_from('0-0', count => 2);
is_deeply([scalar @{ $r->[4] }, @$r[2, 3]], [2, 0, 1], 'a page, and more');
($r) = read_from($r->[1], count => 1000);
is_deeply([$r->[1], @$r[2, 3]], [$pos, 0, 0], 'the rest: nothing is missing');
($r) = read_from('5-5');
is_deeply([scalar @{ $r->[4] } > 10, $r->[2]], [1, 1],
          'one that was trimmed, or never was: something may be missing');
($r) = read_from('9999999999999-0');
is_deeply([@$r[1 .. 4]], [$pos, 1, 0, []],
          'one of a server that had more: on from the newest');
is_deeply($s->fcall('rs_event_list', [$s->{key}, 'ev'], 'devices:read', $_,
                    1), ['invalid_value'], "no position: \"$_\"")
    for 'x', '1', '-', '1-1-1';

is_deeply($s->fcall_ro('rs_event_tail', ['ev'], $pos, 10),
          ['ok', $pos, 0, 0, []], 'the daemon: at the end');
is_deeply($s->fcall_ro('rs_event_tail', ['ev'], '0-0', 200)->[4],
          (read_from('0-0'))[0][4], 'and all of the tenant');

# a reader who may see little gets through much, and says how far

$redis->call('XADD', $s->key('ev'), '*', 't', 'x', 'w', 'd', 'g', 'grp_x',
             'b', '"type":"x"}') for 1 .. 1500;
($r) = read_from($pos, auth => $key);
is_deeply([scalar @{ $r->[4] }, $r->[3], $r->[1] ne $pos], [0, 1, 1],
          'nothing for him, and more');
($r) = read_from($r->[1], auth => $key);
is($r->[3], 0, 'until there is no more');

# bounded

for my $i (1 .. 90) {
    $redis->call('XADD', $s->key('ev'), '*', 't', 'x', 'w', 'd', 'g', '',
                 'b', '"type":"x"}') for 1 .. 100;
}

$s->offline($third, "$W.7");
cmp_ok($redis->call('XLEN', $s->key('ev')), '<=', 10200, 'about 10000');
cmp_ok($redis->call('XLEN', $s->key('ev')), '>=', 10000, 'and not less');
cmp_ok(abs($s->ttl('ev') - 604800), '<=', 2, 'for a week');

($r) = read_from($pos);
is($r->[2], 1, 'who was away for so long is told');


# webhooks

my @hooks = ($s->{key}, 'hooks', 'hookst');
my $newest = $redis->call('XREVRANGE', $s->key('ev'), '+', '-', 'COUNT', 1)
             ->[0][0];
my $whk = random_id('whk_');
my $idem = 'idem:' . RS::Schema::hash();
my @make = ('rs_webhook_create', [@hooks, 'ev', $idem], 'webhooks:write',
            $whk, 'ops', 'https://ops.example.net/hook', 'session.ended', 1,
            'b' x 64);
$r = $s->fcall(@make);
is_deeply([@$r[0, 1]], ['ok', 'created'], 'a webhook');

my $obj = RS::Schema::obj($r->[2]);

is_deeply([@{$obj}{qw(id name url types enabled secret_no version pos epoch
                      failures created_by)}],
          [$whk, 'ops', 'https://ops.example.net/hook', 'session.ended', 1, 1,
           1, $newest, 0, 0, $s->{key_id}], 'told from now on');
is_deeply([@{ $s->fcall(@make) }[0, 1]], ['ok', 'repeated'], 'again');
is_deeply($s->fcall(@make[0 .. 2], random_id('whk_'), @make[4 .. 8]),
          ['ok', 'repeated', $whk], 'by another worker');
is_deeply($s->fcall(@make[0 .. 7], 'c' x 64), ['idempotency_mismatch'],
          'another body');
is_deeply($s->fcall('rs_webhook_create', [@hooks, 'ev', 'idem:'],
                    'webhooks:write', random_id('whk_'), '', 'https://x', '',
                    1, '')->[0], 'ok', "one more") for 2 .. 32;
is_deeply($s->fcall('rs_webhook_create', [@hooks, 'ev', 'idem:'],
                    'webhooks:write', random_id('whk_'), '', 'https://x', '',
                    1, ''), ['limit_reached'], '32 and no more');
is_deeply($s->fcall('rs_webhook_list', [@hooks], 'devices:read', '', 10)->[0],
          'ok', 'a list');
is(scalar @{ $s->fcall('rs_webhook_list', [@hooks], 'webhooks:read', '', 200)
             ->[2] }, 32, 'all of them');
is_deeply($s->fcall('rs_webhook_get', [$key, 'hooks', 'hookst'],
                    'webhooks:read', $whk), ['forbidden'],
          'not for who is granted groups');

my $patch = sub {
    return $s->fcall('rs_webhook_patch', [@hooks, 'ev'], 'webhooks:write',
                     $whk, @_);
};

is_deeply($patch->(7, 'name', 'x'), ['precondition_failed'], 'another one');
is_deeply($patch->('', 'epoch', 9), ['unknown_field'], 'not that');
$obj = RS::Schema::obj($patch->(1, 'url', 'https://b.example.net/', 'secret',
                                '')->[1]);
is_deeply([@{$obj}{qw(url secret_no version)}],
          ['https://b.example.net/', 2, 2], 'changed, with another secret');


# who delivers

my $lease = sub { $s->fcall('rs_webhook_lease', ['eventd'], @_) };

is_deeply($lease->('d1', 60000), ['ok', 'held', 1], 'the first one');
is_deeply([@{ $lease->('d2', 60000) }[0 .. 2]], ['ok', 'taken', 'd1'],
          'one of them');
is_deeply($lease->('d1', 60000), ['ok', 'held', 1], 'goes on');
is_deeply($lease->('d1', 0), ['ok', 'held', 1], 'gives it back');
is_deeply($lease->('d2', 1), ['ok', 'held', 2], 'the next one');
ok(wait_until { $lease->('d1', 60000)->[1] eq 'held' } 5, 'which died');
is_deeply($lease->('d1', 60000), ['ok', 'held', 3], 'has a higher epoch');

my $say = sub {
    return $s->fcall('rs_webhook_told', ['hooks', 'hookst'], $whk, @_);
};

is_deeply($say->(3, 2, '7-7', 'delivered', 1, 'status', 200), ['ok'], 'told');
is_deeply($say->(2, 2, '8-8'), ['replaced'], 'not by the one of before');
is_deeply($say->(3, 1, '8-8'), ['conflict'], 'nor of what it was before');
$s->dies_like(qr/no position/, 'no position', 'rs_webhook_told',
              ['hooks', 'hookst'], $whk, 3, 2, 'x');
$s->dies_like(qr/nothing to tell/, 'no field', 'rs_webhook_told',
              ['hooks', 'hookst'], $whk, 3, 2, '8-8', 'url', 'x');

$obj = RS::Schema::obj($s->fcall('rs_webhook_get', [@hooks], 'webhooks:read',
                                 $whk)->[1]);
is_deeply([@{$obj}{qw(pos delivered status epoch)}], ['7-7', 1, 200, 3],
          'as it was told');
is_deeply($say->(3, 2, '9-9', 'gone', '', 'error', 'e' x 600), ['ok'],
          'the receiver wants no more');

my $work = $s->fcall_ro('rs_webhook_work', ['hooks', 'hookst']);

($obj) = grep { $_->{id} eq $whk } map { RS::Schema::obj($_) } @{ $work->[2] };
is_deeply([@{$obj}{qw(enabled version pos)}, length $obj->{error}],
          [0, 3, '9-9', 512], 'it is off');
$obj = RS::Schema::obj($patch->('', 'enabled', 1)->[1]);
is_deeply([@{$obj}{qw(enabled pos failures error)}], [1, $newest, 0, ''],
          'on again: from now on');
is_deeply($s->fcall('rs_webhook_delete', [@hooks], 'webhooks:write', $whk),
          ['ok'], 'removed');
is_deeply($s->fcall('rs_webhook_delete', [@hooks], 'webhooks:write', $whk),
          ['not_found'], 'once');
is_deeply($say->(3, 4, '9-9'), ['not_found'], 'nothing is told of it');
is($redis->call('HEXISTS', $s->key('hookst'), $whk), 0, 'nothing is left');
is_deeply($s->fcall('rs_webhook_tenant', ['hookt'], 'acme')->[0], 'ok',
          'tenants');
is_deeply($s->fcall('rs_webhook_tenant', ['hookt'], 'beta')->[0], 'ok',
          'of all');
is_deeply($s->fcall_ro('rs_webhook_tenants', ['hookt'], 'acme'),
          ['ok', ['beta']], 'page by page');

$s->check_catalogue();

done_testing();
