package RS::Provider;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Provider - signs ID tokens, good and bad ones, and gives out its keys

=head1 SYNOPSIS

    use RS::Provider;

    my $issuer = RS::Provider->new();

    write_file($path, $issuer->jwks);
    my $token = $issuer->token(claims => { sub => 'anna' });

    $issuer->serve;                     # on C<port> of 127.0.0.1
    $issuer->answer(200, $issuer->jwks);
    $issuer->requests;                  # what was asked, so far

=head1 METHODS

=over

=item new(%opt)

Makes keys: C<rsa>, C<rsa1024>, C<ec> (P-256), C<ec384>, C<other> (RSA of somebody else).
C<iss>: its name. C<aud>: the client it gives tokens to.

=item token(%opt)

C<claims>, C<header>: over what a good token has; undef takes one away.
C<key>: its name, C<rsa>. C<alg>: what is signed by, whatever the header says.
C<der>: an ECDSA signature as DER. C<signature>: these bytes instead.
C<text_header>, C<text_claims>: JSON instead of what would be made.

=item jwk($name, %more), jwks(@jwk)

A public key as a hash, and a set of such: without arguments C<rsa>, C<ec>
and C<ec384>.

=item serve

Answers each connection with what C<answer> said last. C<answer($status,
$body, %headers)>, C<raw($bytes)>; C<hang>: whoever asks waits for the next
answer. C<requests>: all that was asked, as text.

=back

=cut

use strict;
use warnings;

use Crypt::Mac::HMAC qw(hmac);
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use IO::Select;
use IO::Socket::INET;
use JSON;

use RS::Util qw(base64url free_port now read_file spawn tempdir top
                wait_until write_file);

# RFC 7638, 3.1

our $THUMBPRINT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs';

my $json = JSON->new->utf8->canonical->allow_nonref;


sub new {
    my ($class, %opt) = @_;
    my %keys;

    $keys{$_} = Crypt::PK::RSA->new for qw(rsa rsa1024 other);
    $keys{$_}->generate_key($_ eq 'rsa1024' ? 128 : 256, 65537)
        for qw(rsa rsa1024 other);

    $keys{ec} = Crypt::PK::ECC->new;
    $keys{ec}->generate_key('secp256r1');
    $keys{ec384} = Crypt::PK::ECC->new;
    $keys{ec384}->generate_key('secp384r1');

    return bless { iss => 'https://id.example', aud => 'console', %opt,
                   keys => \%keys }, $class;
}


sub iss { return $_[0]{iss} }
sub key { return $_[0]{keys}{$_[1]} }


sub claims {
    my ($self, $over) = @_;
    my $now = time;
    my %c = (iss => $self->{iss}, aud => $self->{aud}, sub => 'anna',
             name => 'Anna', exp => $now + 600, iat => $now - 1,
             nonce => $THUMBPRINT, groups => ['support'],
             tenants => ['default'], %{ $over // {} });

    delete $c{$_} for grep { !defined $c{$_} } keys %c;

    return \%c;
}


sub _alg {
    my ($name) = @_;

    return { rsa => 'RS256', rsa1024 => 'RS256', other => 'RS256',
             ec => 'ES256', ec384 => 'ES384' }->{$name};
}


sub token {
    my ($self, %opt) = @_;
    my $name = $opt{key} // 'rsa';
    my $alg = $opt{alg} // _alg($name);
    my %header = (alg => $alg, kid => $name, typ => 'JWT',
                  %{ $opt{header} // {} });

    delete $header{$_} for grep { !defined $header{$_} } keys %header;

    my $input = base64url($opt{text_header} // $json->encode(\%header)) . '.'
                . base64url($opt{text_claims}
                            // $json->encode($self->claims($opt{claims})));

    return $input . '.' . base64url($opt{signature}
                                    // $self->sign($name, $alg, $input,
                                                   $opt{der}));
}


sub sign {
    my ($self, $name, $alg, $input, $der) = @_;
    my $key = $self->{keys}{$name};
    my ($kind, $bits) = $alg =~ /^(..)(\d+)$/ or die "no algorithm \"$alg\"";

    return hmac("SHA$bits", $key->export_key_pem('public'), $input)
        if $kind eq 'HS';

    return $kind eq 'PS' ? $key->sign_message($input, "SHA$bits", 'pss',
                                              $bits / 8)
         : $kind eq 'RS' ? $key->sign_message($input, "SHA$bits", 'v1.5')
         : $der          ? $key->sign_message($input, "SHA$bits")
                         : $key->sign_message_rfc7518($input, "SHA$bits");
}


sub jwk {
    my ($self, $name, %more) = @_;
    my $key = $self->{keys}{$name}->export_key_jwk('public', 1);

    return { kid => $name, use => 'sig',
             (map { $_ => $key->{$_} }
              grep { defined $key->{$_} } qw(kty crv n e x y)), %more };
}


sub jwks {
    my ($self, @keys) = @_;

    @keys = map { $self->jwk($_) } qw(rsa ec ec384) if !@keys;

    return $json->encode({ keys => \@keys });
}


sub serve {
    my ($self) = @_;
    my $dir = $self->{dir} = tempdir();
    my $port = $self->{port} = free_port();

    write_file("$dir/$_", '') for qw(requests log);
    $self->{proc} = spawn('issuer', [$^X, '-I' . top('t', 'lib'),
                                     '-MRS::Provider', '-e',
                                     'RS::Provider::run(@ARGV)', $port, $dir],
                          log => "$dir/log");

    wait_until {
        die 'the issuer ended: ' . read_file("$dir/log")
            if !$self->{proc}->alive();
        read_file("$dir/log") =~ /ready/
    } 10, "an issuer on port $port";

    $self->answer(200, $self->jwks);

    return $self;
}


sub port { return $_[0]{port} }
sub requests { return read_file("$_[0]{dir}/requests") }


sub fetches {
    my ($self) = @_;

    return scalar(() = $self->requests =~ m{^GET }mg);
}


sub answer {
    my ($self, $status, $body, %headers) = @_;

    $headers{'Content-Length'} //= length $body;

    return $self->raw("HTTP/1.1 $status x\r\nConnection: close\r\n"
                      . join('', map { "$_: $headers{$_}\r\n" }
                                 sort keys %headers)
                      . "\r\n$body");
}


sub raw {
    my ($self, $bytes) = @_;

    write_file("$self->{dir}/answer.new", $bytes);
    rename("$self->{dir}/answer.new", "$self->{dir}/answer")
        or die "answer: $!";

    return;
}


sub hang {
    my ($self) = @_;

    unlink "$self->{dir}/answer";

    return;
}


# the process

sub run {
    my ($port, $dir) = @_;
    my $listen = IO::Socket::INET->new(Listen => 64, LocalPort => $port,
                                       LocalAddr => '127.0.0.1',
                                       ReuseAddr => 1)
        or die "port $port: $!";
    my $select = IO::Select->new($listen);
    my (%text, @waiting);

    $| = 1;
    local $SIG{PIPE} = 'IGNORE';
    print "ready\n";

    while (1) {
        for my $s ($select->can_read(@waiting ? 0.01 : 10)) {
            if ($s == $listen) {
                $select->add($listen->accept() // next);
                next;
            }

            my $n = sysread($s, $text{$s}, 65536, length($text{$s} // ''));

            if (!$n) {
                @waiting = grep { $_ != $s } @waiting;
                delete $text{$s};
                $select->remove($s);
                close $s;
                next;
            }

            next if $text{$s} !~ /\r\n\r\n/;

            open(my $log, '>>', "$dir/requests") or die "requests: $!";
            print $log $text{$s};
            close $log;
            $text{$s} = '';
            push @waiting, $s;
        }

        next if !@waiting || !-e "$dir/answer";

        my $answer = read_file("$dir/answer");

        for my $s (splice @waiting) {
            my $at = 0;

            # what nobody reads any more ends the loop

            while ($at < length $answer) {
                my $n = syswrite($s, $answer, 65536, $at) // last;
                $at += $n;
            }

            $select->remove($s);
            delete $text{$s};
            close $s;
        }
    }
}


1;
