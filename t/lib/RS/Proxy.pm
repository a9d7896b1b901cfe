package RS::Proxy;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Proxy - a TCP port that leads to a Redis socket, can go deaf or slow

=head1 SYNOPSIS

    my $proxy = RS::Proxy->new(to => $redis->socket);
    my $conf  = 'redis://127.0.0.1:' . $proxy->port;

    $proxy->mute;        # subscribers that stand now hear nothing any more
    $proxy->slow(500);   # each answer comes so many ms late; 0: at once
    $proxy->lead($path); # connections made from now on lead there

What C<mute> does is what a network does that forgets a connection: neither
end is told. Connections made afterwards work.

=cut

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use RS::Util qw(top free_port wait_until spawn tempdir read_file write_file
                now);
use Socket qw(SOCK_STREAM);


sub new {
    my ($class, %opt) = @_;
    my $port = free_port();
    my $dir = tempdir();
    my $log = "$dir/proxy.log";

    symlink($opt{to}, "$dir/to") or die "$dir/to: $!";

    my $proc = spawn('proxy', [$^X, '-I' . top('t', 'lib'), '-MRS::Proxy', '-e',
                               'RS::Proxy::run(@ARGV)', $port, "$dir/to",
                               "$dir/delay"],
                     log => $log);

    wait_until {
        die "the proxy ended: " . read_file($log) if !$proc->alive();
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
    } 10, "a proxy on port $port";

    return bless { port => $port, proc => $proc, log => $log, dir => $dir },
                 $class;
}


sub port { return $_[0]{port} }


sub mute {
    my ($self) = @_;

    $self->{proc}->signal('USR1');
    wait_until { read_file($self->{log}) =~ /muted/ } 5, 'the mute proxy';

    return;
}


sub lead {
    my ($self, $to) = @_;
    my $link = "$self->{dir}/to";

    symlink($to, "$link.new") && rename("$link.new", $link)
        or die "$link: $!";

    return;
}


sub slow {
    my ($self, $ms) = @_;

    write_file("$self->{dir}/delay", $ms);
    $self->{proc}->signal('USR2');
    $self->{slows}++;

    wait_until {
        my $n = () = read_file($self->{log}) =~ /slow/g;
        $n >= $self->{slows}
    } 5, 'the slow proxy';

    return;
}


# the process: %peer of each socket, by file number

sub run {
    my ($port, $to, $file) = @_;
    my $listen = IO::Socket::INET->new(Listen => 16, LocalPort => $port,
                                       LocalAddr => '127.0.0.1',
                                       ReuseAddr => 1)
        or die "port $port: $!";
    my $select = IO::Select->new($listen);
    my (%peer, %subscriber, %mute, %server, $asked, $changed, @late);
    my $delay = 0;

    $| = 1;
    local $SIG{USR1} = sub { $asked = 1 };
    local $SIG{USR2} = sub { $changed = 1 };

    while (1) {
        my @ready = $select->can_read(@late ? 0.01 : 0.1);

        while (@late && $late[0][0] <= now()) {
            my (undef, $socket, $data) = @{ shift @late };
            syswrite($socket, $data) if defined $socket->fileno;
        }

        if ($changed) {
            $changed = 0;
            $delay = read_file($file) / 1000;
            print "slow $delay\n";
        }

        if ($asked) {
            $asked = 0;
            %mute = (%mute, %subscriber);
            print "muted\n";
        }

        for my $s (@ready) {
            if ($s == $listen) {
                my $client = $listen->accept() or next;
                my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM,
                                                   Peer => $to) or next;
                @peer{ $client->fileno, $server->fileno } = ($server, $client);
                $server{ $server->fileno } = 1;
                $select->add($client, $server);
                next;
            }

            # closed with its peer earlier in this round

            my $other = defined $s->fileno ? $peer{ $s->fileno } : next;
            my $n = sysread($s, my $data, 65536);

            if (!$n) {
                $select->remove($s, $other);

                for my $no ($s->fileno, $other->fileno) {
                    delete $_->{$no}
                        for \%peer, \%subscriber, \%mute, \%server;
                }

                $s->close();
                $other->close();
                next;
            }

            next if $mute{ $s->fileno };

            $subscriber{ $other->fileno } = 1 if $data =~ /SUBSCRIBE/;

            if ($server{ $s->fileno } && ($delay || @late)) {
                push @late, [now() + $delay, $other, $data];
                next;
            }

            syswrite($other, $data);
        }
    }
}


1;
