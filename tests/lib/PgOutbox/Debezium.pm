# Debezium.pm - Kafka Connect with Debezium's connector for PostgreSQL, to compare with.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Debezium;

#   PgOutbox::Debezium::available() or plan skip_all => PgOutbox::Debezium::missing();
#   my $debezium = PgOutbox::Debezium->new(node => $node, kafka => $kafka, slot => 'debezium');
#   $debezium->start;                        # returns when it streams
#   ...
#   $debezium->replace(slot => 'other', connector => { 'topic.prefix' => 'other' });
#   $debezium->remove;                       # the worker stays, without a connector
#   $debezium->stop;
#
# One process, ConnectStandalone, set up as Debezium's manual says for the Outbox Event
# Router on a table with a jsonb payload: strings as they are, a NULL payload as a
# tombstone, the event type as a header.  The defaults otherwise; connector => {} and
# worker => {} change them.

use strict;
use warnings FATAL => 'all';

use File::Path qw(make_path);
use HTTP::Tiny ();
use JSON::PP ();
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
	my $url = 'http://127.0.0.1:' . PgOutbox::Kafka::free_port();
	make_path($dir);
	my %worker = (
		'bootstrap.servers' => $arg{kafka}->bootstrap,
		'key.converter' => 'org.apache.kafka.connect.storage.StringConverter',
		'value.converter' => 'org.apache.kafka.connect.storage.StringConverter',
		'header.converter' => 'org.apache.kafka.connect.storage.SimpleHeaderConverter',
		'offset.storage.file.filename' => "$dir/offsets",
		'offset.flush.interval.ms' => 1000,
		'plugin.discovery' => 'only_scan',
		'listeners' => $url,
		%{ $arg{worker} // {} });
	my $self = bless { node => $arg{node}, dir => $dir, name => $name, url => $url, heap => $arg{heap} // '1g' }, $class;
	my %connector = $self->_connector(%arg);
	PgOutbox::Kafka::_write_properties("$dir/worker.properties", %worker);
	PgOutbox::Kafka::_write_properties("$dir/connector.properties", %connector);
	return $self;
}

# What a connector needs; remembers its slot.
sub _connector
{
	my ($self, %arg) = @_;
	my $slot = $self->{slot} = $arg{slot} // 'debezium';
	return (
		'name' => 'outbox',
		'connector.class' => 'io.debezium.connector.postgresql.PostgresConnector',
		'tasks.max' => 1,
		'database.hostname' => '127.0.0.1',
		'database.port' => $self->{node}->port,
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
}

# start(): until it streams.
sub start
{
	my ($self) = @_;
	my @java = PgOutbox::Kafka::as_shipped(PgOutbox::Kafka::java($self->{heap}));
	# other jars than the broker's
	splice @java, -2, 2, '-cp', _jars() . '/*';
	$self->{proc} = PgOutbox::Proc->start(
		name => $self->{name},
		log => "$self->{dir}/connect.log",
		cmd => [
			@java, 'org.apache.kafka.connect.cli.ConnectStandalone',
			"$self->{dir}/worker.properties", "$self->{dir}/connector.properties"
		]);
	return $self->_wait_streaming(0);
}

# until its slot is in use; what the log has from an offset on says if it never will be
sub _wait_streaming
{
	my ($self, $from) = @_;
	my $streams = wait_for(
		sub {
			return -1 if !$self->{proc}->alive || $self->{proc}->log_text($from) =~ /Task is being killed/;
			return $self->{node}->slot_lsn($self->{slot}, 'active') eq 't';
		},
		120,
		step => 0.1);
	die "Debezium does not stream; its log ends:\n" . substr($self->{proc}->log_text, -3000)
	  if ($streams // -1) < 0;
	return $self;
}

# ---- while the worker runs, through its REST interface

sub _ask
{
	my ($self, $method, $path, $content) = @_;
	my $answer = HTTP::Tiny->new(timeout => 60)->request($method, "$self->{url}$path",
		$content
		? { content => JSON::PP::encode_json($content), headers => { 'Content-Type' => 'application/json' } }
		: {});
	die "Debezium: $method $path: $answer->{status} $answer->{content}\n" if !$answer->{success};
	return;
}

# remove(): ends the connector; its slot stays, and is free when this returns.
sub remove
{
	my ($self) = @_;
	my $slot = delete $self->{slot} // return;
	$self->_ask('DELETE', '/connectors/outbox');
	$self->{node}->wait_until("SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$slot'", 60)
	  or die "Debezium does not let go of slot $slot\n";
	return;
}

# replace(slot => , table => , connector => {}): another connector, until it streams.  One
# that is to begin at its slot's position needs a topic.prefix that was not used before.
sub replace
{
	my ($self, %arg) = @_;
	$self->remove;
	my %connector = map { "$_" } $self->_connector(%arg);
	my $from = $self->{proc}->log_size;
	$self->_ask('PUT', '/connectors/outbox/config', \%connector);
	return $self->_wait_streaming($from);
}

sub proc { return $_[0]{proc}; }
sub stop { return $_[0]{proc}->stop(30); }

1;
