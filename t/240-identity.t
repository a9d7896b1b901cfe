# Copyright (C) rs-gateway contributors

# The fleet's identity: a challenge answers the nonce a device brings, a
# rotated identity comes with its statements, an enrolled device is told what
# to pin; and what "nginx -t" says of files that are wrong.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Crypt::PK::Ed25519 ();
use JSON::PP ();
use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir base64url base64url_decode read_file write_file);

my $dir = tempdir();
my $file = "$dir/identity.pem";
my $statements = "$file.statements";
my $nonce = base64url(pack 'C*', 0 .. 31);


sub tool {
    my ($command, @args) = @_;
    my $out = `'@{[ top('tools', 'rs-identity') ]}' $command @args 2>&1`;

    return wantarray ? ($out, $? >> 8) : $out;
}


sub public {
    my ($key) = tool('show', shift // $file) =~ /^identity (\S+)$/m;

    return $key;
}


# The signature of RFC 8032, by another implementation than the gateway's.

sub signed {
    my ($key, $signature, @texts) = @_;
    my $pk = Crypt::PK::Ed25519->new();

    $pk->import_key_raw(base64url_decode($key), 'public');

    return $pk->verify_message(base64url_decode($signature),
                               join "\0", @texts);
}


like(tool('new', $file), qr/^identity [\w-]{43}\nshort    (?:\w{4}-){3}\w{4}$/,
     'an identity is made');
is((stat $file)[2] & 0777, 0600, 'for its owner only');

my ($said, $status) = tool('new', $file);

is($status, 1, 'it is not made twice');
like($said, qr/exists already: rs-identity rotate/, 'and the cure is said');

my $first = public();
my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                          http => "rs_identity_file $file;");
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest);


# Enrolment

my $token = $rest->post('/enrollments', {})->json->{token};
my $r = $rest->with(key => undef)->post('/devices', {
    enrollment => $token, public_key => RS::Device->new->public_key,
    name => 'pinned' });

is($r->status, 201, 'enrolled');
is($r->json->{gateway_identity}, $first, 'and told what to pin');


# The challenge

for my $host ('localhost', 'GW.Example.NET') {
    my $c = $device->open($gw, host => $host, worker => 0,
                          nonce_sent => $nonce);

    is($c->{identity}{key}, $first, "$host: the identity");
    ok(!exists $c->{identity}{statements}, 'without statements');
    ok(signed($first, $c->{identity}{signature}, 'rs-gateway-v1', lc $host,
              $nonce, $c->{nonce}), 'it signs host and both nonces');
    $device->ws->close;
}

my $c = $device->open($gw);

ok(!exists $c->{identity}, 'without a nonce there is nothing to sign');
$device->ws->close;

$device->connect($gw, nonce_sent => $nonce);
is($device->{agent_welcome}{device}{id}, $device->id, 'and it is let in');

for my $bad ('AAEC', $nonce . 'A', substr($nonce, 0, 42) . '.') {
    eval { $device->open($gw, nonce_sent => $bad) };
    like($@, qr/400/, "refused: rs.nonce.$bad");
}


# Rotated twice

tool('rotate', $file) for 1 .. 2;

my $third = public();

isnt($third, $first, 'rotated twice');
like(tool('check', $file), qr/^identity \Q$third\E\n.*\n.* -> .*\n.* -> /,
     'the chain is shown');

$gw->reload(http => "rs_identity_file $file; "
                    . "rs_identity_statements $statements;");

$c = $device->open($gw, nonce_sent => $nonce);

my $id = $c->{identity};

is($id->{key}, $third, 'the new identity');
ok(signed($third, $id->{signature}, 'rs-gateway-v1', 'localhost', $nonce,
          $c->{nonce}), 'signs the challenge');
is(scalar @{ $id->{statements} }, 2, 'with both statements');

my $at = $first;

for my $st (@{ $id->{statements} }) {
    is($st->{old}, $at, 'a statement of the key before');
    ok(signed($st->{old}, $st->{signature}, 'rs-identity-v1', $st->{old},
              $st->{new}, $st->{created_at}), 'signed by it');
    $at = $st->{new};
}

is($at, $third, 'they lead to the new one');
$device->ws->close;


# A rotation that was killed between its two files: the key of the last
# statement waits beside the old one.

my @saved = (read_file($file), read_file($statements));

tool('rotate', $file);

my $fourth = public();

rename $file, "$file.new" or die;
write_file($file, $saved[0], 0600);
($said, $status) = tool('check', $file);
is($status, 1, 'half a rotation is told');
tool('rotate', $file);
is(public(), $fourth, 'and brought to its end by the next one');

unlink $file;
write_file($file, $saved[0], 0600);
write_file($statements, $saved[1]);


# What is wrong is told by nginx -t

sub conf_test {
    my (%conf) = @_;
    my $other = RS::Gateway->new(redis => $redis, ready => 0, node => 'other');

    $other->stop;
    $other->{http} = $conf{http};
    write_file("$other->{dir}/test.conf", $other->_conf());

    return scalar `$ENV{TEST_NGINX_BINARY} -t -p $other->{dir} -c $other->{dir}/test.conf 2>&1`;
}

$ENV{TEST_NGINX_BINARY} ||= '/usr/sbin/nginx';

my $conf = "rs_identity_file $file; rs_identity_statements $statements;";
my @lines = split /^/, $saved[1];

like(conf_test(http => $conf), qr/test is successful/, 'both files');

like(conf_test(http => "rs_identity_statements $statements;"),
     qr/\Q"rs_identity_statements" "$statements" needs "rs_identity_file"\E/,
     'statements without a key');

like(conf_test(http => "rs_identity_file $dir/none;"),
     qr/open\(\) "\Q$dir\E\/none" failed \(2: /, 'no such file');

chmod 0644, $file;
like(conf_test(http => $conf), qr/others may read .*"\Q$file\E".*chmod 600/,
     'a key that others may read');
chmod 0600, $file;

write_file("$dir/x", "-----BEGIN " . "PRIVATE KEY-----\nAAAA\n", 0600);
like(conf_test(http => "rs_identity_file $dir/x;"),
     qr/"\Q$dir\E\/x" holds no Ed25519 private key.*rs-identity new/,
     'no key');

system("openssl genpkey -algorithm X25519 -out $dir/x25519 2>/dev/null");
chmod 0600, "$dir/x25519";
like(conf_test(http => "rs_identity_file $dir/x25519;"),
     qr/holds no Ed25519 private key/, 'a key of another kind');

system("openssl genpkey -algorithm ED25519 -aes256 -pass pass:word "
       . "-out $dir/locked 2>/dev/null");
chmod 0600, "$dir/locked";
like(conf_test(http => "rs_identity_file $dir/locked;"),
     qr/holds no Ed25519 private key in PEM without a passphrase/,
     'a key with a passphrase');

my $st = JSON::PP::decode_json($lines[1]);

substr($st->{signature}, 0, 1) = $st->{signature} =~ /^A/ ? 'B' : 'A';

for (['a statement of nobody', $lines[0] . JSON::PP::encode_json($st) . "\n",
      qr/statement 2 is not signed by the key its "old" names/],
     ['a gap', $lines[0] . $lines[0], qr/statement 2 does not continue/],
     ['the wrong end', $lines[0], qr/leads to another key than the identity/],
     ['no JSON', "$lines[0]\{", qr/line 2: the JSON cannot be read/])
{
    my ($name, $text, $want) = @$_;

    write_file($statements, $text);
    $said = conf_test(http => $conf);
    like($said, $want, "$name: what is wrong");
    like($said, qr/"\Q$statements\E".*rs-identity check/, 'where, and a cure');
}

my $secret = join '', (split /\n/, $saved[0])[1];

unlike($gw->error_log, qr/\Q$secret\E/, 'the key is in no log');

$gw->check_log;
$gw->stop;
$redis->stop;
done_testing();
