# Load.pm - writers that fill the outbox at a given pace, with a numbered trail.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Load;

#   my $load = PgOutbox::Load->new($node, topic => $topic, writers => 4, events => 60_000,
#       rate => 3_000, rows => 1_000, rollbacks => 0.1, seed => seed());
#   $load->start;
#   $load->wait(60);
#
# Several sessions write transactions of 1 to `rows' events, small ones more often
# (log-uniform), and roll some of them back.  Each transaction takes a group of keys,
# whose counter it raises under a row lock that it holds to the end: so the numbers of
# a key grow in commit order, whichever writer they come from, and the table alone says
# what has to arrive and in which order (PgOutbox::Tally checks it).
#
# A payload is {"n": number of the event, "s": number in its group, "p": filling}.
# Writers are paced by the clock, and make up for what was held up; allow() sets a limit
# beside it, so that events flow as long as a test needs, on a slow machine too.  One
# whose server goes away goes on when it is back.

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

sub new
{
	my ($class, $node, %arg) = @_;
	my $self = bless {
		node => $node,
		database => 'postgres',
		writers => 4,
		rows => 1000,
		rollbacks => 0.1,
		groups => 50,
		padding => 20,
		seed => 1,
		turns => 0,
		%arg
	}, $class;
	$self->_prepare;
	return $self;
}

sub _prepare
{
	my ($self) = @_;
	my $share = int($self->{events} / $self->{writers});
	$self->{events} = $share * $self->{writers};
	$self->{node}->safe_psql($self->{database}, <<"SQL");
CREATE SCHEMA load;
CREATE SEQUENCE load.n CACHE 100;
CREATE TABLE load.groups (g int PRIMARY KEY, s bigint NOT NULL) WITH (fillfactor = 20);
INSERT INTO load.groups SELECT i, 0 FROM generate_series(1, $self->{groups}) i;
CREATE TABLE load.writers (w int PRIMARY KEY, done bigint NOT NULL DEFAULT 0, rolled_back bigint NOT NULL DEFAULT 0)
	WITH (fillfactor = 20);
INSERT INTO load.writers SELECT i FROM generate_series(1, $self->{writers}) i;

CREATE TABLE load.pace (cap bigint NOT NULL);
INSERT INTO load.pace VALUES ($self->{events});

CREATE PROCEDURE load.write(writer int, share bigint, rate float8, seed float8)
LANGUAGE plpgsql AS \$\$
DECLARE
	written bigint;
	started timestamptz := clock_timestamp();
	at_start bigint;
	late float8;
	rows int;
	grp int;
	base bigint;
	back boolean;
	lost bigint := 0;
	held timestamptz;
BEGIN
	PERFORM setseed(seed);
	SELECT done INTO at_start FROM load.writers WHERE w = writer;
	written := at_start;
	COMMIT;
	WHILE written < share LOOP
		held := clock_timestamp();
		WHILE written * $self->{writers} >= (SELECT cap FROM load.pace) LOOP
			PERFORM pg_sleep(0.01);
			COMMIT;
		END LOOP;
		started := started + (clock_timestamp() - held);
		rows := LEAST(floor(exp(random() * ln($self->{rows} + 1))), share - written);
		back := random() < $self->{rollbacks};
		grp := 1 + floor(random() * $self->{groups});
		UPDATE load.groups SET s = s + rows WHERE g = grp RETURNING s - rows INTO base;
		INSERT INTO outbox.event (aggregatetype, aggregateid, type, topic, payload)
		SELECT 'load', grp || '-' || i % 5, 'e', '$self->{topic}',
			jsonb_build_object('n', nextval('load.n'), 's', base + i, 'p', repeat('x', $self->{padding}))
		FROM generate_series(1, rows) i;
		IF back THEN
			ROLLBACK;
			lost := lost + rows;
		ELSE
			written := written + rows;
			UPDATE load.writers SET done = written, rolled_back = rolled_back + lost WHERE w = writer;
			COMMIT;
			lost := 0;
		END IF;
		late := (written - at_start) / rate - extract(epoch FROM clock_timestamp() - started);
		IF late > 0 THEN
			PERFORM pg_sleep(late);
			COMMIT;
		END IF;
	END LOOP;
END
\$\$;
SQL
	return;
}

# start(): all writers, to run beside the test.
sub start
{
	my ($self) = @_;
	$self->_run($_) foreach 1 .. $self->{writers};
	return $self;
}

sub _run
{
	my ($self, $writer) = @_;
	my $share = $self->{events} / $self->{writers};
	my $rate = $self->{rate} / $self->{writers};
	# a number between -1 and 1, another one for every writer and turn
	my $seed = (($self->{seed} + 7919 * $writer + 104729 * $self->{turns}++) % 1_000_003) / 1_000_003;
	$self->{proc}[$writer] = PgOutbox::Proc->start(
		name => "writer$writer",
		cmd => [
			PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1',
			'-d', $self->{node}->socket_dsn($self->{database}),
			'-c', "CALL load.write($writer, $share, $rate, $seed)"
		]);
	return;
}

# allow(N): no more than about N events are written for now.
sub allow
{
	my ($self, $n) = @_;
	$n = int $n;
	return if ($self->{cap} // -1) == $n;
	$self->{node}->safe_psql($self->{database}, "UPDATE load.pace SET cap = $n");
	$self->{cap} = $n;
	return;
}

# poll(): starts writers again that have lost their server.  True while any runs.
sub poll
{
	my ($self) = @_;
	my $running = 0;
	foreach my $writer (1 .. $self->{writers})
	{
		my $proc = $self->{proc}[$writer];
		if ($proc->alive) { $running++; next; }
		next if $proc->exit_code == 0;
		die 'writer: ' . $proc->log_text if $proc->exit_code != 2 && $proc->log_text =~ /\AERROR/;
		next if !-e $self->{node}->data_dir . '/postmaster.pid';
		$self->_run($writer);
		$running++;
	}
	return $running;
}

# wait(SECONDS): until all is written; false if it takes longer.
sub wait
{
	my ($self, $seconds) = @_;
	return wait_for(sub { !$self->poll }, $seconds, step => 0.05);
}

# committed() and rolled_back(): events so far.
sub committed { return $_[0]->_sum('done'); }
sub rolled_back { return $_[0]->_sum('rolled_back'); }

sub _sum
{
	my ($self, $column) = @_;
	return $self->{node}->safe_psql($self->{database}, "SELECT sum($column) FROM load.writers");
}

# source(CODE): every event of the table, as CODE->(number, key, payload).
sub source
{
	my ($self, $code) = @_;
	open my $fh, '-|', PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-d',
	  $self->{node}->socket_dsn($self->{database}), '-c',
	  "COPY (SELECT payload ->> 'n', aggregateid, payload FROM outbox.event WHERE aggregatetype = 'load') TO STDOUT"
	  or die "psql: $!";
	while (my $line = <$fh>)
	{
		chomp $line;
		$code->(split /\t/, $line);
	}
	close $fh or die "psql: exit $?\n";
	return;
}

1;
