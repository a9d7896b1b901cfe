
# Copyright (C) rs-gateway contributors

# rs-audit: what a gateway audited goes into a file once and in order, whatever
# cuts an export off; and whatever is done to the file is found.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open3 qw(open3);
use JSON ();
use Socket qw(SOCK_DGRAM);
use Symbol qw(gensym);
use Test::More;

use RS::Gateway;
use RS::Redis;
use RS::Util qw(top tempdir read_file write_file wait_until spawn free_port);

my $redis = RS::Redis->new();
my $gw = RS::Gateway->new(redis => $redis);
my $rest = $gw->rest(key => $redis->api_key);
my $dir = tempdir();
my $tool = top('tools', 'rs-audit');
my $file = "$dir/audit.jsonl";
my $state = "$file.state";

my $reader = write_file("$dir/reader", $redis->api_key(scopes => 'audit:read')
                        . "\n", 0600);
my $trimmer = write_file("$dir/trimmer", $redis->api_key(
    scopes => 'audit:read audit:trim') . "\n", 0600);


# exit code, stdout, stderr

sub run {
    my @argv = @_;
    my $pid = open3(my $in, my $out, my $err = gensym(), $tool, @argv);

    close $in;

    my ($o, $e) = map { local $/; readline($_) // '' } $out, $err;

    waitpid($pid, 0);

    return ($? >> 8, $o, $e);
}


sub export {
    my (%opt) = @_;

    return run('export', '--url', $gw->base, '--key-file',
               $opt{key} // $reader, '--output', $opt{output} // $file,
               @{ $opt{more} // [] });
}


sub ok_export {
    my ($what, $count, %opt) = @_;
    my ($code, $out, $err) = export(%opt);

    return is($code, 0, $what)
           && like($out, qr/^$count lines, head \d+:[0-9a-f]{64}/,
                   "$what: $count lines")
           || diag($out, $err);
}


sub no_export {
    my ($what, $why, %opt) = @_;
    my ($code, $out, $err) = export(%opt);

    is($code, 1, $what);
    like($err, $why, "$what: and why");

    return;
}


sub ok_verify {
    my ($what, @argv) = @_;
    my ($code, $out, $err) = run('verify', @argv);

    is($code, 0, $what) or diag($err);

    return $out;
}


# each is found, in the only or in these lines

sub no_verify {
    my ($what, $why, @argv) = @_;
    my ($code, $out, $err) = run('verify', @argv);
    my @why = ref $why eq 'ARRAY' ? @$why : $why;

    is($code, 1, "$what: found");
    is(scalar(() = $err =~ /\n/g), scalar(@why), "$what: told once")
        or diag($err);
    like($err, $_, "$what: told") for @why;

    return;
}


# something that is audited, n times

sub happens {
    my ($n) = @_;

    for (1 .. $n) {
        my $r = $rest->post('/enrollments', {});
        $r->status == 201 or die $r->content;
    }

    return;
}


sub lines_of {
    my ($path) = @_;

    return split /^/, read_file($path);
}


sub file_of {
    return write_file("$dir/changed", join '', @_);
}


subtest 'exported once, in order' => sub {
    happens(3);
    ok_export('the first', 3);
    ok_export('nothing new', 0);
    happens(2);
    ok_export('what is new', 2);

    my @lines = map { JSON::decode_json($_) } lines_of($file);

    is_deeply([map { $_->{n} } @lines], [1 .. 5], 'numbers');
    is_deeply([map { "$_->{verb} $_->{outcome}" } @lines],
              [('enrollments:write allow') x 5], 'what happened');
    is($lines[0]{actor}{kind}, 'key', 'who did it');
    is($lines[0]{prev}, '0' x 64, 'the beginning');
    is($lines[$_]{prev}, $lines[$_ - 1]{hash}, 'a link') for 1 .. 4;
    is((stat $file)[2] & 0777, 0600, 'for its owner only');

    like(ok_verify('as it was written', '--state', $state, $file),
         qr/^5 lines, 1 to 5, as they were written; head 5:/, 'five lines');
};


subtest 'more than a page' => sub {
    happens(203);
    ok_export('all of it', 203);
    ok_verify('verified', '--state', $state, $file);
};


subtest 'rotated' => sub {
    rename $file, "$file.1" or die $!;
    ok_export('nothing yet', 0);
    happens(1);
    ok_export('the next file', 1);
    is(scalar lines_of($file), 1, 'has a line');
    ok_verify('both', '--state', $state, "$file.1", $file);
    no_verify('without the first one', qr/removed: lines 1 to 208$/m, $file);
    ok_verify('in the middle', '--partial', '--state', $state, $file);
    no_verify('in the wrong order',
              [qr/removed: lines 1 to 208$/m,
               (qr/line \d+ stands behind line 209$/m) x 49,
               qr/and 159 more/], $file, "$file.1");
};


subtest 'what is done to a file' => sub {
    my @lines = lines_of("$file.1");
    my $last = JSON::decode_json($lines[207]);
    my @head = ('--head', "208:$last->{hash}");

    ok_verify('nothing', @head, file_of(@lines));
    no_verify('a line removed', qr/:4: removed: line 4$/m,
              file_of(@lines[0 .. 2, 4 .. 207]));
    no_verify('three', qr/:4: removed: lines 4 to 6$/m,
              file_of(@lines[0 .. 2, 6 .. 207]));
    no_verify('the first', qr/:1: removed: line 1$/m,
              file_of(@lines[1 .. 207]));
    no_verify('the last', qr/removed: lines 208 to 208, at the end$/m, @head,
              file_of(@lines[0 .. 206]));
    no_verify('all', qr/removed: lines 1 to 208, at the end$/m, @head,
              file_of());
    no_verify('a line twice', qr/:6: line 5 stands behind line 5$/m,
              file_of(@lines[0 .. 4, 4 .. 207]));
    no_verify('two swapped', [qr/:5: removed: line 5$/m,
                              qr/:6: line 5 stands behind line 6$/m],
              file_of(@lines[0 .. 3, 5, 4, 6 .. 207]));
    no_verify('a line put in', qr/:3: changed: /,
              file_of(@lines[0, 1], "{}\n", @lines[2 .. 207]));

    (my $allow = $lines[9]) =~ s/"allow"/"deny"/;
    no_verify('a word changed', qr/:10: changed: its hash is not that/,
              file_of(@lines[0 .. 8], $allow, @lines[10 .. 207]));

    (my $blank = $lines[9]) =~ s/":/": /;
    no_verify('a blank put in', qr/:10: changed: written differently/,
              file_of(@lines[0 .. 8], $blank, @lines[10 .. 207]));

    (my $twice = $lines[9]) =~ s/^\{/{"verb":"x",/;
    no_verify('a name put in', qr/:10: changed: written differently/,
              file_of(@lines[0 .. 8], $twice, @lines[10 .. 207]));

    chomp(my $half = $lines[207]);
    no_verify('the end of the last line', qr/:208: changed: not whole/,
              file_of(@lines[0 .. 206], substr($half, 0, -9)));
    no_verify('a line without an end', qr/:10: changed: too long/,
              file_of(@lines[0 .. 8], 'x' x 200_000, "\n",
                      @lines[10 .. 207]));
    no_verify('no text at all', qr/:1: changed: /, '--partial',
              file_of("\xff\xfe\n", @lines[1 .. 207]));
};


# whoever writes the file can make a whole new chain: not what was noted, nor
# one that needs a secret

subtest 'a new chain' => sub {
    my @new = map { my $l = JSON::decode_json($_);
                    delete @$l{qw(n prev hash)}; $l } lines_of("$file.1");
    my $forge = <<'PYTHON';
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from rsgw import chain
head = chain.Head()
for r in json.load(open(sys.argv[2])):
    sys.stdout.buffer.write(chain.link(head, r))
PYTHON

    $new[6]{outcome} = 'deny';
    write_file("$dir/new.json", JSON::encode_json(\@new));
    open(my $out, '-|', '/usr/bin/python3', '-c', $forge, top('tools'),
         "$dir/new.json") or die $!;
    my $forged = file_of(<$out>);
    close($out) or die 'the forger failed';

    ok_verify('it is one', $forged);

    my $noted = JSON::decode_json((lines_of("$file.1"))[207])->{hash};

    no_verify('by what was noted',
              qr/line 208 is another one than was noted elsewhere/,
              '--head', "208:$noted", $forged);

    my $secret = write_file("$dir/secret", 's' x 32 . "\n", 0600);
    my @secret = ('--chain-key-file', $secret);
    my $sealed = "$dir/sealed.jsonl";

    ok_export('with a secret', 209, output => $sealed, more => \@secret);
    ok_verify('verified with it', @secret, '--state', "$sealed.state",
              $sealed);
    (run('verify', @secret, $forged))[0] == 1
        or fail('who has no secret makes no chain');
    is((run('verify', $sealed))[0], 1, 'nor verifies one');

    write_file($secret, "short\n");
    no_export('a short secret', qr/5 bytes, at least 32 are wanted/,
              output => $sealed, more => \@secret);
};


subtest 'cut off' => sub {
    my $before = read_file($state);

    # it was written, and not noted; half a line was written

    happens(2);
    ok_export('two more', 2);

    my $whole = read_file($file);

    write_file($state, $before, 0600);
    happens(1);
    ok_export('what was not noted is taken over', 1);
    ok_verify('once each', '--state', $state, "$file.1", $file);
    is(index(read_file($file), $whole), 0, 'and left as it was');

    open(my $f, '>>', $file) or die $!;
    print {$f} '{"actor":{"id":"ke';
    close $f;
    happens(1);
    ok_export('half a line is taken back', 1);
    ok_verify('verified', '--state', $state, "$file.1", $file);

    # somebody else's

    my $good = read_file($file);

    open($f, '>>', $file) or die $!;
    print {$f} "{}\n";
    close $f;
    no_export('what somebody else wrote', qr/changed: .*; move it away/);
    write_file($file, substr($good, 0, -1));
    no_export('a file that is shorter', qr/has become shorter/);
    write_file($file, $good);
    ok_export('mended', 0);

    write_file($state, "{}\n", 0600);
    no_export('no state', qr/is no state of an export/);
    unlink $state or die $!;
    unlink $file or die $!;
    ok_export('a new beginning', 213);

    # one at a time

    open(my $lock, '>', "$state.lock") or die $!;
    flock($lock, 2) or die $!;
    no_export('two at once', qr/another export is under way/);
};


subtest 'removed from the gateway once it is safe' => sub {
    happens(1);
    no_export('a reader', qr/403 .*the key needs the scope audit:trim/,
              more => ['--trim']);
    ok_export('who may', '\d', key => $trimmer, more => ['--trim']);
    is($redis->call('XLEN', 'rs:{default}:audit'), 1, 'it leaves one line');
    ok_export('about itself', 1);

    my @lines = lines_of($file);
    my $last = JSON::decode_json($lines[-1]);

    is($last->{verb}, 'audit:trim', 'who did it stands there');
    like($last->{detail}, qr/^through \d+-\d+$/, 'and how far');
    ok_verify('verified', '--state', $state, $file);

    my ($code, undef, $err) = run('export', '--url', $gw->base, '--key-file',
        $trimmer, '--state', "$dir/x", '--syslog', 'udp://127.0.0.1:9',
        '--trim');

    is($code, 1, 'nothing is removed for a syslog');
    like($err, qr/a syslog confirms nothing/, 'and why');
};


sub udp {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die $!;

    return ($s, 'udp://127.0.0.1:' . $s->sockport);
}


sub unix {
    unlink "$dir/log";
    my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/log")
        or die $!;

    return ($s, "unix:$dir/log");
}


subtest 'to a syslog' => sub {
    my $json = qr/\{.*"verb":"enrollments:write".*\}/;

    for my $case ([\&udp, qr/^<110>1\ \d{4}-\d\d-\d\dT[\d:]{8}Z\ 127\.0\.0\.1
                             \ rs-audit\ -\ allow\ -\ $json$/x],
                  [\&unix, qr/^<110>rs-audit: $json$/]) {
        my ($socket, $url) = $case->[0]->();

        happens(1);
        ok_export($url, 1, more => ['--syslog', $url]);
        $socket->blocking(0);
        $socket->recv(my $text, 65536);
        like($text, $case->[1], 'a line');
        chomp(my $line = (lines_of($file))[-1]);
        is(substr($text, -length $line), $line, 'as in the file');
    }

    my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
        or die $!;
    my $url = 'tcp://127.0.0.1:' . $listen->sockport;

    happens(2);
    is($gw->rest(key => $redis->api_key(scopes => 'ice'))
          ->get('/devices')->status, 403, 'a refusal');
    ok_export('TCP', 3, more => ['--syslog', $url]);

    my $text = do { local $/; readline($listen->accept) };
    my @sent;

    while ($text =~ s/^(\d+) //) {
        push @sent, substr($text, 0, $1, '');
    }

    is(scalar @sent, 3, 'each with its length') or diag($text);
    like($sent[0], qr/^<110>1 .* allow - \{/, 'allowed');
    like($sent[2], qr/^<109>1 .* deny - \{.*"reason":"forbidden"/, 'refused');
    close $listen;

    # what could not be sent is sent again, and stands once in the file

    happens(1);
    no_export('nobody listens', qr/syslog: .*refused/,
              more => ['--syslog', $url]);
    $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
        or die $!;
    ok_export('later', 1,
              more => ['--syslog', 'tcp://127.0.0.1:' . $listen->sockport]);
    $text = do { local $/; readline($listen->accept) };
    like($text, qr/^\d+ <110>1 .* allow - \{/, 'it is sent');
    ok_verify('verified', '--state', $state, $file);

    # a syslog alone

    my ($socket, $at) = udp();
    my ($code, $out) = run('export', '--url', $gw->base, '--key-file', $reader,
                           '--state', "$dir/only", '--syslog', $at);

    is($code, 0, 'no file');
    like($out, qr/^7 lines, head 7:/, 'all lines');
};


# A server that says what it likes.

my $liar = <<'PERL';
use IO::Socket::INET;
my ($port, $file) = @ARGV;
my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
                              Listen => 5, ReuseAddr => 1) or die $!;
while (my $c = $l->accept) {
    while (my $line = <$c>) { last if $line eq "\r\n" }
    open my $f, '<', $file or die $!;
    local $/;
    print {$c} <$f>;
    close $c;
}
PERL

subtest 'what a gateway may not say' => sub {
    my $port = free_port();
    write_file("$dir/says", '');

    my $proc = spawn('liar', [$^X, '-e', $liar, $port, "$dir/says"]);
    my $line = '{"id":"%s","at":1790000000,"verb":"x"}';
    my $out = "$dir/lies.jsonl";

    wait_until {
        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
    } 10, 'the liar';

    for my $case (
        ['no JSON', 200, 'hello', qr/no page of an audit: hello/],
        ['no page', 200, '[]', qr/no page of an audit/],
        ['no lines', 200, '{"items":[1]}', qr/no line of an audit: 1/],
        ['a line without an id', 200, '{"items":[{"at":1}]}', qr/no line/],
        ['a number of its own', 200, '{"items":[{"id":"1-1","at":1,"n":3}]}',
         qr/no line/],
        ['the wrong order', 200, sprintf("{\"items\":[$line,$line]}", '5-1',
                                         '4-9'), qr/line 4-9 came again, or/],
        ['a line twice', 200, sprintf("{\"items\":[$line,$line]}", '5-1',
                                      '5-1'), qr/line 5-1 came again, or/],
        ['too many', 200, '{"items":[' . join(',', map {
            sprintf $line, "5-$_" } 1 .. 201) . ']}', qr/no page/],
        ['somewhere else', 302, '', qr/302/],
        ['no right', 403, '{"title":"No."}', qr/403 No\.; the key needs/],
        ['nobody', 401, '{"title":"Who?"}', qr/401 Who\?; is the key right/],
    ) {
        my ($what, $status, $body, $why) = @$case;

        write_file("$dir/says", "HTTP/1.1 $status X\r\nConnection: close\r\n"
                   . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

        my ($code, undef, $err) = run('export', '--url',
            "http://127.0.0.1:$port/rs/v1", '--key-file', $reader, '--output',
            $out);

        is($code, 1, $what);
        like($err, $why, "$what: and why");
        is(-s $out, 0, "$what: nothing is written");
    }

    $proc->stop;
};


subtest 'wrong usage' => sub {
    for my $case (
        [['export', '--url', 'http://gw.test/rs/v1'], qr/in the clear/],
        [['export', '--url', 'gw.test'], qr/not https:/],
        [['export', '--url', 'https://a:b@gw.test'], qr/not https:/],
        [['export', '--syslog', 'udp://'], qr/not unix:/],
        [['verify', '--head', '1:2', 'x'], qr/not N:HASH/],
        [['verify'], qr/required/], [[], qr/required/],
    ) {
        my ($code, undef, $err) = run(@{ $case->[0] });

        is($code, 2, "@{ $case->[0] }");
        like($err, $case->[1], 'and why');
    }

    my ($code, undef, $err) = run('verify', "$dir/none");

    is($code, 1, 'no file');
    like($err, qr/No such file/, 'and why');
    is((run('verify', '--partial', file_of()))[0], 1, 'no line');
};


$gw->quit;
$gw->check_log;

done_testing();
