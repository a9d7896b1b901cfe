# Copyright (C) rs-gateway contributors

# The first API key of a tenant: a token of rs-key, good once, for ten
# minutes, and only while there is no key.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(top);

my $redis = RS::Redis->new();
my @node = map { RS::Gateway->new(redis => $redis, node => "node$_") } 1, 2;
my $nobody = $node[0]->rest();
my @at = ('--redis', 'unix:' . $redis->socket, '--user', 'default');


# what rs-key prints, and whether it went well

sub token {
    my ($tenant) = @_;
    my @command = (top('tools', 'rs-key'), 'bootstrap', '--tenant', $tenant,
                   @at);
    my $text = qx(@command 2>/dev/null);

    return ($? >> 8, $text =~ s/\n\z//r);
}


sub refused {
    my ($token, $name) = @_;

    note($name);

    return $nobody->problem($nobody->post('/bootstrap', {
        token => $token, name => 'root' }), 401, 'unauthenticated');
}


my ($status, $token) = token('first');

is($status, 0, 'a token');
like($token, qr/^rsb_first_[a-z2-7]{52}$/, 'its form');
is($redis->call('TTL', 'rs:{first}:boot') <= 600, 1, 'for ten minutes');
unlike($redis->dump, qr/\Q@{[substr $token, -52]}/, 'Redis has only its hash');

refused($token =~ s/.{4}$/aaaa/r, 'another secret');
refused($token =~ s/first/second/r, 'another tenant');
refused('rsb_first', 'no token');
$nobody->problem($nobody->post('/bootstrap', { token => $token }), 422,
                 'invalid_value', pointer => '/name');

# on two nodes at once: one key

my @try = map { my $r = $node[$_ % 2]->rest();
                [$r, $r->start('POST', '/bootstrap', body => {
                     token => $token, name => "root $_" })] } 1 .. 4;
my @answers = map { $_->[0]->finish($_->[1]) } @try;
my ($made) = grep { $_->status == 201 } @answers;

is(join(' ', sort map { $_->status } @answers), '201 401 401 401', 'once');
is_deeply($made->json->{scopes}, ['*'], 'for everything');

my $rest = $node[1]->rest(key => $made->json->{key});

is($rest->get('/keys')->json->{items}[0]{id}, $made->json->{id},
   'it can be used at once');

my ($line) = grep { $_->{actor}{kind} eq 'bootstrap' }
             @{ $rest->get('/audit')->json->{items} };

is($line->{object}, $made->json->{id}, 'it is in the audit');

# it has removed itself

refused($token, 'used');
is_deeply([$redis->keys('rs:{first}:boot')], [], 'nothing is left of it');
is((token('first'))[0], 1, 'no other one while there is a key');

# a key that was made meanwhile

($status, $token) = token('late');
$redis->api_key(tenant => 'late');
$redis->call('HSET', 'rs:{late}:keys', 'key_' . 'a' x 26, '{}');
refused($token, 'the tenant has a key by now');

# void after ten minutes

($status, $token) = token('slow');
$redis->call('PEXPIRE', 'rs:{slow}:boot', 1);
RS::Util::wait_until { !$redis->keys('rs:{slow}:boot') } 10, 'it is over';
refused($token, 'too late');

$_->check_log for @node;
done_testing();
