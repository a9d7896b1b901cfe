
# Copyright (C) rs-gateway contributors

# The tools find the primary by Sentinel, before a failover and after it,
# whichever Sentinel answers.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use RS::Sentinel;
use RS::Util qw(top tempdir write_file free_port);

my $trio = RS::Sentinel->new(down_after => 1000);
my ($name) = $trio->conf =~ m{sentinel://[^/]+/(\S+)};
my $dir = tempdir();
my $gone = '127.0.0.1:' . free_port();

delete @ENV{grep { /^RS_?[CR]/ } keys %ENV};


# what "rsctl login-link" does with this URL: exit code, and all it said

sub run {
    my ($url, $more) = @_;

    write_file("$dir/rsctl.conf", <<"END" . ($more // "user = default\n"));
[gateway]
url = https://support.example.net/rs/v1
[redis]
url = $url
END

    my $said = qx(@{[top('tools', 'rsctl')]} --config $dir/rsctl.conf login-link 2>&1);

    return ($? >> 8, $said);
}


sub links { return scalar(my @l = $trio->primary->keys('rs:{default}:login:*')) }


my @at = map { "127.0.0.1:$_" } $trio->ports;
my ($code, $said) = run("sentinel://$gone," . CORE::join(',', @at) . "/$name");

is($code, 0, 'the first Sentinel does not answer') or diag($said);
is(links(), 1, 'the primary has it');

$trio->failover;
$trio->wait_replica;
($code, $said) = run("sentinel://$at[1],$at[0]/$name");
is($code, 0, 'after a failover') or diag($said);
is(links(), 2, 'the new primary has it');

write_file("$dir/password", "of-redis-but-not-of-sentinel-0123\n", 0600);
$trio->primary->call('ACL', 'SETUSER', 'ops', 'on',
                     '>of-redis-but-not-of-sentinel-0123', '~*', '&*', '+@all');
($code, $said) = run("sentinel://$at[0]/$name",
                     "user = ops\npassword_file = $dir/password\n");
is($code, 0, 'Sentinels that know no users') or diag($said);
is(links(), 3, 'and Redis that does');

for my $case (["sentinel://$at[0]/other", qr/\Q$at[0]\E knows no other\n/],
              ["sentinel://$gone/$name", qr/no Sentinel says.*refused.*\n +rsctl doctor/],
              ["sentinel://$at[0]", qr/not sentinel:/],
              ["sentinel://$at[0]/$name/x", qr/not sentinel:/])
{
    ($code, $said) = run($case->[0]);
    is($code, 1, $case->[0] =~ s/:\d+//r);
    like($said, $case->[1], 'and why');
}

done_testing();
