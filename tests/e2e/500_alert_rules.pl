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

my $reference = qx{@{[PgOutbox::Env::program('outbox-streamer')]} config metrics};
my %served = map { $_ => 1 } $reference =~ /^\| `(\w+)` /mg;
my ($table, @columns) = ($exporter =~ /^(\w+):$/m, $exporter =~ /^    - (\w+):$/mg);
$served{"${table}_$_"} = 1 foreach @columns;
$served{process_start_time_seconds} = 1;
foreach my $metric (sort keys %{ { map { $_ => 1 } $rules =~ /\b((?:outbox|process)_\w+)\b/g } })
{
	ok($served{$metric}, "$metric is served");
}

# --- the query of the exporter

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my ($query) = $exporter =~ /^  query: \|\n((?:    .*\n)+)/m;
$node->safe_psql('postgres', <<'END');
CREATE ROLE exporter LOGIN;
GRANT USAGE ON SCHEMA outbox TO exporter;
GRANT SELECT ON outbox.status TO exporter;
END
my $row = $node->safe_psql('postgres', $query, extra_params => [ '-A', '-F', ' ', '-P', 'tuples_only=off', '-P', 'footer=off', '-U', 'exporter' ]);
my ($names, $values) = split /\n/, $row;
is($names, join(' ', @columns), 'its columns are the metrics that it names');
like($values, qr/^outbox postgres 0 \d+ \d+  0 0$/, 'its values');
done_testing();
