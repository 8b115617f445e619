# 410_wrong.pl - a dead-letter topic into a table, in three wrong ways: lost, stored twice, stuck.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Proof qw(result);
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $letters = 5;
my $dies_at = 'letter 3';

my $node = PgOutbox::Node->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 10');
$node->start;
my $kafka = PgOutbox::Kafka->shared;

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $count = 0;
my $topic;

# store(WAY, ARGS): the program at work
sub store
{
	my ($way, @args) = @_;
	return PgOutbox::Proc->start(
		name => "store-$way" . ++$count,
		cmd => [ PgOutbox::Env::tool('store'), '-b', $kafka->bootstrap, '-g', $topic, '-i', $topic, '-d', $node->dsn, '-w', $way, @args ]);
}

sub stored { my ($value) = @_; return sql("SELECT count(*) FROM letters WHERE value = '$value'"); }

# begin(WAY): five letters; the program dies between the two commits of the third
sub begin
{
	my ($way) = @_;
	$topic = $kafka->create_topic(PgOutbox::Kafka::unique_name($way), 1);
	sql('DROP TABLE IF EXISTS letters, letter_count; CREATE TABLE letters (value text); CREATE TABLE letter_count (n int); INSERT INTO letter_count VALUES (0)');
	$kafka->produce($topic, map { { key => 'k', value => "letter $_" } } 1 .. $letters);
	my $store = store($way, '-x', $dies_at);
	defined $store->wait_exit(30) or die "it doesn't die\n";
	is($store->exit_code, 9, "$way: it dies between the two commits");
	return;
}

# ---- the offset first
begin('offset');
my $again = store('offset');
ok(wait_for(sub { stored("letter $letters") == 1 }, 30), 'offset first: started again, it goes on');
is(stored($dies_at), 0, 'offset first: the letter is in neither place: lost');
is(sql('SELECT count(*) FROM letters'), $letters - 1, 'offset first: all others are there');
$again->stop;

# ---- the database first
begin('database');
$again = store('database');
ok(wait_for(sub { stored("letter $letters") == 1 }, 30), 'database first: started again, it goes on');
is(stored($dies_at), 2, 'database first: the letter is stored twice');
$again->stop;

# ---- prepared here, committed there, committed here
begin('two-phase');
is(sql('SELECT count(*) FROM pg_prepared_xacts'), 1, 'two-phase: a prepared transaction is left');
is(stored($dies_at), 0, 'two-phase: whose row nobody sees');
my ($code, undef, $error) = $node->psql('postgres', q{SET lock_timeout = '500ms'; UPDATE letter_count SET n = n + 1});
like($error, qr/lock timeout/, 'two-phase: nobody else can write what it has written');
$node->restart;
is(sql('SELECT count(*) FROM pg_prepared_xacts'), 1, 'two-phase: a restart of the server does not help');
($code, undef, $error) = $node->psql('postgres', q{SET lock_timeout = '500ms'; UPDATE letter_count SET n = n + 1});
like($error, qr/lock timeout/, 'two-phase: its locks are still there');
sql('CREATE TABLE garbage AS SELECT 1 AS x; DELETE FROM garbage');
like(($node->psql('postgres', 'VACUUM (VERBOSE) garbage'))[2], qr/1 are dead but not yet removable|1 dead tuples, 1 .*not.*remov|0 removed, 1 remain/, 'two-phase: and vacuum removes nothing younger');
$again = store('two-phase');
ok(wait_for(sub { $again->log_text =~ /already in use/ || sql(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) > 0 }, 30),
	'two-phase: started again, the program waits for itself');
is(sql('SELECT count(*) FROM letters'), 2, 'two-phase: nothing goes on until a person has found out what was decided');
# which is to be read from the queue: the offset was not committed, so the letter comes again
$again->kill9;
sql(q{ROLLBACK PREPARED '} . sql('SELECT gid FROM pg_prepared_xacts') . q{'});
$again = store('two-phase');
ok(wait_for(sub { sql('SELECT count(*) FROM letters') == $letters }, 30), 'two-phase: rolled back by hand, it goes on');
$again->stop;

result('dead letters stored in wrong ways', { 'offset first: lost' => 1, 'database first: twice' => 1, 'two-phase: stuck' => 1 },
	what => 'a consumer that dies between the commits of offset and row');
done_testing();
