# Copyright (C) rs-gateway contributors

# Webhooks from REST to a receiver over real HTTP: signed, in order, again
# after failures, silence and restarts, by one of two daemons, and not where
# they must not be.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(hmac_sha256);
use IO::Socket::INET;
use JSON ();
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir free_port wait_until spawn read_file write_file);

my $dir = tempdir();
my $key = write_file("$dir/key", "p8Kd3mWq7ZtRv2Nx9LbHf5YcJg4TsQa6\n", 0600);
my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis,
                          location => "rs_webhook_key_file $key;");
my $rest = $gw->rest(key => $redis->api_key);
my $dev = RS::Device->enroll($rest);
my $port = free_port();
my ($log, $says) = ("$dir/requests", "$dir/says");

write_file($log, '');
write_file($says, '204');

my $receiver;


sub receiver {
    $receiver = spawn('receiver', ['python3', top('t', 'lib', 'RS',
                      'receiver.py'), $port, $log, $says],
                      log => "$dir/receiver.log");
    return wait_until {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
    } 20, 'the receiver';
}


sub requests {
    return map { JSON::decode_json($_) } grep { length } split /\n/,
           read_file($log);
}


# The bodies that the receiver has taken, in order.

sub taken {
    return map { JSON::decode_json($_->{body}) }
           grep { $_->{answer} =~ /^2/ } requests();
}


my $daemons = 0;

sub daemon {
    my (%opt) = @_;
    my $n = ++$daemons;
    my $listen = free_port();
    my %conf = (
        redis => 'unix:' . $redis->socket, redis_user => 'rs-eventd',
        redis_password_file => $redis->{users}{'rs-eventd'},
        webhook_key_file => $key, name => "d$n",
        listen => "127.0.0.1:$listen", allow_http => 'on',
        allow_networks => '127.0.0.0/8', timeout_s => 2, retry_min_s => 1,
        retry_max_s => 1, lease_s => 3, poll_s => 2, %opt);

    write_file("$dir/d$n.conf", join '', map { "$_ = $conf{$_}\n" }
                                         grep { defined $conf{$_} } keys %conf);

    my $proc = spawn("rs-eventd $n", [top('events', 'rs-eventd'), '-c',
                     "$dir/d$n.conf"], log => "$dir/d$n.log");
    my $d = { proc => $proc, log => "$dir/d$n.log", n => $n,
              rest => RS::Rest->new(base => "http://127.0.0.1:$listen") };

    wait_until { eval { $d->{rest}->get('/health/ready')->status == 200 } } 20,
               'the daemon';
    return $d;
}


sub metric {
    my ($d, $name) = @_;

    return ($d->{rest}->get('/metrics')->content =~ /^\Q$name\E (\S+)$/m)[0];
}


sub delivers {
    my ($d) = @_;
    return wait_until { metric($d, 'rs_eventd_leader') } 30, 'it delivers';
}


sub rename_device {
    my ($name) = @_;
    my $r = $rest->get('/devices/' . $dev->id);

    return $rest->patch('/devices/' . $dev->id, { name => $name },
                        $r->header('ETag'))->status == 200 || die;
}


sub made {
    my (%body) = @_;
    my $r = $rest->post('/webhooks', { url => "http://127.0.0.1:$port/hook?a=1",
                                       types => ['device.updated'], %body });

    is($r->status, 201, 'a webhook') or diag($r->content);
    return $r->json;
}


sub got {
    my (@names) = @_;

    return ok(eval {
        wait_until { (grep { ($_->{data}{name} // '') eq $names[-1] }
                           taken()) > 0 }
                   40, 'it is taken';
    }, "taken: @names") || diag($@, read_file("$dir/d1.log"));
}


# What Standard Webhooks says about a request.

sub signed {
    my ($q, @secrets) = @_;
    my $h = $q->{headers};
    my @want = map {
        'v1,' . encode_base64(hmac_sha256(
            join('.', $h->{'webhook-id'}, $h->{'webhook-timestamp'},
                 $q->{body}), decode_base64(s/^whsec_//r)), '')
    } @secrets;

    return is($h->{'webhook-signature'}, "@want", 'signature');
}


receiver();

my $d = daemon();
delivers($d);

my $hook = made();
my $path = "/webhooks/$hook->{id}";


subtest 'an event' => sub {
    rename_device('one');
    got('one');

    my ($q) = requests();

    is("@{ $q->{line} }", 'POST /hook?a=1 HTTP/1.1', 'what is asked for');
    is($q->{headers}{'content-type'}, 'application/json', 'JSON');
    like($q->{headers}{'webhook-id'}, qr/^evt_[0-9a-f]{32}$/, 'an id');
    cmp_ok(abs($q->{headers}{'webhook-timestamp'} - $q->{at}), '<', 5,
           'the time');
    signed($q, $hook->{secret});

    my $e = JSON::decode_json($q->{body});

    is_deeply([@{$e}{qw(type tenant)}, $e->{data}{device_id}],
              ['device.updated', 'default', $dev->id], 'the event');
    ok(wait_until { $rest->get($path)->json->{delivered} == 1 } 20,
       'REST has it');

    my $r = $rest->get($path);

    is_deeply([@{ $r->json }{qw(status failures error)}], [204, 0, undef],
              'how it went');
    unlike($r->content . $rest->get('/webhooks')->content, qr/whsec_/,
           'no secret');

    my ($bare) = $hook->{secret} =~ /^whsec_(.*)$/;

    unlike($redis->dump(), qr/whsec_|\Q$bare\E/, 'nor in Redis');
};


subtest 'only what was asked for' => sub {
    my $ws = $dev->connect($gw);

    $ws->close();
    wait_until { !$rest->get('/devices/' . $dev->id)->json->{online} } 20,
               'offline';
    rename_device('two');
    got('two');
    is_deeply([map { $_->{type} } taken()], [('device.updated') x 2],
              'no other types');
};


subtest 'failures, in order, with the same id' => sub {
    write_file($says, '500 302 hangup garbage silence 204');
    rename_device($_) for 'three', 'four';
    got('three', 'four');

    my @q = requests();
    my @tries = grep { JSON::decode_json($_->{body})->{data}{name}
                       eq 'three' } @q;

    is(scalar @tries, 6, 'each attempt');
    is(scalar keys %{ { map { $_->{headers}{'webhook-id'} => 1 } @tries } }, 1,
       'has one id');
    is_deeply([map { $_->{data}{name} } taken()], [qw(one two three four)],
              'nothing overtakes');
    signed($q[-1], $hook->{secret});
    ok(wait_until { $rest->get($path)->json->{delivered} == 4 } 20, 'counted');
    is($rest->get($path)->json->{failures}, 0, 'no failure is left');
    like(read_file($d->{log}),
         qr/answered 500.*answered 302.*hung up.*not speak HTTP.*within 2 s/s,
         'the log says why');
    unlike(read_file($d->{log}), qr/whsec_|p8Kd3m/, 'and no secret');
};


subtest 'nobody there, then a receiver again' => sub {
    $receiver->stop();
    rename_device('five');
    ok(wait_until { $rest->get($path)->json->{failures} >= 1 } 30,
       'it fails');
    like($rest->get($path)->json->{error}, qr/127\.0\.0\.1 port $port/,
         'REST says why');
    is(metric($d, 'rs_eventd_webhooks{state="failing"}'), 1, 'and metrics');
    receiver();
    got('five');
};


subtest 'the daemon restarts; another one takes over' => sub {
    $d->{proc}->stop();
    is($d->{proc}{status}, 0, 'a clean end');
    rename_device('six');
    $d = daemon();
    got('six');

    my $second = daemon();

    is(metric($second, 'rs_eventd_leader'), 0, 'one of them delivers');
    is($second->{rest}->get('/health/ready')->content, "stands by\n",
       'the other one stands by');
    $d->{proc}->kill();
    rename_device('seven');
    got('seven');
    is(metric($second, 'rs_eventd_leader'), 1, 'it does now');

    my %n;

    $n{$_->{data}{name}}++ for taken();
    is_deeply(\%n, { map { $_ => 1 } qw(one two three four five six seven) },
              'nothing twice, nothing lost');
    $d = $second;
};


subtest 'Redis goes and comes back' => sub {
    $redis->stop();
    ok(wait_until { $d->{rest}->get('/health/ready')->status == 503 } 30,
       'the daemon is not ready');
    $redis->start();
    wait_until { $rest->get('/health/ready')->status == 200 } 20, 'ready';
    delivers($d);
    rename_device('eight');
    got('eight');
};


subtest 'another secret' => sub {
    my $r = $rest->post("$path/secret");
    my $secret = $r->json->{secret};

    is($r->status, 200, 'made');
    isnt($secret, $hook->{secret}, 'another one');
    rename_device('nine');
    got('nine');
    signed((requests())[-1], $secret, $hook->{secret});
};


# Of a stream that has expired nothing is left that a position could be in; nor
# is of one that was cut, when what is left is of other types.

subtest 'what was missed is told once' => sub {
    my $n = 0;

    for my $cut (sub { $redis->call('DEL', 'rs:{default}:ev') },
                 sub {
                     $redis->call('DEL', 'rs:{default}:ev');
                     $dev->connect($gw)->close();
                 })
    {
        my $lost = sub { scalar grep { $_->{type} eq 'events.lost' } taken() };

        $cut->();
        $n++;
        ok(wait_until { $lost->() >= $n } 30, 'told');
        rename_device("missed $n $_") for 1 .. 3;
        got("missed $n 3");
        is($lost->(), $n, 'once');
    }

    write_file($log, '');
};


subtest 'off and on' => sub {
    my $change = sub {
        my $r = $rest->get($path);

        return $rest->patch($path, { enabled => $_[0] ? JSON::true()
                                                      : JSON::false() },
                            $r->header('ETag'))->status;
    };

    is($change->(0), 200, 'off');
    rename_device('unheard');
    is($change->(1), 200, 'on');
    rename_device('ten');
    got('ten');
    is(scalar(grep { $_->{data}{name} eq 'unheard' } taken()), 0,
       'from then on');

    write_file($says, '410');
    rename_device('eleven');
    ok(wait_until { !$rest->get($path)->json->{enabled} } 30,
       '410 disables it');
    write_file($says, '204');
};


subtest 'where no webhook may be' => sub {
    my @daemon = (allow_networks => undef, allow_http => undef);

    $d->{proc}->stop();
    $d = daemon(@daemon);
    delivers($d);

    my $plain = made();
    my $inside = made(url => "https://127.0.0.1:$port/");
    my $seen = () = requests();

    rename_device('twelve');

    for my $case ([$plain, qr/http:\/\/ is not called/],
                  [$inside, qr/127\.0\.0\.1 has no public address/])
    {
        my ($h, $error) = @$case;
        my $at = "/webhooks/$h->{id}";

        ok(wait_until { ($rest->get($at)->json->{error} // '') =~ $error } 30,
           'refused') or diag($rest->get($at)->content);
    }

    is(scalar(() = requests()), $seen, 'nothing was sent');
};


subtest 'which addresses' => sub {
    my %may = (
        (map { $_ => 1 } qw(8.8.8.8 2001:4860:4860::8888 64:ff9b::808:808)),
        (map { $_ => 0 } qw(127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 0.0.0.0
                            169.254.169.254 100.64.0.1 224.0.0.1
                            255.255.255.255 ::1 :: fe80::1 fe80::1%eth0
                            fc00::1 ff02::1 ::ffff:127.0.0.1
                            64:ff9b::a9fe:a9fe 2002:7f00:1::1 ::7f00:1
                            fec0::1 64:ff9b:1::a00:1 5f00::1 192.0.0.192
                            168.63.129.16)));
    my $code = 'import sys; sys.path.insert(0, sys.argv[1]); '
               . 'from rseventd import target; '
               . 'print(*[int(target.allowed(a)) for a in sys.argv[2:]])';
    my @names = sort keys %may;

    open(my $p, '-|', 'python3', '-Bc', $code, top('events'), @names) or die;

    my @got = split ' ', <$p>;

    is($got[$_], $may{$names[$_]}, $names[$_]) for 0 .. $#names;
};


subtest 'silent name servers of one tenant' => sub {
    my $code = <<'END';
import asyncio, socket, sys, threading
sys.path.insert(0, sys.argv[1])
from rseventd import target

answers = threading.Event()

def getaddrinfo(host, port, **_):
    if host == "silent":
        answers.wait()

    return [(0, 0, 0, "", ("8.8.8.8", port))]

socket.getaddrinfo = getaddrinfo
resolver = target.Resolver(4, 2)

async def look(tenant, host):
    async def asked(*place):
        return await resolver.look(tenant, *place)

    try:
        return (await asyncio.wait_for(target.addresses(host, 443, (), asked),
                                       0.05 if host == "silent" else 30))[0]

    except asyncio.TimeoutError:
        return "silence"

    except target.Refused:
        return "refused"

async def main():
    said = [await look("a", "silent") for _ in range(4)]
    said += [await look("a", "x"), await look("b", "x")]
    answers.set()

    while resolver.busy:
        await asyncio.sleep(0)

    print(*said, await look("a", "silent"))

asyncio.run(main())
END

    open(my $p, '-|', 'python3', '-Bc', $code, top('events')) or die;

    is(join('', <$p>), "silence silence refused refused refused 8.8.8.8 "
                       . "8.8.8.8\n", 'hold its share, and no more');
};


subtest 'a Redis with the certificate of another host' => sub {
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           . "-nodes -keyout $dir/other.key -out $dir/other.pem -days 2 "
           . "-subj /CN=other -addext subjectAltName=DNS:localhost "
           . "2>/dev/null") == 0 or die;

    my $code = <<'END';
import asyncio, ssl, sys
sys.path.insert(0, sys.argv[1])
from rseventd import config, store

dir = sys.argv[2]
heard = []

async def client(reader, writer):
    heard.append("AUTH" in (await reader.read(100)).decode())
    writer.close()

async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{dir}/other.pem", f"{dir}/other.key")
    server = await asyncio.start_server(client, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]

    for host in ("127.0.0.1", "localhost"):
        conf = config.Config(f"redis = rediss://{host}:{port}/0\n"
                             f"webhook_key_file = {dir}/key\n"
                             f"redis_password_file = {dir}/key\n"
                             f"redis_ca_file = {dir}/other.pem\n")

        try:
            await store.Store(conf).lease("x", 1000)

        except store.StoreError:
            print(host, heard)

asyncio.run(main())
END

    open(my $p, '-|', '/usr/bin/python3', '-Bc', $code, top('events'), $dir)
        or die;

    is(join('', <$p>), "127.0.0.1 []\nlocalhost [True]\n",
       'hears no password; the one of this host does');
};


subtest 'a configuration that is none' => sub {
    for my $case (["x = 1\n", qr/line 1: "x" is none of/],
                  ["redis = http:\/\/x\n", qr/line 1: "http:\/\/x" is not unix/],
                  ["redis = unix:/x\n", qr/"webhook_key_file" is missing/],
                  ["redis = unix:/x\nwebhook_key_file = $says\n",
                   qr/less than 32 characters/])
    {
        write_file("$dir/bad.conf", $case->[0]);

        my $out = qx(@{[top('events', 'rs-eventd')]} -t -c $dir/bad.conf 2>&1);

        is($? >> 8, 1, 'refused');
        like($out, $case->[1], 'and says why');
        unlike($out, qr/Traceback/, 'as a message');
    }
};


$d->{proc}->stop();
$receiver->stop();
$gw->quit;
$gw->check_log;
$redis->stop();

done_testing();
