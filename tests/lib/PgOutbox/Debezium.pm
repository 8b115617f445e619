# Debezium.pm - Kafka Connect with Debezium's connector for PostgreSQL, to compare with.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Debezium;

#   PgOutbox::Debezium::available() or plan skip_all => PgOutbox::Debezium::missing();
#   my $debezium = PgOutbox::Debezium->new(node => $node, kafka => $kafka, slot => 'debezium');
#   $debezium->start;                        # returns when it streams
#   ...
#   $debezium->stop;
#
# One process, ConnectStandalone, set up as Debezium's manual says for the Outbox Event
# Router on a table with a jsonb payload: strings as they are, a NULL payload as a
# tombstone, the event type as a header.  The defaults otherwise; connector => {} and
# worker => {} change them.

use strict;
use warnings FATAL => 'all';

use File::Path qw(make_path);
use PgOutbox::Env;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

sub _jars { return PgOutbox::Env::top() . '/build/debezium'; }
sub available { return -e _jars() . '/.complete'; }
sub missing { return "Debezium's jars are not in build/debezium (tests/env/debezium.sh fetches them)"; }

# new(node => , kafka => , slot => , table => 'outbox.event', database => 'postgres',
# heap => '1g', connector => {}, worker => {})
sub new
{
	my ($class, %arg) = @_;
	my $name = PgOutbox::Kafka::unique_name('debezium');
	my $dir = PgOutbox::Env::testdir() . "/$name";
	my $slot = $arg{slot} // 'debezium';
	make_path($dir);
	my %worker = (
		'bootstrap.servers' => $arg{kafka}->bootstrap,
		'key.converter' => 'org.apache.kafka.connect.storage.StringConverter',
		'value.converter' => 'org.apache.kafka.connect.storage.StringConverter',
		'header.converter' => 'org.apache.kafka.connect.storage.SimpleHeaderConverter',
		'offset.storage.file.filename' => "$dir/offsets",
		'offset.flush.interval.ms' => 1000,
		'plugin.discovery' => 'only_scan',
		'listeners' => 'http://127.0.0.1:' . PgOutbox::Kafka::free_port(),
		%{ $arg{worker} // {} });
	my %connector = (
		'name' => 'outbox',
		'connector.class' => 'io.debezium.connector.postgresql.PostgresConnector',
		'tasks.max' => 1,
		'database.hostname' => '127.0.0.1',
		'database.port' => $arg{node}->port,
		'database.user' => scalar(getpwuid $<),
		'database.password' => 'unused',
		'database.dbname' => $arg{database} // 'postgres',
		'topic.prefix' => 'debezium',
		'plugin.name' => 'pgoutput',
		'slot.name' => $slot,
		'publication.name' => "${slot}_publication",
		'publication.autocreate.mode' => 'filtered',
		'table.include.list' => $arg{table} // 'outbox.event',
		'snapshot.mode' => 'no_data',
		'tombstones.on.delete' => 'false',
		'transforms' => 'outbox',
		'transforms.outbox.type' => 'io.debezium.transforms.outbox.EventRouter',
		'transforms.outbox.table.fields.additional.placement' => 'type:header:eventType',
		'transforms.outbox.route.tombstone.on.empty.payload' => 'true',
		%{ $arg{connector} // {} });
	PgOutbox::Kafka::_write_properties("$dir/worker.properties", %worker);
	PgOutbox::Kafka::_write_properties("$dir/connector.properties", %connector);
	return bless { node => $arg{node}, dir => $dir, name => $name, slot => $slot, heap => $arg{heap} // '1g' }, $class;
}

# start(): until its slot is in use.
sub start
{
	my ($self) = @_;
	my @java = PgOutbox::Kafka::java($self->{heap});
	# other jars than the broker's, and their compiler as it comes
	splice @java, -2, 2, '-cp', _jars() . '/*';
	@java = grep { !/TieredStopAtLevel|UseSerialGC/ } @java;
	$self->{proc} = PgOutbox::Proc->start(
		name => $self->{name},
		log => "$self->{dir}/connect.log",
		cmd => [
			@java, 'org.apache.kafka.connect.cli.ConnectStandalone',
			"$self->{dir}/worker.properties", "$self->{dir}/connector.properties"
		]);
	wait_for(
		sub {
			return -1 if !$self->{proc}->alive;
			return $self->{node}->slot_lsn($self->{slot}, 'active') eq 't';
		},
		120,
		step => 0.2) // -1 > 0
	  or die "Debezium does not stream; its log ends:\n" . substr($self->{proc}->log_text, -3000);
	return $self;
}

sub proc { return $_[0]{proc}; }
sub stop { return $_[0]{proc}->stop(30); }

1;
