package RS::Catalogue;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Catalogue - the key catalogue against a real Redis

=head1 DESCRIPTION

Reads keys/*.json and watches a server by MONITOR from C<new> on.

C<violations> tells what the functions did since that the catalogue does not
say: a key of no pattern, a key that was not among the KEYS of the call (but
the tenant's stream of events) or has another hash tag, a function that is not among the readers or writers, a
field that is not known, a channel that is neither a worker's nor C<rs:turn>,
C<rs:ban> or C<rs:watch>.

C<keyspace> tells which keys there are now with another type, field, member
or life than catalogued.

C<unused> tells which readers and writers of the catalogue were never seen.
C<guarded> stands for all functions that are registered as guarded.

=cut

use strict;
use warnings;

use JSON::PP ();

use RS::Util qw(top read_file);

my %form = (
    tenant => '[a-z0-9-]{1,32}', session => 'ses_[a-z2-7]{26}',
    participant => 'par_[a-z2-7]{26}', link => 'lnk_[a-z2-7]{26}', device => 'dev_[a-z2-7]{26}',
    tunnel => 'tun_[a-z2-7]{26}', pipe => 'pip_[a-z2-7]{26}', object => '(?:tun|ses)_[a-z2-7]{26}',
    enrollment => 'enr_[a-z2-7]{26}', key => 'key_[a-z2-7]{26}',
    webhook => 'whk_[a-z2-7]{26}', recording => 'rec_[a-z2-7]{26}',
    group => 'grp_[a-z2-7]{26}', grant => 'gra_[a-z2-7]{26}',
    policy => '[a-z0-9-]{1,32}',
    relay => '[a-z0-9-]{1,32}', allocation => '\d+-\d+',
    subject => '(?:user|group|key):.{1,256}', user => 'usr_[a-z2-7]{26}',
    banned => '[ad]:[0-9a-z:._/-]{1,126}',
    port => '[1-9]\d{0,4}', address => '(?:4[0-9a-f]{8}|6[0-9a-f]{32})',
    hash => '[0-9a-f]{64}', node => '[a-z0-9-]{1,32}', worker => '[a-z0-9-]{1,32}\.\d+\.[0-9a-f]{16}',
);

# command -> r or w, and what of its arguments are fields

my %commands = (
    (map { $_ => 'r' } qw(exists expiretime hexists hget hgetall hlen hmget
                          xrange xrevrange zcard zcount zrange zrank zrevrank zscore)),
    (map { $_ => 'w' } qw(del expire expireat hdel hincrby hset pexpire xadd
                          xtrim zadd zrem zremrangebyscore)),
);


sub pattern {
    my ($text) = @_;
    my $re = quotemeta $text;

    $re =~ s/\\<(\w+)\\>/$form{$1} or die "unknown <$1>"/ge;

    return qr/^$re$/;
}


sub keys_of_catalogue {
    my @list;

    for my $path (sort glob(top('redis-schema', 'keys', '*.json'))) {
        my $k = JSON::PP->new->decode(read_file($path));

        $k->{path} = $path;
        $k->{re} = pattern($k->{pattern});
        $k->{field_re} = [map { pattern($_) } sort keys %{ $k->{fields} }];
        push @list, $k;
    }

    return @list;
}


sub new {
    my ($class, $redis) = @_;

    my $lib = read_file(top('redis-schema', 'lib', 'rs.lua'));

    return bless { redis => $redis, keys => [keys_of_catalogue()],
                   guarded => { map { $_ => 1 } $lib
                                =~ /^register\('(\w+)', guarded\(/gm },
                   monitor => $redis->monitor(), marks => 0, seen => {} },
                 $class;
}


sub find {
    my ($self, $name) = @_;

    for my $k (@{ $self->{keys} }) {
        return $k if $name =~ $k->{re};
    }

    return;
}


# A line of MONITOR: who, and the words of the command.

sub parse {
    my ($line) = @_;
    my ($who, $rest) = $line =~ /^\d+\.\d+ \[\d+ (.*?)\] (".*)$/ or return;
    my %plain = (n => "\n", r => "\r", t => "\t", a => "\a", b => "\b");
    my @words;

    while ($rest =~ /\G"((?:[^"\\]|\\.)*)" ?/gc) {
        my $w = $1;

        $w =~ s/\\(x([0-9a-f]{2})|.)/$2 ? chr(hex $2) : $plain{$1} \/\/ $1/ge;
        push @words, $w;
    }

    return ($who, @words);
}


sub fields_of {
    my ($command, @argv) = @_;

    splice @argv, 0, 3 if $command eq 'xadd' && $argv[0] eq 'MAXLEN';

    return map { $argv[2 * $_] } 0 .. $#argv / 2 if $command eq 'hset';
    return @argv if $command eq 'hdel';
    return $argv[0] if $command eq 'hincrby';
    return map { $argv[1 + 2 * $_] } 0 .. ($#argv - 1) / 2
        if $command eq 'xadd';

    return;
}


sub check_command {
    my ($self, $call, $command, @argv) = @_;
    my $f = $call->{name};

    return if $command eq 'time';

    if ($command eq 'publish') {
        return if $argv[0] =~ /^rs:(?:w:$form{worker}|turn|ban|watch)$/;
        return "$f publishes to $argv[0]";
    }

    my $kind = $commands{$command} or return "$f calls $command";
    my @keys = $command eq 'del' ? @argv : shift @argv;
    my @bad;

    for my $name (@keys) {
        my $k = $self->find($name);

        if (!$k) {
            push @bad, "$f touches $name, which is not in the catalogue";
            next;
        }

        push @bad, "$f: $name is not among its KEYS"
            if !$call->{keys}{$name} && $k->{key} ne 'ev';
        push @bad, "$f: $name is of another slot"
            if $k->{key} eq 'ev' && !$call->{tags}{ ($name =~ /\{(.*)\}/)[0] };

        my $role = $kind eq 'w' ? 'writers' : 'readers';

        my ($as) = grep { $_ eq $f || ($_ eq 'guarded' && $self->{guarded}{$f}) }
                   @{ $k->{$role} };

        push @bad, "$f is not among the $role of $k->{pattern}" if !$as;
        $self->{seen}{$k->{path}}{$role}{$as // $f} = 1;

        for my $field (fields_of($command, @argv)) {
            push @bad, "$f writes $field of $k->{pattern}"
                if !grep { $field =~ $_ } @{ $k->{field_re} };
        }
    }

    return @bad;
}


sub violations {
    my ($self) = @_;
    my $mark = 'catalogue mark ' . ++$self->{marks};
    my ($call, @bad, %told);

    $self->{redis}->call('ECHO', $mark);

    while (1) {
        my $line = $self->{monitor}->next(10) // die 'MONITOR says nothing';
        my ($who, $command, @argv) = parse($line) or die "MONITOR: $line";

        $command = lc $command;

        last if $command eq 'echo' && $argv[0] eq $mark;

        if ($who eq 'lua') {
            push @bad, $self->check_command($call, $command, @argv);

        } elsif ($command =~ /^fcall(?:_ro)?$/) {
            my @keys = @argv[2 .. 1 + $argv[1]];
            my %tags = map { /\{([^}]*)\}/ ? ($1 => 1) : ('' => 1) } @keys;

            $call = { name => $argv[0], keys => { map { $_ => 1 } @keys },
                      tags => \%tags };
            $self->{called}{$argv[0]} = 1;

            push @bad, "$argv[0]: keys of several slots" if keys %tags > 1;
        }
    }

    return grep { !$told{$_}++ } @bad;
}


sub called { return %{ $_[0]{called} } }


sub keyspace {
    my ($self) = @_;
    my $redis = $self->{redis};
    my @bad;

    for my $name ($redis->keys()) {
        my $k = $self->find($name);
        my $type = $redis->call('TYPE', $name);

        if (!$k || $type ne $k->{type}) {
            push @bad, "$name ($type) is not in the catalogue";
            next;
        }

        my $ttl = $redis->call('TTL', $name);

        push @bad, "$name: life $ttl s, catalogued: $k->{ttl}{rule}"
            if defined $k->{ttl}{max_s}
               ? $ttl < 0 || $ttl > $k->{ttl}{max_s} : $ttl != -1;

        my $names = $type eq 'hash' ? $redis->call('HKEYS', $name)
                  : $type eq 'zset' ? $redis->call('ZRANGE', $name, 0, -1)
                  : [];

        for my $field (@$names) {
            push @bad, "$name: $field is not in the catalogue"
                if !grep { $field =~ $_ } @{ $k->{field_re} };
        }
    }

    return @bad;
}


sub unused {
    my ($self) = @_;
    my @bad;

    for my $k (@{ $self->{keys} }) {
        for my $role (qw(readers writers)) {
            push @bad, map { "$k->{pattern}: $_ is not seen among the $role" }
                       grep { !$self->{seen}{$k->{path}}{$role}{$_} }
                       @{ $k->{$role} };
        }
    }

    return @bad;
}


1;
