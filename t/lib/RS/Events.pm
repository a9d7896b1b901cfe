package RS::Events;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Events - a reader of GET /events

=head1 SYNOPSIS

    my $e = RS::Events->new($rest, after => $id);

    my $event = $e->next('device.online');  # {id, event, data, retry}
    $e->position;                           # what Last-Event-ID would be
    $e->ended;                              # waits until the answer is whole

=head1 DESCRIPTION

C<next> gives the next event, or the next one of a type. C<last> sends a
C<Last-Event-ID>, C<headers> more of them; C<socket> as C<RS::Rest>. C<beats>
counts comments.

=cut

use strict;
use warnings;

use JSON ();

use RS::Util qw(now);


sub new {
    my ($class, $rest, %opt) = @_;
    my $path = '/events' . (defined $opt{after} ? "?after=$opt{after}" : '');
    my $s = $rest->start('GET', $path, socket => $opt{socket}, headers => {
        defined $opt{last} ? ('Last-Event-ID' => $opt{last}) : (),
        %{ $opt{headers} // {} } });
    my $head = $s->read_until("\r\n\r\n", 20);

    $head =~ m{^HTTP/1\.1 200 .*^Content-Type: text/event-stream\r$}ms
        or die "no stream: $head";

    my $self = bless { s => $s, head => $head, text => '', beats => 0,
                       position => $opt{last} // $opt{after} }, $class;

    # from here on nothing is missed

    do { $self->_block(20) // die 'no stream' } while !defined $self->{position};

    return $self;
}


sub head     { return $_[0]{head} }
sub position { return $_[0]{position} }
sub retry    { return $_[0]{retry} }
sub beats    { return $_[0]{beats} }
sub close    { return $_[0]{s}->close() }


# One chunk of the answer; nothing when it has ended.

sub _chunk {
    my ($self, $seconds) = @_;
    my ($n) = $self->{s}->read_until("\r\n", $seconds) =~ /^([0-9a-f]+)/i
        or die 'no chunk';
    my $text = $self->{s}->read_exactly(hex $n, $seconds);

    $self->{s}->read_exactly(2, $seconds);

    return hex $n ? $text : undef;
}


# One block of the stream, as RFC-less HTML has it: {id, event, data}.

sub _block {
    my ($self, $seconds) = @_;

    while ($self->{text} !~ /\n\n/) {
        my $more = $self->_chunk($seconds) // return;

        $self->{text} .= $more;
    }

    $self->{text} =~ s/\A(.*?\n)\n//s;

    my %b;

    for my $line (split /\n/, $1) {
        if ($line =~ /^:/) {
            $self->{beats}++;

        } else {
            my ($name, $value) = $line =~ /^(\w+): (.*)$/ or die "\"$line\"";

            $b{$name} = $value;
        }
    }

    $self->{position} = $b{id} if defined $b{id};
    $self->{retry} = $b{retry} if defined $b{retry};
    $b{data} = JSON->new->utf8->decode($b{data}) if defined $b{data};

    return \%b;
}


sub next {
    my ($self, $type, $seconds) = @_;
    my $end = now() + ($seconds // 20);

    while (now() < $end) {
        my $b = $self->_block($end - now()) // die 'the stream has ended';

        return $b if $b->{data} && (!$type || $b->{event} eq $type);
    }

    die 'no ' . ($type // 'event') . ' comes';
}


# Until a comment comes.

sub beat {
    my ($self) = @_;
    my $n = $self->{beats};

    while ($self->{beats} == $n) {
        $self->_block(20) // die 'the stream has ended';
    }

    return 1;
}


sub ended {
    my ($self, $seconds) = @_;

    1 while $self->_block($seconds // 20);

    return 1;
}


1;
