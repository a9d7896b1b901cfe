package RS::Upstream;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Upstream - what rs-turn-authd follows Redis with, without the rest of it

=head1 SYNOPSIS

    my $up = RS::Upstream->new(redis => 'unix:' . $redis->socket,
                               resync => 2);

    my $s = RS::Upstream::session($redis, tenant => 'acme');
    $up->wait_in_sync;
    is($up->verdict($s), 'ok');                 # of its participant
    RS::Upstream::end($redis, $s);
    $up->wait_verdict($s, 'ended');

    is($up->stat('silences'), 0);
    $up->wait_stat(in_sync => 0);
    is($up->use($s, "$s->{par}/relay/1-2", 1, 2, 3, 4, 0), 'ok');
    $up->check_log;

=head1 DESCRIPTION

C<new> takes what may stand in rs-turn-authd.conf about Redis. C<session>,
C<end> and C<revoke> write into Redis what the gateway's functions do, and
publish it unless told C<< quiet => 1 >>. C<conf_of> gives the C<redis*> keys of
what stands behind the gateway's C<rs_redis>.

=cut

use strict;
use warnings;

use IO::Select ();
use IO::Socket::UNIX ();
use RS::Util qw(top tempdir spawn wait_until read_file random_id now);
use Socket qw(SOCK_STREAM);
use Test::More ();


sub build { return $ENV{RS_TURN_BUILD} // top('build', 'turn') }


sub new {
    my ($class, %conf) = @_;
    my $self = bless { dir => tempdir(), conf => \%conf }, $class;

    $self->start;

    return $self;
}


sub start {
    my ($self) = @_;
    my $conf = $self->{conf};

    $self->{proc} = spawn('turn-upstream', [
        build() . '/t/turn-upstream', "$self->{dir}/socket",
        map { "$_=$conf->{$_}" } sort keys %$conf,
    ], log => "$self->{dir}/log");

    wait_until {
        die 'turn-upstream ended: ' . $self->log if !$self->{proc}->alive;
        $self->{link} = IO::Socket::UNIX->new(Type => SOCK_STREAM,
                                              Peer => "$self->{dir}/socket")
    } 10, 'turn-upstream';

    return $self;
}


sub conf_of {
    my ($text) = @_;
    my ($url, @more) = split ' ', $text;

    return (redis => $url, map {
        my ($key, $value) = split /=/, $_, 2;
        ($key =~ /^sentinel/ ? $key : "redis_$key") => $value
    } @more);
}


sub log  { return read_file("$_[0]{dir}/log") }
sub pid  { return $_[0]{proc}->pid }
sub dir  { return $_[0]{dir} }
sub proc { return $_[0]{proc} }


# ms of the last answer are in {ms}

sub ask {
    my ($self, @words) = @_;
    my $start = now();

    $self->{link}->syswrite("@words\n");

    return $self->answer($start);
}


sub send {
    my ($self, @words) = @_;

    return $self->{link}->syswrite("@words\n");
}


sub answer {
    my ($self, $start) = @_;
    my $select = IO::Select->new($self->{link});
    my $text = '';

    while ($text !~ /\n\z/) {
        $select->can_read(10) or die "no answer from turn-upstream\n";
        sysread($self->{link}, $text, 65536, length $text)
            or die "turn-upstream closed the connection: " . $self->log;
    }

    $self->{ms} = (now() - $start) * 1000 if $start;
    chomp $text;

    return $text;
}


sub stats { return map { split /=/ } split ' ', $_[0]->ask('stats') }


sub stat {
    my ($self, $name) = @_;
    my %stats = $self->stats;

    return $stats{$name} // die "no \"$name\" in the statistics";
}


sub wait_stat {
    my ($self, $name, $want, $seconds) = @_;

    wait_until {
        my $got = $self->stat($name);
        ref $want ? $want->($got) : $got == $want
    } $seconds // 10, "$name = $want";

    return;
}


sub wait_in_sync { return $_[0]->wait_stat(in_sync => 1, $_[1]) }


sub username {
    my ($s, $par) = @_;

    return $s->{until} . ":$s->{tenant}.$s->{id}." . ($par // $s->{par});
}


sub verdict {
    my ($self, $s, $par) = @_;

    return $self->ask('verdict', username($s, $par));
}


sub wait_verdict {
    my ($self, $s, $want, $seconds) = @_;
    my $got = '';

    eval {
        wait_until { ($got = $self->verdict($s)) eq $want } $seconds // 10;
    } or die "the verdict is \"$got\", not \"$want\"\n";

    return;
}


sub use {
    my ($self, $s, @item) = @_;

    return $self->ask('use', $s->{tenant}, $s->{id}, @item);
}


sub wait_log {
    my ($self, $regex, $seconds) = @_;

    wait_until { $self->log =~ $regex } $seconds // 10, "a line like $regex";

    return 1;
}


sub stop {
    my ($self) = @_;

    $self->{proc}->stop;

    return;
}


# it ended as it should

sub check_log {
    my ($self) = @_;

    $self->stop if $self->{proc}->alive;
    Test::More::is($self->{proc}{status}, 0, 'its status');
    Test::More::like($self->log, qr/turn-upstream: ended\n\z/, 'a clean end')
        or Test::More::diag($self->log);
    Test::More::unlike($self->log, qr/Sanitizer|runtime error/,
                       'nothing for the sanitizers');

    return;
}


# ---- what the gateway's functions write


sub session {
    my ($redis, %opt) = @_;
    my $until = time() + ($opt{ttl} // 300);
    my $s = { tenant => $opt{tenant} // 'default', id => random_id('ses_'),
              par => random_id('par_'), host => random_id('par_'),
              until => $until };
    my $prefix = "rs:{$s->{tenant}}";

    $redis->call('ZADD', 'rs:{w}:tens', $until + 60, $s->{tenant});
    $redis->call('ZADD', "$prefix:turn", $until, "$s->{id}.$s->{host}");
    $redis->call('HSET', "$prefix:ses:$s->{id}", kind => 'device',
                 id => $s->{id}, state => 'active', expires_at => $until,
                 retain_s => 60, host_par => $s->{host});
    $redis->call('EXPIREAT', "$prefix:ses:$s->{id}", $until + 60);
    $redis->call('PUBLISH', 'rs:turn',
                 "live $s->{tenant} $s->{id} $until $s->{host}")
        if !$opt{quiet};

    return $s;
}


sub end {
    my ($redis, $s, %opt) = @_;
    my $prefix = "rs:{$s->{tenant}}";

    $redis->call('ZREM', "$prefix:turn", "$s->{id}.$s->{host}");
    $redis->call('HSET', "$prefix:ses:$s->{id}", state => 'ended');
    $redis->call('PUBLISH', 'rs:turn', "end $s->{tenant} $s->{id} $s->{until}")
        if !$opt{quiet};

    return;
}


sub revoke {
    my ($redis, $s, %opt) = @_;
    my $par = $opt{par} // $s->{par};

    $redis->call('ZADD', "rs:{$s->{tenant}}:trev", $s->{until},
                 "$s->{id}.$par");
    $redis->call('PUBLISH', 'rs:turn',
                 "rev $s->{tenant} $s->{id} $par $s->{until}")
        if !$opt{quiet};

    return;
}


1;
