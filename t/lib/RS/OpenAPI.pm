package RS::OpenAPI;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::OpenAPI - compares what REST does with what openapi.json says

=head1 SYNOPSIS

    my $api = RS::OpenAPI->new($gw->rest->get('/openapi.json')->content);

    $api->call($rest, 201, 'POST', '/sessions', undef, body => {...});
    $api->call($rest, 404, 'GET', '/sessions/{id}', $id);

    $api->check;            # a test: each answer is as documented
    $api->check_complete;   # a test: each documented answer was seen

=head1 METHODS

=over

=item new($text)

The document. Needs python3-jsonschema.

=item call($rest, $status, $method, $path, $id, %opt)

A request by C<RS::Rest>, a test that its status is C<$status>, and a record
of the answer. C<$path> as in the document, C<$id> what stands in it for {id},
or a list, for {id} and {username}.

=item operations

C<[$method, $path, $operation]>, each of the document's.

=item answers

C<METHOD path status> of each documented answer.

=back

=cut

use strict;
use warnings;

use IPC::Run qw(run);
use JSON ();
use RS::Util qw(tempdir write_file);
use Test::More ();


sub new {
    my ($class, $text) = @_;

    return bless {
        doc => JSON->new->utf8->decode($text), answers => [],
        file => write_file(tempdir() . '/openapi.json', $text),
    }, $class;
}


sub doc { return $_[0]{doc} }


sub operations {
    my ($self) = @_;
    my $paths = $self->{doc}{paths};
    my @operations;

    for my $path (sort keys %$paths) {
        for my $method (qw(get post put patch delete)) {
            push @operations, [uc $method, $path, $paths->{$path}{$method}]
                if $paths->{$path}{$method};
        }
    }

    return @operations;
}


sub answers {
    my ($self) = @_;

    return sort map {
        my ($method, $path, $operation) = @$_;
        map { "$method $path $_" } keys %{ $operation->{responses} }
    } $self->operations;
}


sub call {
    my ($self, $rest, $status, $method, $path, $id, %opt) = @_;
    my $query = delete $opt{query} // '';
    my @ids = ref $id ? @$id : $id;
    my $r = $rest->request($method, ($path =~ s/\{\w+\}/shift @ids/ger)
                                    . $query, %opt);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is($r->status, $status, "$method $path: $status")
        or Test::More::diag($r->content);

    push @{ $self->{answers} }, {
        method => $method, path => $path, status => $r->status + 0,
        headers => $r->{headers}, body => $r->content };

    return $r;
}


sub check {
    my ($self) = @_;
    my $script = __FILE__ =~ s/OpenAPI\.pm$/openapi_check.py/r;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    local $ENV{PYTHONDONTWRITEBYTECODE} = 1;

    # bodies are bytes of UTF-8: as text they would be encoded twice

    my $in = JSON->new->latin1->encode($self->{answers});
    my $ok = run(['/usr/bin/python3', $script, $self->{file}], \$in, \my $out,
                 \my $err);

    Test::More::ok($ok, 'the validator ran') or Test::More::diag($err);

    return Test::More::is($out, '', scalar(@{ $self->{answers} })
                                    . ' answers are as documented');
}


sub check_complete {
    my ($self) = @_;
    my %seen = map { ("$_->{method} $_->{path} $_->{status}" => 1) }
               @{ $self->{answers} };

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::is_deeply([grep { !$seen{$_} } $self->answers], [],
                                 'each documented answer was seen');
}


1;
