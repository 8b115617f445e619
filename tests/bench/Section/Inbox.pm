# Inbox.pm - how fast inbox-consumer applies messages.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Inbox;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs ratio record scaled);
use PgOutbox::Inbox;
use PgOutbox::Wait qw(wait_for);
use Rig;
use Time::HiRes qw(time);

my $messages;

sub run
{
	$messages = scaled(100_000);
	heading("$messages messages of 212 octets with ids into PostgreSQL");
	my $topic = Rig::topic('inbox', 4);
	_fill($topic);
	Rig::node()->safe_psql('postgres', <<'SQL');
CREATE TABLE IF NOT EXISTS public.received (id text PRIMARY KEY, payload jsonb);
CREATE OR REPLACE FUNCTION public.receive(id text, payload jsonb) RETURNS void LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO public.received VALUES (id, payload); END $$
SQL
	my $insert = 'INSERT INTO public.received VALUES (:id, :payload::jsonb)';
	my ($row, $function, $stored, $small) = in_turn(pairs(),
		sub { _drain($topic, { sql => $insert }) },
		sub { _drain($topic, { sql => 'SELECT public.receive(:id, :payload::jsonb)' }) },
		sub { _drain($topic, {}) },
		sub { _drain($topic, { sql => $insert, batch_messages => 100 }) });
	record('inbox_per_s', '1/s', each_of($row, 'per_s'), 'messages per second, an INSERT each, from the first fetch until the last is committed');
	record('inbox_function', 'x', ratio($function, $row, 'per_s'), 'the same through a function in PL/pgSQL');
	record('inbox_store', 'x', ratio($stored, $row, 'per_s'), 'the same as rows of outbox.inbox_message');
	record('inbox_small_batches', 'x', ratio($small, $row, 'per_s'), 'the same with batches of 100 messages in place of 1,000');
	record('inbox_cpu', 's', each_of($row, 'cpu'), "processor time of inbox-consumer for these $messages messages");
	Rig::node()->safe_psql('postgres', 'DROP FUNCTION public.receive; DROP TABLE public.received; TRUNCATE outbox.inbox, outbox.inbox_message, outbox.inbox_offset');
	return;
}

sub _fill
{
	my ($topic) = @_;
	my $fill = 'x' x 180;
	for (my $i = 0; $i < $messages; $i += 10_000)
	{
		my $last = $i + 9_999 < $messages ? $i + 9_999 : $messages - 1;
		Rig::broker()->produce($topic, map { { key => $_ % 1000, value => qq({"number": $_, "fill": "$fill"}), headers => { id => "m$_" } } } $i .. $last);
	}
	return;
}

sub _drain
{
	my ($topic, $config) = @_;
	Rig::node()->safe_psql('postgres', 'TRUNCATE public.received, outbox.inbox, outbox.inbox_message');
	my $inbox = PgOutbox::Inbox->new(node => Rig::node(), kafka => Rig::broker(), topics => $topic,
		consumer => Rig::name('inbox'), config => { inbox => $config, postgres => { dsn => Rig::node()->socket_dsn } });
	$inbox->start;
	# joining an empty group takes the broker's group.initial.rebalance.delay.ms
	$inbox->wait_for_log(qr/info: consuming \d+ partitions/, 60) or die "inbox: no partitions\n";
	my $began = time;
	$inbox->wait_handled($messages, 300) or die "inbox: not all handled\n";
	my $seconds = time - $began;
	my $cpu = $inbox->cpu_seconds;
	my $table = $config->{sql} ? 'public.received' : 'outbox.inbox_message';
	my $rows = Rig::node()->safe_psql('postgres', "SELECT count(*) FROM $table");
	die "inbox: $rows of $messages rows\n" if $rows != $messages;
	$inbox->stop;
	return { per_s => $messages / $seconds, cpu => $cpu };
}

1;
