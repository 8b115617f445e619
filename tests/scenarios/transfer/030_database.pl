# 030_database.pl - the bank also keeps books in a database: who commits first?
#
# Two commits can't be made one.  Each order leaves something behind when it dies
# between them; only the order that can be repeated can be made right, by a key.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Proof qw(seed);
use PgOutbox::Wait qw(wait_for);
use Bank;
use Test::More;
use Time::HiRes qw(sleep);

my $kafka = PgOutbox::Kafka->shared;
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my @database = ('-d', $node->dsn);
seed();
$node->safe_psql('postgres', <<'END');
CREATE TABLE booked (transfer bigint, amount bigint);
CREATE TABLE booked_once (transfer bigint PRIMARY KEY, amount bigint);
CREATE TABLE transfer (id bigserial PRIMARY KEY, src text, dst text, amount bigint);
END

sub rows
{
	my ($table) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) || ' ' || count(DISTINCT transfer) FROM $table");
}

# ten transfers, dead between the two commits of the fourth
sub between
{
	my (@args) = @_;
	$node->safe_psql('postgres', 'TRUNCATE booked, booked_once');
	my $bank = Bank->new($kafka);
	$bank->pay(10);
	$bank->dies_at('between:4', $bank->safely, @database, @args);
	$bank->finish($bank->safely, @database, @args);
	return $bank->look->{applied};
}

# --- both orders of commit

is(between('-o', 'kafka'), 10, 'Kafka first: Kafka has all ten');
is(rows('booked'), '9 9', 'and the database has lost one for good: its offset has passed');

is(between(), 10, 'database first: Kafka has all ten');
is(rows('booked'), '11 10', 'and the database has one twice: the message came again');

is(between('-k'), 10, 'database first, with the transfer as key: Kafka has all ten');
is(rows('booked_once'), '10 10', 'and so has the database');

# --- with the key, dead at any step

{
	$node->safe_psql('postgres', 'TRUNCATE booked_once');
	my $bank = Bank->new($kafka);
	$bank->pay(30);
	$bank->dies_at("$_:2", $bank->safely, @database, '-k') foreach qw(begin debit credit database offsets between commit);
	$bank->finish($bank->safely, @database, '-k');
	my $look = $bank->look;
	is("$look->{applied} $look->{sum}", '30 0', 'dead at every step: each transfer once in Kafka');
	is(rows('booked_once'), '30 30', 'and in the database');
}

# --- from the database through the outbox, and everything dies in turn

{
	$node->safe_psql('postgres', 'TRUNCATE booked_once');
	my $bank = Bank->new($kafka);
	my $streamer = PgOutbox::Streamer->new(
		node => $node,
		kafka => $kafka,
		slot => 'outbox',
		config => { outbox => { delivery => 'exactly-once', topic => $bank->{transfers} } });
	my $transfer = sub {
		my ($n) = @_;
		# the transfer's row and its event: one transaction
		$node->safe_psql('postgres', <<"END");
WITH t AS (
	INSERT INTO transfer (src, dst, amount)
	SELECT 'account' || i % 10, 'account' || (i * 7 + 1) % 10, 1 + i % 9 FROM generate_series(1, $n) i
	RETURNING *)
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload)
SELECT 'transfer', src, 'ordered', jsonb_build_object('id', id, 'from', src, 'to', dst, 'amount', amount) FROM t
END
		return;
	};
	my $proc;
	my @args = ($bank->safely, @database, '-k');
	my $flows = sub {
		my $then = $kafka->messages_in($bank->{balances});
		$transfer->(40);
		# who died for want of the database or by our hand is started again, as a supervisor would
		wait_for(
			sub {
				$streamer->start if !$streamer->alive;
				$proc = $bank->start(@args) if !$proc || !$proc->alive;
				return $kafka->messages_in($bank->{balances}) > $then + 5;
			},
			60,
			step => 0.02) or die 'nothing flows: ' . $streamer->log_text . $proc->log_text;
		sleep rand 0.1;
		return;
	};
	$flows->();
	foreach my $round (1 .. 2)
	{
		$streamer->kill9;
		$flows->();
		$proc->kill9;
		$flows->();
		$node->stop('immediate');
		$node->start;
		$flows->();
	}
	my $ordered = $node->safe_psql('postgres', 'SELECT count(*) FROM transfer');
	my $done = wait_for(
		sub {
			$proc = $bank->start(@args) if !$proc->alive;
			return rows('booked_once') eq "$ordered $ordered" && $bank->look->{applied} == $ordered;
		},
		60,
		step => 0.2);
	ok($done, "streamer, bank and PostgreSQL killed in turn: $ordered transfers are all there") or note($streamer->log_text . $proc->log_text);
	my $look = $bank->look;
	is("$look->{applied} $look->{half} $look->{repeated} $look->{sum}", "$ordered 0 0 0", 'applied once each, no money lost');
	is(rows('booked_once'), "$ordered $ordered", 'booked once each');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM transfer t JOIN booked_once b ON b.transfer = t.id AND b.amount = t.amount'),
		$ordered, 'and as they were ordered');
	is($streamer->stop, 0, 'the streamer stops when asked');
	is($proc->stop, 0, 'and so does the bank');
}
done_testing();
