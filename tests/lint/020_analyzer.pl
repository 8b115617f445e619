# 020_analyzer.pl - gcc -fanalyzer has nothing to say about any source.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(sources flags tool command_is_silent);
use Test::More;

my $gcc = tool('gcc');
foreach my $file (sources('src/', 'decoder_plugin/', 'tests/tools/'))
{
	command_is_silent($file, $gcc, flags($file), qw(-O1 -fanalyzer -c -o /dev/null), $file);
}

done_testing();
