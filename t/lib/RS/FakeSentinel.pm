package RS::FakeSentinel;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::FakeSentinel - a Sentinel that says what the test wants

=head1 SYNOPSIS

    my $fake = RS::FakeSentinel->new();
    my $conf = 'sentinel://127.0.0.1:' . $fake->port . '/rs-main';

    $fake->say($redis->port, 5);    # the primary, its config-epoch
    $fake->silence;                 # no answer at all

Knows what a gateway asks, and nothing else.

=cut

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use RS::Util qw(top free_port wait_until spawn tempdir read_file write_file);


sub new {
    my ($class) = @_;
    my $self = bless { port => free_port(), file => tempdir() . '/says' },
                     $class;

    $self->silence;
    $self->{proc} = spawn('fake-sentinel', [
        $^X, '-I' . top('t', 'lib'), '-MRS::FakeSentinel', '-e',
        'RS::FakeSentinel::run(@ARGV)', $self->{port}, $self->{file},
    ], log => "$self->{file}.log");

    wait_until {
        die 'it ended: ' . read_file("$self->{file}.log")
            if !$self->{proc}->alive();
        IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                              PeerPort => $self->{port})
    } 10, 'a fake Sentinel';

    return $self;
}


sub port { return $_[0]{port} }


# read at each question, so it is replaced whole

sub say {
    my ($self, $port, $epoch) = @_;

    write_file("$self->{file}.new", defined $port ? "$port $epoch" : '');
    rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";

    return;
}


sub silence { return $_[0]->say() }


sub _array {
    my (@items) = @_;

    return '*' . @items . "\r\n"
           . join '', map { '$' . length($_) . "\r\n$_\r\n" } @items;
}


sub _answer {
    my ($file, @words) = @_;
    my ($port, $epoch) = split ' ', read_file($file);

    return '' if !defined $port;
    return "+OK\r\n" if $words[0] ne 'SENTINEL';
    return _array('127.0.0.1', $port) if $words[1] =~ /^GET-MASTER-ADDR/;
    return _array(name => $words[2], 'config-epoch' => $epoch);
}


sub run {
    my ($port, $file) = @_;
    my $listen = IO::Socket::INET->new(Listen => 16, LocalPort => $port,
                                       LocalAddr => '127.0.0.1',
                                       ReuseAddr => 1)
        or die "port $port: $!";
    my $select = IO::Select->new($listen);
    my %in;

    while (1) {
        for my $s ($select->can_read()) {
            if ($s == $listen) {
                my $client = $listen->accept() or next;
                $in{ $client->fileno } = '';
                $select->add($client);
                next;
            }

            my $in = \$in{ $s->fileno };

            if (!sysread($s, $$in, 65536, length $$in)) {
                $select->remove($s);
                $s->close();
                next;
            }

            # whole commands; no word of theirs has a line end in it

            while ($$in =~ /^\*(\d+)\r\n/) {
                my $n = $1;

                last if $$in !~ s/^\*$n\r\n((?:\$\d+\r\n[^\r]*\r\n){$n})//;

                my @words = $1 =~ /\$\d+\r\n([^\r]*)\r\n/g;

                syswrite($s, _answer($file, @words));
            }
        }
    }
}


1;
