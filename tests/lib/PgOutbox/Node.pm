# Node.pm - PostgreSQL::Test::Cluster, set up for logical decoding with our plugin.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Node;

#   my $node = PgOutbox::Node->new('main');
#   $node->init;                # wal_level, plugin allowed, listens on 127.0.0.1 too
#   $node->start;
#   $node->install;             # CREATE EXTENSION pg_outbox in database postgres
#   $node->create_slot('outbox');
#
# or all of it: PgOutbox::Node->ready('main', slot => 'outbox').

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use Fcntl qw(:flock);
use PgOutbox::Proc;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PgOutbox::Wait qw(wait_for);

our @ISA = ('PostgreSQL::Test::Cluster');

# init(fsync => 'off', conf => "text", allows_streaming, extra, ...)
sub init
{
	my ($self, %arg) = @_;
	my $fsync = delete $arg{fsync} // 'off';
	my $conf = delete $arg{conf} // '';

	# what a test sees must not depend on the locale of whoever runs it
	$arg{extra} = [ '--no-locale', '--encoding=UTF8', @{ $arg{extra} // [] } ];
	$self->SUPER::init(allows_streaming => 'logical', %arg);
	$self->append_conf('postgresql.conf', <<"END");
fsync = $fsync
listen_addresses = '127.0.0.1'
max_connections = 60
max_wal_senders = 20
max_replication_slots = 20
shared_buffers = 32MB
max_wal_size = 1GB
log_statement = none
log_min_messages = info
wal_sender_timeout = 10s
autovacuum_naptime = 10s
END
	if ($self->knows_plugin_list)
	{
		$self->append_conf('postgresql.conf',
			"output_plugin_libraries = 'pgoutput, test_decoding, outbox_decoder'");
	}
	$self->append_conf('postgresql.conf', $conf) if $conf ne '';
	$self->append_conf('pg_hba.conf', <<'END');
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
END
	return;
}

# knows_plugin_list(): whether this server refuses output plugins that are not in
# output_plugin_libraries (minor releases from August 2026 on).
sub knows_plugin_list
{
	my ($self) = @_;
	my ($bin, $data) = (PgOutbox::Env::pgbin(), $self->data_dir);
	return system("'$bin/postgres' -D '$data' -C output_plugin_libraries >/dev/null 2>&1") == 0;
}

# start(): as in the base class, and recorded for the clean-up of killed runs.
sub start
{
	my ($self, %arg) = @_;
	my $ok = $self->SUPER::start(%arg);
	PgOutbox::Proc::record($self->{_pid}, 'postgres ' . $self->name) if $self->{_pid};
	return $ok;
}

# kill9(): as in the base class, and it is gone when this returns; its children notice
# a moment later.
sub kill9
{
	my ($self) = @_;
	my $pid = $self->{_pid};
	$self->SUPER::kill9;
	wait_for(sub { !kill 0, $pid }, 10, step => 0.005) if defined $pid;
	return;
}

sub pid { return $_[0]{_pid}; }

# dsn(DATABASE, KEY => VALUE, ...): a connection string over TCP, as users have it.
sub dsn
{
	my ($self, $database, %more) = @_;
	$database //= 'postgres';
	my $user = $more{user} // getpwuid($<);
	delete $more{user};
	return join ' ', 'host=127.0.0.1', 'port=' . $self->port, "dbname=$database", "user=$user",
	  map { "$_=$more{$_}" } sort keys %more;
}

# socket_dsn(DATABASE): the same over the private Unix socket.
sub socket_dsn
{
	my ($self, $database) = @_;
	return $self->connstr($database // 'postgres') . ' user=' . getpwuid($<);
}

# install(DATABASE): the extension.
sub install
{
	my ($self, $database) = @_;
	$self->safe_psql($database // 'postgres', 'CREATE EXTENSION pg_outbox');
	return;
}

# create_slot(NAME, DATABASE): with our plugin.
sub create_slot
{
	my ($self, $slot, $database) = @_;
	$self->safe_psql($database // 'postgres',
		"SELECT pg_create_logical_replication_slot('$slot', 'outbox_decoder')");
	return;
}

# ready(NAME, slot => , conf => , fsync => ): a running server with everything in it.
sub ready
{
	my ($class, $name, %arg) = @_;
	my $slot = delete $arg{slot};
	my $node = $class->new($name);
	$node->init(%arg);
	$node->start;
	$node->install;
	$node->create_slot($slot) if defined $slot;
	return $node;
}

# slot_lsn(SLOT, COLUMN): confirmed_flush_lsn, or another column of its row.
sub slot_lsn
{
	my ($self, $slot, $column) = @_;
	$column //= 'confirmed_flush_lsn';
	return $self->safe_psql('postgres',
		"SELECT $column FROM pg_replication_slots WHERE slot_name = '$slot'");
}

# wait_confirmed(SLOT, LSN, SECONDS): until the slot's position is at or past LSN
# (default: the end of WAL now).  True if it came to that.
sub wait_confirmed
{
	my ($self, $slot, $lsn, $seconds) = @_;
	$lsn //= $self->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	return wait_for(
		sub {
			return $self->safe_psql('postgres',
				"SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots WHERE slot_name = '$slot'"
			) eq 't';
		},
		$seconds // 30,
		step => 0.05);
}

# wait_until(SQL, SECONDS): until the query says true.
sub wait_until
{
	my ($self, $sql, $seconds, $database) = @_;
	return wait_for(sub { return $self->safe_psql($database // 'postgres', $sql) eq 't' },
		$seconds // 30, step => 0.05);
}

# synchronous_receiver(NAME): a standby, as far as commits can tell, that can be stopped
# and goes on (pg_receivewal); commits wait for it from now on.
sub synchronous_receiver
{
	my ($self, $name) = @_;
	my $dir = PgOutbox::Env::testdir() . "/wal-$name";
	mkdir $dir or die "$dir: $!";
	my $receiver = PgOutbox::Proc->start(
		name => "receiver-$name",
		cmd => [
			PgOutbox::Env::pgbin() . '/pg_receivewal', '-d', $self->connstr('postgres') . " application_name=$name",
			'-D', $dir, '--synchronous', '--no-loop' ]);
	$self->wait_until("SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = '$name' AND state = 'streaming'")
	  or die 'no standby';
	# it will be stopped on purpose
	$self->safe_psql('postgres', "ALTER SYSTEM SET wal_sender_timeout = '60s'");
	$self->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '$name'");
	$self->reload;
	$self->wait_until("SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = '$name'")
	  or die 'the standby is not synchronous';
	return $receiver;
}

# walsender_pid(SLOT): of the walsender that serves the slot now, or undef.
sub walsender_pid
{
	my ($self, $slot) = @_;
	my $pid = $self->slot_lsn($slot, 'active_pid');
	return $pid ne '' ? $pid : undef;
}

1;
