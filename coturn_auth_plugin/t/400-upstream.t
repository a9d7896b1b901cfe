#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What is told and what is listed arrives in the table; a Redis that is
# killed, stopped, restarted, paused, emptied or without its library.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Upstream;
use RS::Util qw(now wait_until random_id library_text wanted_version);

my $redis = RS::Redis->new(acl => 1);
my @conf = RS::Upstream::conf_of($redis->conf('rs-plugin'));


sub session { return RS::Upstream::session($redis, @_) }
sub end     { return RS::Upstream::end($redis, @_) }
sub revoke  { return RS::Upstream::revoke($redis, @_) }


subtest 'heard and listed' => sub {
    my $before = session(tenant => 'acme');
    my $revoked = session(tenant => 'acme');
    my $up;

    revoke($revoked);
    $up = RS::Upstream->new(@conf);
    $up->wait_in_sync;

    is($up->verdict($before), 'ok', 'lived before');
    is($up->verdict($revoked), 'revoked', 'was revoked before');
    is($up->verdict($revoked, $revoked->{host}), 'ok', 'and not the other');

    my $live = session();

    $up->wait_verdict($live, 'ok', 1);
    ok(1, 'a session that is told of');

    my $start = now();

    revoke($live);
    $up->wait_verdict($live, 'revoked', 1);
    cmp_ok(now() - $start, '<', 0.5, 'a revocation');
    diag(sprintf 'revoked in the table after %.1f ms',
         (now() - $start) * 1000);

    end($before);
    $up->wait_verdict($before, 'ended', 1);
    ok(1, 'an end');

    # what is not of the form is counted and does no harm

    $redis->call('PUBLISH', 'rs:turn', $_)
        for '', 'live', "live acme $live->{id} x -", "\xff" x 2000;
    $up->wait_stat(messages_bad => 4);
    is($up->stat('in_sync'), 1, 'goes on');

    $up->check_log;
};


subtest 'one tenant of several' => sub {
    my ($ours, $other) = (session(tenant => 'ours'), session());
    my $up = RS::Upstream->new(@conf, tenants => 'ours', resync => 1);

    $up->wait_in_sync;
    is($up->verdict($ours), 'ok', 'is served');
    is($up->verdict($other), 'other_tenant', 'another is not');
    is($up->stat('sync_tenants'), 1, 'and nothing of it is listed');

    my $told = session();

    RS::Upstream::end($redis, $ours);
    $up->wait_verdict($ours, 'ended', 2);
    is($up->stat('live'), 0, 'nor heard');

    my $n = $up->stat('syncs');

    $up->wait_stat(syncs => sub { $_[0] > $n + 1 });
    is($up->verdict($told), 'other_tenant', 'again and again');
    $up->check_log;
};


subtest 'a session never heard of' => sub {
    my $up = RS::Upstream->new(@conf);

    $up->wait_in_sync;

    my $quiet = session(quiet => 1);
    my $ended = session(quiet => 1);
    my $revoked = session(quiet => 1);
    my $unknown = { %$quiet, id => random_id('ses_') };
    my $id = 0;

    end($ended, quiet => 1);
    revoke($revoked, quiet => 1);

    for my $s ($quiet, $ended, $revoked, $unknown) {
        is($up->ask('alloc', ++$id, RS::Upstream::username($s)), 'ok',
           'an allocation waits');
    }

    my %end = (1 => qr/^live/, 2 => qr/^(?:doomed|dying) ended/,
               3 => qr/^(?:doomed|dying) revoked/,
               4 => qr/^(?:doomed|dying) unknown_session/);

    for my $n (sort keys %end) {
        ok(eval { wait_until { $up->ask('find', $n) =~ $end{$n} } 5 },
           "$n: $end{$n}") or diag($up->ask('find', $n));
    }

    is($up->stat('calls'), 4, 'each was asked for once');
    $up->check_log;
};


subtest 'usage' => sub {
    my $up = RS::Upstream->new(@conf);
    my $s = session();
    my $key = "$s->{par}/relay-1/123456789012345678-1700000000";
    my $use = "rs:{default}:use:$s->{id}";

    $up->wait_in_sync;
    is($up->use($s, $key, 1, 2, 3, 4, 0), 'ok', 'written');
    is($redis->call('HGET', $use, $key), '1 2 3 4 0', 'so it is');
    is($up->use($s, $key, 10, 20, 30, 40, 1), 'ok', 'and done');
    is($redis->call('HGET', $use, $key), '10 20 30 40 1', 'so it is');
    is($up->use({ %$s, id => random_id('ses_') }, $key, 1, 2, 3, 4, 0),
       'not_found', 'a session that is gone');
    is($up->use($s, 'nonsense', 1, 2, 3, 4, 0), 'refused', 'no name');

    $redis->kill;
    $up->wait_stat(commands_up => 0);
    is($up->use($s, $key, 1, 2, 3, 4, 0), 'not connected', 'Redis is gone');
    $redis->start;
    $up->wait_in_sync;

    # under way when the answer does not come, and when the daemon ends

    $redis->freeze;
    is($up->use($s, $key, 11, 21, 31, 41, 0), 'unavailable', 'no answer');
    $redis->thaw;
    $up->wait_in_sync;

    $redis->freeze;
    $up->send('use', 'default', $s->{id}, $key, 12, 22, 32, 42, 0);
    $up->send('quit');
    is($up->answer, 'unavailable', 'owed at the end');
    $up->proc->wait;
    $redis->thaw;
    $up->check_log;
};


subtest 'killed and restarted' => sub {
    my $up = RS::Upstream->new(@conf);
    my ($stays, $goes, $ends) = (session(), session(), session());

    $up->wait_in_sync;

    for my $s ($stays, $goes, $ends) {
        wait_until { $up->verdict($s) eq 'ok' } 5, 'a session that was told';
    }

    $redis->kill;
    $up->wait_stat(in_sync => 0, 2);

    is($up->verdict($stays), 'ok', 'what is known holds');
    cmp_ok($up->{ms}, '<', 100, 'and is said at once');

    # so that it is back after that, and not in between

    $up->proc->signal('STOP');
    $redis->start;
    end($ends, quiet => 1);
    revoke($goes, quiet => 1);
    $up->proc->signal('CONT');

    my $start = now();

    $up->wait_in_sync(5);
    diag(sprintf 'in sync again after %.0f ms', (now() - $start) * 1000);

    is($up->verdict($stays), 'ok', 'lives');
    is($up->verdict($goes), 'revoked', 'was revoked meanwhile');
    is($up->verdict($ends), 'ended', 'ended meanwhile');

    # of each kind of trouble: started, it has no library at first

    my @errors = $up->log =~ /error: .* is down: (?!FCALL)/g;

    is(scalar @errors, 2, 'each link says it once') or diag($up->log);
    $up->check_log;
};


subtest 'hung' => sub {
    my $up = RS::Upstream->new(@conf);
    my ($s, $ends) = (session(), session());

    $up->wait_in_sync;
    $redis->freeze;

    my $start = now();
    my $max = 0;

    wait_until {
        $up->verdict($s) eq 'ok' or die 'forgotten';
        $max = $up->{ms} if $up->{ms} > $max;
        $up->stat('in_sync') == 0
    } 6, 'a dead subscription';

    diag(sprintf 'noticed after %.1f s; longest answer meanwhile %.1f ms',
         now() - $start, $max);
    cmp_ok($max, '<', 200, 'answers come meanwhile');
    cmp_ok($up->stat('silences'), '>=', 1, 'by the subscription');

    # it hears of Redis again when that has happened

    $up->proc->signal('STOP');
    $redis->thaw;
    end($ends, quiet => 1);
    $up->proc->signal('CONT');
    $up->wait_in_sync;
    is($up->verdict($s), 'ok', 'thawed: lives');
    is($up->verdict($ends), 'ended', 'ended');
    $up->check_log;
};


subtest 'paused' => sub {
    my $up = RS::Upstream->new(@conf);
    my $s = session();

    $up->wait_in_sync;

    # all commands wait, connections do not close

    $redis->call('CLIENT', 'PAUSE', 4000, 'ALL');
    $up->wait_stat(in_sync => 0, 6);
    is($up->verdict($s), 'ok', 'what is known holds');
    $up->wait_in_sync(15);
    ok(1, 'in sync when it is over');
    $up->check_log;
};


subtest 'the resync finds what was not told' => sub {
    my $up = RS::Upstream->new(@conf, resync => 1);
    my ($new, $ends, $stays) = (undef, session(), session());

    $up->wait_in_sync;
    $new = session(quiet => 1);
    end($ends, quiet => 1);

    $up->wait_verdict($new, 'ok', 4);
    $up->wait_verdict($ends, 'ended', 4);
    is($up->verdict($stays), 'ok', 'and the others live');
    is($up->stat('states'), 1, 'it was in sync all the time');

    # an end is for ever, whatever a list says

    $redis->call('ZADD', 'rs:{default}:turn', $ends->{until},
                 "$ends->{id}.$ends->{host}");

    my $n = $up->stat('syncs');

    $up->wait_stat(syncs => sub { $_[0] >= $n + 2 }, 6);
    is($up->verdict($ends), 'ended', 'an end is for ever');

    # a tenant that is not listed loses nothing

    $redis->call('DEL', 'rs:{w}:tens', 'rs:{default}:turn');
    $n = $up->stat('syncs');
    $up->wait_stat(syncs => sub { $_[0] >= $n + 2 }, 6);
    is($up->verdict($stays), 'ok', 'a tenant that was missed');
    $up->check_log;
};


subtest 'a library that is missing, old, or reloaded' => sub {
    my $up = RS::Upstream->new(@conf);

    $up->wait_in_sync;
    $redis->call('FUNCTION', 'FLUSH');

    my $s = session(quiet => 1);

    # asked for, it is missed

    $up->ask('alloc', 1, RS::Upstream::username($s));
    $up->wait_stat(in_sync => 0, 5);
    $up->wait_log(qr/rs_version is refused: ERR Function not found/);

    $redis->call('FUNCTION', 'LOAD', "#!lua name=rs\nredis.register_function{"
                 . "function_name='rs_version', flags={'no-writes'}, "
                 . "callback=function() return {'ok','2'} end}");
    $up->wait_log(qr/holds version 2 of the library/);
    is($up->stat('in_sync'), 0, 'not used');

    my $next = wanted_version() + 1;
    my $load = sub {
        $redis->call('FUNCTION', 'LOAD', 'REPLACE', library_text(@_));
    };

    $load->(version => $next, serves => $next);
    $up->wait_log(qr/holds version $next of .* serves versions $next to/);
    is($up->stat('in_sync'), 0, 'a newer one that does not serve it neither');

    $load->(version => $next);
    $up->wait_in_sync;
    pass('a newer one that does is used');
    ok(eval { wait_until { $up->ask('find', 1) =~ /^live/ } 5 },
       'who waited is answered');
    $up->check_log;
};


$redis->stop;

done_testing();
