# Emit.pm - what an event costs the application that writes it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Emit;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs ratio record seconds);
use PgOutbox::Env;
use Rig;

my $business = "INSERT INTO public.purchase(customer, total) VALUES (1, 12.34);\n";
my $event = q('order', '1', 'OrderPlaced', '{"total": 12.34}');

sub run
{
	heading('what an event costs the application: an insert into a table of its own, with and without');
	Rig::node()->safe_psql('postgres',
		'CREATE TABLE IF NOT EXISTS public.purchase(id bigserial PRIMARY KEY, customer int, total numeric)');
	my ($without, $emit, $insert, $message) = in_turn(pairs(),
		sub { _tps($business) },
		sub { _tps("${business}SELECT outbox.emit($event);\n") },
		sub { _tps("${business}INSERT INTO outbox.event(aggregatetype, aggregateid, type, payload) VALUES ($event);\n") },
		sub { _tps("${business}SELECT outbox.emit_message(" . ($event =~ s/(}')/$1::jsonb/r) . ");\n") });
	record('tps_without', '1/s', each_of($without, 'tps'), 'transactions per second of four sessions that write no event');
	record('emit_tps_vs_without', 'x', ratio($emit, $without, 'tps'), 'transactions per second with outbox.emit() against without');
	record('insert_tps_vs_without', 'x', ratio($insert, $without, 'tps'), 'transactions per second with a plain INSERT against without');
	record('emit_message_tps_vs_without', 'x', ratio($message, $without, 'tps'), 'transactions per second with outbox.emit_message() against without');
	Rig::node()->safe_psql('postgres', 'TRUNCATE outbox.event; DROP TABLE public.purchase');
	return;
}

sub _tps
{
	my ($statements) = @_;
	my $file = PgOutbox::Env::testdir() . '/emit.sql';
	open my $fh, '>', $file or die "$file: $!";
	print $fh "BEGIN;\n${statements}COMMIT;\n";
	close $fh;
	my @command = (PgOutbox::Env::pgbin() . '/pgbench', '-n', '-c', 4, '-T', seconds(6), '-f', $file,
		'-h', Rig::node()->host, '-p', Rig::node()->port, 'postgres');
	open my $run, '-|', "@command 2>&1" or die "pgbench: $!";
	my $out = do { local $/; <$run> };
	close $run;
	$out =~ /tps = ([0-9.]+)/ or die "pgbench: $out\n";
	return { tps => $1 };
}

1;
