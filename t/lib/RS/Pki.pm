package RS::Pki;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Pki - a CA that goes on: certificates of one gateway, renewed

=head1 SYNOPSIS

    my $pki = RS::Pki->new();

    $pki->issue("$gw->{dir}/tls");      # ca.pem, cert.pem, key.pem
    $gw->reload;

=head1 METHODS

=over

=item new, ca

The CA, and the path of its certificate.

=item issue($folder)

A new key and a certificate for localhost and 127.0.0.1 into the folder.

=back

=cut

use strict;
use warnings;

use File::Copy qw(copy);

use RS::Util qw(tempdir write_file);


sub _openssl {
    my (@args) = @_;
    my $quoted = CORE::join ' ', map { "'$_'" } @args;
    my $out = `openssl $quoted 2>&1`;

    die "openssl $args[0]: $out" if $?;

    return;
}


my @ec = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes');


sub new {
    my ($class) = @_;
    my $self = bless { dir => tempdir(), n => 0 }, $class;

    _openssl('req', '-x509', @ec, '-keyout', "$self->{dir}/ca.key",
             '-out', "$self->{dir}/ca.pem", '-days', '30',
             '-subj', '/CN=test CA',
             '-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0',
             '-addext', 'keyUsage=critical,keyCertSign');

    write_file("$self->{dir}/ext",
               "basicConstraints=critical,CA:FALSE\n"
               . "keyUsage=critical,digitalSignature\n"
               . "extendedKeyUsage=serverAuth\n"
               . "subjectAltName=DNS:localhost,IP:127.0.0.1\n");

    return $self;
}


sub ca { return "$_[0]{dir}/ca.pem" }


# New files, as all that renew certificates make them: nginx takes over from
# the configuration of before what has the same number and second (1.27.4).

sub issue {
    my ($self, $folder) = @_;
    my $dir = $self->{dir};

    $self->{n}++;
    _openssl('req', @ec, '-keyout', "$folder/key.pem.new", '-out', "$dir/csr",
             '-subj', "/CN=gateway $self->{n}");
    _openssl('x509', '-req', '-in', "$dir/csr", '-CA', "$dir/ca.pem",
             '-CAkey', "$dir/ca.key", '-set_serial', $self->{n},
             '-days', '10', '-extfile', "$dir/ext",
             '-out', "$folder/cert.pem.new");
    copy("$dir/ca.pem", "$folder/ca.pem.new") or die "$folder/ca.pem: $!";

    for my $name (qw(key cert ca)) {
        rename "$folder/$name.pem.new", "$folder/$name.pem"
            or die "$folder/$name.pem: $!";
    }

    return;
}


1;
