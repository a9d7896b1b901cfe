# Copyright (C) rs-gateway contributors

# The real agent and the fleet's identity: it is off while certificates are
# renewed three times and the identity is rotated twice, and comes back; a
# gateway without the identity, with another one, or with statements that are
# none, is refused although its certificate is good, and gets no signature.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Agent;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pki;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file);

my $dir = tempdir();
my $pki = RS::Pki->new();
my $redis = RS::Redis->new();


sub tool {
    my ($command, $name) = @_;
    my $out = `'@{[ top('tools', 'rs-identity') ]}' $command $dir/$name 2>/dev/null`;

    die "rs-identity $command $name" if $?;

    my ($key) = $out =~ /^identity (\S+)/;
    my ($short) = $out =~ /^short +(\S+)/m;

    return { key => $key, short => $short };
}


sub gateway {
    my ($http) = @_;
    my $gw = RS::Gateway->new(redis => $redis, tls => 1, http => $http,
                              server => $METRICS_LOCATION);

    renew($gw);

    return $gw;
}


sub renew {
    my ($gw) = @_;

    $pki->issue("$gw->{dir}/tls");
    $gw->reload;

    return;
}


sub logins {
    my ($gw) = @_;

    return metrics($gw)->value('rs_messages_received_total',
                               type => 'hello');
}


# Enrolled: the identity is pinned, and the agent says so

my $first = tool('new', 'id');
my $gw = gateway("rs_identity_file $dir/id;");
my $rest = $gw->rest(key => $redis->api_key);
my $agent = RS::Agent->new(ca => $pki->ca)->enroll($rest, $gw->base);

like($agent->state('device.conf'), qr/^identity=\Q$first->{key}\E$/m,
     'pinned at the enrolment');

$agent->start();
$agent->wait_log(qr/online as \Q@{[ $agent->id ]}\E/);
pass('online');
unlike($agent->log, qr/first sight/, 'nothing new was pinned');
$agent->stop;


# Off across three renewals with new keys, and two rotations

renew($gw) for 1 .. 3;
tool('rotate', 'id');

my $third = tool('rotate', 'id');

$gw->reload(http => "rs_identity_file $dir/id; "
                    . "rs_identity_statements $dir/id.statements;");

my $conf_first = $agent->state('device.conf');

$agent->start();
$agent->wait_log(qr/online as/);
like($agent->log, qr/went on from $first->{short} to $third->{short}/,
     'it followed both statements at once');
like($agent->state('device.conf'), qr/^identity=\Q$third->{key}\E$/m,
     'and pinned where they end');
$agent->stop;

$agent->start();
$agent->wait_log(qr/online as/);
unlike($agent->log, qr/went on from/, 'once');
$agent->stop;


# Refused: none, another one, statements that lead elsewhere, a gap

my $other = tool('new', 'other');
my $own = tool('rotate', 'other');

sub refused {
    my ($name, $http, $want, %conf) = @_;
    my $bad = gateway($http);
    my $before = $agent->state('device.conf');

    $agent->start(server => $bad->base, %conf);
    $agent->wait_log(qr/refused, nothing was signed/);
    like($agent->log, $want, "$name: who is shown and who is pinned");
    like($agent->log, qr/agent\.conf as gateway_identity/, 'the cure');
    $agent->stop;

    unlike($agent->log, qr/online as/, 'it did not come online');
    is(logins($bad), 0, 'no hello, no signature');
    is($agent->state('device.conf'), $before, 'what is pinned stays');
    $bad->check_log;
    $bad->stop;

    return;
}

refused('no identity', '',
        qr/shows the identity none, pinned is $third->{short}/);
refused('another identity', "rs_identity_file $dir/other;",
        qr/shows the identity $own->{short}, pinned is $third->{short}/);
refused('statements of another fleet',
        "rs_identity_file $dir/other; "
        . "rs_identity_statements $dir/other.statements;",
        qr/no statements lead from the one to the other/);

# back to the pin of the beginning: the last statement alone leaves a gap

write_file("$agent->{dir}/state/device.conf", $conf_first, 0600);
write_file("$dir/gap", (split /^/, read_file("$dir/id.statements"))[1]);
refused('a statement is missing',
        "rs_identity_file $dir/id; rs_identity_statements $dir/gap;",
        qr/shows the identity $third->{short}, pinned is $first->{short}/);

# whoever changed agent.conf is obeyed; what it leads to is pinned

refused('the configured key comes first',
        "rs_identity_file $dir/id; rs_identity_statements $dir/id.statements;",
        qr/pinned is $own->{short}/, gateway_identity => $own->{key});

$agent->start(gateway_identity => $first->{key});
$agent->wait_log(qr/online as/);
like($agent->log, qr/went on from $first->{short} to $third->{short}/,
     'statements lead on from a configured key');
$agent->stop;

$agent->start(gateway_identity => $third->{key});
$agent->wait_log(qr/online as/);
like($agent->log, qr/$third->{short}, as configured: pinned/,
     'a configured key that is shown');

my ($said) = $agent->run('check');

like($said, qr/identity $third->{short}/, 'rs-agent check prints it');
$agent->stop;


# Enrolled before there was an identity: pinned when it is first seen

my $plain = gateway('');
my $old = RS::Agent->new(ca => $pki->ca)
                   ->enroll($plain->rest(key => $redis->api_key),
                            $plain->base);

$old->start();
$old->wait_log(qr/online as/);
unlike($old->state('device.conf'), qr/^identity=/m, 'nothing to pin');

$plain->reload(http => "rs_identity_file $dir/other;");
$old->wait_log(qr/$own->{short}: pinned at first sight.*online as/s);
like($old->state('device.conf'), qr/^identity=\Q$own->{key}\E$/m,
     'pinned when the gateway first showed one');
$old->stop;

# but not by a gateway that does not know the device

my $stranger = RS::Redis->new();
my $elsewhere = RS::Gateway->new(redis => $stranger, tls => 1,
                                 http => "rs_identity_file $dir/id;");

$pki->issue("$elsewhere->{dir}/tls");
$elsewhere->reload;
write_file("$old->{dir}/state/device.conf",
           $old->state('device.conf') =~ s/^identity=.*\n//mr, 0600);
$old->start(server => $elsewhere->base);
$old->wait_log(qr/the gateway says unauthenticated/);
unlike($old->state('device.conf'), qr/^identity=/m,
       'who does not know the device is not pinned');
$old->stop;

$_->check_log, $_->stop for $gw, $plain, $elsewhere;
$stranger->stop;
$redis->stop;
done_testing();
