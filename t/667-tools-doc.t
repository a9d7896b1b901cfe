
# Copyright (C) rs-gateway contributors

# Manual pages and completion of the tools are made from what reads their
# arguments: each command and option is in both, and man has no complaint.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Util qw(top tempdir read_file);

my $dir = tempdir();

is(system(top('util', 'tools-doc'), $dir), 0, 'they are made');


# what bash would offer behind these words, of which the last is being typed

sub offered {
    my @words = @_;
    my $tool = $words[0];
    my $script = <<'END';
        file=$1 fn=$2
        shift 2
        source "$file"
        COMP_WORDS=("$@")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "$fn"
        printf '%s\n' "${COMPREPLY[@]}"
END

    open(my $out, '-|', 'bash', '--norc', '-c', $script, 'bash',
         "$dir/$tool.bash", '_' . $tool =~ tr/-/_/r, @words) or die $!;

    return CORE::join(' ', sort map { s/\n//r } <$out>);
}


for my $tool (qw(rsctl rs-key rs-audit rs-ban)) {
    my $page = "$dir/$tool.1";
    my $text = read_file($page) =~ s/\\-/-/gr;

    is(qx(man --warnings -E UTF-8 -l -Tutf8 -Z $page 2>&1 >/dev/null), '',
       "$tool.1: no complaint");

    my $help = qx(@{[top('tools', $tool)]} --help);
    my @commands = $help =~ /^    (\w[\w-]*)  /mg;
    my ($short) = $help =~ /\{([\w,-]+)\}/;

    @commands = split(/,/, $short) if $short;
    ok(@commands >= 2, "$tool: its commands");

    for my $command (@commands) {
        like($text, qr/^\.SS $tool $command$/m, "$tool $command has its part");

        my $own = qx(@{[top('tools', $tool)]} $command --help);

        like($text, qr/\\fB\Q$_\E\\fR/, "$tool $command $_")
            for $own =~ /^  (--[\w-]+)/mg;
    }
}

like(offered('rsctl', 'dev'), qr/^devices$/, 'a command');
like(offered('rsctl', 'devices', ''), qr/\blist\b.*\bset\b/, 'what is below');
is(offered('rsctl', 'devices', 'list', '--on'), '--online', 'an option');
is(offered('rsctl', '--json', 'drain', 'b'), 'begin', 'behind an option');
is(offered('rsctl', 'sessions', 'list', '--state', 'wait'),
   'waiting_consent waiting_host', 'one of few words');
is(offered('rsctl', '--config', "$dir/rs-k"),
   "$dir/rs-key.1 $dir/rs-key.bash", 'a file');
is(offered('rs-key', 'del'), 'delete', 'of another tool');
is(offered('rs-identity', 'rotate', '--st'), '--statements',
   'of one whose page is written by hand');

done_testing();
