# Copyright (C) rs-gateway contributors

# A TLS record may have to be written before more can be read: then OpenSSL's
# caller waits for the socket with handlers of its own.  A device's request is
# given back in the midst of that.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Socket::INET ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(free_port read_file spawn wait_until write_file);

# Takes one connection and speaks TLS to the gateway for it.  Behind the
# second piece of data go key updates, each of which asks for one, and no
# answer is read until there is a third piece.

my $tunnel = <<'END';
import ctypes, select, socket, sys

ssl = ctypes.CDLL('libssl.so.3')

for name in ('TLS_client_method', 'SSL_CTX_new', 'SSL_new'):
    getattr(ssl, name).restype = ctypes.c_void_p

listening = socket.create_server(('127.0.0.1', 0))
print('port', listening.getsockname()[1], flush=True)

near = listening.accept()[0]
far = socket.socket()
far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
far.connect(('127.0.0.1', int(sys.argv[1])))

method = ctypes.c_void_p(ssl.TLS_client_method())
ctx = ctypes.c_void_p(ssl.SSL_CTX_new(method))
s = ctypes.c_void_p(ssl.SSL_new(ctx))
ssl.SSL_set_fd(s, far.fileno())
assert ssl.SSL_connect(s) == 1
far.setblocking(False)

buf = ctypes.create_string_buffer(16384)
pieces = 0


def read():
    n = 1

    while n > 0:
        n = ssl.SSL_read(s, buf, 16384)
        near.sendall(buf.raw[:max(n, 0)])

    if ssl.SSL_get_error(s, n) not in (2, 3):
        sys.exit()


while True:
    watched = [near] if pieces == 2 else [near, far]

    if near in select.select(watched, [], [])[0]:
        data = near.recv(16384)
        if not data:
            break

        pieces += 1
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, pieces == 2)

        while ssl.SSL_write(s, data, len(data)) <= 0:
            read()
            select.select([far], [], [], 0.01)

        if pieces == 2:
            for n in range(2000):
                if ssl.SSL_key_update(s, 1) != 1 \
                   or ssl.SSL_do_handshake(s) != 1:
                    sys.exit()

            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            continue

    read()
END

my $small = free_port();
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, tls => 1, server => <<"END");
        listen 127.0.0.1:$small ssl sndbuf=4k;
        ssl_protocols TLSv1.2 TLSv1.3;
END
my $device = RS::Device->enroll($gw->rest(key => $redis->api_key));

my $log = $gw->dir . '/logs/tunnel.log';

write_file($log, '');
spawn('tunnel', ['python3', '-c', $tunnel, $small], log => $log);

my $port = wait_until { read_file($log) =~ /^port (\d+)$/m && $1 } 10, 'port';
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                   PeerPort => $port)
    or die "connect: $@";

my $challenge = $device->open($gw, tls => undef, socket => $socket);

$device->send_json($device->hello($challenge));

$gw->wait_log(qr/is online, epoch/);

$device->ws->send_ping('still');
is($device->expect('welcome')->{device}{id}, $device->id, 'welcome');

is($device->ws->recv->{data}, 'still', 'pong');

for my $n (1 .. 3) {
    $device->ws->send_ping("n$n");
    is($device->ws->recv->{data}, "n$n", 'and on it goes');
}

$device->ws->send_close(1000);
is($device->ws->expect_close, 1000, 'closed');

$gw->quit();
$gw->check_log();

done_testing();
