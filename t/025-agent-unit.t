# Copyright (C) rs-gateway contributors

# The agent as an operator installs it: units that systemd takes and finds
# hardened, the user, the manual page, and files where make install puts them.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Util qw(read_file tempdir top write_file);

my $dir = tempdir();
my $agent = top('build', 'agent', 'rs-agent');


# (status, output) of a command

sub run {
    my ($command) = @_;
    my $text = qx{$command 2>&1};

    return ($? >> 8, $text);
}


my ($status, $text) = run("make -s -C '" . top('agent') . "' install BUILD='"
                          . top('build', 'agent') . "' DESTDIR='$dir' "
                          . 'PREFIX=/opt/rs');

is($status, 0, 'make install') or diag($text);

my $units = "$dir/opt/rs/lib/systemd/system";
my $unit = read_file("$units/rs-agent.service");

like($unit, qr{^ExecStart=/opt/rs/bin/rs-agent run$}m,
     'the service starts what was installed');
like($unit, qr/^User=rs-agent$/m, 'as a user of its own');
like($unit, qr{^ConditionPathExists=/var/lib/rs-agent/device\.conf$}m,
     'and not before the machine was adopted');
ok(-e "$dir/opt/rs/lib/sysusers.d/rs-agent.conf", 'the user is made');

SKIP: {
    skip 'no systemd-analyze here', 4 if system('command -v systemd-analyze '
                                                . '> /dev/null 2>&1');

    # here the program is elsewhere, and there is no such man page

    write_file("$units/rs-agent.service",
               $unit =~ s{^ExecStart=\S+}{ExecStart=$agent}mr);

    ($status, $text) = run("systemd-analyze verify --man=no "
                           . "$units/rs-agent.service $units/rs-agent.path");
    is($status, 0, 'systemd takes the units');
    is($text, '', 'without a word') or diag($text);

    ($status, $text) = run('systemd-analyze security --offline=true '
                           . "--no-pager --threshold=20 "
                           . "$units/rs-agent.service");
    is($status, 0, 'its exposure is 2.0 at most') or diag($text);
    like($text, qr/Overall exposure level for rs-agent\.service: [01]\.\d/,
         'OK');
}

SKIP: {
    skip 'no systemd-sysusers here', 1
        if system('command -v systemd-sysusers > /dev/null 2>&1');

    ($status, $text) = run('systemd-sysusers --dry-run '
                           . "$dir/opt/rs/lib/sysusers.d/rs-agent.conf");
    is($status, 0, 'systemd takes the user') or diag($text);
}

($status, $text) = run('sh -n ' . "$dir/etc/X11/Xsession.d/90rs-agent");
is($status, 0, 'the snippet for Xsession.d is a shell\'s') or diag($text);

($status, $text) = run("$agent -c " . top('agent', 'agent.conf.example')
                       . " -s $dir/state check");
like($text, qr/this device is not enrolled/,
     'the example of agent.conf is taken');

SKIP: {
    skip 'no groff here', 1 if system('command -v groff > /dev/null 2>&1');

    ($status, $text) = run('groff -man -Tutf8 -ww -z '
                           . "$dir/opt/rs/share/man/man1/rs-agent.1");
    is($text, '', 'the manual page has no fault');
}

# the build option for Wayland desktops; what it does is agent/t/portal.c's

my @make = ("make -s -C '" . top('agent') . "' BUILD='$dir/o'");

($status, $text) = run("@make PIPEWIRE=1 '$dir/o/agent.o' && nm '$dir/o/agent.o'");
is($status, 0, 'it builds with PIPEWIRE=1') or diag($text);
like($text, qr/agent_pipewire_open/, 'and asks the portal then');
unlike(scalar qx{nm '@{[ top('build', 'agent', 'agent.o') ]}'},
       qr/agent_pipewire_open/, 'but not without');

my $page = read_file("$dir/opt/rs/share/man/man1/rs-agent.1");
my ($help) = qx{$agent --help} =~ /(.*)/s;

for my $option ($help =~ /--([a-z-]+)/g) {
    my $written = $option =~ s/-/\\-/gr;

    like($page, qr/\\-\\-\Q$written\E/, "--$option is in the manual page");
}

my $source = read_file(top('agent', 'agent_config.c'));

for my $key ($source =~ /^    \{ "([a-z_]+)", agent_config_set/mg) {
    like($page, qr/\b\Q$key\E\b/, "$key is in the manual page");
    like(read_file(top('agent', 'agent.conf.example')), qr/^#?\Q$key\E=/m,
         'and in the example');
}

done_testing();
