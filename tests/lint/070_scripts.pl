# 070_scripts.pl - scripts compile: perl -c, bash -n, shellcheck.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(tracked slurp tool);
use Test::More;

my @files = tracked();

# scripts without extension say by their first line what they are
sub is_a
{
	my ($file, $extension, $interpreter) = @_;
	return 1 if $file =~ /\.(?:$extension)$/;
	return 0 if $file =~ m{\.[^/]*$} && $file !~ m{^\.ci/};
	return substr(slurp($file), 0, 80) =~ /\A#!.*\b(?:$interpreter)\b/;
}

# modules of the server's test library are found as the tests find them
my $config = $ENV{PG_CONFIG} || qx{tests/env/deps.sh --pg-config};
chomp $config;
chomp(my $lib = qx{$config --pkglibdir});
my @include = ('-Itests/lib', '-Itests/bench', "-I$lib/pgxs/src/test/perl");
local $ENV{PGOB_PGBIN} = '/nonexistent';
local $ENV{PGOB_PG_PERL} = "$lib/pgxs/src/test/perl";

foreach my $file (grep { is_a($_, 'pl|pm', 'perl') } @files)
{
	my $out = qx{perl -cw @include $file 2>&1};
	ok($? == 0 && $out =~ /\A\S+ syntax OK\n\z/, $file) or diag($out);
	like(slurp($file), qr/^use strict;$/m, "$file: strict");
}

my $shellcheck = tool('shellcheck');
foreach my $file (grep { is_a($_, 'sh', 'sh|bash') } @files)
{
	my $out = qx{$shellcheck $file 2>&1};
	ok($? == 0, $file) or diag($out);
}

done_testing();
