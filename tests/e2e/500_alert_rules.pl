# 500_alert_rules.pl - the alert rules: promtool finds nothing wrong, their unit tests
# pass, and every metric that they speak of is one that is served.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Node;
use PgOutbox::Prometheus;
use Test::More;

my $dir = PgOutbox::Env::top() . '/deploy/monitoring';

sub slurp
{
	my ($file) = @_;
	open my $fh, '<', $file or die "$file: $!";
	local $/ = undef;
	return scalar <$fh>;
}

my $rules = slurp("$dir/pg_outbox.rules.yml");
my $exporter = slurp("$dir/postgres_exporter.yml");
my @alerts = $rules =~ /^\s+- alert: (\w+)$/mg;
cmp_ok(scalar @alerts, '>', 10, 'there are rules');

# --- promtool

SKIP:
{
	my $promtool = PgOutbox::Prometheus::promtool() or skip('promtool is not installed', 2);
	my $out = qx{"$promtool" check rules "$dir/pg_outbox.rules.yml" 2>&1};
	ok($? == 0, 'promtool check rules') or diag($out);
	$out = qx{"$promtool" test rules "$dir/pg_outbox.rules_test.yml" 2>&1};
	ok($? == 0, 'promtool test rules') or diag($out);
}

# --- each rule has a test in which it fires, and one in which it doesn't

my $tests = slurp("$dir/pg_outbox.rules_test.yml");
my (%fires, %silent);
while ($tests =~ /^\s+alertname: (\w+)\n(?:\s+#.*\n)*\s+exp_alerts:(.*)$/mg)
{
	my ($alert, $expected) = ($1, $2);
	if ($expected eq ' []') { $silent{$alert} = 1; }
	else                    { $fires{$alert} = 1; }
}
foreach my $alert (@alerts)
{
	ok($fires{$alert}, "$alert: a test in which it fires");
	ok($silent{$alert}, "$alert: a test in which it doesn't");
}

# --- the metrics of the rules

my %served = (process_start_time_seconds => 1);
foreach my $program (qw(outbox-streamer inbox-consumer))
{
	my $reference = qx{@{[PgOutbox::Env::program($program)]} config metrics};
	$served{$_} = 1 foreach $reference =~ /^\| `(\w+)` /mg;
}
my %table;    # of the exporter: name => query and columns
foreach my $part (split /^(?=\w+:$)/m, $exporter)
{
	my ($name) = $part =~ /^(\w+):$/m or next;
	my ($query) = $part =~ /^  query: \|\n((?:    .*\n)+)/m;
	my @columns = $part =~ /^    - (\w+):$/mg;
	$table{$name} = { query => $query, columns => [@columns] };
	$served{"${name}_$_"} = 1 foreach @columns;
}
foreach my $metric (sort keys %{ { map { $_ => 1 } $rules =~ /(?<![.\w])((?:outbox|inbox|process)_\w+)\b/g } })
{
	ok($served{$metric}, "$metric is served");
}

# --- the queries of the exporter

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
$node->safe_psql('postgres', <<'END');
CREATE ROLE exporter LOGIN;
GRANT USAGE ON SCHEMA outbox TO exporter;
GRANT SELECT ON outbox.status, outbox.dead_letter, outbox.inbox_dead_letter TO exporter;
INSERT INTO outbox.dead_letter (slot, position, lsn, queue, code, reason, parked_at, committed_at, complete)
SELECT 'outbox', i::text, '0/1', i, 'record-refused', 'why', to_timestamp(1000 * i), now(), true FROM generate_series(1, 3) i;
INSERT INTO outbox.inbox_dead_letter (consumer, topic, partition, message_offset, state, attempts, stored_at)
SELECT 'mail', 't', 0, i, 'failed', 1, to_timestamp(1000 * i) FROM generate_series(1, 3) i;
END
my %values = (
	outbox_slot => qr/^outbox postgres 0 \d+ \d+  0 0$/,
	outbox_dead_letter => qr/^outbox 3 1000\.0+$/,
	outbox_inbox_dead_letter => qr/^mail 3 1000\.0+$/);
is(join(' ', sort keys %table), join(' ', sort keys %values), 'the queries of the exporter');
foreach my $name (sort keys %table)
{
	my $rows = $node->safe_psql('postgres', $table{$name}{query},
		extra_params => [ '-A', '-F', ' ', '-P', 'tuples_only=off', '-P', 'footer=off', '-U', 'exporter' ]);
	my ($names, $values) = split /\n/, $rows;
	is($names, join(' ', @{ $table{$name}{columns} }), "$name: its columns are the metrics that it names");
	like($values, $values{$name}, "$name: its values");
}
done_testing();
