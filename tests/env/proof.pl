#!/usr/bin/env perl
# proof.pl - runs tests/proof/*.pl one by one and puts their results together.
#
# A script prints TAP and calls PgOutbox::Proof::result for each figure.  The file
# build/proof/results.json says which commit, server, machine, what came out, and
# which scripts failed; it is written even then.  TESTS chooses scripts by name.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename);
use File::Path qw(make_path);
use JSON::PP;
use Time::HiRes qw(time);

my $json = JSON::PP->new->canonical->pretty;
make_path('build/proof');
unlink glob 'build/proof/*.json';

my %chosen = map { (my $name = basename($_)) =~ s/\.pl$//; ($name => 1) } split ' ', $ENV{TESTS} // '';
my (@scripts, @results);
my $status = 0;
foreach my $script (sort glob 'tests/proof/*.pl')
{
	(my $name = basename($script)) =~ s/\.pl$//;
	next if %chosen && !$chosen{$name};
	local $ENV{PGOB_PROOF} = "build/proof/$name.json";
	my $started = time;
	my $exit = system 'prove', '-Itests/lib', '-v', '--timer', '--exec', 'tests/env/tap.sh', $script;
	exit 130 if ($exit & 127) == 2;
	$status = 1 if $exit;
	push @scripts,
	  { name => $name, passed => $exit ? JSON::PP::false : JSON::PP::true, seconds => int(time - $started + 0.5) };
	if (open my $fh, '<', $ENV{PGOB_PROOF})
	{
		local $/;
		push @results, map { { %$_, script => $name } } @{ decode_json(<$fh>) };
		close $fh;
	}
}
die "no such script: @{[sort keys %chosen]}\n" if !@scripts;

open my $fh, '>', 'build/proof/results.json' or die "build/proof/results.json: $!";
print $fh $json->encode(
	{
		commit => $ENV{PGOB_COMMIT} // 'unknown',
		postgresql => $ENV{PG_MAJOR} + 0,
		processors => scalar(() = `cat /proc/cpuinfo` =~ /^processor\b/mg),
		scripts => \@scripts,
		results => \@results
	});
close $fh or die "build/proof/results.json: $!";
my $failed = grep { !$_->{passed} } @scripts;
printf "%d scripts, %d failed; build/proof/results.json\n", scalar @scripts, $failed;
exit $status;
