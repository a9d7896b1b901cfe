# Copyright (C) rs-gateway contributors

# Sockets between the workers of a node: who may use them, what they leave,
# and that nothing breaks without them.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Select ();
use Socket;
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(read_file tempdir wait_until);

my $redis = RS::Redis->new();


sub gateway {
    return RS::Gateway->new(redis => $redis, workers => 2, ipc => 'on',
                            location => 'rs_input_rate 100000;', @_);
}


# those of envelopes; each has one for links beside it, p and 15 digits of it

sub sockets {
    my ($dir) = @_;

    my @names = sort grep { !/^p/ } map { m{([^/]*)$} } glob "$dir/*";

    return @names;
}


sub links { return scalar(my @names = glob "$_[0]/p*") }


sub published {
    my ($n) = $redis->call('INFO', 'commandstats')
              =~ /^cmdstat_publish:calls=(\d+)/m;

    return $n // 0;
}


# A session over both workers: its host's and its controller's socket; the
# device, and the ticket of a second controller.

sub both {
    my ($gw) = @_;
    my $rest = $gw->rest(key => $redis->api_key);
    my $device = RS::Device->enroll($rest);

    $device->connect($gw);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [({ role => 'controller' }) x 2] });

    die $r->content if $r->status != 201;

    my $host = $device->join($gw, $device->expect('invite'), worker => 1);
    my ($first, $second) = map { $_->{ticket} // () }
                           @{ $r->json->{participants} };
    my $ws = $gw->signal("rs.ticket.$first", worker => 0);

    $ws->expect('welcome');
    $host->expect('joined');

    return ($host, $ws, $device, $second);
}


sub input_arrives {
    my ($host, $ws, $what) = @_;

    $ws->send_json({ type => 'input', data => $what });

    return is($host->expect('input')->{data}, $what, $what);
}


sub dial {
    my ($path) = @_;

    socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die "socket: $!";
    connect($s, pack_sockaddr_un($path)) or die "connect to $path: $!";

    return $s;
}


sub hung_up {
    my ($s) = @_;

    return 0 if !IO::Select->new($s)->can_read(5);

    my $n = sysread $s, my $byte, 1;

    return !$n;
}


subtest 'the directory' => sub {
    my $gw = gateway();
    my $dir = $gw->dir . '/rs-ipc';
    my ($host, $ws) = both($gw);
    my @before = sockets($dir);

    is((stat $dir)[2] & 07777, 0700, 'nobody else may enter it');
    is(scalar @before, 2, 'a socket for each worker');
    is(scalar(grep { /^[0-9a-f]{16}$/ } @before), 2, 'by incarnation');
    is(links($dir), 2, 'and one for links');
    input_arrives($host, $ws, 'through it');

    # what a killed worker leaves goes with the first one that is refused

    my $had = $gw->worker_of($host->socket);

    $gw->kill_worker($had);
    is(scalar(sockets($dir)), 3, 'a killed worker leaves its socket');
    wait_until {
        $ws->send_json({ type => 'input', data => 'dead' });
        $ws->send_json({ type => 'ping' });
        $ws->expect('pong');
        sockets($dir) == 2
    } 5, 'the end of the dead one\'s socket';
    pass('it is removed by who is refused');
    is(links($dir), 2, 'and the one for links with it');

    # or with the next start, once it is old enough

    my ($stale, $young) = map { "$dir/" . $_ x 16 } 'a', 'b';

    for my $path ($stale, $young) {
        socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die "socket: $!";
        bind($s, pack_sockaddr_un($path)) or die "bind $path: $!";
    }

    utime time - 120, time - 120, $stale;
    $gw->reload();
    ok(!-e $stale, 'an old one is removed at the next start');
    ok(-e $young, 'a young one may be about to listen');
    unlink $young;
    wait_until { sockets($dir) == 2 } 5, 'the end of the old workers\'';
    pass('workers that end remove theirs');
    $gw->quit();
    is_deeply([sockets($dir)], [], 'none is left');
    is(links($dir), 0, 'nor one for links');
    $gw->check_log(allow => qr/exited on signal 9/);
};


subtest 'what is said there' => sub {
    my $gw = gateway();
    my $dir = $gw->dir . '/rs-ipc';
    my ($host, $ws) = both($gw);
    my $env = "rs1 fen default - - - node.0.0123456789abcdef.1 -\nreplaced";

    for my $path (map { "$dir/$_" } sockets($dir)) {

        for my $case (['garbage', "\x00\x05garbage"],
                      ['an item cut short', "\x00\xffrs1"],
                      ['no envelope', pack('n/a*', 'rs1 x')],
                      ['what is not volatile', pack('n/a*', $env)],
                      ['too much', "\x00\x01x" x 30000])
        {
            my ($what, $bytes) = @$case;
            my $s = dial($path);

            is(syswrite($s, $bytes), length $bytes, "$what is sent");
            ok(hung_up($s), 'and ends the connection');
        }
    }

    my $s = dial("$dir/" . (sockets($dir))[0]);
    my $par = 'par_' . 'a' x 26;
    my $ses = 'ses_' . 'a' x 26;
    my $gone = 'node.0.0123456789abcdef.1';

    syswrite $s, pack('n/a*', "rs1 vol default $ses - $par $gone $gone\n1");
    input_arrives($host, $ws, 'strangers\' sockets are no harm');
    is(() = $gw->error_log() =~ /rs ipc: a datagram of \d+ bytes is malformed/g,
       10, 'each is told of');
    $gw->check_log();
};


subtest 'many at once' => sub {
    my $gw = gateway();
    my ($host, $ws) = both($gw);
    my @got;

    input_arrives($host, $ws, 'first');

    # larger than a datagram, and than the socket takes at once

    my $data = 'x' x 3000;

    for my $round (1 .. 20) {
        $ws->raw(join '', map { $ws->frame(payload =>
            qq({"type":"input","data":[$round,$_,"$data"]})) } 1 .. 30);
        push @got, map { [@{ $host->expect('input')->{data} }[0, 1]] }
                       1 .. 30;
    }

    is_deeply(\@got, [map { my $r = $_; map { [$r, $_] } 1 .. 30 } 1 .. 20],
              'all are there, in order');
    $gw->check_log();
};


# Once the way is known, Redis is not needed on it.

subtest 'while Redis is away' => sub {
    my $gw = gateway();
    my ($host, $ws) = both($gw);

    input_arrives($host, $ws, 'before');
    $redis->stop();
    wait_until { $gw->rest->get('/health/ready')->status == 503 } 5,
               'the gateway to notice';
    input_arrives($host, $ws, "meanwhile $_") for 1 .. 10;
    $redis->start();
    wait_until { $gw->all_answer('/health/ready', 200) } 10, 'readiness';
    input_arrives($host, $ws, 'after');
    $gw->check_log();
};


# Workers that end have their sockets still for a while, and are reached as
# before, from both sides.

subtest 'old workers and new ones' => sub {
    my $gw = gateway(drain => '60s');
    my ($host, $old, $device, $ticket) = both($gw);

    $gw->reload();

    my $new = $gw->signal("rs.ticket.$ticket", worker => 0);

    $new->expect('welcome');
    $host->expect('joined');

    my $before = published();

    input_arrives($host, $new, "from a new one, $_") for 1 .. 100;
    cmp_ok(published() - $before, '<', 50, 'not by Redis');
    is($gw->worker_of($host->socket), -1, 'the host\'s worker is an old one');

    my $had = $device->welcome;

    $host = $gw->signal("rs.resume.$had->{resume}.$had->{position}",
                        worker => 1);
    $host->expect('welcome');

    for my $case ([old => $old], [new => $new]) {
        my ($which, $ws) = @$case;
        my ($n, $m) = (0);

        wait_until {
            $ws->send_json({ type => 'input', data => "$which " . ++$n });
            $m = $host->recv(0.1);
            $m && $m->{json} && ($m->{json}{data} // '') =~ /^$which /
        } 5, "input from the $which worker";

        pass("the host has moved: found from the $which worker");
        $host->forget();
    }

    $gw->check_log();
};


# What waits for a worker that does not read is bounded, and who sends it is
# served as before.

subtest 'a worker that hangs' => sub {
    my $gw = gateway();
    my ($host, $ws) = both($gw);
    my ($busy, $hangs) = ($gw->workers())[0, 1];
    my $data = 'x' x 16000;
    my $rss = sub {
        (read_file("/proc/$busy/status") =~ /^VmRSS:\s+(\d+)/m)[0] };
    my ($n, $before, $grown, @got) = (0);

    input_arrives($host, $ws, 'first');
    kill 'STOP', $hangs;

    my $served = eval {
        for my $round (1 .. 20) {
            $ws->send_json({ type => 'input', data => [++$n, $data] })
                for 1 .. 100;
            $ws->send_json({ type => 'ping' });
            $ws->expect('pong');
            $before //= $rss->();
        }

        $grown = $rss->() - $before;
        1
    };

    kill 'CONT', $hangs;
    ok($served, 'its neighbour is served') or diag($@);

    SKIP: {
        skip 'memory means nothing under ASan', 1 if $ENV{RS_ASAN};
        cmp_ok($grown, '<', 2048, "and grows by $grown KiB");
    }

    wait_until {
        $ws->send_json({ type => 'input', data => [++$n, ''] });

        my $m = $host->recv(0.1);

        push @got, $m->{json}{data}[0]
            if $m && ($m->{json}{type} // '') eq 'input';
        @got && $got[-1] > 2000
    } 10, 'input when it goes on';

    is_deeply(\@got, [sort { $a <=> $b } @got], 'what came is in order');
    cmp_ok(scalar @got, '<', 1000, scalar(@got) . " came of $n");
    $gw->check_log();
};


# A directory that cannot be trusted, or not be made: Redis serves.

for my $case (['of another mode', sub { mkdir $_[0], 0755; chmod 0755, $_[0] },
               qr/is not a directory of mode 0700/],
              ['no directory', sub { RS::Util::write_file($_[0], '') },
               qr/is not a directory of mode 0700/],
              ['nowhere', sub { $_[0] .= '/a/b' }, qr/rs ipc: .*failed/])
{
    my ($what, $make, $said) = @$case;

    subtest $what => sub {
        my $dir = tempdir() . '/ipc';

        $make->($dir);

        my $gw = gateway(http => "rs_ipc_dir $dir;");
        my ($host, $ws) = both($gw);

        like($gw->error_log(), $said, 'the log says so');
        input_arrives($host, $ws, 'by Redis');
        $gw->check_log();
    };
}


# Workers with and without, as at a reload that switches it.

subtest 'switched off and on' => sub {
    my $gw = gateway();
    my ($host, $ws) = both($gw);

    input_arrives($host, $ws, 'on');

    for my $ipc ('off', 'on') {
        $gw->reload(ipc => $ipc);
        $host->expect_close();
        ($host, $ws) = both($gw);
        input_arrives($host, $ws, "then $ipc");
    }

    $gw->check_log();
};

done_testing();
