# Copyright (C) rs-gateway contributors

# What calls and sockets leave in a tenant's audit, and what those leave whom
# nobody knew: a line of the fleet's, and no key of a tenant they made up.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(random_id wait_until);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis);
my $key = $redis->api_key(name => 'backend');
my $rest = $gw->rest(key => $key);
my $device = RS::Device->enroll($rest, name => 'desk');


sub lines {
    my ($name) = @_;

    return map { { @{ $_->[1] } } }
           @{ $redis->call('XRANGE', $name, '-', '+') };
}


sub audit { return lines('rs:{default}:audit') }


# The lines the code leaves.

sub left {
    my ($code) = @_;
    my $before = audit();

    $code->();

    my @all = audit();

    return @all[$before .. $#all];
}


subtest 'a device comes' => sub {
    my @lines = audit();

    is_deeply([map { "$_->{actor} $_->{verb} $_->{outcome}" } @lines],
              ['key enrollments:write allow', 'device device:enroll allow'],
              'an enrolment and its use');
    is($lines[0]{actor_name}, 'backend', 'by whom');
    is($lines[1]{actor_id}, $device->id, 'which device');
    is($lines[1]{object}, $lines[0]{object}, 'with which enrolment');
    is($_->{addr}, '127.0.0.1', 'from where') for @lines;
    like($_->{rid}, qr/./, 'in which request') for @lines;
};

$device->connect($gw);

subtest 'a session' => sub {
    my $s;
    my @lines = left(sub {
        $s = $rest->post('/sessions', {
            host => { type => 'device', device_id => $device->id },
            participants => [{ role => 'controller', name => 'Ana' }] })
            ->json;
    });

    is(scalar @lines, 1, 'one line for the create');
    is($lines[0]{object}, $s->{id}, 'about it');
    is($lines[0]{detail}, $device->id, 'and its device');
    like($lines[0]{verb}, qr/^sessions:write sessions:control/,
         'with all verbs it took');

    my $p = $s->{participants}[-1];

    @lines = left(sub {
        $gw->signal("rs.ticket.$p->{ticket}")->expect('welcome');
    });
    is_deeply([map { [@$_{qw(actor actor_id actor_name verb object)}] }
               @lines],
              [['participant', $p->{id}, 'Ana', 'session:join', $s->{id}]],
              'who joins');

    is_deeply([left(sub { $rest->get("/sessions/$s->{id}") })], [],
              'an allowed read leaves none');
    is_deeply([left(sub { $rest->get('/sessions') })], [], 'nor does a list');

    my $weak = $gw->rest(key => $redis->api_key(scopes => 'ice'));

    for my $case ([$weak, $s->{id}, 403, 'forbidden'],
                  [$rest, random_id('ses_'), 404, 'not_found'])
    {
        my ($who, $id, $status, $code) = @$case;

        @lines = left(sub {
            is($who->get("/sessions/$id")->status, $status, $code);
        });
        is_deeply([map { [@$_{qw(outcome reason object verb)}] } @lines],
                  [['deny', $code, $id, 'sessions:read']], 'one line');
    }
};


subtest 'strangers' => sub {
    my $stranger = 'rsk_nobody_' . 'a' x 52;
    my $before = $redis->call('XLEN', 'rs:{w}:denied');

    is($gw->rest(key => $stranger)->get('/sessions')->status, 401,
       'a key of nobody');
    is($gw->signal('rs.ticket.nobody.' . 'b' x 78)->expect_close(), 4401,
       'a ticket of nobody');
    is($gw->rest()->post('/devices', {
        enrollment => 'rse_nobody_' . 'a' x 26 . '_' . 'b' x 52, name => 'x',
        public_key => $device->public_key })->status, 403,
       'an enrolment of nobody');

    wait_until { $redis->call('XLEN', 'rs:{w}:denied') >= $before + 3 } 5,
               'three lines';

    my @lines = (lines('rs:{w}:denied'))[-3 .. -1];

    is_deeply([sort map { "$_->{what} $_->{reason}" } @lines],
              ['bearer unauthenticated',
               'enrolment token enrollment_invalid',
               'ticket unauthenticated'], 'say what was shown');
    is($_->{addr}, '127.0.0.1', 'and from where') for @lines;
    unlike(join(' ', map { %$_ } @lines), qr/a{26}|b{52}/, 'not the secret');
    is_deeply([grep { /nobody/ } $redis->keys], [],
              'there is no key of their tenant');
};

$gw->check_log();

done_testing();
