# 100_mutants.pl - every mutant still fits the code, so that make check finds its fault and
# not its age.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use lib 'tests/mutants';
use Mutant;
use Test::More;

local $ENV{MUTANTS} = '';
foreach my $folder (sort glob 'tests/mutants/*/')
{
	is(join("\n", $_->misfits('.')), '', "$folder$_->{name}") foreach Mutant->all($folder =~ s{/$}{}r);
}
done_testing();
