#!/usr/bin/env perl
# svg.pl - a picture of a terminal: text with colours on stdin, SVG on stdout.
#
#   CLICOLOR_FORCE=1 make -s demo | tests/demo/svg.pl >tests/demo/demo.svg
#
# Knows the few escape sequences that Screen.pm writes (bold, dim, six colours).
# Every run of one colour gets its column and its width, so that tables stay
# tables in whatever monospaced font the reader has.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use constant { WIDTH => 8, HEIGHT => 18, MARGIN => 20, TITLE => 34 };

binmode STDIN, ':encoding(UTF-8)';
binmode STDOUT, ':encoding(UTF-8)';

my %class = (1 => 'b', 2 => 'd', 31 => 'r', 32 => 'g', 33 => 'y', 34 => 'u', 35 => 'm', 36 => 'c');
my @lines = map { s/\s+$//r } <STDIN>;
shift @lines while @lines && $lines[0] eq '';
pop @lines while @lines && $lines[-1] eq '';

sub escape
{
	my ($text) = @_;
	my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
	return $text =~ s/([&<>])/$entity{$1}/gr;
}

my ($body, $columns, $y) = ('', 0, TITLE + HEIGHT);
foreach my $line (@lines)
{
	my ($column, $current) = (0, '');
	foreach my $part (split /(\e\[\d*m)/, $line)
	{
		if ($part =~ /^\e\[(\d*)m$/)
		{
			$current = $class{$1} // '';
			next;
		}
		# runs of spaces are left out: not every viewer keeps them
		foreach my $piece (split /( {2,})/, $part)
		{
			my ($space, $text) = $piece =~ /^(\s*)(.*?)\s*$/;
			$body .= sprintf qq{<text x="%d" y="%d"%s textLength="%d">%s</text>\n},
			  MARGIN + ($column + length $space) * WIDTH, $y, ($current ? qq{ class="$current"} : ''),
			  length($text) * WIDTH, escape($text)
			  if $text ne '';
			$column += length $piece;
		}
	}
	$columns = $column if $column > $columns;
	$y += HEIGHT;
}

my $width = $columns * WIDTH + 2 * MARGIN;
my $height = $y - HEIGHT + MARGIN;
my $middle = $width / 2;
print <<"END";
<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" viewBox="0 0 $width $height">
<title>make demo</title>
<style>
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c9d1d9; white-space: pre; }
.b { font-weight: bold; fill: #ffffff; } .d { fill: #8b949e; } .r { fill: #ff7b72; } .g { fill: #7ee787; }
.y { fill: #e3b341; } .u { fill: #79c0ff; } .m { fill: #d2a8ff; } .c { fill: #56d4dd; font-weight: bold; }
.t { fill: #8b949e; text-anchor: middle; }
</style>
<rect width="$width" height="$height" rx="8" fill="#0d1117"/>
<circle cx="20" cy="17" r="6" fill="#ff5f57"/><circle cx="40" cy="17" r="6" fill="#febc2e"/><circle cx="60" cy="17" r="6" fill="#28c840"/>
<text x="$middle" y="21" class="t">make demo</text>
$body</svg>
END
