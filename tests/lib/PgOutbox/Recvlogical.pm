# Recvlogical.pm - pg_recvlogical on a slot: what the plugin sends, without our streamer.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Recvlogical;

#   my $reader = PgOutbox::Recvlogical->start($node, 'slot', 'name', 'wait_visible=off');
#   $reader->sees(1);      # has the event with this id arrived?

use strict;
use warnings FATAL => 'all';

use parent -norequire, 'PgOutbox::Proc';

use PgOutbox::Env;
use PgOutbox::Proc;
use PostgreSQL::Test::Utils ();

my $count = 0;

# start(NODE, SLOT, NAME, OPTIONS): returns once the slot is in use; NAME is its application_name.
sub start
{
	my ($class, $node, $slot, $name, @options) = @_;
	my $self = $class->launch($node, $slot, $name, [], @options);
	$node->wait_until("SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'") or die "no reader on $slot";
	return $self;
}

# launch(NODE, SLOT, NAME, ARGUMENTS, OPTIONS): the same with arguments for pg_recvlogical,
# and without waiting.
sub launch
{
	my ($class, $node, $slot, $name, $arguments, @options) = @_;
	my $dir = PgOutbox::Env::testdir();
	$count++;
	my $out = "$dir/out-$count";
	my $self = PgOutbox::Proc->start(
		name => "reader$count",
		log => "$dir/log/reader$count.log",
		cmd => [
			PgOutbox::Env::pgbin() . '/pg_recvlogical', '-d', $node->connstr('postgres') . " application_name=$name",
			'--slot', $slot, '--start', '--no-loop', '-f', $out, '-s', '1', '-F', '0', @$arguments,
			map { ('-o', $_) } @options ]);
	$self->{out} = $out;
	return bless $self, $class;
}

# text(): all that has arrived
sub text
{
	my ($self) = @_;
	return -e $self->{out} ? PostgreSQL::Test::Utils::slurp_file($self->{out}) : '';
}

sub sees
{
	my ($self, $id) = @_;
	return $self->text =~ /"id":"$id"/;
}

1;
