# layers.pm - the modules of src/ and which of them may know which.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Layers;

use strict;
use warnings FATAL => 'all';

# Files that are a part of another module, by pattern; all others are a module of
# their own name.
my @parts = (
	[ qr/^(?:cmd|main)(?:_|$)/ => 'cmd' ],
	[ qr/^settings(?:_|$)/ => 'settings' ],
	[ qr/^apply(?:_|$)/ => 'apply' ],
	[ qr/^inbox(?:_|$)/ => 'inbox' ],
	[ qr/^sink(?:_|$)|^kafka_(?:limit|producer|progress|transaction)$/ => 'sink' ],
	[ qr/^session$|^stream(?:_|$)/ => 'stream' ],
	[ qr/^replay(?:_|$)/ => 'replay' ],
	[ qr/^deadletter(?:_|$)/ => 'deadletter' ],
	[ qr/^kafka_(?:conf|error|prompt|task)$/ => 'kafka' ]);

# Higher may know lower.  Files of one rank don't know each other, but for the
# edges below.  A module that isn't here has to be put somewhere first.
my %rank = (
	common => 0,

	# vocabulary: plain data and pure functions that several leaves speak of
	settings => 1,
	timeline => 1,
	split => 1,
	window => 1,
	headers => 1,
	murmur2 => 1,
	assignment => 1,
	message => 1,
	segments => 1,
	patience => 1,
	statement => 1,
	parked => 1,
	undeliverable => 1,

	# what leaves are made of: one connection's or one client's business each
	kafka => 2,
	slot_info => 2,
	topics => 2,
	identity => 2,
	server_probe => 2,
	batch => 2,
	parameters => 2,

	# pure: what is kept of a stream's progress, which a sink writes
	progress => 3,

	# leaves
	decode => 4,
	health => 4,
	inflight => 4,
	replication => 4,
	route => 4,
	isolation => 4,
	oversize => 4,
	sink => 4,
	apply => 4,
	consume => 4,

	# a leaf with a sink of its own: what was parked is routed and sent again
	deadletter => 5,

	stream => 6,
	replay => 6,
	inbox => 6,
	cmd => 7);

# Sideways, each for a reason.
my %edge = (
	# the configured SQL is read when settings are, so that its faults have a line
	'settings statement' => 1,

	# a route is made from a decoded event, and a sink sends what has a route:
	# the data of the picture in one direction
	'route decode' => 1,
	'sink route' => 1,
	'oversize route' => 1);

sub part_of
{
	my ($folder, $name) = @_;
	foreach my $part (@parts)
	{
		return $part->[1] if $name =~ $part->[0];
	}
	return;
}

sub may_include
{
	my ($from, $to) = @_;
	return 0 if $from eq 'common';
	return 1 if $to eq 'common' || $to eq 'wire';
	my ($from_folder, $from_name) = split m{/}, $from;
	my ($to_folder, $to_name) = split m{/}, $to;

	# kafka/ lies between common/ and the programs
	return $from_folder ne 'kafka' if $to_folder eq 'kafka';
	return 0 if $from_folder ne $to_folder;
	return 0 unless defined $rank{$from_name} && defined $rank{$to_name};
	return $rank{$from_name} > $rank{$to_name} || $edge{"$from_name $to_name"} ? 1 : 0;
}

1;
