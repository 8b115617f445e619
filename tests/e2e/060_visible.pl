# 060_visible.pl - an event is never ahead of its data, even where commits wait.
#
# A synchronous standby (pg_receivewal) is stopped, so that a commit is in the WAL,
# and decoded, long before anybody else can see it.  Without wait_visible a reader
# then has an event whose row isn't there; with it never.  Waiting disturbs nothing:
# keepalives are answered, the server stops, and a walsender that commits wait for
# doesn't wait for them.
#
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Proc;
use PgOutbox::Recvlogical;
use PgOutbox::Wait qw(wait_for);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PgOutbox::Node->new('main');
$node->init(conf => <<'END');
wal_sender_timeout = 2s
max_prepared_transactions = 5
restart_after_crash = off
END
$node->start;
my $dir = PgOutbox::Env::testdir();
my $bin = PgOutbox::Env::pgbin();
my $count = 0;

$node->safe_psql('postgres', <<'END');
CREATE SCHEMA outbox;
CREATE TABLE outbox.event (id int, aggregatetype text, aggregateid text, payload text);
END
$node->create_slot($_) foreach qw(off on);

# --- what runs in the background

sub reader
{
	my ($slot, $name, @options) = @_;
	return PgOutbox::Recvlogical->start($node, $slot, $name, @options);
}

sub session
{
	my ($sql) = @_;
	$count++;
	return PgOutbox::Proc->start(
		name => "session$count",
		log => "$dir/log/session$count.log",
		cmd => [ "$bin/psql", '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', "SET application_name = 'waits'",
			map { ('-c', $_) } ref $sql ? @$sql : $sql ]);
}

sub insert { return "INSERT INTO outbox.event VALUES ($_[0], 'order', '1', 'x')"; }

sub visible
{
	my ($id) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM outbox.event WHERE id = $id") eq '1';
}

# the walsender of a slot waits in the plugin
sub waiting
{
	my ($slot) = @_;
	my $wait = $node->wait_until(<<"END", 20);
SELECT count(*) = 1 FROM pg_stat_activity a JOIN pg_replication_slots s ON s.active_pid = a.pid
WHERE s.slot_name = '$slot' AND a.wait_event_type = 'Extension'
END
	return $wait;
}

sub commit_hangs
{
	return $node->wait_until(
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'waits' AND wait_event = 'SyncRep'", 20);
}

sub configure
{
	my ($names) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '$names'");
	$node->reload;
	# a reload is not done when the signal is sent
	$node->wait_until("SELECT current_setting('synchronous_standby_names') = '$names'") or die;
	return;
}

# --- the slow standby

my $standby = $node->synchronous_receiver('slow');

# --- without waiting: the wrong order

{
	my $reader = reader('off', 'reader', 'wait_visible=off');
	$standby->signal('STOP');
	my $session = session(insert(1));
	ok(wait_for(sub { $reader->sees(1) }, 20), 'wait_visible off: the event arrives');
	ok(commit_hangs() && !visible(1), 'wait_visible off: while its row is not there');
	$standby->signal('CONT');
	ok(wait_for(sub { visible(1) }, 20), 'the row comes when the standby goes on');
	$session->wait_exit(20);
	$reader->stop;
}

# --- with it: never

my $reader = reader('on', 'reader');
my $id = 100;
ok(wait_for(sub { $reader->sees(1) }, 20), 'what was committed before arrives without delay');

sub ordered
{
	my ($what, $sql, $act) = @_;
	$id++;
	s/\bID\b/$id/g foreach ref $sql ? @$sql : $sql;
	$standby->signal('STOP');
	my $session = session($sql);
	ok(commit_hangs() && waiting('on'), "$what: commit and walsender wait");
	ok(!visible($id) && !$reader->sees($id), "$what: no row, no event");
	$act ? $act->($session) : $standby->signal('CONT');
	ok(wait_for(sub { $reader->sees($id) }, 20), "$what: the event arrives");
	ok(visible($id), "$what: and finds its row");
	$standby->signal('CONT');
	$session->wait_exit(20);
	return;
}

ordered('one row', insert('ID'));
ordered('savepoints', "BEGIN; SAVEPOINT a; " . insert('ID') . "; RELEASE a; SAVEPOINT b; COMMIT");
ordered('after other changes', "BEGIN; CREATE TABLE t_ID (i int); INSERT INTO t_ID SELECT generate_series(1, 1000); " . insert('ID') . "; COMMIT");
$node->safe_psql('postgres', "BEGIN; " . insert($id + 1) . "; PREPARE TRANSACTION 'p'");
ordered('two-phase commit', "COMMIT PREPARED 'p'");
ordered('cancelled', insert('ID'), sub {
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'waits'");
});
ordered('client killed', insert('ID'), sub {
	$_[0]->kill9;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waits'");
});

# other transactions behind the one that waits keep their order
{
	$standby->signal('STOP');
	my @sessions = map { session(insert($_)) } 201 .. 205;
	ok(waiting('on'), 'several: the walsender waits');
	ok($node->wait_until("SELECT count(*) = 5 FROM pg_stat_activity WHERE application_name = 'waits' AND wait_event = 'SyncRep'"),
		'several: all commits wait');
	ok(!(grep { $reader->sees($_) } 201 .. 205), 'several: no event');
	$standby->signal('CONT');
	ok(wait_for(sub { 5 == grep { $reader->sees($_) } 201 .. 205 }, 20), 'several: all events');
	$_->wait_exit(20) foreach @sessions;
}

# what comes before it isn't held back
{
	$reader->stop;
	$node->safe_psql('postgres', insert(210));
	$standby->signal('STOP');
	my $session = session(insert(211));
	ok(commit_hangs(), 'before it: the commit waits');
	$reader = reader('on', 'reader');
	ok(waiting('on'), 'before it: the walsender waits');
	ok(wait_for(sub { $reader->sees(210) }, 10), 'before it: the event of another transaction arrives');
	ok(!$reader->sees(211), 'before it: and that alone');
	$standby->signal('CONT');
	ok(wait_for(sub { $reader->sees(211) }, 20), 'before it: then the other');
	$session->wait_exit(20);
}

# a transaction without events is not waited for
{
	$node->safe_psql('postgres', 'CREATE TABLE noise (i int)');
	$standby->signal('STOP');
	my $noise = session('INSERT INTO noise VALUES (1)');
	ok(commit_hangs(), 'no events: the commit waits');
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	ok($node->wait_until("SELECT sent_lsn >= '$lsn' FROM pg_stat_replication WHERE application_name = 'reader'", 20),
		'no events: the walsender goes on');
	$standby->signal('CONT');
	$noise->wait_exit(20);
}

# --- keepalives

{
	$node->safe_psql('postgres', "ALTER SYSTEM SET wal_sender_timeout = '2s'");
	configure('nobody');    # a stopped standby would be dropped
	my $pid = $node->walsender_pid('on');
	my $session = session(insert(301));
	ok(waiting('on'), 'keepalives: the walsender waits');
	my $start = $node->safe_psql('postgres', "SELECT reply_time FROM pg_stat_replication WHERE pid = $pid");
	ok($node->wait_until("SELECT reply_time > '$start'::timestamptz + interval '6 seconds' FROM pg_stat_replication WHERE pid = $pid", 30),
		'keepalives: answered over three times wal_sender_timeout');
	ok(waiting('on') && $node->walsender_pid('on') eq $pid, 'keepalives: it still waits');
	configure('');
	ok(wait_for(sub { $reader->sees(301) }, 20) && visible(301), 'keepalives: then the event arrives');
	$session->wait_exit(20);
}
$reader->stop;

# --- a client that goes away while its walsender waits; one that reads by SQL

{
	configure('nobody');
	$reader = reader('on', 'reader');
	my $session = session(insert(401));
	ok(waiting('on'), 'client gone: the walsender waits');
	$reader->kill9;
	ok($node->wait_until("SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'on'", 20),
		'client gone: the slot is free although the commit still waits');
	my ($ret, $out, $err) = $node->psql('postgres',
		"SET statement_timeout = '1s'; SELECT count(*) FROM pg_logical_slot_peek_binary_changes('on', NULL, NULL)");
	like($err, qr/statement timeout/, 'in SQL: it waits and can be interrupted');
	configure('');
	$session->wait_exit(20);
	my $got = $node->safe_psql('postgres', <<'END');
SELECT count(*) FROM pg_logical_slot_get_binary_changes('on', NULL, NULL)
WHERE convert_from(data, 'UTF8') LIKE '%"id":"401"%'
END
	is($got, 1, 'in SQL: once visible, it comes');
}

# --- a walsender that commits wait for

{
	$reader = reader('on', 'me');
	configure('me');
	$node->wait_until("SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = 'me'") or die;
	my $session = session(insert(501));
	ok(wait_for(sub { $reader->sees(501) }, 20), 'synchronous standby itself: the event arrives');
	is($session->wait_exit(20), 0, 'synchronous standby itself: the commit ends');
	ok(wait_for(sub { visible(501) }, 20), 'synchronous standby itself: the row too');
	like(slurp_file($node->logfile), qr/WARNING:  outbox_decoder: events may be ahead of their data/, 'with a warning');

	# it becomes one while it waits
	configure('nobody');
	$session = session(insert(502));
	ok(waiting('on'), 'becoming one: the walsender waits');
	configure('*');
	ok(wait_for(sub { $reader->sees(502) }, 20), 'becoming one: the event arrives');
	is($session->wait_exit(20), 0, 'becoming one: the commit ends');
	my $warnings = () = slurp_file($node->logfile) =~ /WARNING:  outbox_decoder: events may be/g;
	is($warnings, 1, 'one warning for a connection');
}

# --- the server stops while it waits

{
	configure('nobody');
	my $session = session(insert(601));
	ok(waiting('on'), 'fast stop: the walsender waits');
	$standby->signal('TERM');
	my $start = time;
	$node->stop('fast');
	cmp_ok(time - $start, '<', 10, 'fast stop: within ten seconds');
	$session->wait_exit(20);
	$reader->stop;
}

$standby->stop;
done_testing();
