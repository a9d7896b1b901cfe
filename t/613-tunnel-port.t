# Copyright (C) rs-gateway contributors

# Ports of tunnels: who comes from an address that somebody has said to be his
# is let in as him, nobody else is, and only as long as he may.  What he sends
# comes through whole or not at all, whichever worker he and the device are at.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(sha256_hex);
use JSON ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Metrics qw($METRICS_LOCATION metrics);
use RS::Pipe;
use RS::Redis;
use RS::Stream;
use RS::Util qw(free_port now patience random_id start wait_until within);

my @free = map { free_port() } 1 .. 24;
my ($mapped, $proxied, $rest) = (shift @free, shift @free, pop @free);
my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(
    redis => $redis, workers => 2, ipc => 'on', server => $METRICS_LOCATION,
    http => "rs_tunnel_ports $rest-$rest; rs_pipe_wait 5s;",
    location => 'rs_device_tunnels 64;',
    stream => "server {\n"
        . CORE::join('', map { "listen 127.0.0.1:$_ reuseport;\n"
                               . "listen 127.0.0.1:$_ udp reuseport;\n" }
                         @free, $rest)
        . "listen [::]:$mapped ipv6only=off reuseport;\n"
        . "rs_tunnel;\n}\nserver {\n"
        . "listen 127.0.0.1:$proxied proxy_protocol reuseport;\n"
        . "set_real_ip_from 127.0.0.0/8;\nrs_tunnel;\n}\n");
my $root = $gw->rest(key => $redis->api_key(name => 'root'));
my $device = RS::Device->enroll($root);

$device->connect($gw, worker => 1);


# somebody, by a key of his own

sub desk {
    my ($name) = @_;
    my $r = $root->post('/keys', { name => $name, scopes =>
        [qw(devices:read tunnels:read tunnels:write tunnels:use)] });

    die $r->content if $r->status != 201;

    return { id => $r->json->{id},
             store => bless({ redis => $redis, tenant => 'default',
                            key => $r->json->{key} },
                            'RS::Pipe') };
}


sub peer { return '4' . sprintf '%02x' x 4, split /\./, $_[0] }


# his tunnel with a port; admit: his address

sub tunnel {
    my ($who, %opt) = @_;
    my $t = { id => random_id('tun_'), port => $opt{port} // shift @free,
              protocol => $opt{protocol} // 'tcp' };
    my $dev = $device->id;
    my $ttl = $opt{ttl} // 600;
    my $r = $redis->call('FCALL', 'rs_port_take', 1, 'rs:{b}:ports',
                         $t->{port}, $t->{port}, 'default', $t->{id}, $dev,
                         $t->{protocol}, $ttl);

    die "port $t->{port}: @$r\n" if $r->[0] ne 'ok';

    $who->{store}->guarded('rs_tunnel_create', 'tunnels:write',
        ["tun:$t->{id}", 'tuns', 'tunx', "dev:$dev", "dtun:$dev",
         "pips:$t->{id}", 'idem:'], $t->{id}, $dev, '127.0.0.1:22',
        $t->{protocol}, 'test', '', '', $opt{users} // '', 600, $ttl, 64, 0,
        '', $t->{port});
    admit($who, $t, $opt{admit} // '127.0.0.1') if ($opt{admit} // 1) ne '';

    return $t;
}


sub admit {
    my ($who, $t, $address) = @_;

    $who->{store}->guarded('rs_tunnel_admit', 'tunnels:use',
        ["tun:$t->{id}", 'dev:' . $device->id, "adm:$t->{id}"],
        peer($address), '', '');

    return;
}


# somebody comes to it

sub come {
    my ($t, %opt) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->{port}, LocalAddr => $opt{from} // '127.0.0.1',
        Proto => 'tcp', Timeout => 10);

    # it may be refused before the system has said that it stands

    return bless { in => '', eof => 1, reset => 1 }, 'RS::Stream'
        if !$sock && $!{ECONNRESET};
    die "connect to $t->{port}: $@" if !$sock;

    return RS::Stream->connect(socket => $sock);
}


sub asked {
    while (1) {
        my $m = $device->expect('tunnel', 20);

        return $m if $m->{op} eq 'open';
    }
}


# the device's end of it

sub host {
    my (%opt) = @_;

    return RS::Pipe::leg({}, $gw, 'host', ticket => asked()->{ticket},
                         worker => $opt{worker} // 0);
}


# both ends, through which something went

sub pair {
    my ($t, %opt) = @_;
    my $c = come($t, %opt);
    my $h = host(%opt);

    $c->write('ready?');
    is(RS::Pipe::bytes($h, 6), 'ready?', 'to the device');
    $h->send_frame(opcode => 2, payload => 'ready!');
    is($c->read_exactly(6), 'ready!', 'and back');

    return ($c, $h);
}


sub reset_ok {
    my ($c, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $rest = eval { $c->read_all(20) } // "$@";

    ok($c->{reset}, "$name: is reset") or diag("\"$rest\"");

    return $rest;
}


sub ended_ok {
    my ($c, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($c->wait_eof(20) && !$c->{reset}, "$name: ends as it should");

    return;
}


sub log_has { return $gw->wait_log($_[0], 20) }


sub ports { return metrics($gw)->value('rs_port_connections_total',
                                       result => $_[0]) }


sub all_gone {
    wait_until {
        my $m = metrics($gw);

        $m->value('rs_connections', kind => 'pipe') == 0
            && $m->value('rs_pipe_buffers') == 0;
    } 20, 'nothing of a pipe is left';

    return;
}


my $ana = desk('ana');
my $t = tunnel($ana);


subtest 'bytes' => sub {
    my $c = come($t);

    $c->write('early');

    my $open = asked();

    is_deeply([@{$open}{qw(tunnel_id target requester)}],
              [$t->{id}, { host => '127.0.0.1', port => 22 },
               { kind => 'key', id => $ana->{id}, name => 'ana' }],
              'the device is asked, by whose address it is');

    my $h = RS::Pipe::leg({}, $gw, 'host', ticket => $open->{ticket},
                          worker => 0);

    is(RS::Pipe::bytes($h, 5), 'early', 'what came before it');

    for my $n (1, 125, 126, 65535, 65536, 65537, 300000) {
        my $data = CORE::join '', map { chr(ord('a') + $_ % 26) } 1 .. $n;

        $c->write($data);
        ok(RS::Pipe::bytes($h, $n) eq $data, "$n bytes to the device");
        $h->send_frame(opcode => 2, payload => $data);
        ok($c->read_exactly($n) eq $data, "$n bytes back");
    }

    $h->send_frame(opcode => 2, fin => 0, payload => 'ab');
    $h->send_frame(opcode => 0, payload => 'c');
    is($c->read_exactly(3), 'abc', 'fragments');
    shutdown($c->socket, 1);
    is(RS::Pipe::message($h), '', 'the client ends its half');
    $h->send_frame(opcode => 2, payload => 'more');
    is($c->read_exactly(4), 'more', 'the other one is open still');
    $h->send_frame(opcode => 2, payload => '');
    ended_ok($c, 'then the client');
    is(RS::Pipe::closed($h), '1000', 'and the device');
};


subtest 'ends' => sub {
    my ($c, $h) = pair($t);

    $h->send_frame(opcode => 2, payload => 'last');
    $h->send_frame(opcode => 2, payload => '');
    is($c->read_exactly(4), 'last', 'the device ends its half');
    ended_ok($c, 'that');
    $c->write('late');
    is(RS::Pipe::bytes($h, 4), 'late', 'the client goes on');
    $c->close();
    is(RS::Pipe::message($h), '', 'until it ends');
    is(RS::Pipe::closed($h), '1000', 'as it should');

    ($c, $h) = pair($t);
    $c->reset();
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'the client is gone');

    ($c, $h) = pair($t);
    shutdown($c->socket, 1);
    is(RS::Pipe::message($h), '', 'half an end');
    $c->reset();
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'then it is gone');

    ($c, $h) = pair($t);
    $h->send_frame(opcode => 2, payload => 'part');
    $h->send_close(1000);
    like(reset_ok($c, 'closed without an end'), qr/^(?:part)?$/, 'no more');

    ($c, $h) = pair($t);
    $h->reset();
    reset_ok($c, 'the device is gone');

    ($c, $h) = pair($t);
    $h->send_frame(opcode => 2, payload => '');
    ended_ok($c, 'its half');
    $h->send_frame(opcode => 2, payload => 'x');
    is(RS::Pipe::closed($h), '4502 pipe_broken', 'nothing comes after it');

    $c = come($t);

    my $open = asked();

    $device->send_json({ type => 'tunnel', op => 'refused',
                         tunnel_id => $t->{id}, pipe_id => $open->{pipe_id},
                         reason => 'policy' });
    reset_ok($c, 'the device says no');
    all_gone();
};


subtest 'who may' => sub {
    my $refused = ports('refused');

    reset_ok(come($t, from => '127.0.0.2'), 'another address');
    log_has(qr/rs tunnel port $t->{port} is refused: forbidden, $t->{id}/);
    is(ports('refused'), $refused + 1, 'counted');

    my ($line) = grep { $_->{object} eq $t->{id} && $_->{outcome} eq 'deny' }
                 @{ $root->get('/audit?order=newest&limit=20')
                         ->json->{items} };

    is_deeply([@{$line}{qw(verb reason)}], ['tunnels:use', 'forbidden'],
              'and audited');

    reset_ok(come({ port => $free[0] }), "nobody's port");
    log_has(qr/rs tunnel port $free[0] is refused: not_found/);

    my $udp = tunnel($ana, protocol => 'udp');

    reset_ok(come($udp), 'a port of the other protocol');

    my $eve = desk('eve');
    my $hers = tunnel($eve, admit => '');

    reset_ok(come($hers), 'nobody is admitted');
    admit($eve, $hers, '127.0.0.2');
    reset_ok(come($hers), 'somebody else is');

    my ($c, $h) = pair($hers, from => '127.0.0.2');

    is($root->delete("/keys/$eve->{id}")->status, 204, 'his key goes');
    cut($c, $h, '4401 unauthenticated', 'revoked');
    reset_ok(come($hers, from => '127.0.0.2'), 'and nobody comes again');

    my $bo = desk('bo');
    my $his = tunnel($bo, users => "$bo->{id} $ana->{id}");

    ($c, $h) = pair($his);

    my $r = $root->request('PATCH', "/tunnels/$his->{id}",
        body => { acl => { users => [$ana->{id}] } },
        headers => { 'If-Match' => $root->get("/tunnels/$his->{id}")
                                        ->header('ETag') });

    is($r->status, 200, 'the list is edited');
    cut($c, $h, '4403 forbidden', 'off the list');
    reset_ok(come($his), 'and nobody comes again');
    admit($ana, $his, '127.0.0.1');
    ($c, $h) = pair($his);
    is($root->delete("/tunnels/$his->{id}")->status, 204, 'it is deleted');
    cut($c, $h, '4410 tunnel_ended', 'over');

    my $short = tunnel($bo, ttl => 3);

    ($c, $h) = pair($short);
    cut($c, $h, '4410 tunnel_ended', 'its time is over', 5);
    reset_ok(come($short), 'later');
    all_gone();
};


sub cut {
    my ($c, $h, $told, $name, $seconds) = @_;
    my $start = start();

    reset_ok($c, $name);
    within($start, $seconds // 2, "$name: soon");
    isnt(RS::Pipe::closed($h), '1000', "$name: no end for the device");
    log_has(qr/rs tunnel: the pipe is closed with \Q$told\E/);

    return;
}


subtest 'addresses' => sub {
    my $six = tunnel($ana, port => $mapped);
    my ($c, $h) = pair($six);

    $_->close() for $c, $h;
    ok(1, 'IPv4 on a socket of IPv6 is IPv4');

    my $real = tunnel($ana, port => $proxied, admit => '192.0.2.9');

    for my $from (['192.0.2.10', 0], ['192.0.2.9', 1]) {
        my $p = come($real);

        $p->write("PROXY TCP4 $from->[0] 192.0.2.1 4711 $proxied\r\nhello");

        if (!$from->[1]) {
            reset_ok($p, 'behind a proxy: another address');
            next;
        }

        my $d = host();

        is(RS::Pipe::bytes($d, 5), 'hello', 'behind a proxy: his');
        $_->close() for $p, $d;
    }

    all_gone();
};


# as people do it: what is made by REST lets its maker in, and by another call
# who is somewhere else

subtest 'REST' => sub {
    my $r = $root->post('/devices/' . $device->id . '/tunnels',
                        { target => '127.0.0.1:22', port => JSON::true() });

    is($r->status, 201, 'a tunnel with a port');
    is($r->json->{port}, $rest, 'which is this one');

    my ($c, $h) = pair($r->json);

    shutdown($c->socket, 1);
    is(RS::Pipe::message($h), '', 'its maker comes in, and ends');
    $h->send_frame(opcode => 2, payload => '');
    ended_ok($c, 'all of it');
    RS::Pipe::closed($h);
    reset_ok(come($r->json, from => '127.0.0.9'), 'somebody else');

    my $t = $root->get('/tunnels/' . $r->json->{id})->json;

    is_deeply([@{$t}{qw(opened bytes_up bytes_down pipes)}], [1, 6, 6, 0],
              'and it is in the accounts');
    $root->delete("/tunnels/$t->{id}");
    reset_ok(come($t), 'when it is deleted nobody comes');
};


# another node: any has all ports, and bounds of its own

subtest 'bounds' => sub {
    my $port = pop @free;
    my $node = RS::Gateway->new(redis => $redis, server => $METRICS_LOCATION,
        http => 'rs_tunnel_ports 20000-29999; rs_max_pipes 1;',
        stream => "server { listen 127.0.0.2:$port; rs_tunnel; }");
    my $t = tunnel($ana, port => $port);
    my $to = sub { RS::Stream->connect(socket => IO::Socket::INET->new(
        PeerAddr => '127.0.0.2', PeerPort => $port,
        LocalAddr => '127.0.0.1')) };
    my $c = $to->();
    my $h = RS::Pipe::leg({}, $node, 'host', ticket => asked()->{ticket});

    $c->write('there');
    is(RS::Pipe::bytes($h, 5), 'there', 'at another node');
    reset_ok($to->(), 'one more than "rs_max_pipes"');
    is(metrics($node)->value('rs_port_connections_total',
                             result => 'limited'), 1, 'counted');
    $_->close() for $c, $h;
    wait_until { metrics($node)->value('rs_connections', kind => 'pipe') == 0 }
               20, 'there is room again';
    $node->check_log();
    $node->stop();
};


subtest 'workers' => sub {
    for my $i (0 .. 7) {
        my ($c, $h) = pair($t, worker => $i % 2);

        shutdown($c->socket, 1);
        is(RS::Pipe::message($h), '', 'an end');
        $h->send_frame(opcode => 2, payload => '');
        ended_ok($c, "device's leg at worker " . $i % 2);
        is(RS::Pipe::closed($h), '1000', 'a proper end');
    }
};


# what does not fit waits, where it comes from

subtest 'much' => sub {
    my $n = 24 * 1024 * 1024;
    my $piece = CORE::join '', map { chr($_ * 7 % 256) } 1 .. 65536;
    my ($c, $h) = pair($t);
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my $ok = 1;

        for (1 .. $n / 65536) {
            $ok &&= $c->write($piece, 120);
        }

        shutdown($c->socket, 1);
        require POSIX;
        POSIX::_exit($ok ? 0 : 1);
    }

    my $sha = Digest::SHA->new(256);
    my $got = 0;

    while (length(my $m = RS::Pipe::message($h, 60))) {
        $sha->add($m);
        $got += length $m;
    }

    waitpid($pid, 0);
    is($?, 0, 'all was sent');
    is($got, $n, 'and came');
    is($sha->hexdigest, sha256_hex($piece x ($n / 65536)), 'as it was');

    $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        for (1 .. $n / 65536) {
            $h->send_frame(opcode => 2, payload => $piece);
        }

        require POSIX;
        POSIX::_exit(0);
    }

    $sha = Digest::SHA->new(256);

    for (1 .. $n / 65536) {
        $sha->add($c->read_exactly(65536, 60));
    }

    waitpid($pid, 0);
    is($sha->hexdigest, sha256_hex($piece x ($n / 65536)), 'and back');
    $h->send_frame(opcode => 2, payload => '');
    ended_ok($c, 'it');
    is(RS::Pipe::closed($h), '1000', 'a proper end');
    all_gone();
};


subtest 'held back' => sub {
    my ($c, $h) = pair($t);
    my ($n, $piece) = (0, 'x' x 65536);

    # nobody reads at the device: it stops, and goes on when somebody does

    $c->socket->blocking(0);

    while (IO::Select->new($c->socket)->can_write(1)) {
        my $wrote = syswrite($c->socket, $piece);

        $n += $wrote // 0;
        die 'it is never held' if $n > 64 * 1024 * 1024;
    }

    cmp_ok($n, '<', 64 * 1024 * 1024, 'it is held back');
    is(metrics($gw)->value('rs_pipe_buffers') <= 4, 1, 'by few buffers');

    my $got = length RS::Pipe::bytes($h, $n, 60);

    is($got, $n, 'all of it came');

    # a reset of who is held back is seen

    while (IO::Select->new($c->socket)->can_write(1)) {
        syswrite($c->socket, $piece);
    }

    $c->reset();
    is(RS::Pipe::closed($h, 60), '4502 pipe_broken', 'and so is his reset');
    all_gone();
};


subtest 'datagrams' => sub {
    my $u = tunnel($ana, protocol => 'udp');
    my ($a, $b) = map { IO::Socket::INET->new(Proto => 'udp',
        LocalAddr => '127.0.0.1', PeerAddr => '127.0.0.1',
        PeerPort => $u->{port}) } 1, 2;

    send($a, "a$_", 0) for 1 .. 3;

    my $h = host();

    is(RS::Pipe::message($h), "a$_", "datagram $_ is a message") for 1 .. 3;
    send($b, 'b', 0);

    my $other = host(worker => 1);

    is(RS::Pipe::message($other), 'b', 'another client has another pipe');

    for my $n (1, 1000, 9000, 60000, 65507) {
        send($a, 'x' x $n, 0);
        is(length RS::Pipe::message($h), $n, "$n bytes to the device");
        $h->send_frame(opcode => 2, payload => 'y' x $n);
        ok(IO::Select->new($a)->can_read(20), "$n bytes back");
        recv($a, my $got, 65536, 0);
        is(length $got, $n, 'whole');
    }

    $h->send_frame(opcode => 2, fin => 0, payload => 'ab');
    $h->send_frame(opcode => 0, payload => 'cd');
    IO::Select->new($a)->can_read(20);
    recv($a, my $got, 65536, 0);
    is($got, 'abcd', 'fragments are one datagram');

    $h->send_close(1000);
    RS::Pipe::closed($h);
    wait_until { metrics($gw)->value('rs_connections', kind => 'pipe') == 2 }
               20, 'one is over';
    send($a, 'again', 0);
    $h = host();
    is(RS::Pipe::message($h), 'again', 'the next one asks again');
    $_->close() for $h, $other;

    my $refused = ports('refused');
    my $c = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.3',
        PeerAddr => '127.0.0.1', PeerPort => $u->{port});

    send($c, 'stranger', 0);
    wait_until { ports('refused') > $refused } 20, 'a stranger is refused';
    all_gone();
};


subtest 'gone early' => sub {
    my $n = 60;

    for (1 .. $n) {
        my $c = come($t);

        # of each there may be a pipe by now, or not

        $c->write('x') if $_ % 3 == 0;
        $_ % 2 ? $c->reset() : $c->close();
    }

    all_gone();

    # while it is being asked

    $redis->freeze();

    my @all = map { come($t) } 1 .. 8;

    $_->reset() for @all;
    $redis->thaw();
    all_gone();
    wait_until { $gw->all_answer('/health/ready', 200) } 20, 'it is back';

    my ($c, $h) = eval { pair_soon() };

    ok($c && $h, 'others come in') or diag($@);
    $_->close() for grep { $_ } $c, $h;
};


# A device may have been asked for those that are gone: theirs are no more, and
# who answers them lets the next one wait in vain.

sub pair_soon {
    for (1 .. 10) {
        $device->send_json({ type => 'ping' });
        $device->expect('pong', 20);

        my $c = come($t);

        $c->write('ready?');

        my $h = host();
        my $got = eval { RS::Pipe::bytes($h, 6, 20) } // '';

        return ($c, $h) if $got eq 'ready?';
        $_->close() for $c, $h;
    }

    die "none of 10\n";
}


subtest 'Redis is away' => sub {
    all_gone();

    my ($c, $h) = pair($t);

    $redis->freeze();

    my $start = start();

    reset_ok(come($t), 'who comes');
    within($start, 5, 'within the time of a command');
    $c->write('still');
    is(RS::Pipe::bytes($h, 5), 'still', 'who is there goes on');
    $redis->thaw();
    cmp_ok(ports('unavailable'), '>', 0, 'counted');
    wait_until { $gw->all_answer('/health/ready', 200) } 20, 'it is back';
    $_->close() for $c, $h;
    all_gone();
};


subtest 'reload' => sub {
    my $u = tunnel($ana, protocol => 'udp');
    my $flow = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
        PeerAddr => '127.0.0.1', PeerPort => $u->{port});

    send($flow, 'before', 0);

    my $f = host();

    is(RS::Pipe::message($f), 'before', 'a flow');

    my ($c, $h) = pair($t);

    $gw->reload();
    reset_ok($c, 'a worker that ends');
    isnt(RS::Pipe::closed($h), '1000', 'no end for the device');
    isnt(RS::Pipe::closed($f), '1000', 'nor of the flow');
    $device->connect($gw, worker => 1);
    ($c, $h) = pair($t);
    ok(1, 'the next one');
    send($flow, 'after', 0);
    $f = host();
    is(RS::Pipe::message($f), 'after', 'the flow begins anew');
    $f->send_frame(opcode => 2, payload => 'answer');
    ok(IO::Select->new($flow)->can_read(20), 'and goes on');
    recv($flow, my $got, 100, 0);
    is($got, 'answer', 'as the first one');
    $_->close() for $c, $h, $f;
    all_gone();
};


$gw->check_log();
done_testing();
