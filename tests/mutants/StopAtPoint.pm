# StopAtPoint.pm - ends a test at the first failed point that MUTANT_POINT matches.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package StopAtPoint;

# Loaded with -MStopAtPoint: a test that has caught its mutant needs no more time.
# It ends as by exit(), so that what it started is ended too.

use strict;
use warnings FATAL => 'all';

use Test::Builder;

my $ok = \&Test::Builder::ok;
no warnings 'redefine';
*Test::Builder::ok = sub {
	my ($self, $test, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $passed = $ok->($self, $test, $name);
	exit 1 if !$passed && ($name // '') =~ /$ENV{MUTANT_POINT}/;
	return $passed;
};

1;
