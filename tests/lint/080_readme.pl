# 080_readme.pl - the READMEs say what code and results say: keys, codes, files, figures.
#
# What is between markers "begin: PROGRAM ..." and "end" is that command's output: of
# outbox-streamer, inbox-consumer, or of tests/bench/report, which reads the recorded results;
# "perl -Itests/lib tests/lint/080_readme.pl --write" brings it up to date.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(tracked slurp);
use Test::More;

my $readme = slurp('README.md');

# ---- generated blocks

my %program = ('outbox-streamer' => 'build/bin/outbox-streamer', 'inbox-consumer' => 'build/bin/inbox-consumer',
	'tests/bench/report' => 'tests/bench/report');

sub output_of
{
	my ($name, @args) = @_;
	my $program = $program{$name} // die "begin: $name is not known\n";
	open my $fh, '-|', $program, @args or die "$program: $!";
	local $/;
	my $out = <$fh>;
	close $fh or die "$program @args: exit status $?";
	return $out;
}

my $write = ($ARGV[0] // '') eq '--write';
foreach my $file (qw(README.md src/inbox/README.md tests/bench/README.md))
{
	my $text = slurp($file);
	my $fresh = $text =~ s{(<!-- begin: (.*?) \(.*?\) -->\n).*?(<!-- end -->)}{
		$1 . output_of(split ' ', $2) . $3}gesr;
	if (!$write)
	{
		ok($fresh eq $text, "what is generated in $file is up to date")
		  or diag('perl -Itests/lib tests/lint/080_readme.pl --write');
		next;
	}
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $fresh;
	close $fh or die "$file: $!";
}
exit 0 if $write;
ok($readme =~ /<!-- begin: outbox-streamer config reference /, 'README.md has the reference of the configuration');
ok(slurp('src/inbox/README.md') =~ /<!-- begin: inbox-consumer config reference /, 'src/inbox/README.md has that of its own');

# ---- every code stands in the table of errors, and no other

my ($table) = $readme =~ /^## Errors$(.*?)^## /ms;
my %listed = map { $_ => 1 } $table =~ /`([a-z0-9]+(?:-[a-z0-9]+)*)`/g;
delete @listed{qw(check)};

# what else has the form of a code
my %other = map { $_ => 1 } qw(at-least-once per-key dead-letter exactly-once inbox-consumer no-store outbox-streamer read-write);
my %used;
foreach my $file (grep { m{^src/(?:common|inbox|kafka|streamer)/.*\.c$|^decoder_plugin/wire\.h$} } tracked())
{
	foreach my $line (grep { !/_argument\b/ } split /\n/, slurp($file))
	{
		$used{$1} //= $file while $line =~ /"([a-z0-9]+(?:-[a-z0-9]+)+)"/g;
		$used{$1} //= $file while $line =~ /\bERR_[A-Z]+, "([a-z0-9]+)"/g;
	}
}
delete @used{ keys %other };
foreach my $code (sort keys %used)
{
	ok($listed{$code}, "$used{$code}: $code is in README.md");
}
my @gone = grep { !$used{$_} } sort keys %listed;
ok(!@gone, 'README.md lists no code that nothing uses') or diag("@gone");

# ---- what it refers to is there

my %exists = map { $_ => 1 } tracked();
foreach my $link (sort { $a cmp $b } $readme =~ /\]\(([^)#:]+)\)/g)
{
	ok($exists{$link}, "link to $link");
}
foreach my $file (grep { /\.md$/ } sort keys %exists)
{
	my $text = slurp($file);
	while ($text =~ /`make check SUITE=(\w+)(?: TESTS=(?:"([^"]+)"|(\w+)))?`/g)
	{
		my ($suite, @tests) = ($1, split ' ', $2 // $3 // '');
		ok((grep { m{^tests/$suite/} } keys %exists) > 0, "$file: suite $suite");
		foreach my $test (@tests)
		{
			ok((grep { m{^tests/$suite/(?:\w+/)?${test}(?:_test|_fuzz)?\.\w+$} } keys %exists) > 0, "$file: suite $suite, test $test");
		}
	}
	while ($text =~ /`make proof TESTS=(?:"([^"]+)"|(\w+))`/g)
	{
		foreach my $test (split ' ', $1 // $2)
		{
			ok($exists{"tests/proof/$test.pl"}, "$file: proof $test");
		}
	}
}

done_testing();
