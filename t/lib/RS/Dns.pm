package RS::Dns;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Dns - a name server that says what the test wants

=head1 SYNOPSIS

    my $dns = RS::Dns->new();
    my $conf = 'resolver ' . $dns->address . ' ipv6=off;';

    $dns->set('redis.test' => '127.0.0.1');
    $dns->set('redis.test' => undef);         # no such name
    $dns->set('redis.test' => 'silence');     # no answer at all

A records with a TTL of one second; other types have an empty answer.

=cut

use strict;
use warnings;

use IO::Socket::INET ();
use RS::Util qw(top free_port wait_until spawn tempdir read_file write_file);


sub new {
    my ($class) = @_;
    my $self = bless {
        port => free_port(), file => tempdir() . '/names', names => {},
    }, $class;

    write_file($self->{file}, '');

    $self->{proc} = spawn('dns', [$^X, '-I' . top('t', 'lib'), '-MRS::Dns', '-e',
                                  'RS::Dns::run(@ARGV)', $self->{port},
                                  $self->{file}],
                          log => "$self->{file}.log");

    wait_until {
        die 'the name server ended: ' . read_file("$self->{file}.log")
            if !$self->{proc}->alive();
        (eval { read_file("$self->{file}.log") } // '') =~ /ready/
    } 10, 'a name server';

    return $self;
}


sub address { return "127.0.0.1:$_[0]{port}" }


# one line a name; the file is read at each question, so it is replaced whole

sub set {
    my ($self, $name, $address) = @_;
    my $names = $self->{names};

    delete $names->{$name};
    $names->{$name} = $address if defined $address;

    write_file("$self->{file}.new",
               join '', map { "$_ $names->{$_}\n" } sort keys %$names);
    rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";

    return;
}


# how many questions for this name have come

sub asked {
    my ($self, $name) = @_;
    my @lines = grep { $_ eq "asked $name" }
                split /\n/, read_file("$self->{file}.log");

    return scalar @lines;
}


sub run {
    my ($port, $file) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalPort => $port,
                                       LocalAddr => '127.0.0.1')
        or die "port $port: $@";

    $| = 1;
    print "ready\n";

    while (defined(my $from = $socket->recv(my $query, 512))) {
        my ($id, $rest) = unpack 'n x10 a*', $query;
        my @labels;

        while (length $rest) {
            (my $label, $rest) = unpack 'C/a a*', $rest;
            last if $label eq '';
            push @labels, $label;
        }

        my $name = lc join '.', @labels;
        my %names = map { split ' ' } split /\n/, read_file($file);
        my $address = $names{$name};
        my $type = unpack 'n', $rest;

        print "asked $name\n";
        next if ($address // '') eq 'silence';

        # NXDOMAIN, or one A record with a pointer to the question's name

        my $answer = defined $address && $type == 1
                     ? pack('n n n N n/a', 0xc00c, 1, 1, 1,
                            pack 'C4', split /\./, $address)
                     : '';
        my $flags = 0x8180 | (defined $address ? 0 : 3);

        $socket->send(pack('n n n n n n', $id, $flags, 1,
                           length $answer ? 1 : 0, 0, 0)
                      . substr($query, 12, length($query) - 12) . $answer,
                      0, $from);
    }

    return;
}


1;
