package RS::FakeRedis;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::FakeRedis - a Redis that answers what the test wants

=head1 SYNOPSIS

    my $fake = RS::FakeRedis->new();

    $fake->say('FCALL_RO rs_turn_tenants' => "*-1\r\n");
    $fake->say('SUBSCRIBE' => "hangup");
    is($fake->asked('PING'), 3);

Answers the handshake of rs-turn-authd as a primary with the library does, and
empty lists, unless C<say> has told it otherwise: the first words of a command,
and the bytes of its answer; C<silence> for none, C<hangup> to close, undef for
what it does by itself. C<{n}> in an answer is the last word of the command.
C<$fake-E<gt>socket> is its path.

=cut

use strict;
use warnings;

use IO::Select ();
use IO::Socket::UNIX ();
use RS::Util qw(top wait_until spawn tempdir read_file
                library_versions);
use Socket qw(SOCK_STREAM);
use Storable qw(nstore retrieve);


sub new {
    my ($class) = @_;
    my $self = bless { dir => tempdir(), says => {} }, $class;

    $self->_write;
    $self->{proc} = spawn('fake-redis', [
        $^X, '-I' . top('t', 'lib'), '-MRS::FakeRedis', '-e',
        'RS::FakeRedis::run(@ARGV)', $self->{dir},
    ], log => "$self->{dir}/log");

    wait_until {
        die 'it ended: ' . read_file("$self->{dir}/log")
            if !$self->{proc}->alive();
        IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $self->socket)
    } 10, 'a fake Redis';

    return $self;
}


sub socket { return "$_[0]{dir}/redis.sock" }


# read at each command, so it is replaced whole

sub _write {
    my ($self) = @_;

    nstore($self->{says}, "$self->{dir}/says.new");
    rename "$self->{dir}/says.new", "$self->{dir}/says" or die $!;

    return;
}


sub say {
    my ($self, $words, $answer) = @_;

    delete $self->{says}{$words};
    $self->{says}{$words} = $answer if defined $answer;

    return $self->_write;
}


sub asked {
    my ($self, $words) = @_;

    return scalar grep { /^asked \Q$words\E/ }
                       split /\n/, read_file("$self->{dir}/log");
}


sub stop { return $_[0]{proc}->stop }


sub _bulk { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }


sub _answer {
    my ($says, @words) = @_;
    my $text = "@words";

    for my $begins (sort { length $b <=> length $a } keys %$says) {
        next if index($text, $begins) != 0;

        return $says->{$begins} =~ s/\{n\}/$words[-1]/gr;
    }

    my %own = (
        INFO => _bulk("run_id:fake\r\nrole:master\r\n"),
        SUBSCRIBE => "*3\r\n" . _bulk('subscribe') . _bulk($words[1] // '')
                     . ":1\r\n",
        PING => "*2\r\n" . _bulk('pong') . _bulk($words[1] // ''),
        'FCALL_RO rs_version' => "*3\r\n"
                                 . CORE::join('', map { _bulk($_) }
                                              'ok', library_versions()),
        'FCALL_RO rs_turn_tenants' => "*3\r\n" . _bulk('ok') . _bulk('')
                                      . "*1\r\n" . _bulk('default'),
        'FCALL_RO rs_turn_list' => "*3\r\n" . _bulk('ok') . _bulk('')
                                   . "*0\r\n",
    );

    return $own{ $words[0] } // $own{"$words[0] " . ($words[1] // '')}
           // "+OK\r\n";
}


sub run {
    my ($dir) = @_;
    my $listen = IO::Socket::UNIX->new(Type => SOCK_STREAM, Listen => 16,
                                       Local => "$dir/redis.sock")
        or die "$dir/redis.sock: $!";
    my $select = IO::Select->new($listen);
    my %in;

    $| = 1;
    $SIG{PIPE} = 'IGNORE';

    while (1) {
        for my $s ($select->can_read()) {
            if ($s == $listen) {
                my $client = $listen->accept() or next;
                $in{ $client->fileno } = '';
                $select->add($client);
                next;
            }

            my $in = \$in{ $s->fileno };
            my $open = sysread($s, $$in, 65536, length $$in);

            # no word of theirs has a line end in it

            while ($open && $$in =~ /^\*(\d+)\r\n/) {
                my $n = $1;

                last if $$in !~ s/^\*$n\r\n((?:\$\d+\r\n[^\r]*\r\n){$n})//;

                my @words = $1 =~ /\$\d+\r\n([^\r]*)\r\n/g;
                my $answer = _answer(retrieve("$dir/says"), @words);

                print "asked @words\n";
                next if $answer eq 'silence';
                $open = 0, last if $answer eq 'hangup';
                print {$s} $answer;
                $s->flush;
            }

            if (!$open) {
                $select->remove($s);
                $s->close();
            }
        }
    }
}


1;
