# 020_transactions.pl - debit, credit and offset in one Kafka transaction.
#
# It is killed at every step and at random moments; each transfer is applied once and
# no money is lost.  The log itself shows how: markers behind what was committed and
# behind what was aborted.  An instance that sleeps and comes back is refused.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Kafka;
use PgOutbox::Proof qw(result seed full_size);
use PgOutbox::Wait qw(wait_for);
use Bank;
use Test::More;
use Time::HiRes qw(sleep);

my $kafka = PgOutbox::Kafka->shared;
my $seed = seed();

# --- killed at every step

{
	my $bank = Bank->new($kafka);
	my $handled = 0;
	$bank->pay(30);
	foreach my $point (qw(begin debit credit database offsets between commit))
	{
		my $seen = $bank->look('read_uncommitted')->{records};
		$bank->dies_at("$point:3", $bank->safely);
		# two before it were complete, and the third if it was committed
		$handled += $point eq 'commit' ? 3 : 2;
		my $look = $bank->look;
		is($bank->offset, $handled, "$point: the offset has moved with commits only");
		is("$look->{records} $look->{applied} $look->{sum}", 2 * $handled . " $handled 0",
			"$point: read_committed sees whole transfers only");
		my $part = $bank->look('read_uncommitted')->{records} - $seen;
		my $expected = { begin => 4, debit => 5 }->{$point} // 6;
		is($part, $expected, "$point: read_uncommitted sees " . ($expected - 4) . ' records of the third');
	}
	$bank->finish($bank->safely);
	my $look = $bank->look;
	is("$look->{records} $look->{applied} $look->{sum}", '60 30 0', 'in the end each transfer was applied once');
	my $all = $bank->look('read_uncommitted');
	is($all->{records}, 60 + 1 + 2 * 4, 'the aborted parts are still in the log');
	isnt($all->{sum}, 0, 'so a read_uncommitted consumer counts money that does not exist');

	my $log = join '', map { $kafka->dump_log($bank->{balances}, $_) } 0, 1;
	my ($commit) = $log =~ /^(.*endTxnMarker: COMMIT.*)$/m;
	my ($abort) = $log =~ /^(.*endTxnMarker: ABORT.*)$/m;
	ok(defined $commit, 'the log has a marker behind what was committed');
	ok(defined $abort, 'and one behind what was aborted');
	note($_) foreach grep { defined } $commit, $abort;
}

# --- killed anywhere

{
	my $kills = full_size() ? 50 : 4;
	my $transfers = $kills * 100;
	my $bank = Bank->new($kafka);
	$bank->pay($transfers);
	foreach my $kill (1 .. $kills)
	{
		my $proc = $bank->start($bank->safely);
		my $then = $kafka->messages_in($bank->{balances});
		wait_for(sub { $kafka->messages_in($bank->{balances}) > $then + 5 || !$proc->alive }, 60, step => 0.01);
		sleep rand 0.1;
		$proc->kill9;
		my $look = $bank->look;
		is("$look->{sum} $look->{half} $look->{repeated}", '0 0 0', "kill $kill: after $look->{applied} transfers all is whole");
		cmp_ok($look->{applied}, '<', $transfers, "kill $kill: in the middle of it");
	}
	$bank->finish($bank->safely, '-n', 20);
	my $look = $bank->look;
	is("$look->{applied} $look->{sum} $look->{half} $look->{repeated}", "$transfers 0 0 0", "$transfers transfers, each once");
	result('transfer', { transfers => $transfers, kills => $kills, applied_once => $look->{applied}, sum => $look->{sum} },
		seed => $seed, what => 'consume, transform, produce in Kafka transactions, killed with SIGKILL at random moments');
}

# --- a zombie

{
	my $bank = Bank->new($kafka);
	$bank->pay(10);
	my $sleeper = $bank->start($bank->safely, '-p', 'credit:3', '-z');
	ok(wait_for(sub { $bank->look('read_uncommitted')->{records} == 6 }, 60), 'an instance falls asleep in the middle of a transfer');
	$bank->finish($bank->safely);
	is($bank->look->{applied}, 10, 'another one with its transactional.id has done all');
	$sleeper->signal('CONT');
	$sleeper->wait_exit(60);
	is($sleeper->exit_code, 3, 'the sleeper goes on, and is refused');
	like($sleeper->log_text, qr/fenced|unknown member|generation/i, 'it is told why');
	note($sleeper->log_text);
	my $look = $bank->look;
	is("$look->{records} $look->{applied} $look->{sum}", '20 10 0', 'nothing of it has become visible');
}
done_testing();
