# Copyright (C) rs-gateway contributors

# What a worker had to see to is seen to by another one: it is killed,
# reloaded or stopped while somebody is in his grace, or while he is here, and
# his peers learn in time that he is lost; who resumed elsewhere is left alone.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;
use Time::HiRes ();

use RS::Device;
use RS::Gateway;
use RS::Redis;
use RS::Util qw(wait_until now random_id start within);

# a lease and a grace, and what it takes to notice and to tell

my $bound = 5 + 2 + 3;

my $redis = RS::Redis->new(acl => 1);
my @node = map {
    RS::Gateway->new(redis => $redis, workers => 2, node => "node$_",
                     http => 'rs_lease_ttl 5s;',
                     location => 'rs_resume_grace 2s;')
} 1, 2;
my $key = $redis->api_key;
my $rest = $node[1]->rest(key => $key);
my $device = RS::Device->enroll($rest, name => 'desk');

$device->connect($node[1]);


# A session: its host at one place, controllers at others.

sub session {
    my ($host, @guests) = @_;
    my $r = $rest->post('/sessions', {
        host => { type => 'device', device_id => $device->id },
        participants => [map { { role => 'controller' } } @guests] });
    my $s = { id => $r->json->{id} };
    my @tickets = map { $_->{ticket} // () } @{ $r->json->{participants} };

    my $invite;

    # a host that was not heard is asked in again when its device is announced

    do {
        $invite = $device->expect('invite');
    } while ($invite->{session}{id} ne $s->{id});

    $s->{host} = $device->join($host->[0], $invite, worker => $host->[1]);

    for my $at (@guests) {
        my $ws = $at->[0]->signal('rs.ticket.' . shift @tickets,
                                  worker => $at->[1]);

        push @{ $s->{guests} }, $ws;
        push @{ $s->{welcomes} }, $ws->expect('welcome');
        $s->{host}->expect('joined');
    }

    return $s;
}


sub own {
    my ($worker) = @_;

    return $redis->call('ZRANGE', "rs:{default}:own:$worker", 0, -1);
}


# The guest's socket breaks, and its worker has said so.

sub goes_away {
    my ($s) = @_;
    my $par = $s->{welcomes}[0]{self};

    $s->{guests}[0]->reset();
    wait_until {
        $redis->call('HGET', "rs:{default}:mem:$s->{id}", "a:$par") eq ''
    } 5, 'away';

    return;
}


sub lost_in_time {
    my ($s, $what, $n) = @_;
    my $start = start();
    my $m = eval { $s->{host}->expect('left', $bound + 5) };

    is_deeply([@{ $m // {} }{qw(peer reason)}],
              [$s->{welcomes}[$n // 0]{self}, 'lost'], "$what: lost");
    within($start, $bound, 'in time');

    return;
}


my ($one, $two) = ([$node[0], 0], [$node[1], 0]);

subtest 'killed while somebody is away' => sub {
    my $s = session($two, $one);

    goes_away($s);
    $node[0]->kill_worker(0);
    lost_in_time($s, 'who was in his grace');
    is($s->{host}->expect('ended')->{reason}, 'left', 'the session ends');
};


subtest 'killed while somebody is here' => sub {
    my $s = session($two, $one, $one, [$node[1], 1]);
    my $w = $s->{welcomes}[1];

    $node[0]->kill_worker(0);

    my $back = $node[1]->signal("rs.resume.$w->{resume}.$w->{position}");

    is($back->expect('welcome')->{self}, $w->{self}, 'one resumes elsewhere');
    lost_in_time($s, 'who does not come back');

    # what was to be done for the other one is done as well

    wait_until {
        !grep { /\Q$w->{self}\E/ }
              map { @{ $redis->call('ZRANGE', $_, 1, '+inf', 'BYSCORE') } }
              $redis->keys('rs:{default}:own:*')
    } 5, 'no duty that is due';

    $back->send_json({ type => 'signal', id => 1, data => 'here' });
    is($back->expect('ack')->{id}, 1, 'who resumed speaks');
    is($s->{host}->expect('signal')->{data}, 'here', 'and is heard');
    is(scalar(grep { $_->{type} eq 'left' } $s->{host}->seen), 0,
       'nobody else has left');
    $rest->delete("/sessions/$s->{id}");
};


subtest 'the host is lost' => sub {
    my $s = session($one, $two);

    $s->{host}->send_json({ type => 'signal', id => 1, data => 'x' });
    $s->{host}->expect('ack');
    $node[0]->kill_worker(0);

    my $start = start();

    is(eval { $s->{guests}[0]->expect('ended', $bound + 5)->{reason} },
       'host_lost', 'the session ends');
    within($start, $bound, 'in time');
    is($rest->get("/sessions/$s->{id}")->json->{end_reason}, 'host_lost',
       'and says why');
};


subtest 'reloaded while somebody is away' => sub {
    my $s = session($two, $one);

    goes_away($s);
    $node[0]->reload();
    lost_in_time($s, 'whose worker was reloaded');
};


subtest 'stopped while somebody is away' => sub {
    my $s = session($two, $one);

    goes_away($s);
    $node[0]->quit();
    lost_in_time($s, 'whose node was stopped');
    ok(!$redis->call('EXISTS', 'rs:{w}:node:node1'), 'its name is free');
    $node[0]->start();
};


subtest 'the whole node is lost' => sub {
    my $s = session($two, $one);
    my $other = RS::Device->enroll($rest, name => 'other');

    $other->connect($node[0]);
    $node[0]->kill();
    lost_in_time($s, 'who was there');
    wait_until {
        $redis->call('HGET', 'rs:{default}:dev:' . $other->id, 'owner') eq ''
    } 5, 'the device going offline';
    pass('its devices are offline in their records too');
    $node[0]->start();
};


# what a dead worker of a node that is gone has left: devices

sub dead {
    my ($n, $incarnation) = @_;
    my $worker = "gone.0.$incarnation";
    my @ids = map { random_id('dev_') } 1 .. $n;

    for my $id (@ids) {
        $redis->call('HSET', "rs:{default}:dev:$id", 'created_at', 1,
                     'epoch', 1, 'owner', "$worker.7");
        $redis->call('ZADD', "rs:{default}:own:$worker", 0, "d.$id");
    }

    $redis->call('ZADD', "rs:{w}:ten:$worker", 0, 'default');
    $redis->call('ZADD', 'rs:{w}:dead', int(1000 * Time::HiRes::time()) - 5000,
                 $worker);

    return ($worker, @ids);
}


sub walked {
    my ($worker, $seconds) = @_;

    wait_until {
        !defined $redis->call('ZSCORE', 'rs:{w}:dead', $worker)
    } $seconds, "the end of the walk of $worker";

    return;
}


sub online { return scalar grep {
    $redis->call('HGET', "rs:{default}:dev:$_", 'owner') ne '' } @_ }


subtest 'two hundred and fifty' => sub {
    my ($worker, @ids) = dead(250, 'aaaaaaaaaaaaaaaa');

    walked($worker, 10);
    is(online(@ids), 0, 'all are done');
    is_deeply([own($worker)], [[]], 'no list is left');
    is(scalar $redis->keys("rs:{w}:ten:$worker"), 0, 'nor its tenants');

    my $seen = $redis->call('HGET', "rs:{default}:dev:$ids[0]",
                            'last_seen_at');

    cmp_ok(abs(time() - 5 - $seen), '<=', 3, 'seen last when it died');
    like(CORE::join('', map { $_->error_log } @node),
         qr/worker \Q$worker\E: nothing is left, 250 duties/, 'and it is said');
};


subtest 'who walks is killed too' => sub {
    my ($worker, @ids) = dead(3000, 'bbbbbbbbbbbbbbbb');
    my ($log, $pid) = wait_until {
        for my $n (@node) {
            return ($n, $1) if $n->error_log
                =~ /(\d+)#\d+: rs reap: worker \Q$worker\E is dead/;
        }
        return
    } 10, 'somebody walking';

    $pid = $log if !defined $pid;

    for my $n (@node) {
        ($pid) = $n->error_log
                 =~ /(\d+)#\d+: rs reap: worker \Q$worker\E is dead/ or next;
        my @workers = $n->workers();
        my ($i) = grep { $workers[$_] == $pid } 0 .. $#workers;

        $n->kill_worker($i);
        last;
    }

    cmp_ok(online(@ids), '>', 0, 'some are left');

    # half a minute is long in a test

    $redis->call('ZADD', 'rs:{w}:dead', 'XX',
                 int(1000 * Time::HiRes::time()) - 1, $worker);
    walked($worker, 20);
    is(online(@ids), 0, 'the next one has done them');

    # it may have had the device's channel

    $device->connect($node[1]);
};


subtest 'Redis was away for longer than a lease' => sub {
    my $s = session($two, $one);
    my $start = now();
    my @before = map { length $_->error_log } @node;

    $redis->stop();
    wait_until { now() - $start > 5.5 } 10, 'the leases to run out';
    $redis->start();
    wait_until { eval { $_->all_answer('/health/ready', 200) } } 10, 'readiness'
        for @node;

    # from then on they would be

    wait_until {
        $redis->call('HGET', 'rs:{w}:fleet', 'seen')
        > $redis->call('HGET', 'rs:{w}:fleet', 'wait')
    } 10, 'the end of the lease that all were given';

    # one that was killed before may be

    my %live = map { $_ => 1 }
               @{ $redis->call('ZRANGE', 'rs:{w}:lease', 0, -1) };

    is(scalar keys %live, 4, 'all four live');
    is_deeply([grep { $live{$_} } map {
                   substr($node[$_]->error_log, $before[$_])
                   =~ /worker (\S+) is dead, its duties/g
               } 0, 1], [], 'none of them was called dead');

    # another server, as far as anybody can tell

    $s->{guests}[0]->expect('resync');
    $s->{guests}[0]->send_json({ type => 'pong' });
    $s->{guests}[0]->send_json({ type => 'signal', id => 1, data => 'on' });
    is($s->{host}->expect('signal', 5)->{data}, 'on', 'and on it goes');
    $rest->delete("/sessions/$s->{id}");
};


subtest 'called dead, and alive' => sub {
    my $s = session($two, $one);
    my ($self) = map { $_->{self} } $s->{welcomes}[0];
    my @pids = ($node[0]->workers())[0];

    kill 'STOP', @pids;
    wait_until {
        $redis->call('HGET', "rs:{default}:mem:$s->{id}", "a:$self") eq ''
    } 10, 'its being called dead';
    kill 'CONT', @pids;

    wait_until {
        ($redis->call('HGET', "rs:{default}:mem:$s->{id}", "a:$self") // 'x')
        =~ /^node1/
    } 5, 'its being back';

    $s->{guests}[0]->send_json({ type => 'signal', id => 1, data => 'alive' });
    is($s->{guests}[0]->expect('ack')->{id}, 1, 'its socket goes on');
    is($s->{host}->expect('signal')->{data}, 'alive', 'and is heard');
    is(scalar(grep { $_->{type} eq 'left' } $s->{host}->seen), 0,
       'nobody has left');
    $rest->delete("/sessions/$s->{id}");
};


# sessions that are over leave no duties

$device->ws->reset();
wait_until {
    !grep { @{ $redis->call('ZRANGE', $_, 0, -1) } }
          $redis->keys('rs:{default}:own:*')
} 10, 'no duties';
pass('nothing is left to do');

# a stranger's word makes no tenant

my $strange = 'strange.' . 'a' x 26 . 'b' x 52;

is($node[0]->signal("rs.ticket.$strange")->expect_close(), 4401,
   'a ticket of a tenant that is not there');
is_deeply([map { grep { $_ eq 'strange' }
                 @{ $redis->call('ZRANGE', $_, 0, -1) } }
           $redis->keys('rs:{w}:ten:*')], [], 'is not written down');

$_->check_log(allow => qr/exited on signal 9/) for @node;

done_testing();
