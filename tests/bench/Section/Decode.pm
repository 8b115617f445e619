# Decode.pm - decoding alone, read by a client that discards, against other plugins.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Decode;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs ratio record scaled);
use Rig;

sub _ours { my ($load) = @_; return Rig::read_slot($load, 'outbox_decoder', "table=$load->{table}"); }

# Our plugin with a table that nothing is inserted into, and no messages: what decoding
# costs before any plugin writes an octet.  A plugin made for that would have the same
# callbacks and return from them a few instructions sooner.
sub _nothing { my ($load) = @_; return Rig::read_slot($load, 'outbox_decoder', 'table=bench.nothing', 'message_prefix='); }
sub _wal2json { my ($load) = @_; return Rig::read_slot($load, 'wal2json', 'format-version=2'); }

sub run
{
	heading('decoding, read by a client that discards (higher is faster)');
	my $probe = Rig::loads()->get('single_jsonb', 10);
	my $have_wal2json = eval { Rig::loads()->drop(Rig::loads()->copy($probe, 'wal2json')); 1 };
	Bench::say_out("  without wal2json, which is not installed: $@") if !$have_wal2json;
	foreach my $type (qw(jsonb json))
	{
		foreach my $shape (qw(single bulk))
		{
			my $load = Rig::loads()->get("${shape}_$type", scaled($shape eq 'single' ? 300_000 : 500_000));
			my ($ours, $pgoutput, $nothing, $wal2json) = in_turn(pairs(),
				sub { _ours($load) }, sub { Rig::pgoutput($load) }, sub { _nothing($load) },
				($have_wal2json ? sub { _wal2json($load) } : ()));
			_record($shape . ($type eq 'jsonb' ? '' : '_json'), "$shape, $type", $load, $ours, $pgoutput, $nothing, $wal2json);
		}
	}
	return;
}

sub _record
{
	my ($which, $what, $load, $ours, $pgoutput, $nothing, $wal2json) = @_;
	my $us = 1e6 / $load->{rows};
	record("decode_${which}_per_s", '1/s', each_of($ours, 'per_s'), "$what: events decoded and read per second");
	record("decode_${which}_vs_pgoutput", 'x', ratio($ours, $pgoutput, 'per_s'), "$what: rate against pgoutput's");
	record("decode_${which}_vs_wal2json", 'x', ratio($ours, $wal2json, 'per_s'), "$what: rate against wal2json's") if $wal2json;
	record("decode_${which}_vs_no_output", 'x', ratio($ours, $nothing, 'per_s'), "$what: rate against decoding without any output");
	record("decode_${which}_walsender_cpu_us", 'us', each_of($ours, 'walsender_cpu', $us), "$what: the walsender's processor time per event");
	record("decode_${which}_pgoutput_walsender_cpu_us", 'us', each_of($pgoutput, 'walsender_cpu', $us), "$what: the same with pgoutput");
	record("decode_${which}_no_output_walsender_cpu_us", 'us', each_of($nothing, 'walsender_cpu', $us), "$what: the same without any output");
	record("decode_${which}_walsender_cpu_vs_pgoutput", 'x', ratio($ours, $pgoutput, 'walsender_cpu'),
		"$what: the walsender's processor time against pgoutput's (lower is better)");
	return;
}

1;
