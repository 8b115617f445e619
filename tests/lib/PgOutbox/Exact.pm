# Exact.pm - transactions over several topics, and what a consumer sees of them.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Exact;

#   my $exact = PgOutbox::Exact->new($node, $kafka, topics => [ 'a', 'b' ], seed => seed());
#   $exact->write(events => 30_000, rate => 3_000);     # in the background
#   $exact->writing; $exact->wait_written(60);
#   my $count = $exact->count;      # lost, duplicates, reorderings, partial, ...
#   my $now = $exact->snapshot;     # the same of what is visible at this moment
#
# Each transaction has 1 to `rows' events, small ones more often, spread over all
# topics and several keys.  It takes a group of keys, whose counter it raises under a
# row lock that it holds to the end: so the numbers of a key grow in commit order.  A
# tenth of the transactions is rolled back.  Every event says which transaction it is
# of, and of how many; table exact.txn has one row for each that was committed.
#
# A payload: {"t": transaction, "i": number in it, "of": their count, "s": number in
# the group, "p": filling}.

use strict;
use warnings FATAL => 'all';
no warnings qw(portable);    # an LSN has 64 bits

use PgOutbox::Consumer;
use PgOutbox::Env;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

sub new
{
	my ($class, $node, $kafka, %arg) = @_;
	my $self = bless {
		node => $node,
		kafka => $kafka,
		rows => 300,
		writers => 3,
		seed => 1,
		turns => 0,
		%arg
	}, $class;
	my $topics = join ', ', map { "'$_'" } @{ $self->{topics} };
	$node->safe_psql('postgres', <<"SQL");
CREATE SCHEMA exact;
CREATE SEQUENCE exact.t;
CREATE TABLE exact.grp (g int PRIMARY KEY, s bigint NOT NULL) WITH (fillfactor = 20);
INSERT INTO exact.grp SELECT i, 0 FROM generate_series(1, 30) i;
CREATE TABLE exact.txn (t bigint PRIMARY KEY, events int NOT NULL);

CREATE FUNCTION exact.write(number bigint, events int, which int) RETURNS void LANGUAGE sql AS \$\$
	INSERT INTO exact.txn VALUES (number, events);
	WITH base AS (UPDATE exact.grp SET s = s + events WHERE g = which RETURNING s - events AS s)
	INSERT INTO outbox.event (aggregatetype, aggregateid, type, topic, payload)
	SELECT 'exact', which || '-' || i % 5, 'e', (ARRAY[$topics])[1 + i % @{[scalar @{ $self->{topics} }]}],
		jsonb_build_object('t', number, 'i', i, 'of', events, 's', base.s + i, 'p', repeat('x', 40))
	FROM base, generate_series(1, events) i
\$\$;

CREATE PROCEDURE exact.flow(share bigint, rate float8, most int, seed float8)
LANGUAGE plpgsql AS \$\$
DECLARE
	written bigint := 0;
	started timestamptz := clock_timestamp();
	late float8;
	n int;
BEGIN
	PERFORM setseed(seed);
	WHILE written < share LOOP
		n := LEAST(floor(exp(random() * ln(most + 1))), share - written);
		PERFORM exact.write(nextval('exact.t'), n, (1 + floor(random() * 30))::int);
		IF random() < 0.1 THEN
			ROLLBACK;
		ELSE
			written := written + n;
			COMMIT;
		END IF;
		late := written / rate - extract(epoch FROM clock_timestamp() - started);
		IF late > 0 THEN
			PERFORM pg_sleep(late);
			COMMIT;
		END IF;
	END LOOP;
END
\$\$;
SQL
	return $self;
}

# write(events => , rate => a second): begins; committed events are exactly as many.
sub write
{
	my ($self, %arg) = @_;
	my $share = int($arg{events} / $self->{writers});
	foreach my $writer (1 .. $self->{writers})
	{
		my $seed = (($self->{seed} + 7919 * $writer + 104729 * $self->{turns}++) % 1_000_003) / 1_000_003;
		my $rate = $arg{rate} / $self->{writers};
		$self->{proc}[$writer] = PgOutbox::Proc->start(
			name => "exact-writer$writer",
			cmd => [
				PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1',
				'-d', $self->{node}->socket_dsn,
				'-c', "CALL exact.flow($share, $rate, $self->{rows}, $seed)"
			]);
	}
	return;
}

# one(EVENTS): a transaction of that many events, committed.  Its number.
sub one
{
	my ($self, $events) = @_;
	my $t = $self->{node}->safe_psql('postgres', "SELECT nextval('exact.t')");
	$self->{node}->safe_psql('postgres', "SELECT exact.write($t, $events, 1)");
	return $t;
}

# many(EVENTS, ...): a transaction of each size, in one session.
sub many
{
	my ($self, @events) = @_;
	$self->{node}->safe_psql('postgres', join '', map { "SELECT exact.write(nextval('exact.t'), $_, 1);\n" } @events);
	return;
}

sub writing { return scalar grep { $_ && $_->alive } @{ $_[0]{proc} // [] }; }

# wait_written(SECONDS): dies if a writer failed; false if it takes longer.
sub wait_written
{
	my ($self, $seconds) = @_;
	my $done = wait_for(sub { !$self->writing }, $seconds);
	foreach my $proc (grep { defined } @{ $self->{proc} })
	{
		die 'writer: ' . $proc->log_text if $done && $proc->exit_code != 0;
	}
	return $done;
}

# visible(ISOLATION, CODE): every event of the topics that is there now.
sub visible
{
	my ($self, $isolation, $code) = @_;
	my $consumer = PgOutbox::Consumer->start($self->{kafka}, @{ $self->{topics} },
		{ isolation => $isolation, until_end => 1 });
	my $wait = wait_for(sub { $consumer->poll(sub { $code->($_[0], _fields($_[0])) }); !$consumer->{proc}->alive }, 120);
	$consumer->poll(sub { $code->($_[0], _fields($_[0])) });
	die 'consumer: ' . $consumer->{proc}->log_text if !$wait || $consumer->{proc}->exit_code != 0;
	return;
}

sub _fields
{
	my ($m) = @_;
	my %f = $m->{value} =~ /"(t|i|of|s)": (\d+)/g;
	return \%f;
}

# lsn(MESSAGE): where its transaction's commit ends, as a number
sub lsn
{
	my ($m) = @_;
	my ($lsn) = (PgOutbox::Consumer::header($m, 'outbox.position') // '') =~ m{^[0-9A-F]{8}/([0-9A-F]{16})/}
	  or die 'no position';
	return hex $lsn;
}

# snapshot(FROM): what a read_committed consumer sees now, of transactions from
# number FROM on:
#   events        messages
#   duplicates    messages of an event that has been seen before
#   reorderings   messages behind a later one of their key (first occurrences only)
#   partial       transactions of which some events are there and some are not
sub snapshot
{
	my ($self, $from) = @_;
	my (%seen, %last, %there);
	my $count = { events => 0, duplicates => 0, reorderings => 0 };
	$self->visible(
		'read_committed',
		sub {
			my ($m, $f) = @_;
			return if $f->{t} < ($from // 0);
			$count->{events}++;
			if ($seen{"$f->{t} $f->{i}"}++)
			{
				$count->{duplicates}++;
				return;
			}
			$there{ $f->{t} }[0]++;
			$there{ $f->{t} }[1] = $f->{of};
			my $last = \$last{"$m->{topic} $m->{key}"};
			$count->{reorderings}++ if defined $$last && $$last > $f->{s};
			$$last = $f->{s};
		});
	$count->{partial} = grep { $_->[0] != $_->[1] } values %there;
	$self->{there} = \%there;
	return $count;
}

# count(FROM): the same, held against the table, with
#   committed   events in the table
#   lost        of these, not there
#   foreign     there, but never committed
sub count
{
	my ($self, $from) = @_;
	$from //= 0;
	my $count = $self->snapshot($from);
	my %there = %{ $self->{there} };
	my $rows = $self->{node}->safe_psql('postgres', "SELECT t || ' ' || events FROM exact.txn WHERE t >= $from");
	($count->{lost}, $count->{committed}) = (0, 0);
	foreach my $row (split /\n/, $rows)
	{
		my ($t, $events) = split / /, $row;
		$count->{committed} += $events;
		$count->{lost} += $events - (delete($there{$t}) // [0])->[0];
	}
	$count->{foreign} = scalar keys %there;
	return $count;
}

# wait_visible(EVENTS, SECONDS, FROM): until that many are there.
sub wait_visible
{
	my ($self, $events, $seconds, $from) = @_;
	return wait_for(sub { $self->snapshot($from)->{events} >= $events }, $seconds, step => 0.2);
}

1;
