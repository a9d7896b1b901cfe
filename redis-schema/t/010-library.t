#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The library: loads, registers what the contract names, and refuses calls of
# another shape.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(top read_file random_id library_versions wanted_version);

my $lib = read_file(top('redis-schema', 'lib', 'rs.lua'));
my $page = read_file(top('docs', 'design', 'redis.md'));
my $errors = read_file(top('docs', 'protocol', 'errors.json'));
my $register = qr/^register\('(\w+)',\s(guarded\()?lib\.\1(?:,\s(?:WIDE|ANYONE))?\)?,
                  \s*(\w+)\)$/mx;
my (%flags, %guarded);

while ($lib =~ /$register/g) {
    $flags{$1} = $3;
    $guarded{$1} = 1 if $2;
}

my %ro = map { $_ => 1 } $page =~ /^\| `(rs_\w+)` \(ro\)/gm;
my %g = map { $_ => 1 } $page =~ /`(rs_\w+)` \(g\)/g;
my %row = map { $_ => 1 } $page =~ /^\| `(rs_\w+)`/gm;

$row{$_} = 1 for qw(rs_session_retry rs_participant_retry);

like($lib, qr/\A#!lua name=rs\n/, 'is the library rs');
is_deeply([sort keys %flags], [sort keys %row],
          'the page and the library have the same functions');
is_deeply([sort grep { $flags{$_} eq 'READ' } keys %flags], [sort keys %ro],
          'and the same that only read');
is_deeply([sort keys %guarded], [sort keys %g], 'and act for a caller');
is(scalar keys %flags, scalar(() = $lib =~ /^register\(/gm),
   'all of them were found');

for my $f (sort keys %flags) {
    like($lib, qr/^-- \Q$f\E(?:, the hot path|, guarded)?\n-- KEYS: .*\bARGV:.*?^-- ok\b.*?O\(/ms,
         "$f: has a header");
}

my %known = $errors =~ /\{"code":\s*"(\w+)",\s*("http")/g;

is_deeply([grep { !$known{$_} && $_ ne 'ok' }
           $lib =~ /return \{ '([a-z_]+)' \}/g], [],
          'errors are those of the protocol');
unlike($lib, qr/'(?:KEYS|SCAN|HSCAN|EVAL|SELECT)'/, 'no walk over the keyspace');

my $s = RS::Schema->new();

my ($version, $serves) = library_versions();

is_deeply($s->fcall('rs_version', []), ['ok', $version, $serves], 'version');
is_deeply($s->fcall_ro('rs_version', []), ['ok', $version, $serves],
          'version, read only');
cmp_ok($serves, '<=', wanted_version(), 'it serves what is built with it');
is($version, wanted_version(), 'which needs all of it');
is((read_file(top('tools', 'rsgw', 'admin.py')) =~ /^VERSION = (\d+) /m)[0],
   $version, 'as the tools do');

for my $f (sort keys %flags) {
    $s->dies_like(qr/keys and|whole number/, "$f: a wrong count of keys and arguments",
                  $f, [("key:x") x 11], '');

    if ($flags{$f} ne 'READ') {
        eval { $s->fcall_ro($f, []); 1 } and fail("$f: is not read only");
        like($@, qr/read-only|no-writes|write flag/i, "$f: refused to FCALL_RO");
    }
}

for my $bad ('x', '-1', '1.5', '', '1e17', 'nan') {
    eval { $s->lease('n.0.00000000000000aa', ttl => $bad) };
    like($@, qr/not a whole number/, "ttl_ms \"$bad\"");
}


# memory is short: what ends, frees or keeps alive still works

my $dev = $s->device(online => $s->address());
my $x = $s->session($dev);
my $host = $s->host_join($x);
my $guest = $s->guest_join($x, 0);

$s->redis()->call('CONFIG', 'SET', 'maxmemory', 1);

$s->dies_like(qr/OOM/, 'no memory: no append', 'rs_append',
              ["ses:$x->{id}", "mem:$x->{id}", "log:$x->{id}"],
              $x->{host}, $host, 1, '', '{}', '', 1000, 1);
is($s->lease('n.0.00000000000000aa', ttl => 1000)->[0], 'ok',
   'no memory: leases go on');
is($s->get($x) && 'read', 'read', 'no memory: reading works');
is_deeply($s->leave($x, $x->{pars}[0], $guest, 'away'), ['ok', 'away', $dev],
          'no memory: leaving works');
is_deeply($s->end($x), ['ok', 'ended', $dev, ''], 'no memory: ending works');
is_deeply($s->fcall('rs_device_delete', [$s->{key}, "dev:$dev", 'devs',
                                         "dses:$dev", 'gdev'], '', $dev, '')->[0],
          'ok', 'no memory: a device can be removed');

done_testing();
