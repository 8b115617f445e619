# Formatter.pm - prove's output for us: plain lines, and the counts of a run kept in a file.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Formatter;

# Used as prove --formatter PgOutbox::Formatter.  Appends "passed failed skipped" of
# each run to $PGOB_COUNTS, from which tests/env/check.sh makes the last line.

use strict;
use warnings FATAL => 'all';

use parent 'TAP::Formatter::File';

use TAP::Formatter::File::Session;
@PgOutbox::Formatter::Session::ISA = ('TAP::Formatter::File::Session');

# remarks are shown (seeds, counts), but not what libraries chat: titles of subtests,
# points of other runs, dumps of a background psql
sub PgOutbox::Formatter::Session::result
{
	my ($self, $result) = @_;
	return if $result->is_comment && $result->raw =~ /^\s*#\s*(?:$|Subtest|(?:not )?ok \d|[{}']|(?:connect|issuing|results) (?:output|query))/;
	return TAP::Formatter::File::Session::result($self, $result);
}

sub open_test
{
	my ($self, @args) = @_;
	my $session = $self->SUPER::open_test(@args);
	return bless $session, 'PgOutbox::Formatter::Session';
}

sub summary
{
	my ($self, $aggregate, @rest) = @_;
	my ($passed, $failed, $skipped) = (0, 0, 0);
	foreach my $parser ($aggregate->parsers)
	{
		if (defined $parser->skip_all)
		{
			$skipped++;
			next;
		}
		my $skips = () = $parser->skipped;
		my $bad = () = $parser->failed;
		# a test that died, printed no plan or no TAP at all has failed, even if
		# each point it came to was fine
		$bad ||= 1 if $parser->has_problems;
		my $good = () = $parser->actual_passed;
		$passed += $good - $skips;
		$skipped += $skips;
		$failed += $bad;
	}
	if (defined $ENV{PGOB_COUNTS} && open my $fh, '>>', $ENV{PGOB_COUNTS})
	{
		print $fh "$passed $failed $skipped\n";
		close $fh;
	}
	return $self->SUPER::summary($aggregate, @rest);
}

1;
