#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What coturn is answered, asked as coturn asks: keys by verdict in strict
# mode, secrets of the right days in compat mode; metrics, and a reload.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use FindBin;
use IO::Select;
use IO::Socket::INET;
use JSON;
use Test::More;
use Time::Piece ();

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Turn;
use RS::Util qw(now read_file write_file wait_until random_id);

use constant { TTL => 20, SKEW => 5, DAY => 86400 };

my $redis = RS::Redis->new(acl => 1);


# ---- asked as coturn does

sub request {
    return join '', '*' . @_ . "\r\n", map { '$' . length() . "\r\n$_\r\n" } @_;
}


sub read_line {
    my ($s) = @_;
    my $line = '';

    while ($line !~ s/\r\n\z//) {
        IO::Select->new($s)->can_read(10) or die "no answer: $line";
        sysread($s, $line, 1, length $line) or die "closed: $line";
    }

    return $line;
}


# One answer: a string, undef, or a reference to a list.

sub read_answer {
    my ($s) = @_;
    my ($type, $rest) = read_line($s) =~ /^(.)(.*)/ or die;

    return "$type$rest" if $type =~ /[-+:]/;
    return [map { read_answer($s) } 1 .. $rest] if $type eq '*';
    return if $rest < 0;

    my $text = '';

    while (length $text < $rest + 2) {
        sysread($s, $text, $rest + 2 - length $text, length $text)
            or die "closed: $text";
    }

    return substr $text, 0, $rest;
}


my %link;

sub ask {
    my ($turn, @words) = @_;
    my $s = $link{$turn->port} //= do {
        my $new = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => $turn->{userdb_port})
            or die "connect: $@";

        syswrite($new, request('AUTH', $turn->{db_password}));
        read_answer($new) eq '+OK' or die 'AUTH';
        $new;
    };

    syswrite($s, request(@words));

    return read_answer($s);
}


sub key {
    my ($turn, $user) = @_;

    return scalar ask($turn, 'get', 'turn/realm/' . $turn->realm
                                    . "/user/$user/key");
}


# Which verdict did this user name get?

sub verdict {
    my ($turn, $user) = @_;
    my $all = sub {
        my (undef, $body) = $turn->_get('/metrics');

        return { $body =~ /^rs_turn_auth_total\{[^}]*result="(\w+)"\} (\d+)$/mg };
    };
    my $before = $all->();
    my $key = key($turn, $user);
    my $after = $all->();
    my @up = grep { $after->{$_} != $before->{$_} } keys %$after;

    return (@up == 1 ? $up[0] : "@up?") . (defined $key ? ' key' : '');
}


sub good {
    my ($turn, $c, $what) = @_;

    return is(key($turn, $c->{username}),
              md5_hex(join ':', $c->{username}, $turn->realm, $c->{password}),
              $what);
}


# ---- strict

my $turn = RS::Turn->new(
    redis => $redis, mode => 'strict', start => 0, tenants => 'default acme',
    authd_conf => { credential_ttl => TTL, skew => SKEW, resync => 1,
                    coturn_version => '4.18.0' });

$turn->start_authd();
$turn->wait_sync();

my $s = $turn->session(ttl_s => 3600);
my $c = $turn->credential($s, ttl => TTL);

wait_until { defined key($turn, $c->{username}) } 10, 'the session is heard of';

good($turn, $c, 'the key of a credential');
is(verdict($turn, $c->{username}), 'ok key', 'is ok');
good($turn, $c, 'asked again it is the same');

{
    my $now = time();
    my ($t, $par) = ($s->{tenant}, $s->{host});
    my $other = random_id('par_');

    my %names = (
        expired => [$now - 1 . ":$t.$s->{id}.$par", "1:$t.$s->{id}.$par"],
        too_far => [$now + 100_000 . ":$t.$s->{id}.$other",
                    "18446744073709551615:$t.$s->{id}.$other",
                    "9223372036854775807:$t.$s->{id}.$other",
                    "4294967296:$t.$s->{id}.$other"],
        unknown_session => [$now + 9 . ":$t." . random_id('ses_') . ".$other",
                            $now + 9 . ":acme.$s->{id}.$par"],
        other_tenant => [$now + 9 . ":globex.$s->{id}.$par"],
        bad_grammar => [
            '', 'x', ':', "$now", "0$c->{username}", "+$c->{username}",
            " $c->{username}", "$c->{username} ", "$c->{username}x",
            uc $c->{username}, "-1:$t.$s->{id}.$par",
            "18446744073709551616:$t.$s->{id}.$par",
            $now + 9 . ":$t.$s->{id}", $now + 9 . ":$t.$s->{id}.$par.$par",
            $now + 9 . ":$t.$par.$s->{id}", $now + 9 . "::$t.$s->{id}.$par",
            '%s' x 100, '%n' x 256, "$now:%s%n.%p.%d", "a/key", '/key/key',
            "$c->{username}/key", "\xff\xfe\0\x80", 'A' x 1000, "a\r\nb\r\n",
            "*1\r\n\$4\r\nPING\r\n", '../../secret', "$c->{username}\0",
        ],
    );

    for my $want (sort keys %names) {
        for my $name (@{ $names{$want} }) {
            is(verdict($turn, $name), $want,
               "$want: " . substr $name =~ s/[^ -~]/./gr, 0, 60);
        }
    }

    good($turn, $c, 'the good one still has its key');
}

is_deeply(ask($turn, 'smembers', 'turn/realm/' . $turn->realm . '/secret'),
          [], 'strict: no secrets');
is(ask($turn, 'get', "turn/realm/other/user/$c->{username}/key"), undef,
   'no key of another realm');
is(ask($turn, 'get', "turn/realm/" . $turn->realm . "/user/$c->{username}"),
   undef, 'nor of another kind');

{
    my $acme = $turn->session(tenant => 'acme');
    my $ca = $turn->credential($acme, ttl => TTL);

    wait_until { defined key($turn, $ca->{username}) } 10, 'another tenant';
    good($turn, $ca, 'another tenant that is served');
}

{
    my $x = $turn->session(roles => ['controller']);
    my $viewer = $x->{pars}[0] // $x->{viewer};

    $viewer = $viewer->{id} if ref $viewer;

    my $host = $turn->credential($x, ttl => TTL);
    my $cv = $turn->credential($x, ttl => TTL, par => $viewer);

    wait_until { defined key($turn, $cv->{username}) } 10, 'a viewer';
    good($turn, $host, 'and the host');

    $turn->revoke($x, $viewer);
    wait_until { !defined key($turn, $cv->{username}) } 10, 'the revocation';
    is(verdict($turn, $cv->{username}), 'revoked', 'revoked');
    good($turn, $host, 'the host is not');

    $turn->end_session($x);
    wait_until { !defined key($turn, $host->{username}) } 10, 'the end';
    is(verdict($turn, $host->{username}), 'ended', 'ended');
    is(verdict($turn, $cv->{username}), 'ended', 'for everybody');
}

{
    my $x = $turn->turn_session(ttl_s => 60);
    my $cx = $turn->credential($x, ttl => TTL);

    wait_until { defined key($turn, $cx->{username}) } 10,
        'credentials without signalling';
    good($turn, $cx, 'a session of kind turn');
    $turn->revoke($x);
    wait_until { !defined key($turn, $cx->{username}) } 10, 'its revocation';
    is(verdict($turn, $cx->{username}), 'ended', 'has ended');
}


# ---- what is said of it

is(decode_json($turn->health())->{redis}, 'in_sync', 'health');

my ($head) = $turn->_get('/health');
my ($date) = $head =~ /^Date: (.*?)\r?$/m;

my $at = eval { Time::Piece->strptime($date, '%a, %d %b %Y %T GMT')->epoch };

cmp_ok(abs(($at // 0) - CORE::time()), '<=', 2, 'its clock');
is($turn->metric('rs_turn_in_sync'), 1, 'in sync');
is($turn->metric('rs_turn_stale'), 0, 'not stale');
is($turn->metric('rs_turn_redis_up'), 2, 'two links');
is($turn->metric('rs_turn_connections', listener => 'userdb'), 1,
   'one connection');
is($turn->metric('rs_turn_coturn_info', version => '4.18.0'), 1, 'the version');
cmp_ok($turn->metric('rs_turn_policy_age_seconds'), '<', 60, 'age of the policy');
cmp_ok($turn->metric('rs_turn_policy_entries', list => 'denied'), '>', 10,
       'its entries');
ok(defined $turn->metric('rs_turn_redis_lag_seconds'), 'lag');

{
    my ($head, $body) = $turn->_get('/metrics');
    my (%type, @bad);

    like($head, qr{^HTTP/1\.1 200 .*text/plain; version=0\.0\.4}s, 'its type');

    for my $line (split /\n/, $body) {
        next if $line =~ /^# HELP rs_turn_\w+ \S/;

        if ($line =~ /^# TYPE (\w+) (counter|gauge|histogram)$/) {
            $type{$1} = $2;
            next;
        }

        my ($name) = $line =~ /^(\w+?)(?:_bucket|_sum|_count)?
                               \{relay="relay1"(?:,\w+="[\w.+]*")*\}
                               [ ][\d.]+$/x;

        push @bad, $line if !$name || !$type{$name}
                            || ($type{$name} eq 'counter'
                                && $name !~ /_total$/);
    }

    is_deeply(\@bad, [], 'every line is a sample of a type');
    cmp_ok(scalar keys %type, '>', 25, 'of many');
    like(($turn->_get('/'))[0], qr{^HTTP/1\.1 404 }, 'nothing else is there');

    for my $bad ("POST /metrics HTTP/1.1\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n",
                 'GET /' . 'x' x 300 . " HTTP/1.1\r\n\r\n", 'x' x 5000)
    {
        my $h = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $turn->metrics_port);
        my $text = '';

        syswrite($h, $bad);
        1 while sysread($h, $text, 4096, length $text);
        like($text, qr{^HTTP/1\.1 4\d\d }, 'refused: ' . substr $bad, 0, 10);
    }
}


# ---- Redis away for too long

{
    my $x = $turn->session();
    my $cx = $turn->credential($x, ttl => TTL);

    wait_until { defined key($turn, $cx->{username}) } 10, 'one more';
    write_file($turn->dir . '/rs-turn-authd.conf',
               read_file($turn->dir . '/rs-turn-authd.conf')
               =~ s/^coturn_version/stale_limit = 2\n$&/mr);
    $turn->authd->signal('HUP');
    $turn->wait_log(qr/reloaded/, 10);

    $redis->stop();
    wait_until { !defined key($turn, $cx->{username}) } 30, 'stale';
    is(verdict($turn, $cx->{username}), 'stale', 'no key when it is stale');
    is($turn->metric('rs_turn_stale'), 1, 'and the metric says so');
    is(decode_json($turn->health())->{redis}, 'stale', 'and health');
    is(scalar @{ ask($turn, 'keys', 'turn/realm/*/denied-peer-ip') }, 1,
       'the policy is there');
    cmp_ok(scalar @{ ask($turn, 'smembers', 'turn/realm/' . $turn->realm
                                            . '/denied-peer-ip') }, '>', 10,
           'whole');
}

$turn->check_logs();
$turn->stop();


# ---- compat, derived: today first, as coturn tries them in turn

{
    my $t = RS::Turn->new(start => 0, authd_conf => { state_dir => 'off' });

    $t->start_authd();

    my $get = sub {
        ask($t, 'smembers', 'turn/realm/' . $t->realm . '/secret')
    };
    my ($day, $got);

    # not over midnight

    do {
        $day = int(time() / DAY);
        $got = $get->();
    } while (int(time() / DAY) != $day);

    is_deeply($got, [map { RS::Turn::derive($t->{static}, $t->realm,
                                            $day + $_) } 0, 1, -1],
              'secrets of three days');

    # another key from tomorrow on, while it runs

    my $next = unpack 'H*', Digest::SHA::sha256(random_id(''));

    write_file($t->dir . '/key.secret',
               "$t->{static}\n$next from " . ($day + 1) . "\n", 0600);
    $t->authd->signal('HUP');
    $t->wait_log(qr/reloaded/, 10);

    is_deeply($get->(),
              [RS::Turn::derive($t->{static}, $t->realm, $day),
               RS::Turn::derive($next, $t->realm, $day + 1),
               RS::Turn::derive($t->{static}, $t->realm, $day - 1)],
              'a new master from tomorrow on') if int(time() / DAY) == $day;

    # what is wrong changes nothing

    my $was = $get->();

    for my $bad ("x\n", '', "$next from never\n") {
        my $n = () = $t->authd_log() =~ /not reloaded/g;

        write_file($t->dir . '/key.secret', $bad, 0600);
        $t->authd->signal('HUP');
        wait_until {
            $n < (() = $t->authd_log() =~ /not reloaded/g)
        } 10, 'a refusal';
        is_deeply($get->(), $was, "a bad key file: \"" . $bad =~ s/\n//r . '"');
    }

    write_file($t->dir . '/key.secret', "$t->{static}\n", 0600);
    chmod 0644, $t->dir . '/key.secret';
    $t->authd->signal('HUP');
    $t->wait_log(qr/key\.secret: everybody may read or write it: chmod 600/, 10);
    is_deeply($get->(), $was, 'one that everybody may read');
    chmod 0600, $t->dir . '/key.secret';

    # what cannot change while it runs is not taken for changed

    my $file = $t->dir . '/rs-turn-authd.conf';
    my $conf = read_file($file);

    for my $line ('tenants = acme', 'resync = 29', 'max_connections = 77',
                  'redis_user = somebody')
    {
        my ($key) = $line =~ /^(\w+)/;

        write_file($file, $conf =~ s/^$key = .*\n//mr . "$line\n");
        $t->authd->signal('HUP');
        ok($t->wait_log(qr/not reloaded.* $key (?:was|has changed).*restart/,
                        10), "$key needs a restart, and it is said");
    }

    $t->check_logs();
}

done_testing();
