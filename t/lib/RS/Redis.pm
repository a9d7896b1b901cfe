package RS::Redis;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Redis - a redis-server of the test's own, with the rs function library

=head1 SYNOPSIS

    use RS::Redis;

    my $redis = RS::Redis->new();
    my $key   = $redis->api_key();                  # rsk_default_...
    my $weak  = $redis->api_key(scopes => 'sessions:read');

    is($redis->call('HGET', 'rs:{default}:dev:...', 'name'), 'desk');
    is_deeply([$redis->keys('rs:{default}:tkt:*')], []);

    $redis->stop;    $redis->start;       # keeps its data
    $redis->kill;    $redis->start;       # as kill -9
    $redis->freeze;  $redis->thaw;        # answers nothing, accepts still

    my $replica = RS::Redis->new();
    $replica->replicate($redis);          # which was made with port => 1
    $replica->promote;

    my $mon = $redis->monitor;
    like($mon->next(5), qr/fcall/i);

=head1 METHODS

=over

=item new(acl => 1, port => 1)

Starts the server. With C<acl>, the users of redis-schema/acl are made too,
and C<conf> uses the gateway's. With C<port>, it listens on a TCP port of
127.0.0.1 too, as a primary must.

=item conf

What goes behind C<rs_redis> in nginx's configuration.

=item call(@command)

One command as administrator; dies of an error reply. Arrays come back as
array references.

=item keys($pattern), count($pattern)

Only for tests: the gateway never calls KEYS.

=item dump

Every key's name and content as one string, to look for secrets in.

=item api_key(tenant => 'default', scopes => '*', name => 'test')

Makes an API key as tools/rs-key does and returns it.

=item key_id($key)

The id of an API key.

=item stop, start, kill, freeze, thaw, flush

=item replicate($primary), promote

Becomes a replica of the other server, or a primary itself; returns when it is
in step.

=item session_copy($id), fail_over($id, @copy)

What the server has of a session, and: it is another server, which has that of
it and another id; the lists of duties stay as they are. Needs
C<< conf => 'enable-debug-command local' >>.

=item calls($command)

How often the server has run this command.

=item monitor

A connection in MONITOR mode: C<next($seconds)> gives the next line or undef.

=back

=cut

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Socket::UNIX ();
use RS::Util qw(top tempdir wait_until spawn read_file write_file random_id
                free_port);
use Socket qw(SOCK_STREAM);


sub new {
    my ($class, %opt) = @_;
    my $dir = tempdir();

    my $self = bless {
        dir => $dir, socket => "$dir/redis.sock", users => {},
        acl => $opt{acl}, port => $opt{port} ? free_port() : 0,
    }, $class;

    my $acl = $self->{acl} ? $self->_acl() : '';

    # data survives stop and kill, as a real server's would

    write_file("$dir/redis.conf", <<"END");
port $self->{port}
bind 127.0.0.1
repl-diskless-sync-delay 0
unixsocket $dir/redis.sock
unixsocketperm 777
dir $dir
daemonize no
logfile ""
save ""
appendonly yes
appendfsync no
maxmemory-policy noeviction
$acl
@{[ $opt{conf} // '' ]}
END

    $self->start();

    return $self;
}


sub start {
    my ($self) = @_;

    die "it runs already" if $self->{proc} && $self->{proc}->alive();

    $self->{proc} = spawn('redis', ['redis-server',
                                    "$self->{dir}/redis.conf"],
                          log => "$self->{dir}/redis.log");

    wait_until {
        die "redis-server ended: " . read_file("$self->{dir}/redis.log")
            if !$self->{proc}->alive();
        eval { $self->_connect(); $self->call('PING') eq 'PONG' }
    } 10, "redis-server in $self->{dir}";

    # a replica has its primary's; who is told to be one closes its clients

    wait_until {
        my $done = eval {
            $self->call('FUNCTION', 'LOAD', 'REPLACE',
                        read_file(top('redis-schema', 'lib', 'rs.lua')))
        };

        die $@ if !$done && $@ !~ /READONLY|closed/;
        $done || $@ =~ /READONLY/
    } 10, 'the function library';

    return $self;
}


# the users, made as an operator makes them; "default" stays as it is, for
# the test

sub _acl {
    my ($self) = @_;
    my $dir = "$self->{dir}/passwords";

    mkdir $dir or die "$dir: $!";

    for my $name (qw(rs-gateway rs-deploy rs-plugin rs-eventd rs-backup
                     rs-restore))
    {
        $self->{users}{$name} = "$dir/$name";
        write_file("$dir/$name", random_id('') . random_id(''), 0600);
    }

    system(top('redis-schema', 'acl', 'make-acl'), '--passwords', $dir,
           '--output', "$self->{dir}/users.acl", '--keep-default') == 0
        or die "make-acl failed";

    return "aclfile $self->{dir}/users.acl";
}


sub conf {
    my ($self, $user) = @_;
    my $conf = "unix:$self->{socket}";

    $user //= 'rs-gateway' if $self->{acl};

    if (defined $user) {
        my $file = $self->{users}{$user} // die "no ACL user \"$user\"";
        $conf .= " user=$user password_file=$file";
    }

    return $conf;
}


sub dir    { return $_[0]{dir} }
sub socket { return $_[0]{socket} }
sub port   { return $_[0]{port} }
sub pid    { return $_[0]{proc}->pid }


sub _connect {
    my ($self) = @_;

    $self->{link} = IO::Socket::UNIX->new(Type => SOCK_STREAM,
                                          Peer => $self->{socket})
        or die "$self->{socket}: $!\n";

    return;
}


sub call {
    my ($self, @args) = @_;

    $self->_connect() if !$self->{link};

    my $reply = eval { [_call($self->{link}, @args)] };

    if (!$reply) {
        undef $self->{link} if $@ !~ /^Redis: /;
        die $@;
    }

    return $reply->[0];
}


sub _call {
    my ($link, @args) = @_;
    my $text = '*' . @args . "\r\n";

    for my $arg (@args) {
        my $bytes = "$arg";
        utf8::encode($bytes) if utf8::is_utf8($bytes);
        $text .= '$' . length($bytes) . "\r\n$bytes\r\n";
    }

    local $SIG{ALRM} = sub { die "Redis does not answer: @args\n" };
    alarm 10;

    my $reply = eval { print {$link} $text; $link->flush; _reply($link) };
    my $error = $@;

    alarm 0;
    die $error if $error;

    return $reply;
}


sub _reply {
    my ($link) = @_;
    my $line = readline($link) // die "Redis closed the connection\n";

    $line =~ s/\r\n$//;

    my $kind = substr($line, 0, 1, '');

    return $line if $kind eq '+' || $kind eq ':';
    die "Redis: $line\n" if $kind eq '-';

    return if $line < 0;

    if ($kind eq '$') {
        read($link, my $data, $line + 2) == $line + 2
            or die "Redis closed the connection\n";
        return substr($data, 0, -2);
    }

    my @items;

    # not map: an undef element must stay one

    push @items, scalar _reply($link) for 1 .. $line;

    return \@items;
}


sub keys {
    my ($self, $pattern) = @_;

    my @keys = sort @{ $self->call('KEYS', $pattern // '*') };

    return @keys;
}


sub count {
    my ($self, $pattern) = @_;

    return scalar @{ $self->call('KEYS', $pattern // '*') };
}


sub dump {
    my ($self) = @_;
    my %read = (
        hash   => sub { $self->call('HGETALL', $_[0]) },
        zset   => sub { $self->call('ZRANGE', $_[0], 0, -1, 'WITHSCORES') },
        set    => sub { $self->call('SMEMBERS', $_[0]) },
        list   => sub { $self->call('LRANGE', $_[0], 0, -1) },
        string => sub { [$self->call('GET', $_[0])] },
        stream => sub { $self->call('XRANGE', $_[0], '-', '+') },
    );
    my $text = '';

    for my $key ($self->keys()) {
        my $type = $self->call('TYPE', $key);
        my $read = $read{$type} or next;

        $text .= "$key\n" . _flat($read->($key)) . "\n";
    }

    return $text;
}


sub _flat {
    my ($item) = @_;

    return CORE::join("\n", map { _flat($_) } @$item) if ref $item;
    return $item // '';
}


sub api_key {
    my ($self, %opt) = @_;
    my $tenant = $opt{tenant} // 'default';
    my $secret = random_id('') . random_id('');
    my $key = "rsk_${tenant}_$secret";

    $self->call('FCALL', 'rs_key_put', 1,
                "rs:{$tenant}:key:" . sha256_hex($key), random_id('key_'),
                $opt{name} // 'test', $opt{scopes} // '*',
                $opt{granted} // '', $opt{expires_at} // '');

    return $key;
}


# A device group, as an administrator makes one; opt: tenant, name.

sub group {
    my ($self, %opt) = @_;
    my $tenant = $opt{tenant} // 'default';
    my $id = random_id('grp_');

    $self->call('FCALL', 'rs_group_create', 6,
                map({ "rs:{$tenant}:$_" } qw(key: gsub audit grps pols idem:)),
                '', $id, $opt{name} // 'shops', '', '');

    return $id;
}


sub key_id {
    my ($self, $key) = @_;
    my ($tenant) = $key =~ /^rsk_(.*)_/;

    return $self->call('HGET', "rs:{$tenant}:key:" . sha256_hex($key), 'id');
}


sub flush {
    my ($self) = @_;

    return $self->call('FLUSHALL');
}


sub stop {
    my ($self) = @_;

    undef $self->{link};
    $self->{proc}->stop();

    return;
}


sub kill {
    my ($self) = @_;

    undef $self->{link};
    $self->{proc}->kill();

    return;
}


sub replicate {
    my ($self, $primary) = @_;

    $self->call('REPLICAOF', '127.0.0.1', $primary->{port});

    wait_until {
        $self->call('INFO', 'replication') =~ /^master_link_status:up/m
    } 20, 'a replica in step';

    # what is written is sent to it after its first acknowledgement only,
    # which comes within a second

    $primary->call($_, 'replicate', $_ eq 'SET' ? 1 : ()) for qw(SET DEL);
    wait_until { $primary->call('WAIT', 1, 100) } 10, 'a replica that acks';

    return;
}


sub promote {
    my ($self) = @_;

    return $self->call('REPLICAOF', 'NO', 'ONE');
}


sub _session_keys {
    my ($id) = @_;

    return map { "rs:{default}:$_:$id" } qw(ses par mem log);
}


sub session_copy {
    my ($self, $id) = @_;

    return map { $self->call('DUMP', $_) } _session_keys($id);
}


sub fail_over {
    my ($self, $id, @copy) = @_;

    $self->call('RESTORE', $_, 0, shift @copy, 'REPLACE')
        for _session_keys($id);
    $self->call('DEBUG', 'CHANGE-REPL-ID');
    $self->call('CLIENT', 'KILL', 'ID', $_)
        for map { /^id=(\d+).* name=rs-gateway-commands/ ? $1 : () }
            split /\n/, $self->call('CLIENT', 'LIST');

    return;
}


sub calls {
    my ($self, $command) = @_;

    return $self->call('INFO', 'commandstats')
               =~ /^cmdstat_\Q$command\E:calls=(\d+)/m ? $1 : 0;
}


sub freeze { return $_[0]{proc}->signal('STOP') }
sub thaw   { return $_[0]{proc}->signal('CONT') }


sub monitor {
    my ($self) = @_;
    my $link = IO::Socket::UNIX->new(Type => SOCK_STREAM,
                                     Peer => $self->{socket})
        or die "$self->{socket}: $!";

    _call($link, 'MONITOR');

    return bless { link => $link, buffer => '' }, 'RS::Redis::Monitor';
}


package RS::Redis::Monitor;

use strict;
use warnings;


sub next {
    my ($self, $seconds) = @_;
    my $end = RS::Util::now() + $seconds;

    while ($self->{buffer} !~ /\n/) {
        my $left = $end - RS::Util::now();
        return if $left <= 0;

        my $bits = '';
        vec($bits, fileno($self->{link}), 1) = 1;

        next if !select($bits, undef, undef, $left);
        return if !sysread($self->{link}, $self->{buffer}, 65536,
                           length $self->{buffer});
    }

    $self->{buffer} =~ s/^\+?(.*?)\r?\n//;

    return $1;
}


1;
