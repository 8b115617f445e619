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
	[ qr/^sink(?:_|$)/ => 'sink' ],
	[ qr/^session$/ => 'stream' ],
	[ qr/^kafka_(?:conf|error)$/ => 'kafka' ]);

# Higher may know lower.  Files of one rank don't know each other, but for the
# edges below.  A module that isn't here has to be put somewhere first.
my %rank = (
	common => 0,

	# vocabulary: plain data and pure functions that several leaves speak of
	settings => 1,
	timeline => 1,
	headers => 1,
	murmur2 => 1,

	# what leaves are made of: one connection's or one client's business each
	kafka => 2,
	slot_info => 2,
	server_probe => 2,

	# leaves
	decode => 3,
	inflight => 3,
	replication => 3,
	route => 3,
	topics => 3,
	isolation => 3,
	sink => 3,

	stream => 4,
	cmd => 5);

# Sideways, each for a reason.
my %edge = (
	# a route is made from a decoded event, and a sink sends what has a route:
	# the data of the picture in one direction
	'route decode' => 1,
	'sink route' => 1,
	'isolation route' => 1,

	# the sink's own look at the broker
	'sink topics' => 1);

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
	return 0 if $from_folder ne $to_folder;
	return 0 unless defined $rank{$from_name} && defined $rank{$to_name};
	return $rank{$from_name} > $rank{$to_name} || $edge{"$from_name $to_name"} ? 1 : 0;
}

1;
