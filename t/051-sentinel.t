
# Copyright (C) rs-gateway contributors

# Sentinel: the gateway finds the primary, follows it when it dies, when it is
# moved on purpose, and when it is cut off but believes that all is well.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Sentinel;
use RS::Util qw(wait_until start within tempdir write_file);

my $trio = RS::Sentinel->new(down_after => 1000);
my $gw = RS::Gateway->new(redis_conf => $trio->conf, workers => 2);
my $key = $trio->primary->api_key;
my $rest = $gw->rest(key => $key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw);


sub create {
    return $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id } });
}


# of the gateway, to this server

sub links {
    my ($redis) = @_;
    my $list = eval { $redis->call('CLIENT', 'LIST') } // '';

    return scalar(() = $list =~ /name=rs-gateway-/g);
}


# every answer until sessions are made again, and the time it took; cut: once
# they cannot be made any more

sub sessions_again {
    my ($what, $start, $cut) = @_;
    my %status;

    ok(eval {
        wait_until {
            my $r = create();
            $status{ $r->status }++;
            $r->within(1) or die 'an answer took ' . $r->seconds . ' s';
            $r->status == 201 && (!$cut || $status{503})
        } 15;
    }, "$what: sessions can be made again") or diag($@);

    within($start, 6, "$what: within 6 s");
    is_deeply([grep { !/^(?:201|503)$/ } keys %status], [],
              "$what: until then 503") or diag(explain(\%status));

    # the Sentinel asked here may learn of it after the gateway did, and the
    # old primary may be one that never answers

    wait_until { $trio->agree } 20, 'Sentinels that agree';

    # commands, commands that replicas confirm, messages: of two workers

    ok(eval { wait_until { links($trio->primary) == 6 } 20; },
       "$what: all links lead to the primary")
        or diag($trio->primary->call('CLIENT', 'LIST'));

    return;
}


is(create()->status, 201, 'a session');

subtest 'the primary is killed' => sub {
    my $old = $trio->primary;
    my $start = start();

    $old->kill;
    sessions_again('killed', $start, 1);
    $trio->wait_moved(10);
    isnt($trio->primary, $old, 'at another server');

    # it comes back as a replica: nobody goes there

    $old->start;
    $trio->wait_replica;

    is(create()->status, 201, 'a session');
    is(links($old), 0, 'nobody has gone to the old one');
};


subtest 'a planned failover' => sub {
    my $start = start();

    $trio->failover;
    sessions_again('planned', $start);
};


subtest 'one Sentinel less' => sub {
    $trio->stop_sentinel(0);
    is(create()->status, 201, 'a session: links stay');

    my $start = start();

    $trio->failover;
    sessions_again('with two Sentinels', $start);
};


subtest 'a primary that is frozen' => sub {
    my $old = $trio->primary;
    my $start = start();

    # a frozen server keeps its connections; thawed, it thinks it is primary
    # until a Sentinel tells it, which finds it only after some seconds

    $old->freeze;
    sessions_again('frozen', $start, 1);
    $trio->wait_moved(10);
    isnt($trio->primary, $old, 'another primary');
    $old->thaw;

    is(create()->status, 201, 'a session');

    # it may still see those that gave up while it was frozen

    ok(eval { wait_until { !links($old) } 5; }, 'nobody stays with it')
        or diag($@);
};


subtest 'workers that start now' => sub {
    $trio->wait_replica;
    $gw->reload();
    $device->connect($gw);
    is(create()->status, 201, 'a session');
};


subtest 'end' => sub {
    $gw->quit;
    $gw->check_log;
    unlike($gw->error_log, qr/open socket/, 'no socket left open');
};


subtest 'a name that no Sentinel knows' => sub {
    (my $conf = $trio->conf) =~ s/rs-main/rs-other/;
    my $gw = RS::Gateway->new(redis_conf => $conf, ready => 0);

    ok(eval {
        $gw->wait_log(qr{for\ commands\ is\ down:
                         \ Sentinel\ "127.0.0.1:\d+"\ does\ not\ tell\ where
                         \ "rs-other"\ is:\ .*No\ such\ master}x, 5);
    }, 'the log says so') or diag($gw->error_log);

    $gw->rest->problem($gw->rest->get('/health/ready'), 503, 'unavailable');
    $gw->quit;
    $gw->check_log;
};


subtest 'no Sentinel there' => sub {
    my $gw = RS::Gateway->new(
        redis_conf => 'sentinel://127.0.0.1:' . RS::Util::free_port()
                      . '/rs-main', ready => 0);

    ok(eval {
        $gw->wait_log(qr/for commands is down: no Sentinel said where/, 5);
    }, 'the log says so') or diag($gw->error_log);

    $gw->quit;
    $gw->check_log;
};


subtest 'what rs_redis does not take' => sub {
    my $dir = tempdir();
    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
    my $load = join '', map { "load_module $_;\n" } RS::Gateway::_modules();

    write_file("$dir/password", "secret\n");

    for my $case (
        ['sentinel://a', qr/comes "\/" and the name/],
        ['sentinel://127.0.0.1/', qr/comes "\/" and the name/],
        ['sentinel://127.0.0.1//1', qr/the name of the primary is empty/],
        ['sentinel://127.0.0.1/m/x', qr/must be a number/],
        ['sentinel://127.0.0.1,,127.0.0.2/m', qr/invalid "rs_redis" value/],
        ['sentinel://u@127.0.0.1/m', qr/no password belongs into the URL/],
        ['sentinel://' . join(',', ('127.0.0.1') x 17) . '/m',
         qr/more than 16/],
        ['sentinel://no-such-host.invalid/m', qr/host not found/],
        ["redis://127.0.0.1 sentinel_password_file=$dir/password",
         qr/no "sentinel:\/\/"/],
        ["sentinel://127.0.0.1/m sentinel_user=x",
         qr/needs "sentinel_password_file="/],
        ["redis://127.0.0.1 user=a user=b", qr/duplicate parameter "user=b"/],
        ["redis://127.0.0.1 colour=blue", qr/invalid parameter/],
        ['sentinel://[::1]:1,127.0.0.1/m/3', undef],
        ["sentinel://127.0.0.1/m/ password_file=$dir/password "
         . "sentinel_user=x sentinel_password_file=$dir/password", undef],
    ) {
        my ($conf, $says) = @$case;

        write_file("$dir/nginx.conf", <<"END");
${load}error_log stderr;
pid $dir/nginx.pid;
events { }
http { rs_redis $conf; }
END

        my $said = `$nginx -t -p $dir/ -c $dir/nginx.conf -e stderr 2>&1`;

        if ($says) {
            isnt($?, 0, "refused: $conf");
            like($said, $says, 'and why');

        } else {
            is($?, 0, "taken: $conf") or diag($said);
        }
    }
};


done_testing();
