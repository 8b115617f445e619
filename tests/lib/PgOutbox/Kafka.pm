# Kafka.pm - a private Apache Kafka broker (KRaft, one node) and small tools for it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Kafka;

# A broker is a Java process with its data below the run directory, on free ports
# of 127.0.0.1, which it keeps for its life, through kills and restarts.
#
#   my $kafka = PgOutbox::Kafka->new(properties => {'auto.create.topics.enable' => 'false'});
#   $kafka->start;
#   $kafka->create_topic('t', 4, 'max.message.bytes' => 1000);
#   $kafka->kill9; $kafka->start;
#
# Tests that neither stop nor reconfigure it share one: PgOutbox::Kafka->shared.
# They use topic names of their own (unique_name).

use strict;
use warnings FATAL => 'all';

use Fcntl qw(:flock);
use File::Path qw(make_path remove_tree);
use IO::Handle;
use IO::Socket::INET;
use PgOutbox::Env;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

# the same for all, so that a formatted directory can be copied
use constant CLUSTER_ID => 'cGdfb3V0Ym94X3Rlc3RzXw';

my $count = 0;

# free_port(): a port that nobody listens on, below the range of which the kernel
# gives out-going connections their ports, and not given to another test of this run.
sub free_port
{
	my $dir = PgOutbox::Env::run() . '/ports';
	foreach my $try (1 .. 1000)
	{
		my $port = 20000 + int rand 12000;
		my $socket = IO::Socket::INET->new(
			LocalAddr => '127.0.0.1',
			LocalPort => $port,
			Listen => 1,
			ReuseAddr => 1) or next;
		close $socket;
		sysopen my $fh, "$dir/k$port", Fcntl::O_WRONLY | Fcntl::O_CREAT | Fcntl::O_EXCL or next;
		close $fh;
		return $port;
	}
	die "no free port\n";
}

# unique_name(PREFIX): a name that no other test of this run uses.
my $names = 0;
sub unique_name
{
	my ($prefix) = @_;
	return sprintf '%s-%d-%d', $prefix // 't', $$, ++$names;
}

# new(name => , properties => {}, heap => '512m', as_shipped => 0): not yet started.  As
# shipped its virtual machine compiles and collects as it does by default: slower to
# start, and faster after a while.
sub new
{
	my ($class, %arg) = @_;
	$count++;
	my $name = $arg{name} // "kafka$count";
	my $self = bless {
		name => $name,
		dir => $arg{dir} // PgOutbox::Env::testdir() . "/$name",
		heap => $arg{heap} // '512m',
		as_shipped => $arg{as_shipped},
		port => free_port(),
		controller_port => free_port(),
		properties => $arg{properties} // {}
	}, $class;
	return $self;
}

sub port { return $_[0]{port}; }
sub bootstrap { return "127.0.0.1:$_[0]{port}"; }
sub proc { return $_[0]{proc}; }
sub data_dir { return "$_[0]{dir}/data"; }
sub log { return "$_[0]{dir}/server.log"; }

# properties that suit a test: small, one replica, no waiting
sub _properties
{
	my ($self) = @_;
	my %p = (
		'process.roles' => 'broker,controller',
		'node.id' => 1,
		'controller.quorum.voters' => "1\@127.0.0.1:$self->{controller_port}",
		'listeners' =>
		  "PLAINTEXT://127.0.0.1:$self->{port},CONTROLLER://127.0.0.1:$self->{controller_port}",
		'advertised.listeners' => "PLAINTEXT://127.0.0.1:$self->{port}",
		'controller.listener.names' => 'CONTROLLER',
		'listener.security.protocol.map' => 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
		'inter.broker.listener.name' => 'PLAINTEXT',
		'log.dirs' => $self->data_dir,
		'num.partitions' => 3,
		'num.network.threads' => 2,
		'num.io.threads' => 4,
		'background.threads' => 2,
		'offsets.topic.replication.factor' => 1,
		'offsets.topic.num.partitions' => 4,
		'transaction.state.log.replication.factor' => 1,
		'transaction.state.log.min.isr' => 1,
		'transaction.state.log.num.partitions' => 4,
		'share.coordinator.state.topic.replication.factor' => 1,
		'share.coordinator.state.topic.min.isr' => 1,
		'group.initial.rebalance.delay.ms' => 0,
		# a broker that was killed may register again only when its session is over
		'broker.session.timeout.ms' => 2000,
		'broker.heartbeat.interval.ms' => 250,
		'log.cleaner.dedupe.buffer.size' => 4194304,
		'controlled.shutdown.enable' => 'true');
	return (%p, %{ $self->{properties} });
}

# jars(): class path of the broker
sub jars
{
	return "$ENV{KAFKA_HOME}/libs/*" if $ENV{KAFKA_HOME};
	my $dir = PgOutbox::Env::top() . '/build/kafka';
	-e "$dir/.complete" or die "Kafka's jars are missing: run tests/env/kafka.sh\n";
	return "$dir/*";
}

# java(HEAP, ARGS): the command line of a Java program from the jars
sub java
{
	my ($heap, @args) = @_;
	my $logging = PgOutbox::Env::run() . '/log4j2.properties';
	if (!-e $logging)
	{
		open my $fh, '>', "$logging.$$" or die "$logging: $!";
		print $fh <<'END';
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.kafka.name = kafka
logger.kafka.level = INFO
END
		close $fh;
		rename "$logging.$$", $logging;
	}
	return (
		$ENV{JAVA_HOME} ? "$ENV{JAVA_HOME}/bin/java" : 'java',
		"-Xmx$heap", '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto',
		'-XX:-UsePerfData', "-Dlog4j2.configurationFile=file:$logging",
		'-cp', jars(), @args);
}

# as_shipped(COMMAND): without what makes it start fast here.
sub as_shipped { return grep { !/TieredStopAtLevel|UseSerialGC/ } @_; }

# A formatted data directory is the same for every broker here and costs a start
# of Java: made once for a run, copied after that.
sub _format
{
	my ($self) = @_;
	my $cache = PgOutbox::Env::run() . '/kafka-formatted';
	open my $lock, '>>', "$cache.lock" or die "$cache.lock: $!";
	flock $lock, LOCK_EX;
	if (!-d $cache)
	{
		my $conf = "$cache.properties";
		my %p = ($self->_properties, 'log.dirs' => "$cache.new");
		_write_properties($conf, %p);
		remove_tree("$cache.new");
		my $log = "$cache.log";
		my $format = PgOutbox::Proc->start(
			name => 'kafka-format',
			log => $log,
			cmd => [
				java('256m', 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', $conf)
			]);
		defined $format->wait_exit(60) && $format->exit_code == 0
		  or die 'formatting failed: ' . $format->log_text;
		rename "$cache.new", $cache or die "$cache: $!";
	}
	close $lock;
	system('cp', '-a', $cache, $self->data_dir) == 0 or die "cp: $?";
	return;
}

sub _write_properties
{
	my ($file, %p) = @_;
	open my $fh, '>', $file or die "$file: $!";
	print $fh "$_=$p{$_}\n" foreach sort keys %p;
	close $fh;
	return;
}

# start(wait => 1): starts it (again) and, by default, waits until it answers.
sub start
{
	my ($self, %opt) = @_;
	die "$self->{name} runs already\n" if $self->{proc} && $self->{proc}->alive;
	make_path($self->{dir});
	_write_properties("$self->{dir}/server.properties", $self->_properties);
	$self->_format if !-d $self->data_dir;
	my @java = java($self->{heap}, 'kafka.Kafka', "$self->{dir}/server.properties");
	$self->{proc} = PgOutbox::Proc->start(
		name => $self->{name},
		log => $self->log,
		env => { KAFKA_OPTS => undef },
		cmd => [ $self->{as_shipped} ? as_shipped(@java) : @java ]);
	$self->wait_ready if $opt{wait} // 1;
	return $self;
}

# wait_ready(SECONDS): until it answers a metadata request as the cluster's controller.
sub wait_ready
{
	my ($self, $seconds) = @_;
	my $ready = wait_for(
		sub {
			return -1 if !$self->{proc}->alive;
			my $socket = IO::Socket::INET->new(
				PeerAddr => '127.0.0.1',
				PeerPort => $self->{port},
				Timeout => 1) or return 0;
			close $socket;
			return system(PgOutbox::Env::tool('ktool') . ' -b ' . $self->bootstrap
				  . ' ping >/dev/null 2>&1') == 0;
		},
		$seconds // 60,
		step => 0.05);
	die "broker does not answer; its log ends:\n" . substr($self->{proc}->log_text, -3000)
	  if !$ready || $ready < 0;
	return $self;
}

# stop(): orderly.  kill9(): as a power failure of the process.
sub stop { return $_[0]{proc}->stop(30); }
sub kill9 { return $_[0]{proc}->kill9; }
sub restart { my ($self) = @_; $self->stop; return $self->start; }

# pause() and resume(): connections stay, nothing is answered.
sub pause { return $_[0]{proc}->signal('STOP'); }
sub resume { return $_[0]{proc}->signal('CONT'); }

# shared(): the run's common broker, started by the first test that asks, ended
# with the run.  Automatic creation of topics is off: create what you need.
sub shared
{
	my ($class) = @_;
	my $dir = PgOutbox::Env::run() . '/kafka-shared';
	make_path($dir);
	open my $lock, '>>', "$dir/lock" or die "$dir/lock: $!";
	flock $lock, LOCK_EX;
	my $self;
	if (open my $fh, '<', "$dir/port")
	{
		my ($port, $pid, $start) = split ' ', <$fh>;
		close $fh;
		if ((PgOutbox::Proc::start_time($pid) // -1) == $start)
		{
			$self = bless { name => 'kafka-shared', dir => $dir, port => $port }, $class;
			$self->{proc} = bless { pid => $pid, name => 'kafka-shared', log => "$dir/server.log",
				shared => 1, owner => 0 }, 'PgOutbox::Proc';
		}
	}
	if (!$self)
	{
		$self = $class->new(
			name => 'kafka-shared',
			dir => $dir,
			properties => { 'auto.create.topics.enable' => 'false' });
		$self->start;
		# without a wrapper nobody else would end it
		if ($ENV{PGOB_WRAPPED})
		{
			$self->{proc}{shared} = 1;
			open my $fh, '>', "$dir/port" or die "$dir/port: $!";
			print $fh "$self->{port} $self->{proc}{pid} $self->{proc}{start}\n";
			close $fh;
		}
	}
	close $lock;
	return $self;
}

# ---- tools

# ktool(ARGS): tests/tools/ktool.c; dies if it fails, returns its output
sub ktool
{
	my ($self, @args) = @_;
	open my $fh, '-|', PgOutbox::Env::tool('ktool'), '-b', $self->bootstrap, @args
	  or die "ktool: $!";
	local $/;
	my $out = <$fh> // '';
	close $fh or die "ktool @args: exit $?\n";
	return $out;
}

# create_topic(NAME, PARTITIONS, CONFIG => VALUE, ...)
sub create_topic
{
	my ($self, $topic, $partitions, %config) = @_;
	$self->ktool('create', $topic, $partitions // 3, map { "$_=$config{$_}" } sort keys %config);
	return $topic;
}

sub delete_topic { my ($self, @topics) = @_; $self->ktool('delete', @topics); return; }
sub alter_topic { my ($self, $topic, %c) = @_; $self->ktool('alter', $topic, map { "$_=$c{$_}" } sort keys %c); return; }

# topics(): { name => number of partitions }
sub topics
{
	my ($self) = @_;
	return { map { split /\t/ } split /\n/, $self->ktool('list') };
}

# ends(TOPIC): { partition => [low, high] }
sub ends
{
	my ($self, $topic) = @_;
	return { map { my ($p, $l, $h) = split /\t/; ($p => [ $l, $h ]) } split /\n/, $self->ktool('ends', $topic) };
}

# messages_in(TOPIC): how many offsets its partitions hold
sub messages_in
{
	my ($self, $topic) = @_;
	my $sum = 0;
	$sum += $_->[1] - $_->[0] foreach values %{ $self->ends($topic) };
	return $sum;
}

# produce(TOPIC, { key => , value => , headers => [[name, value], ...], partition => }, ...):
# undef is NULL; headers may be a hash too; the partitioner is Java's
sub produce
{
	my ($self, $topic, @messages) = @_;
	my $producer = $self->producer($topic);
	give($producer, @messages);
	close $producer or die "ktool produce: exit $?\n";
	return;
}

# producer(TOPIC): one that stays connected, so that what it is given by
# give(PRODUCER, MESSAGES) goes out at once; close() waits until all is there.
sub producer
{
	my ($self, $topic) = @_;
	open my $fh, '|-', PgOutbox::Env::tool('ktool'), '-b', $self->bootstrap, 'produce', $topic
	  or die "ktool: $!";
	return $fh;
}

sub give
{
	my ($fh, @messages) = @_;
	my $hex = sub { return defined $_[0] ? unpack('H*', $_[0]) : '-'; };
	foreach my $m (@messages)
	{
		my $headers = $m->{headers} // [];
		$headers = [ map { [ $_, $headers->{$_} ] } sort keys %$headers ] if ref $headers eq 'HASH';
		print $fh join(' ',
			$m->{partition} // -1,
			$hex->($m->{key}), $hex->($m->{value}),
			map { "$_->[0] " . $hex->($_->[1]) } @$headers), "\n";
	}
	$fh->flush;
	return;
}

# java_consumer(TOPIC, PROPERTY => VALUE, ...): everything that Java's console
# consumer sees of a topic from its beginning, as text; a second independent
# witness.  Prints partition, offset, headers and key before the value.
sub java_consumer
{
	my ($self, $topic, %opt) = @_;
	my $max = delete $opt{max_messages};
	my @args = (
		'org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', $self->bootstrap,
		'--topic', $topic, '--from-beginning', '--timeout-ms', defined $max ? 40000 : 8000,
		(map { ('--property', $_) } qw(print.key=true print.partition=true print.offset=true print.headers=true)),
		(map { ('--consumer-property', "$_=$opt{$_}") } sort keys %opt));
	push @args, '--max-messages', $max if defined $max;
	my $out = PgOutbox::Env::testdir() . '/' . unique_name('java-consumer') . '.out';
	my $proc = PgOutbox::Proc->start(
		name => 'java-consumer',
		stdout => $out,
		cmd => [ java('256m', @args) ]);
	defined $proc->wait_exit(90) or $proc->kill9;
	open my $fh, '<:raw', $out or die "$out: $!";
	local $/;
	my $text = <$fh> // '';
	close $fh;
	return $text;
}

# java_producer(TOPIC, [key, value], ...): sends them with Java's console producer,
# whose lines hold neither CR, LF nor the separator 0x1F.
sub java_producer
{
	my ($self, $topic, @pairs) = @_;
	my $base = PgOutbox::Env::testdir() . '/' . unique_name('java-producer');
	open my $fh, '>:raw', "$base.in" or die "$base.in: $!";
	print $fh "$_->[0]\x1f$_->[1]\n" foreach @pairs;
	close $fh or die "$base.in: $!";
	my $proc = PgOutbox::Proc->start(
		name => 'java-producer',
		stdin => "$base.in",
		log => "$base.log",
		cmd => [
			java('256m', 'org.apache.kafka.tools.ConsoleProducer', '--bootstrap-server', $self->bootstrap,
				'--topic', $topic, '--property', 'parse.key=true', '--property', "key.separator=\x1f")
		]);
	defined $proc->wait_exit(90) or $proc->kill9;
	$proc->exit_code == 0 or die 'java producer: ' . $proc->log_text;
	return;
}

# dump_log(TOPIC, PARTITION): the partition's segments as the broker's own dump
# tool prints them, control records (transaction markers) included.
sub dump_log
{
	my ($self, $topic, $partition) = @_;
	my @files = sort glob $self->data_dir . "/$topic-$partition/*.log";
	my $out = PgOutbox::Env::testdir() . '/' . unique_name('dump-log') . '.out';
	my $proc = PgOutbox::Proc->start(
		name => 'dump-log',
		stdout => $out,
		cmd => [
			java('256m', 'kafka.tools.DumpLogSegments', '--deep-iteration', '--print-data-log',
				'--files', join ',', @files)
		]);
	defined $proc->wait_exit(60) or $proc->kill9;
	open my $fh, '<:raw', $out or die "$out: $!";
	local $/;
	my $text = <$fh> // '';
	close $fh;
	return $text;
}

1;
