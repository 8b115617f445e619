# 030_clang_tidy.pl - clang-tidy, with the checks of .clang-tidy, has nothing to say.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(sources flags tool);
use Test::More;

my $tidy = tool('clang-tidy-14', 'clang-tidy');
foreach my $file (sources('src/', 'decoder_plugin/', 'tests/tools/'))
{
	# it counts on stderr what it has kept to itself
	my $out = join '', grep { !/^\d+ warnings? generated|^Suppressed|^Use -header-filter/ }
	  qx{$tidy --quiet $file -- @{[flags($file)]} -Wno-unknown-warning-option 2>/dev/null};
	ok($? == 0 && $out eq '', $file) or diag($out);
}

done_testing();
