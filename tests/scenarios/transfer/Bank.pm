# Bank.pm - topics, transfers and what has become of them, for the tests beside it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Bank;

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Consumer;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

my $count = 0;

# new(KAFKA): a bank with topics and a consumer group of its own
sub new
{
	my ($class, $kafka) = @_;
	my $name = PgOutbox::Kafka::unique_name('bank');
	my @topics = map { $kafka->create_topic("$name-$_", 2) } qw(transfer balance);
	# a new topic's partitions have no leader yet
	wait_for(sub { return eval { $kafka->messages_in($_) foreach @topics; 1 } }, 20) or die $@;
	return bless {
		kafka => $kafka,
		name => $name,
		transfers => $topics[0],
		balances => $topics[1],
		paid => 0
	}, $class;
}

# pay(N): that many transfers between ten accounts, straight into Kafka
sub pay
{
	my ($self, $n) = @_;
	my @messages;
	foreach (1 .. $n)
	{
		my $id = ++$self->{paid};
		my ($from, $to) = ("account" . $id % 10, "account" . ($id * 7 + 1) % 10);
		push @messages,
		  { key => $from, value => sprintf('{"id": %d, "from": "%s", "to": "%s", "amount": %d}', $id, $from, $to, 1 + $id % 9) };
	}
	$self->{kafka}->produce($self->{transfers}, @messages);
	return;
}

sub _command
{
	my ($self, @args) = @_;
	return [
		PgOutbox::Env::tool('transfer'), '-b', $self->{kafka}->bootstrap, '-g', $self->{name},
		'-i', $self->{transfers}, '-u', $self->{balances}, @args ];
}

# start(ARGS): the program, in the background
sub start
{
	my ($self, @args) = @_;
	return PgOutbox::Proc->start(name => 'transfer' . ++$count, cmd => $self->_command(@args));
}

# safely(): the arguments of the right way
sub safely { my ($self) = @_; return ('-t', $self->{name}); }

# dies_at(POINT:N, ARGS): runs it until it has killed itself there
sub dies_at
{
	my ($self, $point, @args) = @_;
	my $proc = $self->start(@args, '-p', $point);
	$proc->wait_exit(60);
	die "not at $point: " . ($proc->exit_code // 'runs') . ' ' . $proc->log_text
	  if ($proc->exit_code // 0) != 137;
	return;
}

# offset(): how many transfers the group has committed
sub offset
{
	my ($self) = @_;
	my @command = @{ $self->_command('offsets') };
	open my $fh, '-|', @command or die "transfer: $!";
	my $offset = <$fh>;
	close $fh or die "transfer offsets: exit $?";
	chomp $offset;
	return $offset;
}

# done(SECONDS): until the group is at the end of its input; control records count
# as offsets where transfers were sent in transactions.
sub done
{
	my ($self, $proc, $seconds) = @_;
	return wait_for(
		sub {
			die 'transfer ended: ' . $proc->log_text if !$proc->alive;
			return $self->offset >= $self->{paid};
		},
		$seconds // 60,
		step => 0.1);
}

# finish(ARGS): runs it until all is handled
sub finish
{
	my ($self, @args) = @_;
	my $proc = $self->start(@args);
	$self->done($proc) or die 'not done: ' . $proc->log_text;
	$proc->stop == 0 or die 'did not stop: ' . $proc->log_text;
	return;
}

# look(ISOLATION): what a consumer of the balances sees:
#   records, sum       of all amounts; money is conserved if it is 0
#   applied            transfers with one debit and one credit
#   half               with one of them only
#   repeated           with more than these
sub look
{
	my ($self, $isolation) = @_;
	my (%of, %look);
	@look{qw(records sum applied half repeated)} = (0) x 5;
	foreach my $m (PgOutbox::Consumer->all($self->{kafka}, $self->{balances}, { isolation => $isolation // 'read_committed' }))
	{
		my ($transfer, $amount) = $m->{value} =~ /"transfer": (\d+), "amount": (-?\d+)/ or die "not a balance: $m->{value}";
		$look{records}++;
		$look{sum} += $amount;
		$of{$transfer}[ $amount < 0 ]++;
	}
	foreach my $t (values %of)
	{
		my ($credits, $debits) = map { $_ // 0 } @$t[ 0, 1 ];
		if    ($credits == 1 && $debits == 1)   { $look{applied}++; }
		elsif ($credits + $debits == 1)         { $look{half}++; }
		else                                    { $look{repeated}++; }
	}
	return \%look;
}

1;
