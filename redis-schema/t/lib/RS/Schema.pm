package RS::Schema;

# Copyright (C) rs-gateway contributors

=head1 NAME

RS::Schema - a Redis of the test's own and the functions of the library

=head1 SYNOPSIS

    use RS::Schema;

    my $s   = RS::Schema->new();
    my $dev = $s->device(online => 'n1.0.00.1');
    my $x   = $s->session($dev, roles => ['controller']);
    my $sub = $s->subscribe('n1.0.00');

    is($s->join($x, $x->{tickets}[0], 'n1.0.00.2')->[0], 'ok');
    is_deeply([map { $_->{kind} } $sub->got()], ['inv', 'evt']);

    $s->check_catalogue();      # each key, field, writer and TTL is known

=head1 DESCRIPTION

C<fcall($name, \@keys, @argv)> calls any function; keys are given without
C<rs:{tenant}:>.  The other methods build keys and arguments for the common
case and return the reply as it is.  All commands run on one connection, as
the administrator or, with C<user>, as one of the users of acl/.  C<redis>: a
server there is already, C<watch>: 0 not to look at what is done to it.

=cut

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/../../t/lib";

use RS::Catalogue;
use RS::Redis;
use RS::Util qw(random_id now);
use Time::HiRes ();

use constant GRACE => 120000;
use constant LOG_SIZE => 1048576;
use constant REPLID => 'a' x 40;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        tenant => $opt{tenant} // 'default', conn => 0,
        redis => $opt{redis}
                 // RS::Redis->new(acl => 1, conf => $opt{conf}),
    }, $class;

    $opt{ready}->($self->{redis}) if $opt{ready};

    $self->{catalogue} = RS::Catalogue->new($self->{redis})
        if $opt{watch} // 1;

    $self->{link} = $self->connect($opt{user});

    # made by the administrator: the gateway cannot

    ($self->{key}, $self->{key_id}) = $self->api_key('*');

    return $self;
}


sub redis { return $_[0]{redis} }


# Another connection to the same server.

sub connect {
    my ($self, $user) = @_;
    my $link = bless { socket => $self->{redis}->socket() }, 'RS::Redis';

    if (defined $user) {
        $link->call('AUTH', $user,
                    RS::Util::read_file($self->{redis}{users}{$user}));
    }

    return $link;
}


# Did the code write anything?  1 or 0, and what it returned.

sub writes {
    my ($self, $code) = @_;
    my $changes = sub {
        $self->{redis}->call('INFO', 'persistence')
            =~ /^rdb_changes_since_last_save:(\d+)/m or die;
        return $1;
    };
    my $before = $changes->();
    my $reply = $code->();

    return ($changes->() > $before ? 1 : 0, $reply);
}


sub api_key {
    my ($self, $scopes, $name, %opt) = @_;
    my $hash = sha256_hex(random_id(''));
    my $id = random_id('key_');

    $self->{redis}->call('FCALL', 'rs_key_put', 2, $self->key("key:$hash"),
                         $self->key('keys'), $id, $name // 'console',
                         $scopes, $opt{granted} // '',
                         $opt{expires_at} // '');

    return ("key:$hash", $id);
}


sub key {
    my ($self, $name) = @_;

    return "rs:{b}:$name" if $name =~ /^(?:bans|hookt|eventd|ports|(?:ban|help|tries):.*)$/;
    return $name =~ /^(?:lease|dead|denied|fleet|tens|node:.*|ten:.*)$/
           ? "rs:{w}:$name" : "rs:{$self->{tenant}}:$name";
}


# What is sent for a call of a function.  When the first key is an API key's
# or a user's, the function is a guarded one: the keys it needs besides are
# added, and its first argument is the caller, "" for the gateway, or the verb
# for one with an API key.

sub command {
    my ($self, $name, $keys, @argv) = @_;
    my $ro = $self->{ro};

    if (@$keys && $keys->[0] =~ /^(?:key|usr):/
        && $name !~ /^rs_key_(?:put|get|delete)$/)
    {
        my ($auth, @rest) = @$keys;

        $keys = [$auth, 'gsub', 'audit', @rest];
        $argv[0] = caller_json(verb => $argv[0]) if $argv[0] !~ /^(?:\{|$)/;
        $ro = 0;
    }

    return ($ro ? 'FCALL_RO' : 'FCALL', $name, scalar @$keys,
            (map { $self->key($_) } @$keys), @argv);
}


sub fcall {
    my ($self, @call) = @_;

    return $self->{link}->call($self->command(@call));
}


# By FCALL_RO: the server refuses it if the function could write.

sub fcall_ro {
    my ($self, @call) = @_;
    local $self->{ro} = 1;

    return $self->fcall(@call);
}


# A caller as the gateway describes it.

sub caller_json {
    my (%c) = @_;

    return JSON::PP->new->canonical->encode({
        kind => 'key', also => [], addr => '192.0.2.1', rid => 'r1', %c,
    });
}


# The lines of the audit, oldest first.

sub audit {
    my ($self) = @_;

    return map { { @{ $_->[1] } } }
           @{ $self->{redis}->call('XRANGE', $self->key('audit'), '-', '+') };
}


# All there is, but the audit: a call leaves a line there.

sub dump {
    my ($self) = @_;

    return $self->{redis}->dump() =~ s/^rs:\{[^}]*\}:audit\n.*?(?=^rs:|\z)//gmsr;
}


sub obj {
    my ($flat) = @_;

    return { @$flat };
}


sub hash { return sha256_hex(random_id('')) }


sub address {
    my ($self, $worker) = @_;

    return ($worker // 'n1.0.00000000000000aa') . '.' . ++$self->{conn};
}


sub ses_keys {
    my ($id) = @_;

    return ("ses:$id", "par:$id", "mem:$id", "log:$id");
}


# The list of duties of the worker of this address.

sub own {
    my ($address) = @_;
    my ($worker) = $address =~ /^([^.]*\.[^.]*\.[^.]*)/;

    return 'own:' . ($worker // 'n1.0.00000000000000aa');
}


# A lease call; opt: ttl, beacon, identity, walked.

sub lease {
    my ($self, $worker, %opt) = @_;
    my ($node) = $worker =~ /^([^.]*)/;

    return $self->fcall('rs_lease', ['lease', 'dead', 'fleet', "node:$node",
                                     "ten:$worker"],
                        $worker, $opt{ttl} // 15000, $opt{beacon} // 1,
                        $opt{identity} // "id of $node",
                        $opt{walked} // '');
}


sub lease_drop {
    my ($self, $worker, $identity, $walked) = @_;
    my ($node) = $worker =~ /^([^.]*)/;

    return $self->fcall('rs_lease_drop', ['lease', 'dead', "node:$node",
                                          "ten:$worker"],
                        $worker, $identity // "id of $node", $walked // '');
}


sub duties {
    my ($self, $worker, $which) = @_;

    return $self->fcall_ro('rs_duties', ["own:$worker"], $which // 'all', 100);
}


sub adopt {
    my ($self, $x, $par, $from, $to, $since) = @_;

    return $self->fcall('rs_adopt', ["ses:$x->{id}", "par:$x->{id}",
                                     "mem:$x->{id}", "own:$from", "own:$to"],
                        $par, $since // int(1000 * Time::HiRes::time()));
}


sub lost {
    my ($self, $x, $par, $worker, %opt) = @_;

    return $self->fcall('rs_lost', [ses_keys($x->{id}), "own:$worker", 'turn',
                                    'trev'], $par, $opt{replid} // REPLID);
}


sub sync {
    my ($self, $x, $par, $address, $position, %opt) = @_;

    return $self->fcall('rs_sync', [ses_keys($x->{id}), own($address)],
                        $par, $address, $position, $opt{replid} // REPLID,
                        $opt{grace} // GRACE, $opt{count} // 1000,
                        $opt{epoch} // 1);
}


sub offline {
    my ($self, $dev, $address, $at) = @_;

    return $self->fcall('rs_device_offline', ["dev:$dev", own($address),
                                              'svcs', "dses:$dev", 'rses'],
                        $address, $at // '');
}


# What a service says of its places: capacity, used, queued, queue.

sub load {
    my ($self, $dev, $address, @places) = @_;

    return $self->fcall('rs_service_load', ["dev:$dev", 'svcs'], $address,
                        @places);
}


# Who would get the next session; opt: kind, by, count, without.

sub place {
    my ($self, %opt) = @_;

    return $self->fcall_ro('rs_service_place', ['svcs'],
                           $opt{kind} // 'renderer', $opt{by} // 0,
                           $opt{count} // 4, $opt{without} // '');
}


sub taken {
    my ($self, $dev, $ses) = @_;

    return $self->fcall('rs_service_taken', ['svcs'], $dev, $ses);
}


# An enrolment; returns its id and the hash of its secret.

sub enrollment {
    my ($self, %opt) = @_;
    my $e = { id => random_id('enr_'), secret => hash() };

    my $r = $self->fcall('rs_enrollment_create',
                         [$self->{key}, "enr:$e->{id}", 'enrs',
                          'idem:' . hash(), 'enrx', 'grps'],
                         'enrollments:write', $e->{id}, $e->{secret},
                         $opt{max_uses} // 1, $opt{ttl_s} // 3600,
                         $opt{group_id} // '', $opt{tags} // '[]', 'auto', '',
                         $opt{quota} // 0, $opt{tries} // '',
                         $opt{kind} // 'desktop');

    die "rs_enrollment_create: $r->[0]" if $r->[0] ne 'ok';

    return $e;
}


# A device group; opt: policy.

sub group {
    my ($self, %opt) = @_;
    my $id = $opt{id} // random_id('grp_');
    my $r = $self->fcall('rs_group_create', [$self->{key}, 'grps', 'pols',
                                             'idem:'], '', $id,
                         $opt{name} // 'shops', $opt{policy} // '', '');

    die "rs_group_create: $r->[0]" if $r->[0] ne 'ok';

    return $id;
}


# A grant; returns its id.

sub grant {
    my ($self, $subject, $group, $verbs, $consent) = @_;
    my $id = random_id('gra_');
    my $r = $self->fcall('rs_grant_create', [$self->{key}, 'grants', 'grps',
                                             'idem:'], '', $id, $subject,
                         $group, $verbs, $consent // '', '');

    die "rs_grant_create: $r->[0]" if $r->[0] ne 'ok';

    return $id;
}


# A device; online => its address, group_id => its group, kind => what it is.

sub device {
    my ($self, %opt) = @_;
    my $e = $self->enrollment(group_id => $opt{group_id},
                              kind => $opt{kind});
    my $id = random_id('dev_');

    my $r = $self->fcall('rs_device_create', ["enr:$e->{id}", "dev:$id",
                                              'devs', 'grps', 'gdev',
                                              'audit', 'svcs'],
                         $e->{secret}, $id, 'cHVibGlj', $opt{name} // 'desk',
                         '{"os":"linux"}', $opt{quota} // 0, '192.0.2.2',
                         'r2');

    die "rs_device_create: $r->[0]" if $r->[0] ne 'ok';

    $self->online($id, $opt{online}) if $opt{online};

    return $id;
}


sub online {
    my ($self, $dev, $address, $epoch, $agent) = @_;

    return $self->fcall('rs_device_online', ["dev:$dev", "dses:$dev",
                                             own($address), 'audit'],
                        $address, $agent // '{"version":"0.1.0"}',
                        $epoch // '');
}


# What rs_session_create is called with: x holds what was made up for it.

sub session_call {
    my ($self, $dev, %opt) = @_;
    my @roles = @{ $opt{roles} // ['controller'] };
    my $x = {
        id => $opt{id} // random_id('ses_'), dev => $dev,
        host => random_id('par_'), tickets => [map { hash() } @roles],
        pars => [map { random_id('par_') } @roles],
        idem => $opt{idem} // hash(),
    };
    my @parts = map {
        ($x->{pars}[$_], $roles[$_], $opt{name} // 'Ana', 'ext',
         $opt{tkt_s} // 60)
    } 0 .. $#roles;

    $x->{call} = [
        'rs_session_create',
        [$opt{auth} // $self->{key}, ses_keys($x->{id}), "idem:$x->{idem}",
         'sess', "dev:$dev", "dses:$dev", 'turn', 'grps', 'pols',
         'uses:' . ($opt{user} // ''),
         (map { "tkt:$_" } @{ $x->{tickets} }), 'svcs', 'rses'],
        $opt{scope} // 'sessions:write', $opt{replid} // REPLID, $x->{id},
        $dev, $opt{ttl_s} // 600, $opt{retain_s} // 3600,
        $opt{max_par} // 16, $opt{body} // '',
        $opt{relay_only} // 0, $opt{consent} // '', $opt{external_id} // '',
        $opt{reason} // 'printer', $opt{metadata} // '', $x->{host},
        $opt{quota} // 0, $opt{desktop} // '0 both both 1', scalar @roles, @parts,
        $opt{web} ? encode($opt{web}) : '',
    ];

    return $x;
}


sub encode { return JSON::PP->new->canonical->encode($_[0]) }


# What a session of a rendered browser is asked for with; opt: urls, mask,
# no_submit, downloads, guests, and url of the page.

sub web {
    my (%opt) = @_;
    my $url = delete $opt{url} // 'https://example.com/';

    return { %opt, host => encode({ type => 'render', url => $url,
                                    width => 1280, height => 720 }) };
}


# What the renderer answers: a position, or '' when it begins.

sub queue {
    my ($self, $x, $position, %opt) = @_;

    return $self->fcall('rs_session_queue',
                        ["ses:$x->{id}", "mem:$x->{id}", "log:$x->{id}",
                         'svcs'], $opt{dev} // $x->{dev}, $position,
                        $opt{replid} // REPLID);
}


sub move {
    my ($self, $x, $to, %opt) = @_;
    my $from = $opt{dev} // $x->{dev};
    my $r = $self->fcall('rs_session_move',
                         [ses_keys($x->{id}), 'svcs', "dses:$from", "dev:$to",
                          "dses:$to"], $from, $to, $opt{replid} // REPLID,
                         $opt{why} // 'lost');

    $x->{dev} = $to if $r->[0] eq 'ok';

    return $r;
}


# A session that exists.

sub session {
    my ($self, $dev, %opt) = @_;
    my $x = $self->session_call($dev, %opt);

    $x->{reply} = $self->fcall(@{ $x->{call} });

    die "rs_session_create: $x->{reply}[0]" if $x->{reply}[0] ne 'ok';

    return $x;
}


sub get {
    my ($self, $x) = @_;
    my $r = $self->fcall_ro('rs_session_get',
                            [$self->{key}, "ses:$x->{id}", "par:$x->{id}",
                             "use:$x->{id}"], 'sessions:read');

    return if $r->[0] ne 'ok';

    return (obj($r->[1]), map { obj($_) } @{ $r->[2] });
}


sub join_call {
    my ($self, $x, $ticket, $address, %opt) = @_;

    $x->{resume}{$address} = hash();

    return ('rs_join', ["tkt:$ticket", ses_keys($x->{id}), own($address),
                        'tkt:' . ($opt{bound} // $ticket), 'audit'],
            $address, $opt{replid} // REPLID, $x->{resume}{$address},
            $opt{log_size} // LOG_SIZE, $opt{grace} // GRACE, '192.0.2.3',
            'r3');
}


sub join {
    my ($self, @args) = @_;

    return $self->fcall($self->join_call(@args));
}


# The host comes: invite and join.  Its address.

sub host_join {
    my ($self, $x, $address) = @_;

    $address //= $self->address();

    my $tkt = hash();
    my $r = $self->invite($x, $tkt);

    die "rs_invite: $r->[0]" if $r->[0] ne 'ok';

    $r = $self->join($x, $tkt, $address);
    die "rs_join: $r->[0]" if $r->[0] ne 'ok';

    return $address;
}


# A participant asked for at the create comes.  Its address.

sub guest_join {
    my ($self, $x, $n, $address) = @_;

    $address //= $self->address();

    my $r = $self->join($x, $x->{tickets}[$n], $address);

    die "rs_join: $r->[0]" if $r->[0] ne 'ok';

    return $address;
}


sub invite {
    my ($self, $x, $ticket, $address) = @_;

    return $self->fcall('rs_invite', ["ses:$x->{id}", "par:$x->{id}",
                                      "mem:$x->{id}", "dses:$x->{dev}",
                                      "tkt:$ticket"],
                        $address // 'n1.0.00000000000000aa.1', $x->{dev}, 60);
}


sub append {
    my ($self, $x, $par, $address, $id, %opt) = @_;

    return $self->fcall('rs_append', ["ses:$x->{id}", "mem:$x->{id}",
                                      "log:$x->{id}"],
                        $par, $address, $id, $opt{to} // '',
                        $opt{body} // '{"kind":"x"}', $opt{replid} // REPLID,
                        $opt{log_size} // LOG_SIZE,
                        $opt{epoch} // $self->epoch($x));
}


# of the session, as who is in it knows

sub epoch {
    my ($self, $x) = @_;

    return $self->redis()->call('HGET', $self->key("ses:$x->{id}"), 'epoch')
           // 0;
}


sub resume {
    my ($self, $x, $par, $old, $position, $address, %opt) = @_;
    my $new = hash();
    my $r = $self->fcall('rs_resume', [ses_keys($x->{id}), own($address)],
                         $par, $old, $new, $position, $address,
                         $opt{replid} // REPLID, $opt{log_size} // LOG_SIZE,
                         $opt{grace} // GRACE);

    $x->{resume}{$address} = $new if $r->[0] eq 'ok';

    return $r;
}


sub state {
    my ($self, $x, $par, $address, $path, %opt) = @_;

    return $self->fcall('rs_state', [ses_keys($x->{id})], $par, $address,
                        $path, $opt{replid} // REPLID,
                        $opt{log_size} // LOG_SIZE);
}


sub control {
    my ($self, $x, $par, $address, $op, $to, %opt) = @_;

    return $self->fcall('rs_control', [ses_keys($x->{id})], $par, $address,
                        $op, $to // '', $opt{replid} // REPLID,
                        $opt{log_size} // LOG_SIZE);
}


sub leave {
    my ($self, $x, $par, $address, $mode, %opt) = @_;

    return $self->fcall('rs_leave', [ses_keys($x->{id}), own($address),
                                     'turn', 'trev'], $par, $address, $mode, $opt{replid} // REPLID,
                        $opt{log_size} // LOG_SIZE, $opt{grace} // GRACE);
}


sub end {
    my ($self, $x, %opt) = @_;

    return $self->fcall('rs_session_end', [$self->{key}, ses_keys($x->{id}),
                                           'turn'],
                        $opt{scope} // 'sessions:write',
                        $opt{reason} // 'deleted', $opt{detail} // '',
                        $opt{dev} // '', $opt{replid} // REPLID);
}


sub range {
    my ($self, $x, $position, $count) = @_;

    return $self->fcall_ro('rs_range', ["ses:$x->{id}", "log:$x->{id}"],
                           $position, $count // 1000);
}


# Who has a socket: the host's id, and participant -> address.

sub route {
    my ($self, $x) = @_;
    my $r = $self->fcall_ro('rs_route', ["ses:$x->{id}", "mem:$x->{id}"]);

    return $r->[0] eq 'ok' ? ['ok', $r->[1], { @{ $r->[2] } }] : $r;
}


# A session of kind turn; opt: id, ttl_s, retain_s, key_id.

sub turn_session {
    my ($self, %opt) = @_;
    my $x = { id => $opt{id} // random_id('ses_') };

    $x->{reply} = $self->fcall('rs_turn_session',
                               [$opt{auth} // $self->{key}, "ses:$x->{id}",
                                'turn'],
                               $opt{scope} // 'ice', $opt{key_id} // '',
                               $opt{ttl_s} // 300, $opt{retain_s} // 3600,
                               $opt{external_id} // '', $opt{quota} // 0);

    return $x;
}


sub turn_revoke {
    my ($self, $x, $par, %opt) = @_;

    return $self->fcall('rs_turn_revoke',
                        [$opt{auth} // $self->{key}, "ses:$x->{id}",
                         "par:$x->{id}", 'turn', 'trev'],
                        $opt{scope} // 'ice', 'sessions:write',
                        $opt{key_id} // '', $par // '');
}


sub turn_check {
    my ($self, $x, $par) = @_;

    return $self->fcall_ro('rs_turn_check', ["ses:$x->{id}", 'trev'], $par);
}


# Allocations: name, rcvp, rcvb, sentp, sentb, done each.

sub turn_usage {
    my ($self, $x, @allocations) = @_;

    return $self->fcall('rs_turn_usage', ["ses:$x->{id}", "use:$x->{id}"],
                        map { @$_ } @allocations);
}


# What the TURN plugins are told, as lists of words.

sub turn_subscribe {
    my ($self, $user) = @_;

    return RS::Schema::Subscriber->new($self, undef, $user);
}


# A tunnel to a device; opt: auth, scope, target, users, nets, ttl_s, max,
# quota, port.  Its id, or the code.

sub tunnel {
    my ($self, $dev, %opt) = @_;
    my $id = random_id('tun_');
    my $r = $self->fcall('rs_tunnel_create',
                         [$opt{auth} // $self->{key}, "tun:$id", 'tuns',
                          'tunx', "dev:$dev", "dtun:$dev", "pips:$id",
                          'idem:'],
                         $opt{scope} // 'tunnels:write', $id, $dev,
                         $opt{target} // '127.0.0.1:22', 'tcp', 'ssh',
                         $opt{addresses} // '', $opt{nets} // '',
                         $opt{users} // '', 600, $opt{ttl_s} // 3600,
                         $opt{max} // 8, $opt{quota} // 0, '',
                         $opt{port} // '');

    return $r->[0] eq 'ok' ? $id : $r->[0];
}


# A pipe of it: id, object, dev, tickets, and the reply.

sub pipe {
    my ($self, $tun, $dev, %opt) = @_;
    my $p = { id => random_id('pip_'), object => $tun, dev => $dev,
              client => hash(), host => hash(), auth => $opt{auth} // $self->{key},
              scope => caller_json(verb => 'tunnels:use') };

    $p->{scope} = $opt{scope} if $opt{scope};
    $p->{reply} = $self->fcall('rs_pipe_open',
                               [$p->{auth}, "tun:$tun", "pip:$p->{id}",
                                "dev:$dev", "pips:$tun"],
                               $p->{scope}, $p->{client}, $opt{ttl_s} // 60,
                               $opt{peer} // '', $opt{ends} // '',
                               $opt{max} // 8);

    return $p;
}


# A command of a device, with its pipe: as above; opt also: args (for the
# device), shown (for the audit), quota.

sub run_command {
    my ($self, $dev, $name, %opt) = @_;
    my $tun = random_id('tun_');
    my $p = { id => random_id('pip_'), object => $tun, dev => $dev,
              client => hash(), host => hash(),
              auth => $opt{auth} // $self->{key},
              scope => $opt{scope} // caller_json(verb => 'commands:run') };

    $p->{reply} = $self->fcall('rs_command_open',
                               [$p->{auth}, "tun:$tun", 'tuns', 'tunx',
                                "dev:$dev", "dtun:$dev", "pips:$tun",
                                "pip:$p->{id}"],
                               $p->{scope}, $tun, $dev, $name,
                               $opt{args} // '{}', $opt{shown} // '{}',
                               'why', $opt{ttl_s} // 3600, $opt{max} // 8,
                               $opt{quota} // 0, $p->{client}, 60,
                               $opt{peer} // '', $opt{ends} // '');

    return $p;
}


sub pipe_offer {
    my ($self, $p, $address) = @_;

    return $self->fcall('rs_pipe_offer', ["pip:$p->{id}", "dev:$p->{dev}"],
                        $address, $p->{host}, 60);
}


sub pipe_refuse {
    my ($self, $p, $address, $code) = @_;

    return $self->fcall('rs_pipe_refuse',
                        ["pip:$p->{id}", "tun:$p->{object}", "dev:$p->{dev}",
                         "pips:$p->{object}", 'audit', 'tuns', 'tunx',
                         "dtun:$p->{dev}"], $address, $code, 'x');
}


sub pipe_join {
    my ($self, $p, $x, $par, $address, $with, $max) = @_;
    my $side = $par eq $x->{host} ? 'host' : 'client';

    $p->{$side} = hash();

    return $self->fcall('rs_pipe_join',
                        ["pip:$p->{id}", "ses:$x->{id}", "par:$x->{id}",
                         "mem:$x->{id}", "pips:$x->{id}"],
                        $par, $address, $with, $p->{$side}, 60, 300,
                        $max // 16);
}


sub pipe_attach {
    my ($self, $p, $side, $address, %opt) = @_;

    return $self->fcall('rs_pipe_attach', ["pip:$p->{id}"], $side,
                        $opt{ticket} // $p->{$side}, $opt{bound} // hash(),
                        $address, 'unix', $opt{nonce} // hash());
}


# May the client still?  scope: the caller that opened it; '': the gateway.

sub pipe_check {
    my ($self, $p, $scope, $peer) = @_;
    my $second = $p->{dev} ? "dev:$p->{dev}" : "par:$p->{object}";
    my $object = $p->{dev} ? "tun:$p->{object}" : "ses:$p->{object}";

    return $self->fcall('rs_pipe_check',
                        [$p->{auth} // $self->{key}, "pip:$p->{id}", $object,
                         $second, "pips:$p->{object}"],
                        $scope // $p->{scope}, $peer // '');
}


sub pipe_gone {
    my ($self, $p, $side, $address, %opt) = @_;
    my $object = ($p->{object} =~ /^tun/ ? 'tun:' : 'ses:') . $p->{object};
    my @tunnel = $p->{dev} ? ('tuns', 'tunx', "dtun:$p->{dev}") : ();

    return $self->fcall('rs_pipe_gone', ["pip:$p->{id}", $object,
                                         "pips:$p->{object}", 'audit',
                                         @tunnel],
                        $side, $address, $opt{up} // 10, $opt{down} // 20,
                        $opt{code} // '', '192.0.2.1', 'r1');
}


# A session's clock moved: it ends now.

sub expire {
    my ($self, $x) = @_;

    return $self->{redis}->call('HSET', $self->key("ses:$x->{id}"),
                                'expires_at', time());
}


sub ttl {
    my ($self, $name) = @_;

    return $self->{redis}->call('TTL', $self->key($name));
}


sub exists {
    my ($self, $name) = @_;

    return $self->{redis}->call('EXISTS', $self->key($name));
}


sub subscribe {
    my ($self, $worker, $user) = @_;

    return RS::Schema::Subscriber->new($self, $worker, $user);
}


sub check_catalogue {
    my ($self) = @_;

    is_deeply([$self->{catalogue}->violations()], [],
              'only what the catalogue says was touched');
    is_deeply([$self->{catalogue}->keyspace()], [],
              'keys, fields and lives are as the catalogue says');

    return;
}


# Does the error reply of a function look like this?

sub dies_like {
    my ($self, $re, $name, @call) = @_;

    eval { $self->fcall(@call); 1 } and return fail($name);

    return like($@, $re, $name);
}


package RS::Schema::Subscriber;

use strict;
use warnings;


sub new {
    my ($class, $schema, $worker, $user) = @_;
    my $self = bless { link => $schema->connect($user),
                       channel => !defined $worker ? 'rs:turn'
                                  : $worker =~ /^rs:(?:ban|watch)$/ ? $worker
                                  : "rs:w:$worker",
                       redis => $schema->redis() }, $class;

    $self->{link}->call('SUBSCRIBE', $self->{channel});

    return $self;
}


# The envelopes since the last time.  What was published before the mark is
# there before it.

sub got {
    my ($self) = @_;
    my $mark = 'mark ' . ++$self->{marks};
    my @list;

    $self->{redis}->call('PUBLISH', $self->{channel}, $mark);

    while (1) {
        my $r = RS::Redis::_reply($self->{link}{link});

        return @list if $r->[2] eq $mark;

        if ($self->{channel} =~ /^rs:(?:turn|ban|watch)$/) {
            push @list, [split / /, $r->[2], -1];
            next;
        }

        my ($line, $body) = $r->[2] =~ /^([^\n]*)\n(.*)\z/s
            or die "no envelope: $r->[2]";
        my ($version, $kind, @rest) = split / /, $line;
        my %e = (version => $version, kind => $kind, body => $body,
                 fields => 2 + @rest);

        @e{qw(tenant session position from to id)} = @rest;
        push @list, \%e;
    }
}


1;
