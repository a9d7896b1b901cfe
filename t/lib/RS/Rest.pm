package RS::Rest;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Rest - the REST interface, for tests

=head1 SYNOPSIS

    use RS::Rest;

    my $rest = RS::Rest->new(base => $gw->base, key => $redis->api_key);

    my $r = $rest->post('/sessions', { host => { ... } });
    is($r->status, 201);
    is($r->json->{state}, 'connecting');

    $rest->problem($r, 422, 'unknown_field', pointer => '/colour');

=head1 METHODS

=over

=item new(base => $url, key => $key, tls => { ca => $file })

One connection for each request.

=item with(key => $other)

A copy with another API key (C<undef>: none) or other C<headers>.

=item get($path), delete($path), post($path, $body), patch($path, $body, $etag)

C<$body> is data to be encoded, or a reference to the bytes of a body. A hash
C<{ Header =E<gt> value }> may follow; C<undef> as a value removes a header.

=item request($method, $path, body => ..., headers => {...}, socket => $sock)

=item raw($bytes, $seconds)

Sends bytes over a connection of their own and gives the answer.

=item problem($answer, $status, $code, %more)

A test: application/problem+json with this status and code, whole and
consistent; C<%more> are further fields wanted, as C<pointer>.

=back

An answer has C<status>, C<header($name)>, C<content>, C<json>, C<seconds>, and
C<within($seconds)>: did it take no longer, with C<patience>?

=cut

use strict;
use warnings;

use JSON ();
use RS::Stream ();
use RS::Util qw(now);
use Test::More ();

my $json = JSON->new->utf8->canonical->allow_nonref;


sub new {
    my ($class, %opt) = @_;

    $opt{base} =~ m{^(https?)://(?:\[([^]]+)\]|([^:/]+)):(\d+)(/.*)?$}
        or die "bad base \"$opt{base}\"";

    return bless {
        host => $2 // $3, port => $4, path => $5 // '',
        tls => $1 eq 'https' ? $opt{tls} // {} : undef,
        key => $opt{key}, headers => $opt{headers} // {},
        timeout => $opt{timeout} // 20,
    }, $class;
}


sub with {
    my ($self, %opt) = @_;

    return bless { %$self, %opt }, ref $self;
}


sub get {
    my ($self, $path, $headers) = @_;
    return $self->request('GET', $path, headers => $headers);
}


sub delete {
    my ($self, $path, $headers) = @_;
    return $self->request('DELETE', $path, headers => $headers);
}


sub post {
    my ($self, $path, $body, $headers) = @_;
    return $self->request('POST', $path, body => $body, headers => $headers);
}


sub patch {
    my ($self, $path, $body, $etag, $headers) = @_;

    return $self->request('PATCH', $path, body => $body, headers => {
        'Content-Type' => 'application/merge-patch+json',
        defined $etag ? ('If-Match' => $etag) : (), %{ $headers // {} } });
}


sub _build {
    my ($self, $method, $path, %opt) = @_;
    my %h = (Host => "$self->{host}:$self->{port}", Connection => 'close',
             Accept => 'application/json');
    my $body;

    $h{Authorization} = "Bearer $self->{key}" if defined $self->{key};

    if (defined $opt{body}) {
        $body = ref $opt{body} eq 'SCALAR' ? ${ $opt{body} }
                                           : $json->encode($opt{body});
        $h{'Content-Type'} = 'application/json';
        $h{'Content-Length'} = length $body;

    } elsif ($method =~ /^(?:POST|PATCH|PUT)$/) {
        $h{'Content-Length'} = 0;
    }

    for my $more ($self->{headers}, $opt{headers} // {}) {
        for my $name (keys %$more) {
            delete $h{$_} for grep { lc eq lc $name } keys %h;
            $h{$name} = $more->{$name} if defined $more->{$name};
        }
    }

    return "$method $self->{path}$path HTTP/1.1\r\n"
           . CORE::join('', map { "$_: $h{$_}\r\n" } sort keys %h) . "\r\n"
           . ($body // '');
}


sub request {
    my ($self, $method, $path, %opt) = @_;

    return $self->raw($self->_build($method, $path, %opt), $opt{timeout},
                      $opt{socket}, $method eq 'HEAD');
}


sub start {
    my ($self, $method, $path, %opt) = @_;
    my $s = RS::Stream->connect(host => $self->{host}, port => $self->{port},
                                tls => $self->{tls},
                                socket => $opt{socket});

    $s->write($self->_build($method, $path, %opt));

    return $s;
}


sub raw {
    my ($self, $bytes, $seconds, $socket, $head) = @_;
    my $start = RS::Util::start();

    $seconds //= $self->{timeout};

    my $s = RS::Stream->connect(host => $self->{host}, port => $self->{port},
                                tls => $self->{tls}, socket => $socket);
    $s->write($bytes);

    return $self->finish($s, $seconds, $start, $head);
}


sub finish {
    my ($self, $s, $seconds, $start, $head) = @_;
    my ($first, @lines) = split /\r\n/, $s->read_until("\r\n\r\n",
                                                       $seconds // 20);
    my %headers;

    $first =~ m{^HTTP/1\.1 (\d\d\d)} or die "not HTTP: \"$first\"\n";

    my $status = $1;

    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([^:\s]+):\s*(.*?)\s*$/
            or die "bad header \"$line\"\n";
        $headers{lc $name} = $value;
    }

    my $content = '';

    if ($head) {
        # has none

    } elsif (($headers{'transfer-encoding'} // '') eq 'chunked') {
        while (1) {
            my ($n) = $s->read_until("\r\n", $seconds) =~ /^([0-9a-f]+)/i;

            $n = hex $n;
            $content .= $s->read_exactly($n, $seconds);
            $s->read_exactly(2, $seconds);
            last if $n == 0;
        }

    } elsif (defined $headers{'content-length'}) {
        $content = $s->read_exactly($headers{'content-length'}, $seconds);
    }

    $s->close();

    return bless {
        status => $status, headers => \%headers, content => $content,
        seconds => now() - ($start // now()), start => $start,
    }, 'RS::Rest::Answer';
}


sub problem {
    my ($self, $r, $status, $code, %more) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::subtest("$status $code" => sub {
        Test::More::is($r->status, $status, 'status');
        Test::More::is($r->header('Content-Type'), 'application/problem+json',
                       'Content-Type');
        Test::More::is($r->header('Cache-Control'), 'no-store',
                       'Cache-Control');

        my $p = eval { $r->json };

        if (!Test::More::is(ref $p, 'HASH', 'an object')) {
            Test::More::diag($r->content);
            return;
        }

        Test::More::is($p->{code}, $code, 'code')
            or Test::More::diag($r->content);
        Test::More::is($p->{status}, $status, 'status in the body');
        Test::More::is($p->{type}, 'about:blank', 'type');
        Test::More::ok(length($p->{title} // ''), 'title');
        Test::More::ok(length($p->{detail} // ''), 'detail');
        Test::More::is($p->{request_id}, $r->header('X-Request-Id'),
                       'request_id is the header\'s');

        for my $name (sort keys %more) {
            Test::More::is($p->{$name}, $more{$name}, $name);
        }
    });
}


package RS::Rest::Answer;

use strict;
use warnings;


sub status  { return $_[0]{status} }
sub content { return $_[0]{content} }
sub seconds { return $_[0]{seconds} }
sub within  { return $_[0]->seconds < RS::Util::patience($_[0]{start}, $_[1]) }
sub header  { return $_[0]{headers}{ lc $_[1] } }
sub json    { return $json->decode($_[0]{content}) }


1;
