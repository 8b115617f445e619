# 050_layering.pl - dependencies between the modules of src/ point one way.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

# cmd_* -> stream -> {replication, decode, route, inflight, sink} -> common
#
# Each module has a rank, in layers.pm, and knows only modules of lower ranks.
# Leaves don't know one another: what two of them need is common or vocabulary.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename dirname);
use PgOutbox::Lint qw(tracked slurp);
use Test::More;

require './tests/lint/layers.pm';

my @files = grep { m{^src/.*\.[ch]$} } tracked();
my %exists = map { $_ => 1 } @files;

# module(FILE): the module's name: folder and what the table says about the file
sub module
{
	my ($file) = @_;
	my ($folder) = $file =~ m{^src/([^/]+)/};
	return 'common' if $folder eq 'common';
	(my $name = basename($file)) =~ s/\.[ch]$//;
	return "$folder/" . (PgOutbox::Layers::part_of($folder, $name) // $name);
}

# resolve(FROM, INCLUDE): the file that an #include "..." means
sub resolve
{
	my ($from, $include) = @_;
	foreach my $path (dirname($from) . "/$include", "src/$include", "decoder_plugin/$include")
	{
		my @parts;
		foreach my $part (split m{/}, $path)
		{
			if ($part eq '..') { pop @parts; }
			elsif ($part ne '.') { push @parts, $part; }
		}
		my $file = join '/', @parts;
		return $file if $exists{$file} || $file eq 'decoder_plugin/wire.h';
	}
	return;
}

foreach my $file (@files)
{
	my $module = module($file);
	my @bad;
	my $text = slurp($file);
	while ($text =~ /^\s*#\s*include\s+"([^"]+)"/mg)
	{
		my $include = $1;
		my $target = resolve($file, $include);
		if (!defined $target)
		{
			push @bad, "$include: no such file";
			next;
		}
		my $to = $target =~ /^decoder_plugin/ ? 'wire' : module($target);
		next if $to eq $module;
		push @bad, "$include: $module must not know $to"
		  unless PgOutbox::Layers::may_include($module, $to);
	}
	ok(!@bad, $file) or diag(join "\n", @bad);
}

# the plugin shares nothing with the programs but wire.h, which is its own
foreach my $file (grep { m{^decoder_plugin/.*\.[ch]$} } tracked())
{
	my @bad = grep { /\.\./ } slurp($file) =~ /^\s*#\s*include\s+"([^"]+)"/mg;
	ok(!@bad, $file) or diag("@bad");
}

done_testing();
