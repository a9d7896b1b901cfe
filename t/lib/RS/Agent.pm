package RS::Agent;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Agent - the real rs-agent, without a desktop

=head1 SYNOPSIS

    my $agent = RS::Agent->new(ca => $pki->ca);

    $agent->enroll($rest, $gw->base);
    $agent->start(server => $gw->base);
    $agent->wait_log(qr/online as/);
    $agent->stop;

=head1 METHODS

=over

=item new(ca => $file)

A state directory of its own.

=item enroll($rest, $url, %conf)

Asks for a token and enrols; C<id> is the device's from then on. Dies of a
refusal.

=item start(%conf), stop, kill, process

Runs it; C<%conf> is agent.conf besides what is needed. The log begins anew.

=item run(@arguments)

Another command with the same configuration: its output, and the status.

=item log, wait_log($regex, $seconds), conf(%conf), state, id

C<conf> writes agent.conf and gives its path; C<state> reads a file of the
state directory, empty when it is not there.

=back

=cut

use strict;
use warnings;

use RS::Util qw(top tempdir spawn wait_until read_file write_file);


sub new {
    my ($class, %opt) = @_;
    my $dir = tempdir();

    mkdir "$dir/state", 0700 or die "$dir/state: $!";

    return bless { %opt, dir => $dir, n => 0 }, $class;
}


sub binary { return $ENV{RS_AGENT} || top('build', 'agent', 'rs-agent') }


sub conf {
    my ($self, %conf) = @_;

    %conf = (name => 'test agent', state_dir => "$self->{dir}/state",
             ca_file => $self->{ca}, display => ':none', %conf);

    return write_file("$self->{dir}/agent.conf", "[agent]\n"
                      . CORE::join '', map { "$_=$conf{$_}\n" }
                        sort keys %conf);
}


sub enroll {
    my ($self, $rest, $url, %conf) = @_;
    my $r = $rest->post('/enrollments', {});

    die "POST /enrollments: " . $r->status . "\n" if $r->status != 201;

    write_file("$self->{dir}/token", $r->json->{token}, 0600);
    $self->conf(%conf);

    my ($out, $status) = $self->run('--token-file', "$self->{dir}/token",
                                    'enroll', $url);

    die "rs-agent enroll: $out" if $status;

    ($self->{id}) = $out =~ /^enrolled as (dev_\w+)/m;

    return $self;
}


sub id      { return $_[0]{id} }
sub process { return $_[0]{proc} }


sub run {
    my ($self, @args) = @_;
    my $quoted = CORE::join ' ', map { "'$_'" } @args;

    local $ENV{no_proxy} = '*';

    my $out = `'@{[ binary() ]}' --config '$self->{dir}/agent.conf' $quoted 2>&1`;

    return ($out, $? >> 8);
}


sub start {
    my ($self, %conf) = @_;

    $self->conf(%conf);
    $self->{n}++;
    $self->{proc} = spawn('rs-agent', [binary(), '--config',
                                       "$self->{dir}/agent.conf", '-v',
                                       'run'],
                          log => "$self->{dir}/log.$self->{n}",
                          env => { no_proxy => '*', %{ $self->{env} // {} } });
    return;
}


sub stop { return $_[0]{proc}->stop }
sub kill { return $_[0]{proc}->kill }


sub log {
    my ($self) = @_;

    return eval { read_file("$self->{dir}/log.$self->{n}") } // '';
}


sub wait_log {
    my ($self, $regex, $seconds) = @_;

    return wait_until { $self->log =~ $regex } $seconds // 20,
                      "$regex in the agent's log";
}


sub state {
    my ($self, $name) = @_;

    return eval { read_file("$self->{dir}/state/$name") } // '';
}


1;
