#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The snapshot: a restart without Redis goes on where it was, for so long as
# stale_limit says; a file that is not right is not used.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Redis;
use RS::Upstream;
use RS::Util qw(now wait_until random_id tempdir read_file write_file);

my $redis = RS::Redis->new(acl => 1);
my $dir = tempdir() . '/state';
my $file = "$dir/snapshot";
my %conf = (RS::Upstream::conf_of($redis->conf('rs-plugin')),
            state_dir => $dir);

mkdir $dir, 0700 or die "$dir: $!";


sub session { return RS::Upstream::session($redis, @_) }


# one that ends at once, and what it said

sub refused {
    my (%more) = @_;
    my $up = eval { RS::Upstream->new(%conf, %more) };

    return '' if $up;
    return $@;
}


my @s = map { session(tenant => "t-$_") } 1 .. 4;

subtest 'written' => sub {
    my $up = RS::Upstream->new(%conf);

    is($up->stat('loaded'), 0, 'there was none');
    $up->wait_in_sync;
    is($up->stat('stale'), 0, 'now it is');
    $up->wait_stat(written => sub { $_[0] >= 1 }, 10);

    my @st = stat $file;

    is(sprintf('%o', $st[2] & 07777), '600', 'its mode');
    like(read_file($file), qr/^live t-3 $s[2]{id} $s[2]{host} /m,
         'a session is in it');
    diag(sprintf '%d bytes in %d ms', $up->stat('bytes'),
         $up->stat('write_ms'));

    RS::Upstream::revoke($redis, $s[1]);
    RS::Upstream::end($redis, $s[2]);
    $up->wait_verdict($s[1], 'revoked');
    $up->wait_verdict($s[2], 'ended');
    is($up->ask('alloc', 77, RS::Upstream::username($s[3])), 'ok',
       'an allocation');
    $up->wait_stat(written => sub { $_[0] >= 2 }, 10);
    like(read_file($file), qr/^ended t-3 $s[2]{id} - /m, 'what came later');

    my $n = $up->stat('written');
    my $last = session();

    $up->wait_verdict($last, 'ok');
    cmp_ok($up->stat('written'), '<=', $n + 1, 'not for each change');

    # the last words are written at the end

    $up->check_log;
    like(read_file($file), qr/^live default $last->{id}/m, 'at the end');

    opendir my $d, $dir or die;
    is_deeply([sort grep { !/^\./ } readdir $d], ['snapshot'],
              'nothing else is left');

    my $password = read_file($conf{redis_password_file});

    chomp $password;
    unlike(read_file($file), qr/\Q$password\E/, 'no password');
};


subtest 'read, with Redis down' => sub {
    $redis->stop;

    my $up = RS::Upstream->new(%conf);

    is($up->stat('loaded'), 1, 'read');
    is($up->stat('stale'), 0, 'it is not old');
    is($up->verdict($s[0]), 'ok', 'lives');
    is($up->verdict($s[1]), 'revoked', 'was revoked');
    is($up->verdict($s[2]), 'ended', 'has ended');

    is($up->ask('find', 77), 'none', 'an allocation is coturn\'s to say');

    my $older = { %{ $s[3] }, until => $s[3]{until} - 5 };

    is($up->verdict($older), 'superseded', 'the newest user name');
    $up->check_log;

    $redis->start;
};


subtest 'too old' => sub {
    my $text = read_file($file);

    $redis->stop;

    my $up = RS::Upstream->new(%conf, stale_limit => 1);

    is($up->stat('loaded'), 1, 'read');
    wait_until { $up->verdict($s[0]) eq 'stale' } 5, 'stale';
    is($up->stat('stale'), 1, 'its end');
    $up->wait_log(qr/error: redis: out of sync for \d+ s, which is stale_lim/,
                  15);

    $redis->start;
    $up->wait_in_sync;
    is($up->verdict($s[0]), 'ok', 'in sync again');
    $up->wait_log(qr/notice: redis: what is known is not stale any more/);
    $up->check_log;
};


subtest 'not used' => sub {
    my $good = read_file($file);
    my $n = 0;
    my @cases = (
        ['one bit', sub { substr($_[0], 60, 1) ^= "\x01" },
         qr/checksum is wrong/],
        ['cut short', sub { substr($_[0], -20) = '' }, qr/its end is/],
        ['a line less', sub { $_[0] =~ s/^live.*\n//m }, qr/checksum/],
        ['empty', sub { $_[0] = '' }, qr/it is no snapshot/],
        ['of another version', sub { $_[0] =~ s/snapshot 1/snapshot 9/ },
         qr/another version/],
        ['garbage', sub { $_[0] = "\xff" x 100000 }, qr/it is no snapshot/],
    );

    $redis->stop;

    for my $case (@cases) {
        my ($what, $change, $says) = @$case;
        my $text = $good;

        $change->($text);
        unlink $file;
        write_file($file, $text, 0600);

        my $up = RS::Upstream->new(%conf);

        is($up->stat('loaded'), 0, "$what: not used");
        is($up->stat('live'), 0, 'nothing of it');
        is($up->stat('stale'), 1, 'and nothing is believed');
        like($up->log, qr/error: the snapshot \S+ is not used: .*$says/, 'why');
        $up->check_log;
    }

    for my $mode (0640, 0604, 0660, 0666) {
        unlink $file;
        write_file($file, $good, $mode);

        my $up = RS::Upstream->new(%conf);

        is($up->stat('loaded'), 0, sprintf 'mode %o: not used', $mode);
        like($up->log, qr/its mode must be 0600/, 'why');
        $up->stop;
    }

    unlink $file;
    write_file("$dir/other", $good, 0600);
    symlink 'other', $file or die;

    my $up = RS::Upstream->new(%conf);

    is($up->stat('loaded'), 0, 'a symbolic link: not used');
    $up->stop;
    unlink $file, "$dir/other";

    mkdir $file or die;
    $up = RS::Upstream->new(%conf);
    is($up->stat('loaded'), 0, 'a folder: not used');

    # it cannot be written then; that is said, and all goes on

    $redis->start;
    $up->wait_in_sync;
    $up->wait_stat(write_failed => sub { $_[0] >= 1 }, 10);
    $up->wait_log(qr/error: the snapshot cannot be written .*: rename: /);
    is($up->verdict($s[0]), 'ok', 'goes on');
    rmdir $file or die;
    $up->wait_stat(written => sub { $_[0] >= 1 }, 10);
    $up->check_log;
};


subtest 'the folder' => sub {
    like(refused(state_dir => "$dir/none"), qr/No such file.*make it/,
         'is not there');
    like(refused(state_dir => $file), qr/Not a directory/, 'is a file');

    mkdir "$dir/open" or die;
    chmod 0777, "$dir/open";
    like(refused(state_dir => "$dir/open"), qr/chmod go-w/, 'is for all');
    rmdir "$dir/open";
};


subtest 'killed while it writes' => sub {
    write_file("$dir/snapshot.new.1", 'half of it', 0600);

    for my $i (1 .. 5) {
        my $up = RS::Upstream->new(%conf);

        $up->wait_in_sync;
        session(tenant => 'killed');

        # a child writes, or has just done so

        wait_until { glob("$dir/snapshot.new.*") || $up->stat('written') } 5,
            'writing';
        $up->proc->kill;
        unlink $up->dir . '/socket';
    }

    $redis->stop;

    my $up = RS::Upstream->new(%conf);

    is($up->stat('loaded'), 1, 'what is there is whole');
    is($up->verdict($s[0]), 'ok', 'and known');

    opendir my $d, $dir or die;
    is_deeply([sort grep { !/^\./ } readdir $d], ['snapshot'],
              'nothing else is left');
    $up->check_log;
    $redis->start;
};


$redis->stop;

done_testing();
