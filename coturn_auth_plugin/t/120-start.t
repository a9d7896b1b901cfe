#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# The daemon as systemd and an operator know it: options, what is wrong with a
# configuration, credentials by hand, when it says that it is ready, the unit
# and the manual.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_base64);
use FindBin;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Turn;
use RS::Util qw(top read_file write_file wait_until spawn random_id);

my $daemon = RS::Turn::build('rs-turn-authd');
my $turn = RS::Turn->new(start => 0, secret => 'static');
my $conf = $turn->dir . '/rs-turn-authd.conf';
my $good = read_file($conf);
my $runs = 0;


# What it says and how it ends; both streams.

sub run {
    my (@argv) = @_;
    my $log = $turn->dir . '/run.' . ++$runs;
    my $p = spawn('rs-turn-authd', [$daemon, @argv], log => $log);
    my $status = $p->wait(20);

    return (read_file($log), $status >> 8);
}


sub with {
    my ($change, @argv) = @_;
    my $path = $turn->dir . '/other.conf';
    my $text = $good;

    $change->() for $text;
    write_file($path, $text);

    return run('-c', $path, @argv);
}


# ---- options

{
    my ($text, $status) = run('--version');

    like($text, qr/^rs-turn-authd \d+\.\d+\.\d+\n\z/, '--version');
    is($status, 0, 'is no error');
}

{
    my ($help, $status) = run('--help');
    my $man = read_file(top('coturn_auth_plugin', 'rs-turn-authd.8'))
              =~ s/\\-/-/gr;
    my %option = map { $_ => 1 } $help =~ /(--[a-z][a-z-]+)/g;

    delete $option{'--print-'};
    is($status, 0, '--help');
    cmp_ok(scalar keys %option, '>', 8, 'has options');
    ok(index($man, $_) > 0, "the manual has $_") for sort keys %option;
    like($help, qr/^  stale_limit = 3600$/m, '--help has the keys');
}

for my $bad (['--nonsense'], ['x'], ['--ttl', '5'], ['--issue', 'new',
             '--check-conf'], ['--issue', 'new', '--ttl', '0'], ['--guard'],
             ['--issue', 'new', '--ttl', 'x'], ['--output', '/x'])
{
    my ($text, $status) = run('-c', $conf, @$bad);

    is($status, 2, "no way to call it: @$bad");
    like($text, qr/--help/, 'and where to read more');
}


# ---- what is wrong

is_deeply([run('-c', $conf, '--check-conf')],
          ["rs-turn-authd: $conf is right\n", 0], 'a configuration that is right');

my $secret = $turn->dir . '/secret.secret';
my $open = write_file($turn->dir . '/open', "x\n", 0644);
my $weak = write_file($turn->dir . '/weak', "changeme\n", 0600);
my $long = write_file($turn->dir . '/long', 'x' x 2000, 0600);
my $none = write_file($turn->dir . '/none', "\n", 0600);

chmod 0644, $open;

for my $case (
    [sub { s/^quota.*\n//m; $_ .= "quota = many\n" },
     qr/other\.conf:\d+: quota = "many": a number from 1 to 10000/],
    [sub { s/^password_file.*$/password_file = $open/m },
     qr/\Q$open\E: everybody may read or write it: chmod 600/],
    [sub { s/^secret_file.*$/secret_file = $weak/m },
     qr/\Q$weak\E: the secret is weak: take the output of openssl rand/],
    [sub { s/^secret_file.*$/key_file = $weak/m }, qr/\Q$weak\E:1: /],
    [sub { s/^password_file.*$/password_file = $long/m },
     qr/\Q$long\E: has to hold one line of 1 to 1024 characters/],
    [sub { s/^password_file.*$/password_file = $none/m },
     qr/\Q$none\E: has to hold one line/],
    [sub { s/^password_file.*$/password_file = \/nonexistent\/x/m },
     qr/\/nonexistent\/x: No such file/],
    [sub { s/^cli_password_file.*$/cli_password_file = $open/m },
     qr/\Q$open\E: everybody/, 'read when coturn lets it in'],
    [sub { $_ .= "allow = 10.0.0.0/8\n" }, qr/allow.*10\.0\.0\.0/],
) {
    for my $check (['--check-conf'], $case->[2] ? () : []) {
        my ($text, $status) = with($case->[0], @$check);

        is($status, 1, 'refused: ' . (@$check ? '--check-conf' : 'at start'))
            or diag($text);
        like($text, $case->[1], 'what is wrong and what to do');
        is(() = $text =~ /\n/g, 1, 'in one line') or diag($text);
    }
}

{
    my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
                                      LocalPort => $turn->{userdb_port})
        or die $@;
    my ($text, $status) = run('-c', $conf);

    is($status, 1, 'the port is taken');
    like($text, qr/userdb_listen = "127[0-9.:]+": Address already in use: is an/,
         'and says so');
}


# ---- credentials by hand

{
    my $who = 'acme.' . random_id('ses_') . '.' . random_id('par_');
    my $before = time();
    my ($text, $status) = run('-c', $conf, '--issue', $who, '--ttl', 60);
    my ($user, $password) = $text =~ /^(\S+) (\S+)\n\z/;

    is($status, 0, '--issue');
    like($user, qr/^\d+:\Q$who\E\z/, 'a user name');
    is($password, hmac_sha1_base64($user, $turn->{static}) . '=',
       'and its password');

    my ($expiry) = $user =~ /^(\d+)/;

    ok($expiry >= $before + 60 && $expiry <= time() + 60, 'for so long');

    ($text, $status) = run('-c', $conf, '--issue', 'new');
    like($text, qr/^\d+:default\.ses_[a-z2-7]{26}\.par_[a-z2-7]{26} \S{28}\n\z/,
         'of chance, while no Redis is followed');

    ($text, $status) = with(sub { s/^redis = off/redis = unix:\/nonexistent/m },
                            '--issue', 'new');
    is($status, 1, 'not where sessions are followed');
    like($text, qr/POST \/ice/, 'and how to get one');

    ($text, $status) = with(sub { s/^redis = off/redis = unix:\/nonexistent/m },
                            '--issue', $who);
    is($status, 0, 'one that lives');
    like($text, qr/unless that session lives in Redis/, 'if it does');

    for my $bad ('', 'x', 'a.b.c', "$who.x", uc $who, ".$who") {
        ($text, $status) = run('-c', $conf, '--issue', $bad);
        is($status, 1, "nobody: $bad");
        like($text, qr/not TENANT\.SESSION\.PARTICIPANT/, 'and why');
    }
}


# ---- ready, and its end

# As systemd does: what the daemon says, one by one.

sub listener {
    my ($name) = @_;

    socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
    bind($s, pack_sockaddr_un($name)) or die "bind: $!";

    return sub {
        my $bits = '';
        my $text = '';

        vec($bits, fileno $s, 1) = 1;
        select($bits, undef, undef, 10) or return 'nothing';
        recv($s, $text, 4096, 0);

        return $text;
    };
}


for my $kind ('file', 'abstract') {
    my $name = $turn->dir . "/notify";

    my $hear = listener($kind eq 'file' ? $name : "\0$name");
    my $p = spawn('rs-turn-authd', [$daemon, '-c', $conf],
                  log => $turn->dir . '/notify.log',
                  env => { NOTIFY_SOCKET => $kind eq 'file' ? $name
                                                            : "\@$name" });

    is($hear->(), 'READY=1', "ready, to a socket in the $kind namespace");
    ok(IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                             PeerPort => $turn->{userdb_port}),
       'coturn is answered by then');

    $p->signal('TERM');
    is($hear->(), 'STOPPING=1', 'it ends');
    is($p->wait(10), 0, 'well');
}

{
    my $name = $turn->dir . '/status';
    my $file = $turn->dir . '/status.conf';
    my $text = read_file($conf);
    my $hear = listener($name);

    write_file($file, $text);

    my $p = spawn('rs-turn-authd', [$daemon, '-c', $file],
                  log => $turn->dir . '/status.log',
                  env => { NOTIFY_SOCKET => $name });

    is($hear->(), 'READY=1', 'ready');
    $p->signal('HUP');
    is($hear->(), 'STATUS=reload 1: done', 'what became of a reload');
    write_file($file, $text . "realm = other.example\n");
    $p->signal('HUP');
    like($hear->(), qr/^STATUS=reload 2: failed: \S+: "realm" stands .* already/,
         '... and why not');
    write_file($file, $text =~ s/^realm = .*/realm = other.example/mr);
    $p->signal('HUP');
    like($hear->(), qr/^STATUS=reload 3: failed: .*that needs a restart$/,
         '... for what needs a restart');
    $p->stop();
}

{
    my $name = $turn->dir . '/watchdog';
    my $hear = listener($name);
    my $p = spawn('rs-turn-authd', [$daemon, '-c', $conf],
                  log => $turn->dir . '/watchdog.log',
                  env => { NOTIFY_SOCKET => $name,
                           WATCHDOG_USEC => 300_000 });

    is_deeply([map { $hear->() } 1 .. 4], ['READY=1', ('WATCHDOG=1') x 3],
              'it says that it does not hang');
    $p->signal('STOP');
    1 while $hear->() =~ /WATCHDOG/;
    pass('and nothing when it does');
    $p->signal('CONT');
    $p->stop();
}

{
    my $p = spawn('rs-turn-authd', [$daemon, '-c', $conf],
                  log => $turn->dir . '/journal.log',
                  env => { JOURNAL_STREAM => '1:2' });

    wait_until {
        -e $turn->dir . '/journal.log'
            && read_file($turn->dir . '/journal.log') =~ /serves realm/
    } 10, 'the daemon';
    $p->signal('INT');
    is($p->wait(10), 0, 'INT ends it as well');

    my @bad = grep { !/^<[3-7]>[a-z]/ }
              split /\n/, read_file($turn->dir . '/journal.log');

    is_deeply(\@bad, [], 'each line has its priority for the journal');
}


# ---- the unit

SKIP: {
    my $unit = read_file(top('coturn_auth_plugin', 'rs-turn-authd.service'));

    like($unit, qr/^$_$/m, $_)
        for 'Type=notify', 'WatchdogSec=\d+', 'Before=coturn\.service', 'NoNewPrivileges=yes',
            'CapabilityBoundingSet=', 'ProtectSystem=strict',
            'ExecStart=\S+/rs-turn-authd';

    skip 'no systemd-analyze', 1
        if system('which systemd-analyze >/dev/null 2>&1') != 0;

    # the program is where it was built, everything else as it will be

    my $path = write_file($turn->dir . '/rs-turn-authd.service',
                          $unit =~ s/^ExecStart=.*$/ExecStart=$daemon/mr
                                =~ s/^Documentation.*\n//mr);
    my $said = qx(systemd-analyze verify '$path' 2>&1);

    is(join('', grep { /rs-turn-authd/ } split /^/, $said), '',
       'systemd understands it');
}

done_testing();
