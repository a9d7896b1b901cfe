# Copyright (C) rs-gateway contributors

# Text of others: controls, overrides of the direction, characters that are
# not seen and lone surrogates are refused at every entrance, with the place;
# what is refused is kept nowhere.  Text of any script is taken as it is.

use strict;
use warnings;
use utf8;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;

binmode Test::More->builder->$_(), ':utf8'
    for qw(output failure_output todo_output);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'true');

# as they stand in JSON: the escape is what makes a lone surrogate possible

my %hostile = (
    'line feed'              => '\n',
    'escape'                 => '\u001b[31m',
    'zero'                   => '\u0000',
    'DEL'                    => '\u007f',
    'CSI'                    => '\u009b',
    'right-to-left override' => '\u202e',
    'isolate'                => '\u2067',
    'right-to-left mark'     => '\u200f',
    'zero width space'       => '\u200b',
    'zero width joiner'      => '\u200d',
    'soft hyphen'            => '\u00ad',
    'byte order mark'        => '\ufeff',
    'line separator'         => '\u2028',
    'tag'                    => '\udb40\udc41',
    'lone surrogate'         => '\ud800',
    'no character'           => '\uffff',
);

my @taken = ('Büro 3', 'שולחן', 'استقبال', '受付', 'принтер', '🖨️ & <b>"x"</b>');


sub token { return $rest->post('/enrollments', {})->json->{token} }


# raw JSON, so that nothing is made proper on its way

sub send_raw {
    my ($method, $path, $body, %opt) = @_;

    return ($opt{as} // $rest)->request($method, $path, body => \$body,
                                        headers => $opt{headers});
}


sub key { return RS::Device->new->public_key }


my %entrance = (
    'name of a new device' => ['/name', sub {
        send_raw('POST', '/devices', sprintf('{"enrollment":"%s",'
            . '"public_key":"%s","name":"a%sb"}', token(), key(), $_[0]),
            as => $rest->with(key => undef)) }],
    'meta of a new device' => ['/meta', sub {
        send_raw('POST', '/devices', sprintf('{"enrollment":"%s",'
            . '"public_key":"%s","name":"a","meta":{"os":"a%sb"}}', token(),
            key(), $_[0]), as => $rest->with(key => undef)) }],
    'a name in meta' => ['/meta', sub {
        send_raw('POST', '/devices', sprintf('{"enrollment":"%s",'
            . '"public_key":"%s","name":"a","meta":{"a%sb":1}}', token(),
            key(), $_[0]), as => $rest->with(key => undef)) }],
    'name of a device, patched' => ['/name', sub {
        send_raw('PATCH', '/devices/' . $device->id,
                 sprintf('{"name":"a%sb"}', $_[0]),
                 headers => { 'If-Match' => '"1"' }) }],
    'tag of a device, patched' => ['/tags/0', sub {
        send_raw('PATCH', '/devices/' . $device->id,
                 sprintf('{"tags":["a%sb"]}', $_[0]),
                 headers => { 'If-Match' => '"1"' }) }],
    'name of a participant' => ['/participants/0/name', sub {
        send_raw('POST', '/sessions', sprintf('{"host":{"type":"device",'
            . '"device_id":"%s"},"participants":[{"role":"viewer",'
            . '"name":"a%sb"}]}', $device->id, $_[0])) }],
    'external_id of a session' => ['/external_id', sub {
        send_raw('POST', '/sessions', sprintf('{"host":{"type":"device",'
            . '"device_id":"%s"},"external_id":"a%sb"}', $device->id,
            $_[0])) }],
    'name of a group' => ['/name', sub {
        send_raw('POST', '/groups', sprintf('{"name":"a%sb"}', $_[0])) }],
    'name of an API key' => ['/name', sub {
        send_raw('POST', '/keys', sprintf('{"name":"a%sb",'
            . '"scopes":["ice"]}', $_[0])) }],
);

for my $where (sort keys %entrance) {
    my ($pointer, $send) = @{ $entrance{$where} };
    my (@through, @place);

    for my $what (sort keys %hostile) {
        my $r = $send->($hostile{$what});
        my $json = $r->status =~ /^4/ ? $r->json : {};

        push @through, "$what: " . $r->status if $r->status !~ /^(?:400|422)$/;
        push @place, "$what: " . ($json->{pointer} // '')
            if $r->status == 422 && ($json->{pointer} // '') ne $pointer;
    }

    is_deeply(\@through, [], "$where: nothing of the kind is taken");
    is_deeply(\@place, [], 'and the place is named');
}

# reason is the one text of lines

for my $what (grep { $_ ne 'line feed' } sort keys %hostile) {
    my $r = send_raw('POST', '/sessions', sprintf('{"host":{"type":"device",'
        . '"device_id":"%s"},"reason":"a%sb"}', $device->id, $hostile{$what}));

    like($r->status, qr/^(?:400|422)$/, "reason: $what");
}

is_deeply([$rest->get('/devices')->json->{items}[0]{name},
           scalar @{ $rest->get('/devices')->json->{items} }], ['true', 1],
          'no device came of it, and the name is as it was');


# What a device says of itself, and why it does not want

for my $what (sort keys %hostile) {
    my $c = $device->open($gw);
    my $hello = $device->hello($c);
    my $text = sprintf '{"type":"hello","tenant":"default","device_id":"%s",'
        . '"signature":"%s","agent":{"name":"a%sb"}}', $device->id,
        $hello->{signature}, $hostile{$what};

    $device->ws->send_text($text);
    like($device->expect('error')->{code}, qr/^invalid_(?:value|json)$/,
         "hello: $what");
    $device->ws->close;
}

$device->connect($gw, hello => { agent => { name => 'rs-agent' } });

for my $what (sort keys %hostile) {
    $device->ws->send_text(sprintf
        '{"type":"reject","session_id":"ses_%s","reason":"busy",'
        . '"detail":"a%sb"}', 'a' x 26, $hostile{$what});

    my $e = $device->expect('error');

    like($e->{code}, qr/^invalid_(?:value|json)$/, "reject: $what");

    # JSON that cannot be read closes the socket

    if ($e->{code} eq 'invalid_json') {
        $device->ws->expect_close;
        $device->connect($gw, hello => { agent => { name => 'rs-agent' } });
    }
}

is_deeply($rest->get('/devices/' . $device->id)->json->{agent},
          { name => 'rs-agent' }, 'only what was proper is kept');


# Any script

for my $name (@taken) {
    my $d = RS::Device->enroll($rest, name => $name, meta => { where => $name });

    is($rest->get('/devices/' . $d->id)->json->{name}, $name, "taken: $name");
}

my $r = $rest->post('/sessions', {
    host => { type => 'device', device_id => $device->id },
    reason => "Zeile 1\nZeile 2\tüber",
    participants => [{ role => 'viewer', name => $taken[1] }] });

is($r->status, 201, 'a session');
is($r->json->{reason}, "Zeile 1\nZeile 2\tüber", 'its reason');
is($r->json->{participants}[0]{name}, $taken[1], 'and who is asked');

$gw->check_log;
$gw->stop;
$redis->stop;
done_testing();
