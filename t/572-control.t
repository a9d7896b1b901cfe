# Copyright (C) rs-gateway contributors

# The control token over several workers and nodes, with and without the
# sockets between workers: everybody hears the same, in one order, whoever
# resumes hears what he missed, REST shows the holder, and what is refused
# leaves the socket open.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until);

my $redis = RS::Redis->new(acl => 1);
my $key = $redis->api_key;


# What a message says of control: holder and who asks, by name.

sub told {
    my ($s, $m) = @_;
    my %name = map { $s->{par}{$_} => $_ } keys %{ $s->{par} };

    return join ' ', map { defined $_ ? $name{$_} // $_ : '-' }
                     $m->{holder}, @{ $m->{requests} },
                     $m->{locked} ? 'locked' : ();
}


# All sockets hear of it.

sub hear {
    my ($s, $want, $name) = @_;

    for my $who (sort keys %{ $s->{ws} }) {
        my $m = $s->{ws}{$who}->expect('control');

        is(told($s, $m), $want, "$name: $who is told");
        like($m->{position}, qr/^\d+-\d+$/, "$name: at a position");
        $s->{at}{$who} = $m->{position};
    }

    my %at = map { $_ => 1 } values %{ $s->{at} };

    is(scalar keys %at, 1, "$name: all at the same");

    return is(told($s, $s->{rest}->get("/sessions/$s->{id}")->json->{control}),
              $want, "$name: REST shows it");
}


sub control {
    my ($s, $who, $op, $to) = @_;

    $s->{ws}{$who}->send_json({ type => 'control', op => $op,
                                $to ? (to => $s->{par}{$to}) : () });

    return;
}


sub refused {
    my ($s, $who, $code, @op) = @_;

    control($s, $who, @op);

    my $e = $s->{ws}{$who}->expect('error');

    return is($e->{code}, $code, "$who: @op: $code");
}


# A session: the host on the first node, Ana on its other worker, Bo and the
# viewer on the second node.

sub session {
    my ($one, $two) = @_;
    my $rest = $one->rest(key => $key);
    my $device = RS::Device->enroll($rest);

    $device->connect($one, worker => 0);

    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [{ role => 'controller', name => 'Ana' },
                         { role => 'controller', name => 'Bo' },
                         { role => 'viewer', name => 'Vi' }] });

    die $r->content if $r->status != 201;

    my %s = (id => $r->json->{id}, rest => $rest, device => $device);
    my %node = (Ana => [$one, 1], Bo => [$two, 0], Vi => [$two, 1]);

    is_deeply($r->json->{control}, { holder => undef, requests => [],
                                     locked => JSON::PP::false() },
              'nobody has control before anybody is there');

    $s{ws}{host} = $device->join($one, $device->expect('invite'),
                                 worker => 0);
    $s{par}{host} = $device->welcome->{self};

    for my $p (grep { $_->{ticket} } @{ $r->json->{participants} }) {
        my ($gw, $worker) = @{ $node{ $p->{name} } };
        my $ws = $gw->signal("rs.ticket.$p->{ticket}", worker => $worker);

        $s{welcome}{ $p->{name} } = $ws->expect('welcome');
        $s{par}{ $p->{name} } = $p->{id};
        $s{ws}{ $p->{name} } = $ws;

        my $m = $s{ws}{host}->expect('joined');

        $s{joined}{ $p->{name} } = $m;
    }

    return \%s;
}


for my $ipc ('on', 'off') {
    subtest "sockets between workers: $ipc" => sub {
        my ($one, $two) = map {
            RS::Gateway->new(redis => $redis, workers => 2, node => "$ipc$_",
                             ipc => $ipc, location => 'rs_resume_grace 5s;')
        } 1, 2;
        my $s = session($one, $two);

        is(told($s, $s->{welcome}{Ana}{session}{control}), 'Ana',
           'the first controller has it');
        is(told($s, $s->{welcome}{Bo}{session}{control}), 'Ana',
           'and the second is told so');
        is(told($s, $s->{joined}{Ana}{control}), 'Ana',
           'the host is told with the joining');
        is($s->{joined}{Bo}{control}, undef,
           'where nothing changes nothing is said');
        is_deeply([map { $s->{welcome}{$_}{moderator} ? 1 : 0 }
                   qw(Ana Bo Vi)], [1, 0, 0], 'Ana is the moderator');
        ok($s->{device}->welcome->{session}{control},
           'the host\'s welcome has it, too');

        control($s, 'Bo', 'request');
        hear($s, 'Ana Bo', 'Bo asks');
        control($s, 'Ana', 'grant', 'Bo');
        hear($s, 'Bo', 'Ana gives it');
        control($s, 'Bo', 'release');
        hear($s, '-', 'Bo lets it go');
        control($s, 'Bo', 'request');
        hear($s, 'Bo', 'Bo has it at once');
        control($s, 'host', 'take');
        hear($s, 'host Bo', 'the person at the device takes it');
        control($s, 'Bo', 'release');
        hear($s, 'host', 'Bo does not want it back');
        control($s, 'Ana', 'lock');
        hear($s, 'host locked', 'Ana locks it');

        refused($s, 'Bo', 'control_locked', 'request');
        refused($s, 'Vi', 'forbidden', 'request');
        refused($s, 'Bo', 'forbidden', 'take');
        refused($s, 'Bo', 'forbidden', 'unlock');
        refused($s, 'Bo', 'forbidden', 'grant', 'Bo');

        $s->{ws}{Ana}->send_json({ type => 'control', op => 'grant',
                                   to => 'par_' . 'a' x 26 });
        is($s->{ws}{Ana}->expect('error')->{code}, 'unknown_peer',
           'nobody is given it');
        $s->{ws}{Ana}->send_json({ type => 'control', op => 'grant' });
        is($s->{ws}{Ana}->expect('error')->{code}, 'invalid_value',
           'to nobody');
        $s->{ws}{Ana}->send_json({ type => 'control', op => 'steal' });
        is($s->{ws}{Ana}->expect('error')->{code}, 'invalid_value',
           'no such thing');

        # who was away hears what he missed, once and in order, elsewhere

        my $bo = delete $s->{ws}{Bo};
        my $token = $s->{welcome}{Bo}{resume};
        my $from = delete $s->{at}{Bo};

        $bo->reset();
        control($s, 'Ana', 'unlock');
        hear($s, 'host', 'Ana unlocks it');
        control($s, 'host', 'release');
        hear($s, '-', 'the host lets it go');
        control($s, 'Ana', 'request');
        hear($s, 'Ana', 'Ana has it');

        $bo = $one->signal("rs.resume.$token.$from", worker => 1);
        is(told($s, $bo->expect('welcome')->{session}{control}), 'Ana',
           'who resumes is told who has it');
        is_deeply([map { told($s, $bo->expect('control')) } 1 .. 3],
                  ['host', '-', 'Ana'], 'and how it came to be so');
        $s->{ws}{Bo} = $bo;
        control($s, 'Bo', 'request');
        hear($s, 'Ana Bo', 'and goes on');

        # its holder leaves

        $s->{ws}{Ana}->send_json({ type => 'bye' });
        $s->{ws}{Ana}->expect_close();
        delete @{ $s->{ws} }{'Ana'};
        is(told($s, $s->{ws}{$_}->expect('left')->{control}), 'Bo',
           "$_ is told that Bo has it now") for qw(host Bo Vi);
        is($s->{rest}->get("/sessions/$s->{id}")->json->{control}{holder},
           $s->{par}{Bo}, 'and REST shows it');

        $_->check_log() for $one, $two;
    };
}

done_testing();
