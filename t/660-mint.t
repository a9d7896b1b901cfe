# Copyright (C) rs-gateway contributors

# A participant may what its maker may: who asks for one needs the verb of its
# role besides sessions:write.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;

my $redis = RS::Redis->new(acl => 1);
my $gw = RS::Gateway->new(redis => $redis);
my $rest = $gw->rest(key => $redis->api_key);
my $device = RS::Device->enroll($rest, name => 'desk');
my %host = (host => { type => 'device', device_id => $device->id });

$device->connect($gw);


for my $case (['sessions:write', 403, 403],
              ['sessions:write sessions:view', 201, 403],
              ['sessions:write sessions:control', 403, 201],
              ['sessions:write sessions:view sessions:control', 201, 201],
              ['sessions:view sessions:control', 403, 403, 403],
              ['*', 201, 201])
{
    my ($scopes, $view, $control, $create) = @$case;
    my $weak = $gw->rest(key => $redis->api_key(scopes => $scopes));

    subtest $scopes => sub {
        my %want = (viewer => $view, controller => $control);
        my $s = $rest->post('/sessions', \%host)->json;

        is($weak->post('/sessions', \%host)->status, $create // 201,
           'a session with nobody in it');

        for my $role (sort keys %want) {
            is($weak->post('/sessions', { %host, participants => [
                   { role => $role }] })->status, $want{$role},
               "a session with a $role");
            is($weak->post("/sessions/$s->{id}/participants",
                           { role => $role })->status, $want{$role},
               "one more $role");
        }

        is($weak->post('/sessions', { %host, participants => [
               map { { role => $_ } } sort keys %want] })->status,
           $view == 201 && $control == 201 ? 201 : 403, 'one of each');

        $rest->delete("/sessions/$_->{id}")
            for @{ $rest->get('/sessions')->json->{items} };
    };
}


subtest 'a refusal names the verbs in the audit' => sub {
    my $key = $redis->api_key(scopes => 'sessions:write');
    my $weak = $gw->rest(key => $key);

    $weak->problem($weak->post('/sessions', { %host, participants => [
        { role => 'viewer' }] }), 403, 'forbidden');

    my $line = $rest->get('/audit?order=newest&limit=1')->json->{items}[0];

    is($line->{verb}, 'sessions:write sessions:view', 'both');
    is($line->{actor}{id}, $redis->key_id($key), 'who');
    is_deeply([@{$line}{qw(outcome reason)}], ['deny', 'forbidden'], 'what');
};


$gw->check_log();
done_testing();
