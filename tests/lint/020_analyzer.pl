# 020_analyzer.pl - gcc -fanalyzer has nothing to say about any source.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(sources flags tool command_is_silent);
use Test::More;

# gcc 12 takes a struct whose first member's address is returned for leaked;
# leaks are LeakSanitizer's business (make check SANITIZE=1)
my @options = qw(-O1 -fanalyzer -Wno-analyzer-malloc-leak -c -o /dev/null);

my $gcc = tool('gcc');
foreach my $file (sources('src/', 'decoder_plugin/', 'tests/tools/'))
{
	command_is_silent($file, $gcc, flags($file), @options, $file);
}

done_testing();
