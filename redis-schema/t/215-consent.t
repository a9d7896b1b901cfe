#!/usr/bin/perl

# Copyright (C) rs-gateway contributors

# What the person at a device says: the session's state while it is being
# asked, and the lines of the audit.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../../t/lib";

use RS::Schema;
use RS::Util qw(random_id);

my $s = RS::Schema->new();
my $w1 = 'n1.0.00000000000000aa';
my $sub = $s->subscribe($w1);
my $dev = $s->device(online => "$w1.1");
my $json = JSON::PP->new->utf8;


sub consent {
    my ($x, $what, %o) = @_;

    return $s->fcall('rs_session_consent',
                     ["ses:$x->{id}", "mem:$x->{id}", "log:$x->{id}",
                      'audit'],
                     $x->{pars}[0], $what, $o{dev} // $dev,
                     RS::Schema::REPLID());
}


sub state_of {
    my ($ses) = $s->get($_[0]);

    return $ses->{state};
}


sub told {
    return map { $json->decode($_->{body})->{session_state} }
           grep { $_->{kind} eq 'evt' && $_->{body} =~ /"state"/ }
           $sub->got();
}


sub audited {
    return map { CORE::join(' ', @$_{qw(actor verb outcome)},
                            $_->{reason} eq '' ? '-' : $_->{reason}) }
           grep { $_->{verb} eq 'consent' } $s->audit();
}


my $x = $s->session($dev);
my $tkt = RS::Schema::hash();

$s->invite($x, $tkt, "$w1.1");

is_deeply(consent($x, 'waiting'), ['ok', 'waiting_host'],
          'before the host is there nothing is asked');

$s->join($x, $tkt, "$w1.2");
$s->join($x, $x->{tickets}[0], "$w1.3");
is(state_of($x), 'connecting', 'connecting');
told();

is_deeply(consent($x, 'waiting'), ['ok', 'waiting_consent'], 'asked');
is(state_of($x), 'waiting_consent', 'the state says so');
is_deeply([told()], ['waiting_consent'], 'to everybody');
is_deeply(consent($x, 'waiting'), ['ok', 'waiting_consent'], 'once more');
is_deeply([told()], [], 'is nothing new');
is_deeply([audited()], [], 'a question is no decision');

is_deeply(consent($x, 'given'), ['ok', 'connecting'], 'allowed');
is_deeply([told()], ['connecting'], 'goes on');
is_deeply([audited()], ['device consent allow -'], 'and is on record');

is_deeply(consent($x, 'waiting'), ['ok', 'waiting_consent'],
          'asked for the next one');
is_deeply(consent($x, 'denied'), ['ok', 'waiting_consent'],
          'the end after a no is another call');
is_deeply(consent($x, 'timeout'), ['ok', 'waiting_consent'], 'as of silence');
is_deeply([(audited())[1, 2]],
          ['device consent deny consent_denied',
           'device consent deny consent_timeout'], 'both on record');

my $n = audited();

is_deeply(consent($x, 'given', dev => random_id('dev_')), ['not_found'],
          'another device has no say');
is_deeply(consent({ id => random_id('ses_'), pars => $x->{pars} }, 'given'),
          ['not_found'], 'nor is there one in no session');
is(scalar(audited()), $n, 'neither is on record');
ok(!eval { consent($x, 'perhaps') }, 'there is no perhaps');

$s->end($x);
is_deeply(consent($x, 'given'), ['session_ended'], 'too late');

$s->check_catalogue();
done_testing();
