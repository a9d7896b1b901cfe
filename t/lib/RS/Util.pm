package RS::Util;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Util - folders, ports, processes and waiting, for tests

=head1 SYNOPSIS

    use RS::Util qw(wait_until tempdir free_port top);

    my $dir  = tempdir();
    my $port = free_port();
    my $proc = RS::Util::spawn("redis", ["redis-server", ...],
                               log => "$dir/log");

    wait_until { -S "$dir/sock" } 10, "the socket";

    $proc->signal("STOP");
    $proc->stop();                  # TERM, then KILL; waits until it is gone

=head1 DESCRIPTION

Everything made here ends with the test: processes are stopped in an END
block and die with the test if it is killed; folders are removed; ports are
claimed against other tests that use this module.

=over

=item top(@names)

A path below the top of the repository.

=item tempdir()

A new folder that any user may enter, removed at the end.

=item free_port()

A TCP and UDP port that nothing on 127.0.0.1 uses and that no other test gets
while this one lives.

=item wait_until BLOCK $seconds, $what

Runs BLOCK until it is true and returns that value; dies naming $what when
the deadline passes.

=item start(), patience($start, $seconds), within($start, $seconds, $name)

Time in which the machine made somebody wait for a processor does not count
against anybody: C<patience> is $seconds and what of it there was since
C<start> (F</proc/pressure/cpu>), ten times $seconds at most, and always where
the kernel does not tell. C<wait_until> waits so long; C<within> is a test that
what began at C<start> took less, and names the time.

=item spawn($name, \@argv, log => $path, env => {...})

Starts a process; returns an object with C<pid>, C<alive>, C<signal($name)>,
C<stop>, C<kill>, C<wait($seconds)>.

=item random_id($prefix), base64url($bytes), read_file($path), write_file($path, $text)

As they say; ids are the prefix and 26 characters.

=item library_text(version => $n, serves => $n), library_versions(), wanted_version()

The text of the function library, with other numbers where some are given; its
version and the oldest version of callers it serves; the version that what is
built here needs.

=back

=cut

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Handle ();
use IO::Socket::INET ();
use MIME::Base64 qw(encode_base64 decode_base64);
use POSIX qw(:sys_wait_h);
use Socket;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

our @EXPORT_OK = qw(top tempdir free_port wait_until spawn now random_id
                    base64url base64url_decode read_file write_file
                    start patience within library_text library_versions
                    wanted_version);

my $owner = $$;
my $top = abs_path(dirname(__FILE__) . "/../../..");
my @claims;
my @procs;
my %pressure;


# an interrupted test must reach its END blocks

for my $sig (qw(INT TERM HUP)) {
    $SIG{$sig} = sub { exit 130 } if !defined $SIG{$sig};
}

# a peer that hangs up is an answer, not the end of the test

$SIG{PIPE} = 'IGNORE';


sub now {
    return clock_gettime(CLOCK_MONOTONIC);
}


sub top {
    return CORE::join('/', $top, @_);
}


sub tempdir {
    my $dir = File::Temp->newdir("rs-t-XXXXXX", TMPDIR => 1);

    chmod 0755, "$dir" or die "chmod $dir: $!";

    # kept until the end of the test, whatever the caller does with the name

    push @claims, $dir;

    return "$dir";
}


sub free_port {
    # below the kernel's range for outgoing connections

    for my $try (1 .. 1000) {
        my $port = 20000 + int(rand(12000));

        socket(my $claim, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
        bind($claim, pack_sockaddr_un("\0rs-t-port-$port")) or next;

        my $udp = IO::Socket::INET->new(Proto => 'udp', LocalPort => $port,
                                        LocalAddr => '127.0.0.1') or next;
        my $tcp = IO::Socket::INET->new(Listen => 1, LocalPort => $port,
                                        LocalAddr => '127.0.0.1',
                                        ReuseAddr => 1) or next;
        push @claims, $claim;

        return $port;
    }

    die "no free port";
}


# seconds, since the machine started, in which somebody waited for a processor

sub _pressure {
    open(my $f, '<', '/proc/pressure/cpu') or return;

    return (<$f> // '') =~ /^some .*total=(\d+)/ ? $1 / 1e6 : undef;
}


sub start {
    my $now = now();

    $pressure{$now} = _pressure();

    return $now;
}


sub patience {
    my ($start, $seconds) = @_;
    my ($before, $after) = ($pressure{$start}, _pressure());

    return 10 * $seconds
        if !defined $before || !defined $after || $after - $before
                                                  > 9 * $seconds;
    return $seconds + $after - $before;
}


sub within {
    my ($start, $seconds, $name) = @_;
    my $took = now() - $start;
    my $bound = patience($start, $seconds);

    require Test::More;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok($took < $bound,
                          sprintf('%s: %.2f s', $name, $took))
           || Test::More::diag(sprintf('%.2f s, and not within %.2f s',
                                       $took, $bound));
}


sub wait_until(&$;$) {
    my ($code, $seconds, $what) = @_;
    my $start = start();

    while (1) {
        my $got = $code->();

        if ($got) {
            delete $pressure{$start};
            return $got;
        }

        die "not within $seconds s: " . ($what // "what was waited for") . "\n"
            if now() - $start >= $seconds
               && now() - $start >= patience($start, $seconds);

        sleep(0.01);
    }
}


sub read_file {
    my ($path) = @_;

    open(my $f, '<:raw', $path) or die "$path: $!";
    local $/;
    my $text = <$f>;

    return $text // '';
}


sub library_text {
    my (%opt) = @_;
    my $text = read_file(top('redis-schema', 'lib', 'rs.lua'));

    for my $name (keys %opt) {
        $text =~ s/^local \U$name\E = \K\d+/$opt{$name}/m or die $name;
    }

    return $text;
}


sub library_versions {
    my %have = library_text() =~ /^local (VERSION|SERVES) = (\d+)/mg;

    return @have{qw(VERSION SERVES)};
}


sub wanted_version {
    my ($n) = read_file(top('librs', 'rs_schema.h'))
              =~ /^#define RS_SCHEMA +(\d+)$/m or die "rs_schema.h";

    return $n;
}


sub write_file {
    my ($path, $text, $mode) = @_;

    open(my $f, '>:raw', $path) or die "$path: $!";
    print {$f} $text;
    close($f) or die "$path: $!";
    chmod $mode, $path if defined $mode;

    return $path;
}


sub random_id {
    my ($prefix) = @_;
    my @letters = ('a' .. 'z', '2' .. '7');

    return $prefix . CORE::join('', map { $letters[rand @letters] } 1 .. 26);
}


sub base64url {
    my ($bytes) = @_;
    my $text = encode_base64($bytes, '');

    $text =~ tr{+/}{-_};
    $text =~ s/=+$//;

    return $text;
}


sub base64url_decode {
    my ($text) = @_;

    $text =~ tr{-_}{+/};

    return decode_base64($text);
}


sub spawn {
    my ($name, $argv, %opt) = @_;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my $log = $opt{log} // '/dev/null';

        %ENV = (%ENV, %{ $opt{env} // {} });
        open(STDIN, '<', '/dev/null') or POSIX::_exit(127);
        open(STDOUT, '>>', $log) or POSIX::_exit(127);
        open(STDERR, '>&', \*STDOUT) or POSIX::_exit(127);

        # dies with the test, even if that is killed

        exec { 'setpriv' } 'setpriv', '--pdeathsig', 'TERM', '--', @$argv
            or POSIX::_exit(127);
    }

    my $self = bless { name => $name, pid => $pid, log => $opt{log} },
               'RS::Util::Process';
    push @procs, $self;

    return $self;
}


END {
    if ($$ == $owner) {
        my $status = $?;

        for my $p (reverse @procs) {
            eval { $p->stop() };
        }

        @claims = ();
        $? = $status;
    }
}


package RS::Util::Process;

use strict;
use warnings;

use POSIX qw(:sys_wait_h);


sub pid {
    return $_[0]{pid};
}


sub alive {
    my ($self) = @_;

    return 0 if $self->{gone};

    my $got = waitpid($self->{pid}, WNOHANG);

    if ($got == $self->{pid}) {
        $self->{gone} = 1;
        $self->{status} = $?;

    } elsif ($got < 0) {
        $self->{gone} = 1;
    }

    return !$self->{gone};
}


sub signal {
    my ($self, $name) = @_;

    return $self->alive() && CORE::kill($name, $self->{pid});
}


sub wait {
    my ($self, $seconds) = @_;

    RS::Util::wait_until { !$self->alive() } $seconds // 10,
                                             "end of $self->{name}";
    return $self->{status};
}


sub stop {
    my ($self, $name) = @_;

    return if !$self->alive();

    # CONT only to who needs it: LeakSanitizer stops a process at its end, and
    # would wait for ever for a stop that was taken back

    my $stopped = $self->_stopped();

    $self->signal($name // 'TERM');
    $self->signal('CONT') if $stopped;

    eval { $self->wait(10) };
    $self->kill() if $self->alive();

    return;
}


sub _stopped {
    my ($self) = @_;
    my $text = eval { RS::Util::read_file("/proc/$self->{pid}/stat") };

    return ($text // '') =~ /.*\) T /s;
}


sub kill {
    my ($self) = @_;

    $self->signal('KILL');
    $self->wait(10);

    return;
}


1;
