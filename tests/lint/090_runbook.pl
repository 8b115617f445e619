# 090_runbook.pl - deploy/RUNBOOK.md and what it is about fit: each error code of the
# README's table and each alert has its entry, and no entry is of something else.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(slurp tracked);
use Test::More;

my $runbook = slurp('deploy/RUNBOOK.md');

# ---- codes: the lists behind "Codes:", against the README's table

my ($table) = slurp('README.md') =~ /^## Errors$(.*?)^## /ms;
my %known = map { $_ => 1 } $table =~ /`([a-z0-9]+(?:-[a-z0-9]+)*)`/g;
delete $known{check};
my %entries;
while ($runbook =~ /^Codes: (.*?)\n\n/msg)
{
	$entries{$_}++ foreach $1 =~ /`([^`]+)`/g;
}
foreach my $code (sort keys %known)
{
	is($entries{$code} // 0, 1, "$code has one entry");
}
ok(!(grep { !$known{$_} } keys %entries), 'no entry is of a code that nothing uses')
  or diag(join ' ', grep { !$known{$_} } sort keys %entries);

# ---- alerts: their headings and the anchors in the rules

my $rules = slurp('deploy/monitoring/pg_outbox.rules.yml');
my ($section) = $runbook =~ /^## Alerts$(.*)/ms;
my @headings = $section =~ /^### (\w+)$/mg;
my @alerts = $rules =~ /^\s+- alert: (\w+)$/mg;
is(join(' ', sort @headings), join(' ', sort @alerts), 'each alert has a heading, and no other');
my @anchors = $rules =~ m{^\s+runbook: "deploy/RUNBOOK\.md#(.+)"$}mg;
is(join(' ', @anchors), join(' ', map { lc } @alerts), 'each alert names its entry');

# ---- links within it

my %anchor;
foreach my $heading ($runbook =~ /^#+ (.*)$/mg)
{
	# as GitHub makes them
	(my $name = lc $heading) =~ s/[^a-z0-9 _-]//g;
	$name =~ tr/ /-/;
	ok(!$anchor{$name}++, "heading \"$heading\" is there once");
}
my %exists = map { $_ => 1 } tracked();
foreach my $file (qw(deploy/RUNBOOK.md deploy/README.md deploy/monitoring/README.md))
{
	my $dir = $file =~ s{[^/]*$}{}r;
	my @bad;
	foreach my $link (slurp($file) =~ /\]\(([^):]+)\)/g)
	{
		if ($link =~ /^#(.*)/) { push @bad, $link if !$anchor{$1}; }
		else
		{
			my $target = "$dir$link";
			1 while $target =~ s{[^/.]+/\.\./}{};
			push @bad, $link if !$exists{$target};
		}
	}
	ok(!@bad, "$file: links") or diag("@bad");
}

# ---- each state says what happens by itself or what a person does

foreach my $entry (split /^(?=### )/m, $runbook =~ s/^## Alerts\n.*//msr)
{
	next unless $entry =~ /^### (.*)\n/;
	my $title = $1;
	like($entry, qr/^- \*You\*:|what a person does/m, "\"$title\" says what to do");
}
done_testing();
