# Rig.pm - the servers that all sections share, and what is measured with them.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Rig;

# One server, one broker, each started by the first section that asks.  A measurement
# is a function that runs something once and returns a hash of figures; it dies if what
# it counts is not what was to come.

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Consumer;
use PgOutbox::Kafka;
use PgOutbox::Node;
use PgOutbox::Proc;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Time::HiRes qw(time);
use Loads;

my ($node, $loads, $kafka);
my $names = 0;
my @streamers;

sub node
{
	return $node if $node;
	my $new = PgOutbox::Node->new('bench');
	$new->init(
		fsync => 'on',
		conf => <<'END');
shared_buffers = 512MB
max_wal_size = 24GB
checkpoint_timeout = 1h
autovacuum = off
wal_sender_timeout = 60s
max_replication_slots = 60
END
	$new->append_conf('postgresql.conf', "output_plugin_libraries = 'pgoutput, outbox_decoder, wal2json'")
	  if $new->knows_plugin_list;
	$new->start;
	$new->install;
	$loads = Loads->new($new);
	return $node = $new;
}

sub loads { node(); return $loads; }

sub broker
{
	$kafka //= PgOutbox::Kafka->new(heap => '1g', as_shipped => 1);
	$kafka->start if !$kafka->proc || !$kafka->proc->alive;
	return $kafka;
}

# another_broker(): to be killed; it starts soon, and has nothing that it would have to look through.
sub another_broker { return PgOutbox::Kafka->new(heap => '1g')->start; }

# name(PREFIX), topic(PREFIX, PARTITIONS): not used before.
sub name { my ($prefix) = @_; return $prefix . ++$names; }

sub topic
{
	my ($prefix, $partitions) = @_;
	return broker()->create_topic(name($prefix), $partitions // 4);
}

# streamer(SLOT, CONFIG, BROKER): with shipped defaults but for where things are.
sub streamer
{
	my ($slot, $config, $broker) = @_;
	my $streamer = PgOutbox::Streamer->new(
		node => node(), kafka => $broker // broker(), slot => $slot, name => $slot,
		config => { postgres => { dsn => node()->socket_dsn }, %{ $config // {} } });
	push @streamers, $streamer;
	return $streamer;
}

# read_slot(LOAD, PLUGIN, OPTIONS): a copy of its slot, by a reader that discards.
sub read_slot
{
	my ($load, $plugin, @options) = @_;
	my $slot = loads()->copy($load, $plugin);
	open my $fh, '-|', PgOutbox::Env::tool('slot_reader'), '-d', node()->socket_dsn, '-s', $slot,
	  '-e', $load->{end}, map { ('-o', $_) } @options
	  or die "slot_reader: $!";
	my $line = <$fh> // '';
	close $fh or die "slot_reader failed\n";
	loads()->drop($slot);
	my %got = map { split /=/ } split ' ', $line;
	$got{per_s} = $load->{rows} / $got{seconds};
	$got{cpu_both} = $got{reader_cpu} + $got{walsender_cpu};
	return \%got;
}

sub pgoutput { my ($load) = @_; return read_slot($load, 'pgoutput', 'proto_version=1', 'publication_names=bench'); }

# how many messages a consumer that reads committed records sees
sub consumed
{
	my ($topic) = @_;
	open my $fh, '-|', 'kcat', '-C', '-q', '-e', '-b', broker()->bootstrap, '-t', $topic, '-f', '.',
	  '-X', 'isolation.level=read_committed'
	  or die "kcat: $!";
	my ($sum, $buffer) = (0, '');
	while (my $n = read $fh, $buffer, 1 << 16) { $sum += $n }
	close $fh;
	return $sum;
}

# The same for many topics, which are there already: a reader that looks for new ones
# would be busy with that alone.
sub consumed_like
{
	my ($regex) = @_;
	my $consumer = PgOutbox::Consumer->start(broker(), $regex, { until_end => 1 });
	my $sum = 0;
	my $ended = wait_for(sub { my $ended = !$consumer->alive; $sum += $consumer->poll(sub { }); return $ended; }, 300);
	die "consumed_like: no end in sight after $sum messages\n" if !$ended;
	return $sum;
}

# drain(LOAD, outbox => {}, table => {}, shards => N, arrived => CODE): a copy of its
# slot, from exec of the streamer to its exit at the end of the load, when the broker has
# acknowledged everything and the slot is confirmed.  Where events go elsewhere than to
# a topic of four partitions, CODE says how many a consumer finds there anew.
sub drain
{
	my ($load, %arg) = @_;
	my $shards = $arg{shards} // 1;
	my $topic = topic('drain');
	my @slots = map { loads()->copy($load, 'outbox_decoder') } 1 .. $shards;
	my @running = map {
		streamer($slots[$_], {
			outbox => { topic => $topic, ($shards > 1 ? (shard => "$_/$shards") : ()), %{ $arg{outbox} // {} } },
			"table \"$load->{table}\"" => { id => 'id', %{ $arg{table} // {} } } })
	} 0 .. $#slots;
	my $broker_cpu = broker()->proc->cpu_seconds;
	my $began = time;
	$_->start("--endpos=$load->{end}") foreach @running;
	my @usage = map { { slot => $slots[$_], streamer => $running[$_] } } 0 .. $#slots;
	my $ended = wait_for(sub { _note_usage($_) foreach @usage; return !grep { $_->alive } @running }, 900, step => 0.02);
	my $seconds = time - $began;
	$broker_cpu = broker()->proc->cpu_seconds - $broker_cpu;
	foreach my $streamer (@running)
	{
		die 'drain: exit status ' . ($streamer->wait_exit(1) // 'none') . "\n" . $streamer->log_text
		  if !$ended || $streamer->wait_exit(1) != 0;
	}
	my $count = $arg{arrived} ? $arg{arrived}->() : consumed($topic);
	die "drain: $count of $load->{rows} events arrived\n" if $count != $load->{rows};
	loads()->drop($_) foreach @slots;
	broker()->delete_topic($topic);
	my %got = (seconds => $seconds, per_s => $load->{rows} / $seconds, broker_cpu => $broker_cpu, cpu => 0, walsender_cpu => 0, rss_mib => 0);
	foreach my $usage (@usage)
	{
		$got{$_} += $usage->{$_} // 0 foreach qw(cpu walsender_cpu);
		$got{rss_mib} = $usage->{rss} / 1024 if ($usage->{rss} // 0) / 1024 > $got{rss_mib};
	}
	$got{cpu_both} = $got{cpu} + $got{walsender_cpu};
	return \%got;
}

# What a streamer and its walsender have used so far; they are gone when all is over.
sub _note_usage
{
	my ($usage) = @_;
	my $streamer = $usage->{streamer};
	$usage->{walsender} //= node()->walsender_pid($usage->{slot});
	my %look = (
		walsender_cpu => sub { return defined $usage->{walsender} ? PgOutbox::Proc::cpu_of($usage->{walsender}) : 0; },
		cpu => sub { return $streamer->cpu_seconds; },
		rss => sub { return $streamer->peak_rss_kib; });
	foreach my $what (keys %look)
	{
		# it may end while it is looked at
		my $now = eval { $look{$what}->() } // 0;
		$usage->{$what} = $now if $now > ($usage->{$what} // 0);
	}
	return;
}

# paced(TOPIC, RATE, SECONDS): commits events at a rate and says when a consumer had them.
sub paced
{
	my ($topic, $rate, $seconds) = @_;
	open my $fh, '-|', PgOutbox::Env::tool('pace'), '-d', node()->socket_dsn, '-b', broker()->bootstrap,
	  '-t', $topic, '-r', $rate, '-s', $seconds, '-w', 2, '-c', $rate > 1000 ? 24 : 8
	  or die "pace: $!";
	my $line = <$fh> // '';
	close $fh or die "pace failed\n";
	my %got = map { split /=/ } split ' ', $line;
	return \%got;
}

# recover(): after a section that failed: what it has left is ended and dropped.
sub recover
{
	foreach my $streamer (grep { $_->alive } @streamers) { $streamer->kill9; }
	if ($node)
	{
		if (!eval { $node->safe_psql('postgres', 'SELECT 1'); 1 })
		{
			$node->stop('immediate', fail_ok => 1);
			$node->start;
		}
		$loads->drop_others if $loads;
	}
	return;
}

sub stop
{
	$kafka->stop if $kafka;
	$node->stop('fast') if $node;
	return;
}

1;
