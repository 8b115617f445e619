# Wait.pm - waiting for a condition, with a deadline; tests never just sleep.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Wait;

use strict;
use warnings FATAL => 'all';

use Exporter qw(import);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(wait_for);

# wait_for(CODE, SECONDS, step => 0.02): calls CODE until it returns something
# true, which is returned; undef when the time is over.
sub wait_for
{
	my ($code, $seconds, %opt) = @_;
	my $deadline = time + ($seconds // 30);
	while (1)
	{
		my $value = $code->();
		return $value if $value;
		return if time >= $deadline;
		sleep($opt{step} // 0.02);
	}
}

1;
