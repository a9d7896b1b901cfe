package RS::Turn;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Turn - a turnserver of the test's own, with rs-turn-authd beside it

=head1 SYNOPSIS

    use RS::Redis;
    use RS::Turn;

    my $redis = RS::Redis->new(acl => 1);
    my $turn  = RS::Turn->new(redis => $redis, mode => 'strict');

    my $s = $turn->session();               # lives in Redis from now on
    my $c = $turn->credential($s, ttl => 300);

    my $r = $turn->uclient($c, n => 50);
    is($r->{lost}, 0);

    is(scalar $turn->allocations(session => $s), 0);

    $turn->end_session($s);
    $turn->authd->signal('STOP');
    $turn->stop_authd;  $turn->start_authd;

    $turn->check_logs;                      # a test; done_testing() follows

=head1 DESCRIPTION

Each instance has two addresses of its own, so that nothing but its ports has
to be free and a relay address hosts nothing else: in a namespace made by
util/with-netns of 10.78.0.0/16, elsewhere of 127.78.0.0/16.

=head2 METHODS

=over

=item new(%opt)

Starts rs-turn-authd, then turnserver, and returns when both answer.  The
configuration of turnserver is what C<rs-turn-authd --print-turnserver-conf>
makes of the other one.

C<mode>: C<compat> (default), C<strict>, or C<plain>: turnserver alone with a
static secret, no daemon and no database.  C<redis>: an C<RS::Redis> made with
C<< acl => 1 >>, or C<redis_conf>: what stands behind C<redis =>.  C<secret>:
C<derived> (default where there is a daemon) or C<static>.  C<realm>, C<name>,
C<quota>, C<tenants>.  C<peers>: C<closed> (default), C<open>, C<lan>.
C<authd_conf>, C<turn_conf>: hashes of more settings for either file, which
replace those made here; an array stands for several lines, undef for none.
C<relays>: the relay addresses of others.  C<tls>: 1 for TLS on C<tls_port>.
C<guard>: 0 for none; else the guard is loaded into versions that need it.
C<start>: 0 to start nothing yet.  C<ip>, C<relay_ip>: addresses.

=item start, stop, start_turnserver, stop_turnserver, start_authd, stop_authd

=item turnserver, authd

The processes (L<RS::Util/spawn>).

=item ip, relay_ip, port, tls_port, cli_port, metrics_port, realm, dir, name

=item version, below($version)

Of the turnserver under test; is it older than that?

=item session(%opt), end_session($session), revoke($session, $participant)

A session that lives in Redis: C<id>, C<tenant>, C<host> and C<pars> of it, as
L<RS::Schema/session> returns it.  C<ttl_s>, C<roles>, C<tenant>.

C<revoke> takes the credentials of one participant, who stays in the session;
without one, those of a session of kind "turn".

=item use_redis($redis)

Sessions are written to that one from now on, as after a failover.

=item turn_session(%opt)

A session of kind "turn": C<id>, C<tenant>, C<pars> with one participant.
C<ttl_s>, C<tenant>.

=item credential($session, %opt)

A reference to a hash with C<username> and C<password>: of the session's host,
or of C<par>.  C<ttl> (300) or C<expiry>; C<secret>: another one.

=item password($username, $secret), secret_of($username)

=item derive($master, $realm, $epoch)

A derived secret; a function.

=item whole

Is this a full run (C<TURN=full>) rather than a short one?

=item client($credential, %opt)

An L<RS::TurnClient> of it, which has done nothing yet; C<%opt> as there.

=item uclient($credential, %opt)

Runs turnutils_uclient relay to relay and returns a reference to a hash:
C<status>, C<text>, C<sent>, C<received>, C<lost>, C<seconds>.
C<n> (20) packets by each side of C<m> (1) pairs, C<transport>: C<udp>, C<tcp> or
C<tls> (where it reads one record at a time and may miss the last ones);
C<argv>: more arguments; C<timeout> (60) seconds.

=item uclient_start($credential, %opt)

The same, but it runs still: a process.

=item uclient_wait($process, $seconds)

What became of it, as C<uclient> returns it.

=item cli($command)

What coturn's CLI answers, without the prompt.

=item allocations(%match)

What C<ps> shows: references to hashes with C<id>, C<user>, C<realm>,
C<relay>, C<client>, C<peers>, and the bytes and packets C<rb>, C<rp>, C<sb>,
C<sp>.  Only allocations with a relay address; with C<session>, C<par> or
C<user> only theirs.

=item wait_sync($seconds)

Returns when the daemon says that it knows what lives.

=item metric($name, %labels), health

Of rs-turn-authd: the sum of the samples that fit, undef if there is none.

=item turn_log, authd_log, wait_log($regex, $seconds), check_logs(allow => $regex)

C<wait_log> waits for a line of the daemon.  C<check_logs> is a test: what was
not stopped is alive still, no sanitizer has reported, no secret was logged.

=back

=head1 ENVIRONMENT

C<RS_TURNSERVER>: the turnserver to test, default C<turnserver>; turnutils are
taken from where it is.  C<RS_TURN_BUILD>: where the plugin was built, default
build/turn.

=cut

use strict;
use warnings;

use Crypt::KeyDerivation qw(hkdf);
use Digest::SHA qw(hmac_sha1);
use File::Basename qw(dirname);
use IO::Socket::INET ();
use MIME::Base64 qw(encode_base64);
use RS::Util qw(top tempdir free_port wait_until spawn read_file write_file
                random_id now);
use Socket;
use Test::More ();

use lib top('redis-schema', 't', 'lib');

use RS::Schema ();
use RS::TurnClient ();

use constant DAY => 86400;
use constant MIN => 49152;      # relay ports
use constant MAX => 53151;

my @claims;
my %version;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        mode => 'compat', realm => 'rs-test', name => 'relay1',
        peers => 'closed', relays => [], %opt, dir => tempdir(),
    }, $class;

    $self->{secret} //= $self->{mode} eq 'plain' ? 'static' : 'derived';
    $self->{static} = unpack('H*', Digest::SHA::sha256(random_id('')));
    $self->{ip} //= _address();
    $self->{relay_ip} //= _address();
    $self->{$_} //= free_port() for qw(port tls_port cli_port metrics_port
                                       userdb_port statsdb_port);
    $self->{cli_password} = random_id('c');
    $self->{db_password} = random_id('d');

    mkdir "$self->{dir}/state" or die "$self->{dir}/state: $!";
    chmod 0700, "$self->{dir}/state";

    $self->_tls() if $self->{tls};
    $self->_write_authd() if $self->_has_authd();
    $self->_write_turnserver();
    $self->start() if $opt{start} // 1;

    return $self;
}


sub ip           { return $_[0]{ip} }
sub relay_ip     { return $_[0]{relay_ip} }
sub port         { return $_[0]{port} }
sub tls_port     { return $_[0]{tls_port} }
sub cli_port     { return $_[0]{cli_port} }
sub metrics_port { return $_[0]{metrics_port} }
sub realm        { return $_[0]{realm} }
sub name         { return $_[0]{name} }
sub dir          { return $_[0]{dir} }
sub turnserver   { return $_[0]{turnserver} }
sub authd        { return $_[0]{authd} }


# An address nobody else has: the namespace's 10.78.0.0/16, or loopback.

sub _address {
    for my $try (1 .. 1000) {
        my $rest = 1 + int(rand(250)) . '.' . (1 + int(rand(250)));

        socket(my $claim, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
        bind($claim, pack_sockaddr_un("\0rs-t-address-$rest")) or next;

        for my $ip ("10.78.$rest", "127.78.$rest") {
            my $there = IO::Socket::INET->new(Proto => 'udp',
                                              LocalAddr => $ip);
            next if !$there;

            push @claims, $claim;

            return $ip;
        }
    }

    die "no free address";
}


# ---- the turnserver under test

sub _tool {
    my ($name) = @_;
    my $server = $ENV{RS_TURNSERVER} // 'turnserver';

    return $name eq 'turnserver' ? $server
           : $server =~ m{/} ? dirname($server) . "/$name" : $name;
}


sub version {
    my $tool = _tool('turnserver');

    $version{$tool} //= do {
        my $text = qx('$tool' --version 2>&1);

        $text =~ /\b(\d+\.\d+\.\d+)\b/
            or die "$tool --version: no version in \"$text\"";
        $1;
    };

    return $version{$tool};
}


sub below {
    my ($class, $other) = @_;
    my $number = sub {
        sprintf '%03d%03d%03d', (split(/\./, $_[0]), 0, 0)[0 .. 2]
    };

    return $number->(version()) lt $number->($other);
}


sub build {
    my ($name) = @_;

    return ($ENV{RS_TURN_BUILD} // top('build', 'turn')) . "/$name";
}


# ---- configurations

# Lines of a file from a hash of settings; later hashes win.

sub _lines {
    my ($format, @hashes) = @_;
    my %all = map { %{ $_ // {} } } @hashes;
    my $text = '';

    for my $key (sort keys %all) {
        my $value = $all{$key} // next;

        for my $v (ref $value ? @$value : $value) {
            $text .= $v eq '' ? "$key\n" : sprintf($format, $key, $v);
        }
    }

    return $text;
}


sub _has_authd {
    return $_[0]{mode} ne 'plain';
}


sub _write_authd {
    my ($self) = @_;
    my $dir = $self->{dir};
    my %conf = (
        name => $self->{name}, realm => $self->{realm},
        mode => $self->{mode}, tenants => $self->{tenants},
        userdb_listen => "127.0.0.1:$self->{userdb_port}",
        statsdb_listen => "127.0.0.1:$self->{statsdb_port}",
        metrics_listen => "127.0.0.1:$self->{metrics_port}",
        cli => "127.0.0.1:$self->{cli_port}",
        password_file => $self->_secret('db', $self->{db_password}),
        cli_password_file => $self->_secret('cli', $self->{cli_password}),
        coturn_version => version(),
        state_dir => "$dir/state", quota => $self->{quota},
        peers => $self->{peers},
        relay => [$self->{relay_ip}, @{ $self->{relays} }],
        listening_ip => $self->{ip}, relay_ip => $self->{relay_ip},
        listening_port => $self->{port}, min_port => MIN, max_port => MAX,
        $self->{tls} ? (tls_listening_port => $self->{tls_port},
                        cert => "$dir/cert.pem", pkey => "$dir/key.pem") : (),
        %{ $self->_key_conf() },
        %{ $self->_redis_conf() },
    );

    write_file("$dir/rs-turn-authd.conf",
               _lines("%s = %s\n", \%conf, $self->{authd_conf}));

    return;
}


sub _key_conf {
    my ($self) = @_;

    return { secret_file => $self->_secret('secret', $self->{static}) }
        if $self->{secret} eq 'static';

    return { key_file => $self->_secret('key', $self->{static}) };
}


sub _redis_conf {
    my ($self) = @_;

    return { redis => $self->{redis_conf} } if $self->{redis_conf};
    return { redis => 'off' } if !$self->{redis};

    my $redis = $self->{redis};
    my $file = $redis->{users}{'rs-plugin'};

    return { redis => 'unix:' . $redis->socket,
             $file ? (redis_user => 'rs-plugin',
                      redis_password_file => $file) : () };
}


sub _secret {
    my ($self, $name, $text) = @_;

    return write_file("$self->{dir}/$name.secret", "$text\n", 0600);
}


# Of a turnserver by itself; else the daemon says what it must be.

sub _plain {
    my ($self) = @_;
    my %conf = (
        'listening-ip' => $self->{ip}, 'relay-ip' => $self->{relay_ip},
        'listening-port' => $self->{port},
        'tls-listening-port' => $self->{tls_port},
        'min-port' => MIN, 'max-port' => MAX,
        realm => $self->{realm}, fingerprint => '',
        'use-auth-secret' => '', 'static-auth-secret' => $self->{static},
        'cli-ip' => '127.0.0.1', 'cli-port' => $self->{cli_port},
        'cli-password' => $self->{cli_password},
        'log-file' => 'stdout', 'no-tcp-relay' => '', 'no-rfc5780' => '',
        'denied-peer-ip' => ['0.0.0.0-255.255.255.255'],
        'allowed-peer-ip' => [$self->{relay_ip}, @{ $self->{relays} }],
    );

    # 4.10 and later have a CLI only when they are told to

    $conf{cli} = '' if !$self->below('4.10');
    $conf{'no-dtls'} = '' if $self->below('4.13');

    if ($self->{tls}) {
        $conf{cert} = "$self->{dir}/cert.pem";
        $conf{pkey} = "$self->{dir}/key.pem";

    } else {
        $conf{'no-tls'} = '';
    }

    return _lines("%s=%s\n", \%conf);
}


sub _printed {
    my ($self) = @_;
    my $path = "$self->{dir}/printed.conf";
    my @argv = (build('rs-turn-authd'), '-c',
                "$self->{dir}/rs-turn-authd.conf", '--print-turnserver-conf',
                '--guard', '--output', $path);

    # with coturn_version = auto it asks the one it finds

    local $ENV{PATH} = dirname(_tool('turnserver')) . ":$ENV{PATH}"
        if _tool('turnserver') =~ m{/};

    system(@argv) == 0 or die "@argv failed";

    return read_file($path);
}


sub _write_turnserver {
    my ($self) = @_;
    my $dir = $self->{dir};
    my %more = (
        pidfile => "$dir/turnserver.pid", 'new-log-timestamp' => '', verbose => '',
        $self->_has_authd() ? () : (userdb => "$dir/turndb"),
        $self->{ip} =~ /^127\./ ? ('allow-loopback-peers' => '') : (),
        %{ $self->{turn_conf} // {} },
    );
    my $text = $self->_has_authd() ? $self->_printed() : $self->_plain();

    $text =~ s/^([\w-]+)(?:=.*)?\n/exists $more{$1} ? '' : $&/gme;
    write_file("$dir/turnserver.conf", $text . _lines("%s=%s\n", \%more),
               0600);

    return;
}


# Is the guard loaded?

sub _guarded {
    my ($self) = @_;

    return ($self->{guard} // 1) && $self->_has_authd()
           && $self->below('4.13');
}


sub _tls {
    my ($self) = @_;
    my $dir = $self->{dir};

    my @argv = ('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                '-subj', '/CN=rs-test', '-addext',
                "subjectAltName=IP:$self->{ip}", '-keyout', "$dir/key.pem",
                '-out', "$dir/cert.pem", '-batch');

    spawn('openssl', \@argv, log => "$dir/openssl.log")->wait(30) == 0
        or die 'openssl: ' . read_file("$dir/openssl.log");

    return;
}


# ---- processes

sub start {
    my ($self) = @_;

    $self->start_authd() if $self->_has_authd();
    $self->start_turnserver();

    return;
}


sub stop {
    my ($self) = @_;

    $self->stop_turnserver() if $self->{turnserver};
    $self->stop_authd() if $self->{authd};

    return;
}


sub start_authd {
    my ($self) = @_;
    my $log = "$self->{dir}/authd.log";

    $self->{authd} = spawn('rs-turn-authd',
                           [build('rs-turn-authd'), '-c',
                            "$self->{dir}/rs-turn-authd.conf"], log => $log);

    wait_until {
        die 'rs-turn-authd ended: ' . read_file($log)
            if !$self->{authd}->alive();
        _open($self->{userdb_port})
    } 10, "rs-turn-authd in $self->{dir}";

    return;
}


sub start_turnserver {
    my ($self) = @_;
    my $log = "$self->{dir}/turnserver.log";
    $self->{turnserver} = spawn(
        'turnserver', [_tool('turnserver'), '-c',
                       "$self->{dir}/turnserver.conf"],
        log => $log,
        env => { $self->_guarded() ? (LD_PRELOAD => build('rs-turn-guard.so')) : () });

    wait_until {
        die 'turnserver ended: ' . read_file($log)
            if !$self->{turnserver}->alive();
        $self->_binding() && $self->_cli_open()
    } 20, "turnserver in $self->{dir}";

    return;
}


sub stop_authd {
    my ($self) = @_;

    $self->{authd}->stop();
    delete $self->{authd};

    return;
}


sub stop_turnserver {
    my ($self) = @_;

    $self->{turnserver}->stop();
    delete $self->{turnserver};

    return;
}


# RFC 8489: does a Binding request get its answer?

sub _binding {
    my ($self) = @_;
    my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => $self->{ip},
                                  PeerPort => $self->{port}) or return;
    my $id = substr(random_id(''), 0, 12);
    my $bits = '';

    send($s, pack('nnNa12', 1, 0, 0x2112a442, $id), 0) or return;
    vec($bits, fileno($s), 1) = 1;
    select($bits, undef, undef, 0.2) or return;

    my $answer = '';

    defined recv($s, $answer, 1500, 0) or return;

    return substr($answer, 0, 2) eq "\x01\x01"
           && substr($answer, 8, 12) eq $id;
}


sub _cli_open {
    my ($self) = @_;

    return exists(($self->{turn_conf} // {})->{'no-cli'})
           || _open($self->{cli_port});
}


# Does somebody listen there?

sub _open {
    my ($port) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}


# ---- sessions and credentials

sub _schema {
    my ($self, $tenant) = @_;

    $tenant //= 'default';

    return $self->{schema}{$tenant} //=
        RS::Schema->new(redis => $self->{redis} // die('needs redis'),
                        tenant => $tenant, watch => 0);
}


sub use_redis {
    my ($self, $redis) = @_;

    $self->{redis} = $redis;
    delete @$self{qw(schema device)};

    return;
}


# The schema of a tenant, of which the plugin knows, as a gateway tells it
# before the first session.

sub _tenant {
    my ($self, $tenant) = @_;
    my $schema = $self->_schema($tenant);

    $schema->fcall('rs_turn_tenant', ['tens'], DAY, $tenant);

    return $schema;
}


sub session {
    my ($self, %opt) = @_;
    my $tenant = delete $opt{tenant} // 'default';
    my $schema = $self->_tenant($tenant);
    my $dev = $self->{device}{$tenant} //=
        $schema->device(online => 'n1.0.00000000000000aa.1');

    # a device has a bounded number of sessions

    delete $self->{device}{$tenant} if ++$self->{sessions}{$tenant} % 50 == 0;

    return { %{ $schema->session($dev, %opt) }, tenant => $tenant };
}


sub turn_session {
    my ($self, %opt) = @_;
    my $tenant = delete $opt{tenant} // 'default';
    my $x = $self->_tenant($tenant)->turn_session(%opt);

    return { %$x, tenant => $tenant, pars => [random_id('par_')] };
}


sub end_session {
    my ($self, $s, %opt) = @_;
    my $r = $self->_schema($s->{tenant})->end($s, %opt);

    die "rs_session_end: $r->[0]" if $r->[0] ne 'ok';

    return;
}


sub revoke {
    my ($self, $s, $par) = @_;
    my $r = $self->_schema($s->{tenant})->turn_revoke($s, $par);

    die "rs_turn_revoke: $r->[0]" if $r->[0] ne 'ok';

    return;
}


sub credential {
    my ($self, $s, %opt) = @_;
    my $expiry = $opt{expiry} // time() + ($opt{ttl} // 300);
    my $par = $opt{par} // $s->{host} // $s->{pars}[0];
    my $tenant = $opt{tenant} // $s->{tenant};
    my $user = "$expiry:$tenant.$s->{id}.$par";

    return { username => $user, session => $s->{id}, par => $par,
             password => $self->password($user, $opt{secret}) };
}


sub password {
    my ($self, $user, $secret) = @_;

    $secret //= $self->secret_of($user);

    return encode_base64(hmac_sha1($user, $secret), '');
}


sub secret_of {
    my ($self, $user) = @_;

    return $self->{static} if $self->{secret} eq 'static';

    my $epoch = int(($user =~ /^(\d+)/)[0] / DAY);

    return derive($self->{static}, $self->{realm}, $epoch);
}


# As librs/rs_turn_key.h says.

sub derive {
    my ($master, $realm, $epoch) = @_;

    return unpack('H*', hkdf(pack('H*', $master), $realm, 'SHA256', 32,
                             'rs-turn' . pack('Q>', $epoch)));
}


# Is everything to be run, or what fits into a short run?

sub whole {
    return ($ENV{TURN} // 'short') eq 'full';
}


# ---- clients

sub client {
    my ($self, $c, %opt) = @_;

    return RS::TurnClient->new(server => $self->{ip}, port => $self->{port},
                               username => $c->{username},
                               password => $c->{password}, %opt);
}


sub uclient_start {
    my ($self, $c, %opt) = @_;
    my %how = (udp => [], tcp => ['-t'], tls => ['-t', '-S']);
    my $transport = $opt{transport} // 'udp';
    my $port = $transport eq 'tls' ? $self->{tls_port} : $self->{port};

    return spawn('turnutils_uclient',
                 [_tool('turnutils_uclient'), @{ $how{$transport} },
                  '-u', $c->{username}, '-w', $c->{password}, '-y', '-c',
                  '-n', $opt{n} // 20, '-m', $opt{m} // 1, '-p', $port,
                  @{ $opt{argv} // [] }, $self->{ip}],
                 log => "$self->{dir}/uclient." . ++$self->{uclients});
}


sub uclient {
    my ($self, $c, %opt) = @_;
    my $start = now();
    my $r = $self->uclient_wait($self->uclient_start($c, %opt),
                                $opt{timeout});

    return { %$r, seconds => now() - $start };
}


sub uclient_wait {
    my ($self, $p, $seconds) = @_;
    my $status = eval { $p->wait($seconds // 60) };

    $p->kill() if !defined $status;

    my $text = read_file($p->{log});
    my ($sent, $got) = $text =~ /.*tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/s;
    my ($lost) = $text =~ /.*Total lost packets (\d+)/s;

    return { status => $status, text => $text, sent => $sent // 0,
             received => $got // 0, lost => $lost };
}


# ---- coturn's CLI

sub cli {
    my ($self, $command) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $self->{cli_port})
        or die "CLI: $@";
    my $read = sub {
        my ($prompt) = @_;
        my $text = '';
        my $end = now() + 10;

        while ($text !~ s/\Q$prompt\E\z//) {
            my $bits = '';

            die "CLI: no prompt after \"$text\"" if now() >= $end;
            vec($bits, fileno($s), 1) = 1;
            select($bits, undef, undef, 0.1) or next;
            sysread($s, $text, 65536, length $text)
                or die "CLI closed after \"$text\"";
        }

        $text =~ s/\r//g;

        return $text;
    };

    $read->("Enter password: \r\n");
    syswrite($s, "$self->{cli_password}\r\n");
    $read->("> ");
    syswrite($s, "$command\r\n");

    return $read->("> ");
}


sub allocations {
    my ($self, %match) = @_;
    my $text = $self->cli('ps');
    my @list;

    for my $block (split /\n\s*(?=\d+\) id=)/, $text) {
        my %a;

        @a{qw(id user)} = $block =~ /id=(\d+), user <([^>]*)>/ or next;
        $a{$_} = $block =~ /^\s*$_: (.*)$/m ? $1 : '' for qw(realm);
        ($a{relay}) = $block =~ /relay addr (\S+)/ or next;
        ($a{client}) = $block =~ /client addr (\S+),/;
        @a{qw(rp rb sp sb)} =
            $block =~ /rp=(\d+), rb=(\d+), sp=(\d+), sb=(\d+)/;
        $a{peers} = $block =~ /peers:\n(.*)/s ? [$1 =~ /(\S+:\d+)/g] : [];

        push @list, \%a;
    }

    return grep { _matches($_, %match) } @list;
}


sub _matches {
    my ($a, %match) = @_;
    my $s = $match{session};

    $s = $s->{id} if ref $s;

    return (!defined $match{user} || $a->{user} eq $match{user})
           && (!defined $s || $a->{user} =~ /\.\Q$s\E\./)
           && (!defined $match{par} || $a->{user} =~ /\.\Q$match{par}\E$/);
}


# ---- the daemon's own word

sub _get {
    my ($self, $path) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 5,
                                  PeerPort => $self->{metrics_port}) or return;

    print {$s} "GET $path HTTP/1.1\r\nHost: localhost\r\n"
               . "Connection: close\r\n\r\n";

    local $/;
    my $text = readline($s) // '';

    return split /\r\n\r\n/, $text, 2;
}


sub wait_sync {
    my ($self, $seconds) = @_;

    return wait_until { $self->metric('rs_turn_in_sync') }
                      $seconds // 10, 'rs-turn-authd in sync';
}


sub health {
    my ($self) = @_;
    my ($head, $body) = $self->_get('/health');

    return if ($head // '') !~ m{^HTTP/1\.\d 200 };

    return $body // '';
}


sub metric {
    my ($self, $name, %labels) = @_;
    my (undef, $body) = $self->_get('/metrics');
    my $sum;

    for my $line (split /\n/, $body // '') {
        my ($set, $value) = $line =~ /^\Q$name\E(?:\{(.*)\})? (\S+)$/ or next;
        my %has = ($set // '') =~ /(\w+)="([^"]*)"/g;

        next if grep { ($has{$_} // '') ne $labels{$_} } keys %labels;
        $sum = ($sum // 0) + $value;
    }

    return $sum;
}


# ---- logs

sub turn_log  { return _log($_[0], 'turnserver') }
sub authd_log { return _log($_[0], 'authd') }


sub _log {
    my ($self, $name) = @_;
    my $path = "$self->{dir}/$name.log";

    return -e $path ? read_file($path) : '';
}


sub wait_log {
    my ($self, $re, $seconds) = @_;

    return wait_until { $self->authd_log() =~ $re } $seconds // 10,
                                                    "$re in authd.log";
}


sub check_logs {
    my ($self, %opt) = @_;
    my @bad;

    for my $name (qw(turnserver authd)) {
        my $p = $self->{$name};

        push @bad, "$name has ended, status " . ($p->{status} // '?')
            if $p && !$p->alive();

        my $text = $self->_log($name);

        push @bad, $text
                   =~ /^(.*(?:Sanitizer|runtime error:|Assertion).*)$/mg;

        for my $secret (qw(static cli_password db_password)) {
            # coturn prints its own configuration, which is its own affair

            push @bad, "$name: the $secret is in its log"
                if $name eq 'authd' && index($text, $self->{$secret}) >= 0;
        }
    }

    @bad = grep { $_ !~ $opt{allow} } @bad if $opt{allow};

    return Test::More::is_deeply(\@bad, [], 'alive, and nothing bad logged');
}


1;
