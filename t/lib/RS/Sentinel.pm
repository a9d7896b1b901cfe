package RS::Sentinel;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Sentinel - a primary, its replica, and Sentinels that watch them

=head1 SYNOPSIS

    use RS::Sentinel;

    my $trio = RS::Sentinel->new();
    my $gw = RS::Gateway->new(redis_conf => $trio->conf);

    $trio->primary->kill;
    $trio->wait_moved(10);      # all Sentinels name the other one
    $trio->primary->call('PING');

    $trio->failover;            # a planned one
    $trio->stop_sentinel(0);

=head1 METHODS

=over

=item new(n => 3, down_after => 1000, conf => $lines)

Two servers (C<RS::Redis>), the second a replica of the first, and C<n>
redis-sentinel, all on ports of 127.0.0.1. Returns when each Sentinel knows
the others and the replica. C<conf>: more lines for each Sentinel.

=item conf

What goes behind C<rs_redis>.

=item primary, replica

The C<RS::Redis> that Sentinel number 0 (or the first that answers) names, and
the other one.

=item ask($i, @command)

A command to Sentinel number $i.

=item moved

How often the primary has changed, as most Sentinels say: their config-epoch.

=item agree

Do all Sentinels that answer name one server, and does that know it? Right
after a failover only the one that led it may know; C<primary> is what the
first one says.

=item wait_replica

Until the replica is one and confirms what is written.

=item wait_moved($seconds), failover, ports, servers, stop_sentinel($i)

=back

=cut

use strict;
use warnings;

use IO::Socket::INET ();
use RS::Redis ();
use RS::Util qw(tempdir free_port wait_until spawn read_file write_file);


# Sentinel does nothing for 30 s when it was not let run for two

my $tilt = 75;


sub new {
    my ($class, %opt) = @_;
    my $n = $opt{n} // 3;
    my @servers = map { RS::Redis->new(port => 1) } 0 .. 1;

    $servers[1]->call('REPLICAOF', '127.0.0.1', $servers[0]->port);

    my $self = bless {
        servers => \@servers, ports => [map { free_port() } 1 .. $n],
        name => 'rs-main', epoch => 0,
    }, $class;

    # a replica is known from the primary's INFO

    wait_until {
        $servers[0]->call('INFO', 'replication') =~ /state=online/
    } 20, 'the replica';

    for my $port (@{ $self->{ports} }) {
        push @{ $self->{procs} }, $self->_sentinel($port, %opt);
    }

    for my $i (0 .. $n - 1) {
        wait_until {
            my %of = eval { @{ $self->ask($i, 'SENTINEL', 'MASTER',
                                          $self->{name}) } };
            ($of{'num-other-sentinels'} // 0) == $n - 1
                && ($of{'num-slaves'} // 0) == 1
        } 20, "Sentinel $i and its neighbours";
    }

    return $self;
}


sub _sentinel {
    my ($self, $port, %opt) = @_;
    my $dir = tempdir();
    my $quorum = int(@{ $self->{ports} } / 2) + 1;
    my $down_after = $opt{down_after} // 1000;

    write_file("$dir/sentinel.conf", <<"END");
port $port
bind 127.0.0.1
dir $dir
daemonize no
logfile ""
sentinel monitor $self->{name} 127.0.0.1 @{[ $self->{servers}[0]->port ]} $quorum
sentinel down-after-milliseconds $self->{name} $down_after
sentinel failover-timeout $self->{name} 3000
@{[ $opt{conf} // '' ]}
END

    return spawn("sentinel-$port",
                 ['redis-sentinel', "$dir/sentinel.conf"],
                 log => "$dir/sentinel.log");
}


sub conf {
    my ($self) = @_;

    return 'sentinel://'
           . join(',', map { "127.0.0.1:$_" } @{ $self->{ports} })
           . "/$self->{name}";
}


sub ports   { return @{ $_[0]{ports} } }
sub servers { return $_[0]{servers} }


sub ask {
    my ($self, $i, @command) = @_;
    my $link = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $self->{ports}[$i])
        or die "Sentinel $i: $@\n";

    return RS::Redis::_call($link, @command);
}


sub _ask_any {
    my ($self, @command) = @_;

    for my $i (0 .. $#{ $self->{ports} }) {
        my $reply = eval { $self->ask($i, @command) };
        return $reply if defined $reply;
    }

    die 'no Sentinel answers';
}


sub primary {
    my ($self) = @_;
    my $address = $self->_ask_any('SENTINEL', 'GET-MASTER-ADDR-BY-NAME',
                                  $self->{name});
    my ($redis) = grep { $_->port == $address->[1] } @{ $self->{servers} };

    return $redis;
}


sub replica {
    my ($self) = @_;
    my $primary = $self->primary;
    my ($redis) = grep { $_ != $primary } @{ $self->{servers} };

    return $redis;
}


sub moved {
    my ($self) = @_;
    my @epochs;

    for my $i (0 .. $#{ $self->{ports} }) {
        my $of = eval { $self->ask($i, 'SENTINEL', 'MASTER', $self->{name}) };
        push @epochs, {@$of}->{'config-epoch'} if $of;
    }

    @epochs = sort { $b <=> $a } @epochs;

    # what more than half of those that answer have reached

    return $epochs[int(@epochs / 2)] // 0;
}


sub wait_moved {
    my ($self, $seconds) = @_;

    $self->{epoch} = wait_until {
        my $epoch = $self->moved;
        $epoch > $self->{epoch} && $self->agree && $epoch
    } $seconds, 'a failover';

    return;
}


# all that answer name one server, and that one knows

sub agree {
    my ($self) = @_;
    my %ports;

    for my $i (0 .. $#{ $self->{ports} }) {
        my $address = eval {
            $self->ask($i, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME',
                       $self->{name})
        } or next;
        $ports{ $address->[1] } = 1;
    }

    return keys %ports == 1
           && (eval { $self->primary->call('INFO', 'replication') } // '')
              =~ /role:master/;
}


# INPROG is the answer until the last failover is over, NOGOODSLAVE while what
# Sentinel knows of the replica is old; and one that a busy machine was too slow
# for is given up (failover-timeout), so it is asked for again.

sub failover {
    my ($self) = @_;

    for (1 .. 4) {
        wait_until {
            $self->moved > $self->{epoch}
                || eval { $self->_ask_any('SENTINEL', 'FAILOVER',
                                          $self->{name}) }
        } $tilt, 'a planned failover beginning';

        return if eval { $self->wait_moved(15); 1 };
    }

    die "four planned failovers, and none was finished: $@";
}


sub wait_replica {
    my ($self) = @_;
    my ($primary, $replica) = ($self->primary, $self->replica);

    wait_until {
        my $info = eval { $replica->call('INFO', 'replication') } // '';
        $info =~ /^role:slave/m && $info =~ /^master_link_status:up/m
    } $tilt, 'the other one as a replica';

    # a write of its own, for WAIT asks for those of this connection

    $primary->call($_, 'replicate', $_ eq 'SET' ? 1 : ()) for qw(SET DEL);
    wait_until { $primary->call('WAIT', 1, 100) } 20, 'a replica that acks';

    return;
}


sub stop_sentinel {
    my ($self, $i) = @_;

    return $self->{procs}[$i]->stop();
}


1;
