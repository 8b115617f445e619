# 134_dead_letter_starved.pl - no memory for a statement about dead letters: no result will come, and nobody waits for it.
#
# In both modes, once for each statement before the pipeline, of which one says what is
# parked, and once for each of the way back: the connection is begun again, and so is what
# was under way.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Env;
use PgOutbox::Wait qw(wait_for);
use PostgreSQL::Test::Utils qw(append_to_file);
use Test::More;

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;

sub sql { return $node->safe_psql('postgres', join "\n", @_); }

foreach my $delivery ('at-least-once', 'exactly-once')
{
	my $slot = $delivery =~ s/-.*//r;
	my $name = $delivery;
	my $refused = PgOutbox::Env::testdir() . "/$slot-refused";
	$node->create_slot($slot);
	my $streamer = PgOutbox::Streamer->new(
		node => $node, kafka => $kafka, slot => $slot,
		config => { outbox => { delivery => $delivery, on_undeliverable => 'dead-letter' } },
		env => { LD_PRELOAD => PgOutbox::Env::tool('no_statement.so'), NO_STATEMENT => $refused });
	# refuse(STATEMENT, CONDITION, WHAT): redriven, the statement has no memory; the condition comes true all the same
	my $warnings = 0;
	my $refuse = sub {
		my ($statement, $condition, $what) = @_;
		append_to_file($refused, $statement);
		is(sql("SELECT outbox.redrive(topic => '$slot-topic')"), 1, "$name: $statement: marked");
		ok(wait_for(sub { !-e $refused }, 20), "$name: $statement: there is no memory for it");
		ok($node->wait_until("SELECT $condition FROM outbox.dead_letter WHERE slot = '$slot'", 20), "$name: $statement: $what") or diag($streamer->log_text);
		is(scalar(() = $streamer->log_text =~ /warning\[postgres-error\]: writing dead letters: /g), ++$warnings, "$name: $statement: it says so once");
	};
	$streamer->start;
	sql("SELECT outbox.emit('load', 'k', 'e', '{}', topic => '$slot-topic')");
	ok($node->wait_until("SELECT count(*) = 1 FROM outbox.dead_letter WHERE slot = '$slot'", 20), "$name: stored");

	my $attempts = 1;
	$refuse->($_, 'max(attempts) = ' . ++$attempts . q( AND max(state) = 'parked'), 'it is refused again') foreach 'settle', 'take', 'fail';
	$kafka->create_topic("$slot-topic", 1);
	$refuse->('take', 'count(*) = 0', 'it is delivered');
	is(scalar(PgOutbox::Consumer->all($kafka, "$slot-topic")), 1, "$name: once");
	ok($streamer->alive, "$name: it has run all the time");

	sql("SELECT outbox.emit('load', 'k', 'e', '{}', topic => '$slot-behind')");
	ok($node->wait_until("SELECT count(*) = 1 FROM outbox.dead_letter WHERE slot = '$slot'", 20), "$name: another one is stored");
	my ($behind, $says) = (0, qr/warning\[postgres-error\]: writing dead letters: /);
	foreach my $statement ('INSERT INTO outbox.dead_letter_writer', '(SELECT DISTINCT ON', 'SET search_path')
	{
		is($streamer->stop, 0, "$name: $statement: stopped");
		append_to_file($refused, $statement);
		$streamer->start;
		ok(wait_for(sub { !-e $refused }, 20), "$name: $statement: there is no memory for it");
		sql("SELECT outbox.emit('load', 'k', 'e', '{}', topic => '$slot-behind')");
		$behind++;
		ok($node->wait_until("SELECT count(*) FILTER (WHERE state = 'queued') = $behind FROM outbox.dead_letter WHERE slot = '$slot'", 20),
			"$name: $statement: what is parked is known all the same") or diag($streamer->log_text);
		is(scalar(() = $streamer->log_text =~ /$says/g), 1, "$name: $statement: it says so once");
	}
	is($streamer->stop, 0, "$name: stops when asked");
}
done_testing();
