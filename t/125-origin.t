# Copyright (C) rs-gateway contributors

# Which page may open a socket: the one whose Origin is on the list, letter by
# letter.  Others are refused before anything is looked up: the ticket they
# bring stays good, and the store hears of none of them.

use strict;
use warnings;
use utf8;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Encode qw(encode_utf8);
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::WS;

my $good = 'https://console.example.net';
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, location => "rs_origin $good;");
my $rest = $gw->rest(key => $redis->api_key());
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($gw, headers => ["Origin: $good"]);

my @others = (
    ['another scheme', 'http://console.example.net'],
    ['a scheme of sockets', 'wss://console.example.net'],
    ['another port', 'https://console.example.net:8443'],
    ['a subdomain', 'https://a.console.example.net'],
    ['the domain above', 'https://example.net'],
    ['what ends with it', 'https://evil-console.example.net'],
    ['what begins with it', 'https://console.example.net.evil.example'],
    ['a user before another host', 'https://console.example.net@evil.example'],
    ['a dot at the end', 'https://console.example.net.'],
    ['a slash at the end', 'https://console.example.net/'],
    ['a letter that looks like it', "https://c\x{43e}nsole.example.net"],
    ['a zero byte, written out', 'https://console.example.net%00'],
    ['two of them', "$good https://evil.example"],
    ['two, with a comma', "$good, $good"],
    ['null, of a sandbox', 'null'],
    ['nothing', ''],
    ['a file', 'file://'],
    ['the gateway itself, which is not on the list', 'http://localhost'],
);

cmp_ok(scalar @others, '>=', 13, 'with the exact one at least 14');


# the status of an upgrade that says this Origin

sub upgrade {
    my ($path, $origin, @protocols) = @_;
    my $ws = RS::WS->connect(port => $gw->port);

    $ws->upgrade(path => "/rs/v1$path", protocols => ['rs.v1', @protocols],
                 headers => ['Origin: ' . encode_utf8($origin)]);

    return $ws;
}


my $session = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    participants => [{ role => 'viewer' }] })->json;
my ($ticket) = map { $_->{ticket} // () } @{ $session->{participants} };


# what the store is asked besides the duties of a worker by itself

my $monitor = $redis->monitor();
my $mark = 0;

sub asked {
    my @lines;

    $redis->call('ECHO', 'mark ' . ++$mark);

    while (defined(my $line = $monitor->next(10))) {
        return @lines if $line =~ /"ECHO" "mark $mark"/i;

        push @lines, $line
            if $line =~ /"/
               && $line !~ /"(?:ECHO|PING|INFO|ROLE|rs_lease|rs_beacon)"/i;
    }

    die 'MONITOR says nothing';
}


asked();

subtest 'the others' => sub {
    for my $case (@others) {
        my ($what, $origin) = @$case;

        for my $path ('/signal', '/agent') {
            my $ws = upgrade($path, $origin,
                             $path eq '/signal' ? "rs.ticket.$ticket" : ());

            is($ws->status, 403, "$what: $path");
            is($ws->body->{code}, 'origin_forbidden', 'and why')
                if ref $ws->body;
        }
    }

    my @lines = grep { /"FCALL|"(?:H|SET|DEL|X|Z|S)[A-Z]*"/i } asked();

    is_deeply(\@lines, [], 'the store heard nothing of them');
};


subtest 'a second header' => sub {
    my $ws = RS::WS->connect(port => $gw->port);
    my $status = $ws->upgrade(
        path => '/rs/v1/signal', protocols => ['rs.v1', "rs.ticket.$ticket"],
        headers => ["Origin: $good\r\nOrigin: https://evil.example"]);

    cmp_ok($status, '>=', 400, 'is refused');
    is_deeply([grep { /"FCALL/i } asked()], [], 'unheard');
};


subtest 'the exact one' => sub {
    my $ws = upgrade('/signal', $good, "rs.ticket.$ticket");

    is($ws->status, 101, 'is upgraded');
    ok($ws->expect('welcome'), 'by the ticket, which nobody has used up');
    ok((grep { /"FCALL/i } asked()), 'the store was asked');
};


$gw->check_log();
done_testing();
