#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What the gateway gives to a client works at the TURN server: POST /ice,
# nginx with the module, Redis, rs-turn-authd and turnserver, both modes, looked
# at by rs-turn-check; and what it says when a credential is void, of another
# realm, or has all its allocations.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use IPC::Run qw(run timeout);
use JSON::PP qw(decode_json encode_json);
use RS::Gateway;
use RS::Redis;
use RS::Turn;
use RS::Util qw(random_id tempdir wait_until write_file);

use constant { OK => 0, CRITICAL => 2, QUOTA => 8 };

my $dir = tempdir();
my $tool = RS::Turn::build('rs-turn-check');
my $redis = RS::Redis->new(acl => 1);
my $key = $redis->api_key;
my %at;


sub check {
    my ($ice, @argv) = @_;

    run([$tool, '--json', '--no-progress', '-n', 40, '-r', 400, '--ice', '-',
         @argv], \encode_json($ice), \my $out, \my $err, timeout(120));

    my $status = $? >> 8;
    my $r = eval { decode_json($out) } // {};

    return { %$r, status => $status, text => "$out$err" };
}


sub error_of {
    my ($r) = @_;
    my $e = $r->{checks}[0]{error} // {};

    return CORE::join(' ', grep { defined } @$e{qw(step code)});
}


# the credential of an answer, as a line of a file

sub credentials {
    my ($ice) = @_;
    my ($t) = grep { $_->{username} } @{ $ice->{iceServers} };

    return write_file("$dir/" . random_id('cred'),
                      "$t->{username} $t->{credential}\n", 0600);
}


for my $mode (qw(compat strict)) {
    my $turn = RS::Turn->new(redis => $redis, mode => $mode, tls => 1,
                             name => $mode, authd_conf => { quota => QUOTA,
                                                            host_quota =>
                                                                QUOTA });
    my $at = $turn->ip . ':' . $turn->port;
    my $gw = RS::Gateway->new(redis => $redis, location => <<"END");
            rs_turn_server default turn:$at?transport=udp
                turn:$at?transport=tcp
                turns:$turn->{ip}:$turn->{tls_port}?transport=tcp;
            rs_turn_key_file $turn->{dir}/key.secret;
            rs_turn_realm $turn->{realm};
END
    my $rest = $gw->rest(key => $key);
    my $ice = $rest->post('/ice')->json;
    my @tls = ('--ca', "$turn->{dir}/cert.pem", '--tls-name', 'localhost',
               '--warn-days', 1, '--insecure');
    my $r = check($ice, @tls, '-t', 'udp,tcp');

    is($r->{status}, OK, "$mode: POST /ice") or diag($r->{text});
    is_deeply([map { $_->{relay}{back} } @{ $r->{checks} }], [40, 40],
              "$mode: relays over UDP and TCP");
    wait_until { !$turn->allocations() } 10, 'no allocation';

    $r = check($ice, @tls, '-t', 'tls');
    is($r->{checks}[0]{relay}{back}, 40, "$mode: relays over TLS")
        or diag($r->{text});
    is($r->{checks}[0]{realm}, $turn->realm, "$mode: the realm");
    wait_until { !$turn->allocations() } 10, 'no allocation';

    # the policy that the daemon serves

    $r = check($ice, '-t', 'udp', '--no-relay', '--denied');
    is($r->{status}, OK, "$mode: the policy holds") or diag($r->{text});
    cmp_ok($r->{denied}[0]{refused}, '>', 200, "$mode: was asked");
    wait_until { !$turn->allocations() } 10, 'no allocation';

    # more allocations than the participant may have

    my $file = credentials($rest->post('/ice')->json);

    run([$tool, '--json', '-c', $file, '--load', 20, '--time', 1, '--parallel',
         2, "turn:$at"], \undef, \my $out, \my $err, timeout(60));
    is($? >> 8, CRITICAL, "$mode: over the quota");

    my $load = decode_json($out)->{load};

    cmp_ok($load->{made} - $load->{lost}, '<=', QUOTA,
           "$mode: no more than the quota stay") or diag($out);
    wait_until { !$turn->allocations() } 10, 'no allocation';

    # another realm, whose secrets are others

    my $other = RS::Turn->new(redis => $redis, mode => $mode, name => 'other',
                              realm => 'other');

    $r = check({ iceServers => [map {
        { %$_, urls => ['turn:' . $other->ip . ':' . $other->port] }
    } grep { $_->{username} } @{ $ice->{iceServers} }] });
    is($r->{status}, CRITICAL, "$mode: another realm's server");
    is(error_of($r), 'allocate 401', "$mode: refuses");
    $other->stop();

    # revoked: void in strict mode, ended in compat

    my $void = $rest->post('/ice')->json;
    my ($t) = grep { $_->{username} } @{ $void->{iceServers} };
    my $id = $redis->key_id($key);

    is($rest->post("/turn/keys/$id/credentials/$t->{username}/revoke")->status,
       204, "$mode: a credential is revoked");

    wait_until {
        $r = check($void, '-t', 'udp');
        $r->{status} == CRITICAL
    } 10, 'revoked';

    if ($mode eq 'strict') {
        is(error_of($r), 'allocate 401', 'strict: refused');
        like($r->{checks}[0]{error}{hint}, qr/session that has ended/,
             'strict: and why');

    } else {
        # within the milliseconds of its end coturn answers 400

        like(error_of($r), qr/^(?:permission|channel|refresh) (?:400|437)$/,
             'compat: ended') or diag($r->{text});
        like($r->{checks}[0]{error}{hint}, qr/session may/,
             'compat: and why');
    }

    $gw->stop();
    $turn->check_logs();
    $turn->stop();
}

done_testing();
