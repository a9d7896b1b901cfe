package RS::Metrics;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Metrics - what a node's rs_metrics says, read strictly

=head1 SYNOPSIS

    use RS::Metrics qw($METRICS_LOCATION metrics);

    my $gw = RS::Gateway->new(server => $METRICS_LOCATION, ...);
    my $m  = metrics($gw);

    is($m->value('rs_connections', kind => 'agent'), 1, 'one agent');

=head1 METHODS

=over

=item metrics($gw, %opt)

Asks the node (C<worker>: that one of its workers) and parses the answer:
text exposition format 0.0.4. Dies on anything that is not of this format:
unknown lines, a family that is not in one piece or has no HELP and TYPE, a
series that comes twice, a counter without C<_total>, a histogram that does
not add up.

=item value($name, %labels)

The one series with these labels, C<node> aside; dies when there is none.

=item families, series

What there is: name to type, and C<name{labels}> to value.

=item counters

The series of counters and histograms, which may only grow.

=back

=cut

use strict;
use warnings;

use Exporter qw(import);

use RS::Rest ();

our @EXPORT_OK = qw($METRICS_LOCATION metrics);

our $METRICS_LOCATION = 'location = /metrics { rs_metrics; }';


sub metrics {
    my ($gw, %opt) = @_;
    my $rest = RS::Rest->new(base => $gw->base =~ s{/rs/v1$}{}r,
                             tls => $gw->tls);
    my $answer = $rest->request('GET', '/metrics',
        defined $opt{worker}
            ? (socket => $gw->socket(worker => $opt{worker})) : ());

    die 'status ' . $answer->status if $answer->status != 200;

    return parse($answer->content, $gw->node);
}


sub parse {
    my ($text, $node) = @_;
    my $self = bless { families => {}, series => {}, help => {} },
                     __PACKAGE__;
    my $family;

    die 'no line feed at the end' if $text !~ /\n\z/;

    for my $line (split /\n/, $text) {

        if ($line =~ /^# HELP ([a-z_]+) (\S.*)$/) {
            die "HELP of $1 comes twice" if $self->{help}{$1}++;
            $family = $1;
            next;
        }

        if ($line =~ /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/) {
            my ($name, $type) = ($1, $2);

            die "TYPE of $name does not follow its HELP" if $name ne $family;
            die "counter $name has no _total"
                if $type eq 'counter' && $name !~ /_total$/;
            die "TYPE of $name comes twice" if $self->{families}{$name};
            $self->{families}{$name} = $type;
            next;
        }

        $line =~ /^([a-z_]+)\{((?:[a-z_]+="[^"\\]*",?)+)\} ([0-9.]+)$/
            or die "line \"$line\"";

        my ($name, $labels, $value) = ($1, $2, $3);
        my $of = $name;

        $of =~ s/_(?:bucket|sum|count)$//
            if ($self->{families}{$family} // '') eq 'histogram';

        die "$name is not of $family" if $of ne $family;
        die "no TYPE of $family" if !$self->{families}{$family};
        die "labels \"$labels\"" if $labels !~ /^node="\Q$node\E"(?:,|$)/
                                    || $labels =~ /,$/;
        die "$line comes twice" if exists $self->{series}{"$name\{$labels}"};

        $self->{series}{"$name\{$labels}"} = $value;
        push @{ $self->{rows} }, [$name, { $labels =~ /([a-z_]+)="([^"]*)"/g },
                                  $value];
    }

    $self->_check_histogram($_)
        for grep { $self->{families}{$_} eq 'histogram' }
                 keys %{ $self->{families} };

    return $self;
}


sub _check_histogram {
    my ($self, $name) = @_;
    my @buckets = grep { $_->[0] eq "${name}_bucket" } @{ $self->{rows} };
    my ($le, $n) = (0, 0);

    for (@buckets) {
        my $bound = $_->[1]{le} eq '+Inf' ? 9e99 : $_->[1]{le};

        die "$name: buckets are not in order" if $bound <= $le
                                                 || $_->[2] < $n;
        ($le, $n) = ($bound, $_->[2]);
    }

    die "$name: no +Inf" if $le != 9e99;
    die "$name: _count is not +Inf" if $n != $self->value("${name}_count");

    return;
}


sub value {
    my ($self, $name, %labels) = @_;
    my @rows = grep {
        my $row = $_;

        $row->[0] eq $name
            && !grep { ($row->[1]{$_} // '') ne $labels{$_} } keys %labels;
    } @{ $self->{rows} };

    die "$name: " . @rows . ' series' if @rows != 1;

    return $rows[0][2];
}


sub families { return $_[0]{families} }
sub series   { return $_[0]{series} }


sub counters {
    my ($self) = @_;

    return { map { $_ => $self->{series}{$_} }
             grep { /^[a-z_]+_(?:total|bucket|sum|count)\{/ }
                  keys %{ $self->{series} } };
}

1;
