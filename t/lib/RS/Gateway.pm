package RS::Gateway;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Gateway - an nginx node with the module, for flows of several clients

=head1 SYNOPSIS

    use RS::Gateway;

    my $gw = RS::Gateway->new(redis => $redis, workers => 2,
                              location => 'rs_peer_timeout 2s;');

    my $rest = $gw->rest(key => $redis->api_key);
    my $ws   = $gw->signal("rs.ticket.$ticket", worker => 1);

    $gw->reload;
    $gw->kill_worker(0);

    $gw->check_log;             # a test; done_testing() follows

=head1 METHODS

=over

=item new(%opt)

Starts nginx and waits until it answers ready. C<redis>: an C<RS::Redis>
(or C<redis_conf>, what stands behind C<rs_redis>). C<workers>, 1. C<node>,
the name, default one of its own. C<ipc>: C<on> or C<off>. C<main>, C<http>, C<server>, C<location>:
more lines of configuration for that place. C<stream>: what is in a stream
block, which C<rs_tunnel> may be, too. C<drain>: C<rs_drain_time>, 0. C<tls>: true for TLS, made with a
CA of its own. C<ready>: 0 to wait for the port only. C<daemon>: 1 for a
master in the background, which C<upgrade> needs. C<connections>:
C<worker_connections>, 1024.

=item port, base, ca, dir, pid, rest(%opt), conf

=item signal($credential, %opt), agent(%opt)

An C<RS::WS> on /signal or /agent, upgraded. C<worker> chooses the worker.
C<nonce_sent>: base64url, what an agent has the fleet's identity sign.

=item socket(worker => $i)

A TCP connection that worker number $i has accepted. The kernel spreads
connections over the workers (reuseport); others are closed again.

=item workers

Pids of the workers that take connections, in the order of their start.

=item all_answer($path, $status)

Does every worker answer GET $path with this status? Each has links to Redis
of its own: that one is ready says nothing of the others.

=item accepted($socket)

Has a worker accepted this connection, and not closed it?

=item worker_of($socket)

Index in C<workers> of the one that holds this connection.

=item reload(%new_conf)

HUP; returns when new workers serve. With arguments the configuration is
written anew first.

=item start_reload(%new_conf)

Only the HUP; returns a function that waits for the rest.

=item upgrade

USR2: a new master, with workers of its own, beside the old one, whose pid is
returned. From then on C<pid> and C<workers> are the new ones. The tests end
the old one with C<signal_pid($pid, 'QUIT')>, or the new one.

=item signal_pid($pid, $name), old_pid

=item quit, stop, kill, kill_worker($i), error_log, wait_log($regex, $seconds)

=item check_log(allow => $regex)

A test: nothing in error.log at level alert or emerg, nothing a sanitizer
reported.

=back

=head1 ENVIRONMENT

C<TEST_NGINX_BINARY> (default nginx), C<TEST_NGINX_LOAD_MODULES> (default the
module of C<make all>). Further modules may be listed before it. That of the
stream block is taken from beside it.
C<RS_TEST_IPC>: C<on> (default) or C<off>, how workers of a node reach each
other where the test does not say it; everything must work both ways.

=cut

use strict;
use warnings;

use IO::Socket::INET ();
use RS::Rest ();
use RS::Util qw(top tempdir free_port wait_until spawn read_file write_file
                random_id);
use RS::WS ();
use Test::More ();


# USR2 is for a master in the background only: this process is there in its
# place, ends its masters when it is told to, and ends with the last of them

my $keeper = <<'END';
    my ($file, @argv) = @ARGV;
    my $stop = 0;

    $SIG{TERM} = sub { $stop = 1 };
    system(@argv) == 0 or exit 1;

    for (1 .. 200) {
        last if -s $file;
        select undef, undef, undef, 0.05;
    }

    while (1) {
        my @pids;

        for my $name ($file, "$file.oldbin") {
            open(my $f, '<', $name) or next;
            push @pids, grep { -e "/proc/$_" } <$f> =~ /^(\d+)/;
        }

        exit 0 if !@pids;
        kill 'TERM', @pids if $stop;
        select undef, undef, undef, 0.05;
    }
END


sub new {
    my ($class, %opt) = @_;
    my $dir = tempdir();

    my $self = bless {
        %opt, dir => $dir, port => free_port(), workers => $opt{workers} // 1,
        node => $opt{node} // substr(random_id('t'), 0, 12),
    }, $class;

    mkdir "$dir/logs" or die "$dir/logs: $!";

    # workers of a root master are another user: let them make files here

    chmod 0777, "$dir/logs";

    $self->_make_tls() if $opt{tls};
    write_file("$dir/nginx.conf", $self->_conf());
    $self->start();

    return $self;
}


sub _binary  { return $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx' }


sub _modules {
    return split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
                      || top('build', 'module',
                             'ngx_http_rs_signal_module.so');
}


# those of a stream block: nginx's own, and ours

sub _stream_modules {
    my ($beside) = grep { m{/ngx_http_rs_signal_module\.so$} } _modules();

    return ('/usr/lib/nginx/modules/ngx_stream_module.so',
            $beside =~ s/[^\/]+$/ngx_stream_rs_tunnel_module.so/r);
}


sub _make_tls {
    my ($self) = @_;

    local $ENV{PYTHONDONTWRITEBYTECODE} = 1;

    system('python3', '-c', 'import sys; sys.path.insert(0, sys.argv[1]); '
           . 'from rslib import tls; '
           . 'tls.make(sys.argv[2], ["localhost", "127.0.0.1"])',
           top('util'), "$self->{dir}/tls") == 0
        or die "cannot make certificates";

    return;
}


sub _conf {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $load = CORE::join("\n", map { "load_module $_;" } _modules(),
                         $self->{stream} ? _stream_modules() : ());
    my $stream = $self->{stream} ? "stream {\n$self->{stream}\n}" : '';
    my $user = $> == 0 ? 'user root;' : '';
    my $redis = $self->{redis_conf} // $self->{redis}->conf;
    my %more = map { $_ => $self->{$_} // '' } qw(main http server location);
    my $ipc = $self->{ipc} // $ENV{RS_TEST_IPC} // 'on';

    # A client of a test answers pings when the test reads it: what runs a
    # dozen programs in between may be away for longer than a minute.

    my $patience = $more{http} =~ /rs_peer_timeout/ ? ''
                                                    : 'rs_peer_timeout 10m;';
    my $tls = $self->{tls} ? <<"END" : '';
        ssl_certificate $dir/tls/cert.pem;
        ssl_certificate_key $dir/tls/key.pem;
END

    return <<"END";
$load
$user
worker_processes $self->{workers};
pid $dir/nginx.pid;
error_log $dir/logs/error.log @{[ $self->{level} // 'info' ]};
daemon @{[ $self->{daemon} ? 'on' : 'off' ]};
$more{main}

events {
    worker_connections @{[ $self->{connections} // 1024 ]};
}

$stream

http {
    access_log $dir/logs/access.log;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    client_header_timeout 10s;
    client_body_timeout 10s;

    rs_redis $redis;
    rs_node $self->{node};
    rs_ipc $ipc;
    rs_drain_time @{[ $self->{drain} // '0' ]};
    $patience
    $more{http}

    server {
        listen 127.0.0.1:$self->{port}@{[ $tls ? ' ssl' : '' ]} reuseport;
        server_name localhost;
$tls
        $more{server}

        location /rs/v1/ {
            rs_gateway;
            $more{location}
        }
    }
}
END
}


sub start {
    my ($self) = @_;

    my @argv = (_binary(), '-p', "$self->{dir}/",
                '-c', "$self->{dir}/nginx.conf",
                '-e', "$self->{dir}/logs/error.log");

    unshift @argv, $^X, '-e', $keeper, "$self->{dir}/nginx.pid"
        if $self->{daemon};

    $self->{proc} = spawn('nginx', \@argv,
                          log => "$self->{dir}/logs/stderr.log");

    my $path = ($self->{ready} // 1) ? 'ready' : 'live';

    wait_until {
        die "nginx ended:\n" . read_file("$self->{dir}/logs/stderr.log")
            . $self->error_log() if !$self->{proc}->alive();
        scalar $self->workers() == $self->{workers}
            && eval { $self->all_answer("/health/$path", 200) }
    } 15, "nginx on port $self->{port}";

    return $self;
}


sub port { return $_[0]{port} }
sub dir  { return $_[0]{dir} }
sub node { return $_[0]{node} }
sub ca   { return "$_[0]{dir}/tls/ca.pem" }


sub _read_pid {
    my ($self, $name) = @_;
    my $text = eval { read_file("$self->{dir}/$name") } // '';

    return $text =~ /^(\d+)/ ? $1 : undef;
}


sub pid {
    my ($self) = @_;

    return $self->{daemon} ? $self->_read_pid('nginx.pid') // 0
                           : $self->{proc}->pid;
}


sub old_pid { return $_[0]->_read_pid('nginx.pid.oldbin') }


sub base {
    my ($self) = @_;

    return $self->{tls} ? "https://127.0.0.1:$self->{port}/rs/v1"
                        : "http://127.0.0.1:$self->{port}/rs/v1";
}


sub tls {
    my ($self) = @_;

    return $self->{tls} ? { ca => $self->ca } : undef;
}


sub rest {
    my ($self, %opt) = @_;

    return RS::Rest->new(base => $self->base, tls => $self->tls, %opt);
}


# WebSockets

sub ws {
    my ($self, $path, %opt) = @_;

    my $socket = $opt{socket};
    $socket //= $self->socket(worker => $opt{worker})
        if defined $opt{worker};

    return RS::WS->open(port => $self->{port}, path => "/rs/v1$path",
                        tls => $self->tls, %opt, socket => $socket);
}


sub signal {
    my ($self, $credential, %opt) = @_;

    return $self->ws('/signal', protocols => ['rs.v1', $credential], %opt);
}


sub agent {
    my ($self, %opt) = @_;

    my @nonce = defined $opt{nonce_sent} ? "rs.nonce.$opt{nonce_sent}" : ();

    return $self->ws('/agent', protocols => ['rs.v1', @nonce], %opt);
}


# workers

sub _children {
    my ($self) = @_;
    my $pid = $self->pid;

    return split ' ', eval { read_file("/proc/$pid/task/$pid/children") }
                      // '';
}


sub workers {
    my ($self) = @_;
    my %start;

    for my $pid ($self->_children()) {
        my $title = eval { read_file("/proc/$pid/cmdline") } // next;
        my $stat = eval { read_file("/proc/$pid/stat") } // next;

        next if $title !~ /worker process/ || $title =~ /shutting down/;
        $stat =~ s/^.*\) //s;
        $start{$pid} = (split ' ', $stat)[19];
    }

    my @pids = sort { $start{$a} <=> $start{$b} || $a <=> $b } keys %start;

    return @pids;
}


sub _holds {
    my ($pid, $inode) = @_;

    for my $fd (glob "/proc/$pid/fd/*") {
        my $to = readlink $fd // next;
        return 1 if $to eq "socket:[$inode]";
    }

    return 0;
}


sub accepted {
    my ($self, $socket) = @_;
    my $line = sprintf '0100007F:%04X 0100007F:%04X', $socket->peerport,
                       $socket->sockport;
    my ($row) = read_file('/proc/net/tcp') =~ /^\s*\d+: \Q$line\E (.*)$/m;

    # until it is accepted, the server's end has no inode

    return defined $row ? (split ' ', $row)[6] : 0;
}


sub worker_of {
    my ($self, $socket) = @_;
    my $inode = wait_until { $self->accepted($socket) } 10,
                'connection ' . $socket->sockport . ' being accepted';
    my @workers = $self->workers();

    for my $i (0 .. $#workers) {
        return $i if _holds($workers[$i], $inode);
    }

    return -1;
}


sub socket {
    my ($self, %opt) = @_;
    my @others;

    # each try has an even chance; the others stay open meanwhile, so that
    # their ports are not given again

    for (1 .. 200) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
                                      PeerPort => $self->{port})
            or die "connect to $self->{port}: $@";

        return $s if !defined $opt{worker};
        return $s if $self->worker_of($s) == $opt{worker};

        push @others, $s;
    }

    die "no connection reached worker $opt{worker}";
}


sub all_answer {
    my ($self, $path, $status) = @_;

    for my $i (0 .. $self->{workers} - 1) {
        my $socket = $self->{workers} > 1 ? $self->socket(worker => $i)
                                          : undef;

        my $r = $self->rest()->request('GET', $path, socket => $socket);

        return 0 if $r->status != $status;
    }

    return 1;
}


# life and death

sub reload {
    my ($self, %conf) = @_;

    return $self->start_reload(%conf)->();
}


sub start_reload {
    my ($self, %conf) = @_;
    my %old = map { $_ => 1 } $self->workers();

    if (%conf) {
        %$self = (%$self, %conf);
        write_file("$self->{dir}/nginx.conf", $self->_conf());
    }

    CORE::kill('HUP', $self->pid);

    return sub {
        wait_until {
            my @new = grep { !$old{$_} } $self->workers();
            @new == $self->{workers} && !grep { $old{$_} } $self->workers()
        } 15, 'new workers after a reload';

        wait_until {
            eval { $self->all_answer('/health/ready', 200) }
        } 15, 'readiness after a reload' if $self->{ready} // 1;

        return;
    };
}


sub signal_pid {
    my ($self, $pid, $name) = @_;

    CORE::kill($name, $pid) or die "kill $name $pid: $!";

    return;
}


sub upgrade {
    my ($self) = @_;
    my $old = $self->pid;

    $self->signal_pid($old, 'USR2');

    wait_until {
        my $new = $self->pid;
        $new && $new != $old && ($self->old_pid // 0) == $old
            && $self->workers() == $self->{workers}
    } 15, 'a new master';

    return $old;
}


sub kill_worker {
    my ($self, $index, $signal) = @_;
    my $pid = ($self->workers())[$index] // die "no worker $index";

    CORE::kill($signal // 'KILL', $pid);

    wait_until { !grep { $_ == $pid } $self->_children() } 10,
               "end of worker $pid";
    wait_until { $self->workers() == $self->{workers} } 10,
               'a worker in its place';

    return $pid;
}


sub children { return scalar $_[0]->_children() }
sub alive    { return $_[0]{proc}->alive() }


sub quit {
    my ($self) = @_;

    CORE::kill('QUIT', $self->pid);
    $self->{proc}->wait(15);

    return;
}


sub stop {
    my ($self) = @_;

    $self->{proc}->stop();

    return;
}


sub kill {
    my ($self) = @_;
    my @workers = $self->_children();

    # workers outlive a killed master

    $self->{proc}->kill();
    CORE::kill('KILL', @workers);

    return;
}


# the log

sub error_log {
    my ($self) = @_;

    return eval { read_file("$self->{dir}/logs/error.log") } // '';
}


sub wait_log {
    my ($self, $regex, $seconds) = @_;

    return wait_until { $self->error_log() =~ $regex } $seconds // 20,
                      "$regex in error.log";
}


sub check_log {
    my ($self, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $err = eval { read_file("$self->{dir}/logs/stderr.log") } // '';
    my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:/ }
              split /\n/, $self->error_log() . $err;

    @bad = grep { $_ !~ $opt{allow} } @bad if $opt{allow};

    return Test::More::is(CORE::join("\n", @bad), '',
                          'no alert and no sanitizer report in error.log');
}


1;
