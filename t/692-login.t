
# Copyright (C) rs-gateway contributors

# A link of "rsctl login-link": good once, for ten minutes, for what the
# operator says and as long; Redis has its hash only.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON ();
use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir write_file);

my $redis = RS::Redis->new();
my @node = map { RS::Gateway->new(redis => $redis, node => "node$_") } 1, 2;
my $nobody = $node[0]->rest();
my $dir = tempdir();

delete @ENV{grep { /^RS_?[CR]/ } keys %ENV};
$ENV{RSCTL_CONFIG} = write_file("$dir/rsctl.conf",
    "[gateway]\nurl = https://support.example.net:8443/rs/v1\n"
    . "[redis]\nurl = unix:" . $redis->socket . "\nuser = default\n");


sub link_of {
    my @argv = @_;
    my $text = qx(@{[top('tools', 'rsctl')]} login-link --json @argv);

    return $? ? {} : JSON::decode_json($text);
}


sub token {
    my $link = link_of(@_);

    return ($link->{url} // '') =~ s/.*#login=//r;
}


sub refused {
    my ($token, $name) = @_;

    note($name);

    return $nobody->problem($nobody->post('/login', { token => $token }), 401,
                            'unauthenticated');
}


my $link = link_of('--name', 'Ada', '--tenant', 'first');
my $token = $link->{url} =~ s/.*=//r;

like($link->{url},
     qr{^https://support\.example\.net:8443/console/#login=rso_first_[a-z2-7]{52}$},
     'a link to the console');
ok(abs($link->{expires_at} - time - 600) < 60, 'for ten minutes');

my ($name) = $redis->keys('rs:{first}:login:*');

is($redis->call('TTL', $name) <= 600, 1, 'and no longer');
unlike($redis->dump, qr/\Q@{[substr $token, -52]}/, 'Redis has only its hash');

refused($token =~ s/.{4}$/aaaa/r, 'another secret');
refused($token =~ s/first/second/r, 'another tenant');
refused($token =~ s/^rso/rsb/r, 'another kind');
refused('rso_first', 'no token');
$nobody->problem($nobody->post('/login', { token => $token, name => 'x' }),
                 422, 'unknown_field', pointer => '/name');

# on two nodes at once: one key

my @try = map { my $r = $node[$_ % 2]->rest();
                [$r, $r->start('POST', '/login', body => { token => $token })]
              } 1 .. 4;
my @answers = map { $_->[0]->finish($_->[1]) } @try;
my ($made) = grep { $_->status == 201 } @answers;

is(join(' ', sort map { $_->status } @answers), '201 401 401 401', 'once');
is_deeply($made->json->{scopes}, ['*'], 'for everything of the tenant');
is($made->json->{name}, 'link: Ada', 'with a name');
ok(abs($made->json->{expires_at} - time - 43200) < 60, 'for twelve hours');
refused($token, 'used');
is_deeply([$redis->keys('rs:{first}:login:*')], [], 'nothing is left of it');

my $rest = $node[1]->rest(key => $made->json->{key});
my ($line) = grep { $_->{actor}{kind} eq 'login' }
             @{ $rest->get('/audit')->json->{items} };

is($line->{object}, $made->json->{id}, 'it is in the audit');

# what it says holds

my $few = $nobody->post('/login', {
    token => token('--scopes', 'devices:read,sessions:read', '--for', '90m')
});

is_deeply($few->json->{scopes}, ['devices:read', 'sessions:read'], 'scopes');
ok(abs($few->json->{expires_at} - time - 5400) < 60, 'a time');
is($node[0]->rest(key => $few->json->{key})->get('/devices')->status, 200,
   'it may what it says');
is($node[0]->rest(key => $few->json->{key})->get('/keys')->status, 403,
   'and nothing else');

# two at once do not disturb each other; void after ten minutes

my @two = map { token('--tenant', 'two') } 1 .. 2;

is($nobody->post('/login', { token => $_ })->status, 201, 'one of two')
    for $two[0];
($name) = $redis->keys('rs:{two}:login:*');
$redis->call('PEXPIRE', $name, 1);
RS::Util::wait_until { !$redis->keys('rs:{two}:login:*') } 10, 'it is over';
refused($two[1], 'too late');

# keys of links do not fill the list: those void for a day go with the next

my $old = $nobody->post('/login', { token => token('--tenant', 'full') })->json;
my ($key) = $redis->keys('rs:{full}:key:*');

$redis->call('HSET', $key, 'expires_at', time - 86500);
$token = token('--tenant', 'full');
is_deeply([$redis->keys('rs:{full}:key:*')], [], 'an old one is gone');
is($redis->call('HLEN', 'rs:{full}:keys'), 0, 'from the list, too');

$redis->call('EVAL', <<'LUA', 1, 'rs:{full}:keys');
for i = 1, 1000 do redis.call('HSET', KEYS[1], 'key_' .. i, '{}') end
LUA
$nobody->problem($nobody->post('/login', { token => $token }), 429,
                 'limit_reached');
$redis->call('DEL', 'rs:{full}:keys');
is($nobody->post('/login', { token => $token })->status, 201,
   'which did not use it up');

is(system(top('tools', 'rsctl') . ' login-link --scopes nothing 2>/dev/null')
   >> 8, 2, 'no such scope');

$_->check_log for @node;
done_testing();
