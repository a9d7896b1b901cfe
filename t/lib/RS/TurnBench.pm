package RS::TurnBench;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::TurnBench - what rs-turn-authd costs coturn

=head1 SYNOPSIS

    use RS::TurnBench;

    my $bench = RS::TurnBench->new();

    my $rates = $bench->rates(rounds => 3, allocations => 500);
    my $ratio = RS::TurnBench::ratio(@$rates{qw(strict plain)});

    my $a = $bench->answers('strict', 20000);   # { p50, p99, ... } in us

=head1 DESCRIPTION

Three turnservers: C<plain> with a static secret and no database, C<compat> and
C<strict> with rs-turn-authd and Redis. Load is rs-turn-check's, with one
credential for ten allocations, all of live sessions and new in each run.

=over

=item rates(rounds => $n, allocations => $n, each => sub ($round, %rate))

Allocations a second by mode, a list each. Modes take turns, each round in
another order.

=item answers($mode, $count)

One question at a time on the daemon's userdb: the key of a user (strict) or
the secrets (compat). Dies unless all were answered with something.

=item median(@list), ratio(\@a, \@b)

Functions; the ratio is that of the medians: what disturbs a run on a busy machine
is over before the next.

=item version, stop

=back

=cut

use strict;
use warnings;

use IPC::Run qw(run timeout);
use JSON::PP qw(decode_json);
use RS::Redis;
use RS::Turn;
use RS::Util qw(tempdir write_file random_id wait_until);

use constant { MODES => [qw(plain compat strict)], EACH => 10, DEVICE => 10 };


sub new {
    my ($class) = @_;
    my $self = bless { dir => tempdir() }, $class;

    $self->{redis} = RS::Redis->new(acl => 1);

    for my $mode (@{ +MODES }) {
        $self->{turn}{$mode} = RS::Turn->new(
            mode => $mode,
            $mode eq 'plain' ? () : (redis => $self->{redis}));
    }

    return $self;
}


sub version { return RS::Turn::version() }


sub stop {
    my ($self) = @_;

    $_->stop() for values %{ $self->{turn} };

    return;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[$#sorted / 2];
}


sub ratio {
    my ($over, $under) = @_;

    return median(@$over) / median(@$under);
}


sub rates {
    my ($self, %opt) = @_;
    my %rates;
    my @order = @{ +MODES };

    for my $round (1 .. $opt{rounds}) {
        my %rate = map { $_ => $self->_run($_, $opt{allocations}) } @order;

        push @{ $rates{$_} }, $rate{$_} for keys %rate;
        $opt{each}->($round, %rate) if $opt{each};

        # who comes first differs

        push @order, shift @order;
    }

    return \%rates;
}


# credentials of sessions that live; a device has a bound of these

sub _credentials {
    my ($self, $mode, $n) = @_;
    my $turn = $self->{turn}{$mode};

    return map { $turn->credential($_) }
           map { $mode eq 'plain' ? { id => random_id('ses_'),
                                      tenant => 'default',
                                      host => random_id('par_') }
                                  : $turn->session(tenant => $self->_tenant)
               } 1 .. $n;
}


sub _tenant {
    my ($self) = @_;

    return 'b' . int($self->{sessions}++ / DEVICE);
}


sub _run {
    my ($self, $mode, $n) = @_;
    my $turn = $self->{turn}{$mode};
    my @list = $self->_credentials($mode, $n / EACH);
    my $file = write_file("$self->{dir}/$mode",
                          CORE::join('', map { "$_->{username} "
                                               . "$_->{password}\n" } @list),
                          0600);

    run([RS::Turn::build('rs-turn-check'), '--json', '--no-progress',
         '-c', $file, '--load', $n, 'turn:' . $turn->ip . ':' . $turn->port],
        \undef, \my $out, \my $err, timeout(120));

    my $load = (eval { decode_json($out) } // {})->{load} // {};

    die "$mode: $out$err" if ($load->{made} // 0) != $n;

    # what this run has left to do is not the next one's

    wait_until { !$turn->allocations() } 20, "$mode: no allocation";

    return $load->{allocations_per_second};
}


sub answers {
    my ($self, $mode, $count) = @_;
    my $turn = $self->{turn}{$mode};
    my $realm = $turn->realm;
    my $input = CORE::join('', map {
        $mode eq 'strict' ? "get turn/realm/$realm/user/$_->{username}/key\n"
                          : "smembers turn/realm/$realm/secret\n"
    } $self->_credentials($mode, 50));

    run([RS::Turn::build('t/resp-latency'), $turn->{userdb_port},
         $turn->dir . '/db.secret', $count],
        \$input, \my $out, \my $err, timeout(120));

    my %a = $out =~ /(\w+)=([\d.]+)/g;

    die "$mode: $out$err" if ($a{good} // -1) != $count;

    return { map { $_ => 0 + $a{$_} } keys %a };
}


1;
