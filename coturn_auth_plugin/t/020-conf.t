#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What conf.d/coturn ships is what the daemon prints.
#
# RS_WRITE=1: writes it there instead, after the generator was changed.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Turn;
use RS::Util qw(top tempdir read_file write_file);

my $dir = tempdir();
my $etc = '/etc/rs-turn-authd/';

write_file("$dir/password", "the-password\n", 0600);
write_file("$dir/cli-password", "the-cli-password\n", 0600);


sub folder {
    return top('conf.d', 'coturn', @_);
}


# as if the daemon's configuration were where it belongs

sub printed {
    my ($text, @what) = @_;
    my $conf = "$dir/rs-turn-authd.conf";

    $text =~ s/\Q$etc\E/$dir\//g;
    write_file($conf, $text);

    my $out = "$dir/out";

    unlink $out;
    is(system(RS::Turn::build('rs-turn-authd'), '-c', $conf, @what,
              '--output', $out), 0, "prints @what");

    return read_file($out) =~ s/\Q$dir\E\//$etc/gr;
}


sub same {
    my ($name, $text) = @_;
    my $path = folder($name);

    write_file($path, $text) if $ENV{RS_WRITE};

    is(-e $path ? read_file($path) : '', $text,
       "conf.d/coturn/$name is what is printed; else RS_WRITE=1 $0");

    return;
}


my $conf = read_file(folder('rs-turn-authd.conf'));

same('turnserver-authd.conf',
     printed($conf, '--print-turnserver-conf', '--guard'));
same('rs-turn.nft', printed($conf, '--print-nft', '--user', 'turnserver'));
same('rs-turn-sysctl.conf', printed($conf, '--print-sysctl'));

# for a coturn without the plugin: its own text, and the same floor

for (['turnserver.conf', 'closed'], ['turnserver-open.conf', 'open']) {
    my ($name, $peers) = @$_;
    my $all = printed($conf =~ s/^peers = \w+$/peers = $peers/mr,
                      '--print-turnserver-conf', '--guard');
    my $floor = CORE::join('', $all =~ /^(denied-peer-ip=.*\n)/mg);
    my $text = read_file(folder($name)) =~ s/^denied-peer-ip=.*\n//mgr;

    same($name, $text . $floor);
}

done_testing();
