# 630_inbox_deadletter.pl - inbox-consumer deadletter: what failed is run again, in the order of its key, each message once.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Inbox;
use PgOutbox::Proof qw(seed);
use PgOutbox::Wait qw(wait_for);
use Test::More;

seed();
my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('orders'), 4);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sql(<<'SQL');
CREATE TABLE applied (n bigserial, key text, number int);
CREATE TABLE broken (key text PRIMARY KEY);
CREATE FUNCTION apply(key text, number int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM broken AS b WHERE b.key = apply.key) THEN
        RAISE 'broken';
    END IF;
    INSERT INTO applied (key, number) VALUES (key, number);
END
$$;
SQL
my $inbox = PgOutbox::Inbox->new(node => $node, kafka => $kafka, topics => $topic, consumer => 'app',
	config => { inbox => { policy => 'dead-letter', sql => 'SELECT apply(:key, :payload::int)', batch_messages => 100 } });

# number i of a key has the id KEY-i
my (%number, $written);
sub message
{
	my ($key) = @_;
	$number{$key}++;
	$written++;
	return { key => $key, value => $number{$key}, headers => { id => "$key-$number{$key}" } };
}
sub left { return sql('SELECT count(*) FROM outbox.inbox_dead_letter'); }
sub disorder { return sql('SELECT count(*) FROM (SELECT number - lag(number, 1, 0) OVER (PARTITION BY key ORDER BY n) AS step FROM applied) AS x WHERE step <> 1'); }

# ---- what fails is parked, with what follows it
my @broken = map { "bad$_" } 0 .. 4;
sql("INSERT INTO broken VALUES " . join ', ', map { "('$_')" } @broken);
$inbox->start;
my $producer = $kafka->producer($topic);
PgOutbox::Kafka::give($producer, map { message($_ % 2 ? 'good' . $_ % 10 : $broken[ $_ / 2 % 5 ]) } 0 .. 2_999);
ok(wait_for(sub { $inbox->dead_letters eq 'failed=5 queued=1495' }, 60), 'five keys are parked') or diag($inbox->dead_letters);
is(sql('SELECT count(*) FROM applied'), 1_500, 'all others are applied');

my ($code, $out) = $inbox->run('deadletter', 'list', '--key=bad0', '--limit=2');
is($code, 0, 'deadletter list');
my @line = map { [ split /\t/ ] } split /\n/, $out;
is("@{$line[0]}[3 .. 5] @{$line[0]}[7, 8]", 'failed 2 P0001 bad0-1 bad0', 'the one that failed');
like("@{$line[1]}[3 .. 5] @{$line[1]}[7, 8]", qr/^(queued|waiting) 0 - bad0-2 bad0$/, 'and one that waits behind it');
is(@line, 2, 'as many as were asked for');
($code, $out) = $inbox->run('deadletter', 'show', '--id=bad0-1');
is($code, 0, 'deadletter show');
like($out, qr/^topic +\Q$topic\E\n.*^state +failed\nsqlstate +P0001\nreason .*broken.*^payload +1$/ms, 'all that is known of it');
foreach my $wrong (
	[ qr/deadletter needs one of list, show, redrive or discard/ ],
	[ qr/no "deadletter frob": use list, show, redrive or discard/, 'frob' ],
	[ qr/deadletter redrive needs --id, --topic or --key/, 'redrive' ],
	[ qr/does not belong to "deadletter redrive"/, 'redrive', '--id=1', '--limit=1' ],
	[ qr/not-confirmed.*add --yes/, 'discard', '--id=1' ],
	[ qr/unexpected argument "bad0"/, 'redrive', 'bad0' ])
{
	my ($words, @args) = @$wrong;
	my ($status, undef, $err) = $inbox->run('deadletter', @args);
	is($status, 1, "deadletter @args: refused");
	like($err, $words, 'which it says');
}

# ---- what still fails is parked again
($code, $out) = $inbox->run('deadletter', 'redrive', '--id=bad0-7');
is("$code $out", "0 1 marked; the consumer runs them\n", 'deadletter redrive, by one that waits');
ok($inbox->wait_for_log(qr/dead letter .*id bad0-1: SQLSTATE P0001.*dead letter .*id bad0-1: /s, 20), 'it fails again');
ok(wait_for(sub { $inbox->dead_letters eq 'failed=5 queued=1495' }, 20), 'and all is as it was') or diag($inbox->dead_letters);

# ---- mended: live traffic goes on, and the consumer is killed in the middle
sql('DELETE FROM broken');
($code, $out) = $inbox->run('deadletter', 'redrive', "--topic=$topic");
is("$code $out", "0 5 marked; the consumer runs them\n", 'deadletter redrive, all of a topic');
foreach my $goal (1_300, 1_000, 700, 400, 100)
{
	PgOutbox::Kafka::give($producer, map { message($_) } @broken, map { "good$_" } 1, 3, 5);
	ok(wait_for(sub { left() < $goal }, 60), "fewer than $goal wait") or diag($inbox->dead_letters);
	$inbox->kill9;
	PgOutbox::Kafka::give($producer, map { message($_) } @broken);
	$inbox->start;
}
close $producer or die "ktool: $?";
ok(wait_for(sub { $inbox->handled >= $written && left() == 0 }, 120), 'in the end nothing waits') or diag($inbox->dead_letters);
is(sql('SELECT count(*) FROM applied'), $written, 'each message is applied');
is(disorder(), 0, 'once, and in the order of its key');
$kafka->produce($topic, message('bad0'));
ok($inbox->wait_handled($written), 'a key that was parked');
is(left(), 0, 'is free');

# ---- discarding
sql("INSERT INTO broken VALUES ('bad1')");
$kafka->produce($topic, map { message('bad1') } 1 .. 2);
ok(wait_for(sub { $inbox->dead_letters eq 'failed=1 queued=1' }, 30), 'a key is parked again') or diag($inbox->dead_letters);
sql('DELETE FROM broken');
my $id = 'bad1-' . ($number{bad1} - 1);
($code, $out) = $inbox->run('deadletter', 'discard', "--id=$id", '--yes');
is("$code $out", "0 1 removed; the consumer runs what waits behind\n", 'deadletter discard');
ok(wait_for(sub { left() == 0 }, 20), 'what waited behind it is run') or diag($inbox->dead_letters);
is(sql("SELECT string_agg(number::text, ' ' ORDER BY n) FROM applied WHERE key = 'bad1' AND number >= $number{bad1} - 2"),
	join(' ', $number{bad1} - 2, $number{bad1}), 'and it is not');
is($inbox->stop, 0, 'asked to stop');

# ---- a queue that is worked off while a batch adds to it: nobody is forgotten behind it
sql("INSERT INTO outbox.inbox_dead_letter (consumer, topic, partition, message_offset, key, state, attempts) VALUES ('app', 't', 0, 1, 'k', 'waiting', 0)");
my ($batch, $apart) = map { $node->background_psql('postgres') } 1 .. 2;
my $parked = q{SELECT place, moving FROM outbox.inbox_parked('app', '{t}', ARRAY['k'::bytea])};
$apart->query_safe('BEGIN');
is($apart->query_safe(q{SELECT message_offset FROM outbox.inbox_pick('app')}), 1, 'while the last of a queue is being run');
is($batch->query_safe($parked), '1|t', 'what comes behind it has to come by itself');
$apart->query_safe('ROLLBACK');
$batch->query_safe('BEGIN');
is($batch->query_safe($parked), '1|f', 'while a batch stands behind it');
is($apart->query_safe(q{SELECT message_offset FROM outbox.inbox_pick('app')}), '', 'it is not run');
$batch->query_safe('ROLLBACK');
is($apart->query_safe(q{SELECT message_offset FROM outbox.inbox_pick('app')}), 1, 'until the batch has ended');
$_->quit foreach $batch, $apart;

done_testing();
