# Account.pm - what the source tables say happened, against what an independent consumer saw.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Account;

use strict;
use warnings FATAL => 'all';

use PgOutbox::Consumer;

# source(NODE): what was committed: { events => { id => [order, value, commit us] },
# orders => { id => version }, rolled_back => n }
sub source
{
	my ($node) = @_;
	my %source = (events => {}, orders => {});
	my $rows = $node->safe_psql('shop', <<'END');
SELECT id, aggregateid, (extract(epoch FROM pg_xact_commit_timestamp(xid::text::xid)) * 1000000)::bigint, payload
FROM outbox.event
END
	foreach my $row (split /\n/, $rows)
	{
		my ($id, $order, $committed, $value) = split /\|/, $row, 4;
		$source{events}{$id} = [ $order, $value, $committed ];
	}
	my $orders = $node->safe_psql('shop', 'SELECT id, version FROM shop.orders');
	$source{orders} = { map { split /\|/ } split /\n/, $orders };
	$source{rolled_back} =
	  $node->safe_psql('shop', 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM shop.rolled_back');
	return \%source;
}

# compare(SOURCE, MESSAGE...): the messages of a topic, each partition in its order.
# Only first occurrences count for the order; repetitions are counted apart.
sub compare
{
	my ($source, @messages) = @_;
	my (%seen, %version, %partition, %count);
	%count = map { $_ => 0 } qw(arrived lost foreign repeated disorder altered moved);

	foreach my $m (@messages)
	{
		my $id = PgOutbox::Consumer::header($m, 'id') // '';
		my $event = $source->{events}{$id};
		if (!$event)
		{
			$count{foreign}++;
			next;
		}
		my ($order, $value) = @$event;
		$count{altered}++ if ($m->{key} // '') ne $order || ($m->{value} // '') ne $value;
		$count{moved}++ if ($partition{$order} //= $m->{partition}) != $m->{partition};
		if ($seen{$id}++)
		{
			$count{repeated}++;
			next;
		}
		$count{arrived}++;
		my ($version) = $value =~ /"version": (\d+)/;
		$count{disorder}++ if $version != ($version{$order} // 0) + 1;
		$version{$order} = $version;
	}
	$count{lost} = grep { !$seen{$_} } keys %{ $source->{events} };
	# the orders themselves know how many events they have had
	$count{short} = grep { ($version{$_} // 0) != $source->{orders}{$_} } keys %{ $source->{orders} };
	$count{keys} = keys %version;
	return \%count;
}

# latencies(SOURCE, FROM, UNTIL, MESSAGE...): ms from commit to consumer, ascending, of
# events that were committed outside of that time; first occurrences.
sub latencies
{
	my ($source, $from, $until, @messages) = @_;
	my (%seen, @ms);
	foreach my $m (@messages)
	{
		my $id = PgOutbox::Consumer::header($m, 'id');
		next if $seen{$id}++;
		my $committed = $source->{events}{$id}[2];
		next if $committed >= $from && $committed <= $until;
		push @ms, ($m->{received} - $committed) / 1000;
	}
	return sort { $a <=> $b } @ms;
}

sub quantile
{
	my ($q, @sorted) = @_;
	return $sorted[ int($q * $#sorted + 0.5) ];
}

1;
