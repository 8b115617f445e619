# 060_tree.pl - the tree: a README in each folder, files that say what they are, sizes.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename dirname);
use PgOutbox::Lint qw(tracked slurp);
use Test::More;

my @files = tracked();
my %exists = map { $_ => 1 } @files;

# ---- every folder says what lives there; folders of mere data belong to the one above
my %folders;
foreach my $file (@files)
{
	my $dir = dirname($file);
	while ($dir ne '.')
	{
		$folders{$dir} = 1;
		$dir = dirname($dir);
	}
}
foreach my $dir (sort keys %folders)
{
	next if $dir =~ m{^\.|^sql/\d} || $dir =~ m{^tests/(?:regress|fuzz|bench|mutants)/.} || $dir eq 'tests/lib/PgOutbox';
	ok($exists{"$dir/README.md"}, "$dir/README.md exists");
}
ok($exists{$_}, "$_ exists") foreach qw(README.md NEWS.md LICENSE);

# ---- every source says what it is and whose
foreach my $file (grep { /\.(?:c|h|pl|pm|sh)$/ || m{(?:^|/)Makefile$} } @files)
{
	my $head = substr slurp($file), 0, 8000;
	my $name = basename($file);
	my @bad;
	push @bad, 'no copyright line' if $head !~ /^\W*Copyright \(c\) 2026, pg_outbox contributors$/m;
	push @bad, 'no licence line' if $head !~ /^\W*SPDX-License-Identifier: PostgreSQL$/m;
	push @bad, "does not start with what $name is"
	  if $file !~ m{(?:^|/)Makefile$} && $head !~ /\A(?:#!.*\n)?\W*\Q$name\E - \S/;
	ok(!@bad, "$file: head") or diag(join "\n", @bad);
}

# ---- small files and functions: 600 and 60 lines, or a few more for a reason
foreach my $file (grep { /\.(?:c|h|pl|pm|sh)$/ } @files)
{
	my $text = slurp($file);
	my $lines = $text =~ tr/\n//;
	my @bad;
	push @bad, "$lines lines; more than 650 have to be split" if $lines > 650;
	if ($file =~ /\.c$/)
	{
		# PostgreSQL style: a function's braces are alone in the first column
		my ($start, $name, $number, $previous) = (undef, '', 0, '');
		foreach my $line (split /\n/, $text)
		{
			$number++;
			$start = $number if $line eq '{';
			$name = $1 if $line =~ /^(\w+)\(/;
			if ($line eq '}' && defined $start)
			{
				my $length = $number - $start - 1;
				push @bad, "$name(): $length lines; more than 80 have to be split" if $length > 80;
				undef $start;
			}
		}
	}
	push @bad, 'white space at the end of a line' if $text =~ /[ \t]$/m;
	push @bad, 'no newline at its end' if $text !~ /\n\z/;
	push @bad, 'a carriage return' if $text =~ /\r/;
	ok(!@bad, "$file: size and form") or diag(join "\n", @bad);
}

# ---- headers can be included on their own and twice
foreach my $file (grep { m{^(?:src|decoder_plugin)/.*\.h$} } @files)
{
	like(slurp($file), qr/^#ifndef (\w+)\n#define \1\b/m, "$file: include guard");
}

# ---- nothing that is built is kept
my @built = grep { /\.(?:o|so|a|bc|class|jar|pyc|whl)$/ } @files;
ok(!@built, 'nothing that is built is kept') or diag("@built");

done_testing();
