#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The key catalogue: each file is whole, the library touches what it says and
# all that it says, and each function is called.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Scenario;
use RS::Schema;
use RS::Util qw(top read_file);

my @fields = sort qw(key pattern type slot holds fields ttl bound backup
                     writers readers);
my $lib = read_file(top('redis-schema', 'lib', 'rs.lua'));
my @functions = $lib =~ /^register\('(\w+)'/gm;
my $page = read_file(top('docs', 'design', 'redis.md'));

for my $path (sort glob(top('redis-schema', 'keys', '*.json'))) {
    my $k = JSON::PP->new->decode(read_file($path));
    my ($name) = $path =~ m{([^/]*)\.json$};
    my %known = map { $_ => 1 } @functions, 'guarded';

    is_deeply([sort keys %$k], \@fields, "$name: has what it must");
    is($k->{key}, $name, "$name: is named so");
    like($k->{pattern}, qr/^rs:\{\Q$k->{slot}\E\}:\Q$name\E(:|$)/,
         "$name: its pattern is of its name and slot");
    ok(JSON::PP::is_bool($k->{backup})
       && ($k->{slot} eq '<tenant>' || !$k->{backup}),
       "$name: is in a backup or not");
    is_deeply([grep { !$known{$_} } @{ $k->{writers} }, @{ $k->{readers} }],
              [], "$name: its functions are in the library");
    like($page, qr/`rs:\{[tbw]\}:$name\b/, "$name: docs/design tells of it");
}

my $s = RS::Schema->new();

RS::Scenario::run($s);
RS::Scenario::keys($s);
RS::Scenario::plugin($s);

$s->check_catalogue();
is_deeply([$s->{catalogue}->unused()], [], 'the catalogue claims no more');

my %called = $s->{catalogue}->called();

is_deeply([sort keys %called], [sort @functions], 'each function was called');


# a catalogue that cannot fail would prove nothing

$s->redis()->call('FUNCTION', 'LOAD', 'REPLACE', <<'END');
#!lua name=stray
redis.register_function('rs_stray', function(keys, args)
    redis.call('SET', 'rs:{default}:stray', '1')
    redis.call('HSET', keys[1], 'colour', 'red')
    redis.call('PUBLISH', 'elsewhere', 'x')
    return { 'ok' }
end)
END

$s->fcall('rs_stray', ["ses:" . RS::Util::random_id('ses_')]);

like(CORE::join("\n", $s->{catalogue}->violations()), qr/^rs_stray calls set$
^rs_stray is not among the writers .*$
^rs_stray writes colour .*$
^rs_stray publishes to elsewhere$/m, 'a stray function is seen');
is(scalar(grep { /stray \(string\)|life -1|colour/ }
          $s->{catalogue}->keyspace()), 3, 'and what it left');

done_testing();
