# Copyright (C) rs-gateway contributors

# What an access log says of REST calls, participants and devices.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(top read_file wait_until);

my @NAMES = qw(request_id error tenant session_id device_id close_code
               messages_in messages_out bytes_in bytes_out resumed redis_time
               node worker);
my $redis = RS::Redis->new();
my ($format) = read_file(top('conf.d', 'rs-http.conf'))
               =~ /^(log_format rs_json .*?;)$/ms;
my $gw = RS::Gateway->new(redis => $redis, http => $format,
    server => 'access_log logs/rs.log rs_json; '
              . 'location = /other { return 204; }');
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');
my $read = 0;


# the next line for this URI

sub line {
    my ($uri) = @_;
    my $line;

    wait_until {
        # a line over the end of a page can be seen by halves

        my @lines = read_file($gw->dir . '/logs/rs.log') =~ /(.*)\n/g;

        while ($read < @lines && !$line) {
            my $l = JSON->new->decode($lines[$read++]);

            $line = $l if $l->{uri} eq $uri;
        }

        $line;
    } 10, "a line for $uri";

    return $line;
}


sub is_line {
    my ($line, $name, %want) = @_;

    is($line->{$_}, $want{$_}, "$name: $_") for sort keys %want;

    return;
}


subtest 'REST' => sub {
    $rest->post('/sessions', {
        host => { type => 'device', device_id => 'dev_' . 'a' x 26 } },
        { 'X-Request-Id' => 'abc' });

    my $l = line('/rs/v1/sessions');

    is_line($l, 'a refused call', status => '404', request_id => 'abc',
            error => 'not_found', tenant => 'default', session_id => '',
            close_code => '', messages_in => '', resumed => '',
            node => $gw->node);
    like($l->{redis_time}, qr/^\d+\.\d{3}$/, 'time of Redis');
    like($l->{worker}, qr/^\Q$l->{node}\E\./, 'worker');

    $gw->rest->get('/sessions');
    is_line(line('/rs/v1/sessions'), 'without a key', status => '401',
            error => 'unauthenticated', tenant => '', redis_time => '');

    $gw->rest->get('/health/live');
    is_line(line('/rs/v1/health/live'), 'health', error => '',
            redis_time => '');
};


subtest 'elsewhere' => sub {
    my $other = RS::Rest->new(base => $gw->base =~ s{/rs/v1$}{}r);

    is($other->get('/other')->status, 204, 'another location');
    is_line(line('/other'), 'other', error => '', request_id => '',
            bytes_in => '', close_code => '');
};


subtest 'a device' => sub {
    $device->connect($gw);

    my $l = line('/rs/v1/agent');

    is_line($l, 'let in', status => '101', error => '', close_code => '',
            tenant => 'default', device_id => $device->id,
            messages_in => '1', resumed => '');
    cmp_ok($l->{bytes_in}, '>', 100, 'bytes of hello');

    my $stranger = RS::Device->new(id => $device->id);

    $stranger->open($gw);
    $stranger->send_json($stranger->hello({ nonce => 'A' x 43 }));
    is($stranger->ws->expect_close, 4401, 'a stranger');
    is_line(line('/rs/v1/agent'), 'refused', status => '101',
            error => 'unauthenticated', close_code => '4401',
            tenant => 'default', device_id => $device->id);
};


subtest 'participants' => sub {
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller' }] });
    my ($p) = grep { $_->{ticket} } @{ $r->json->{participants} };
    my $ws = $gw->signal("rs.ticket.$p->{ticket}");
    my $welcome = $ws->expect('welcome');

    $ws->send_json({ type => 'signal', id => $_, data => $_ }) for 1 .. 3;
    $ws->expect('ack') for 1 .. 3;
    $ws->send_close(1000);
    $ws->expect_close;

    my $l = line('/rs/v1/signal');

    is_line($l, 'closed', status => '101', error => '', close_code => '1000',
            tenant => 'default', session_id => $r->json->{id},
            messages_in => '3', messages_out => '4', resumed => '0');
    cmp_ok($l->{bytes_in}, '>', 100, 'bytes in');
    cmp_ok($l->{bytes_out}, '>', 400, 'bytes out');

    $ws = $gw->signal("rs.resume.$welcome->{resume}.$welcome->{position}");
    $ws->expect('welcome');
    $ws->reset;
    is_line(line('/rs/v1/signal'), 'vanished', error => 'peer_timeout',
            close_code => '4408', resumed => '1',
            session_id => $r->json->{id});

    $ws = $gw->signal('rs.ticket.default.nonsense');
    is($ws->expect_close, 4401, 'a bad ticket');
    is_line(line('/rs/v1/signal'), 'refused', error => 'unauthenticated',
            close_code => '4401', tenant => '', resumed => '0');
};


subtest 'no credential is in it' => sub {
    unlike(read_file($gw->dir . '/logs/rs.log'), qr/rsk_|ticket|resume\./,
           'none');
};

$gw->check_log;

done_testing();
