#!/usr/bin/env perl
# fuzz.pl - runs one libFuzzer target for some seconds and says in TAP how it went.
#
# Seeds are in tests/fuzz/corpus/NAME; FUZZ_SECONDS (default 15) is the time for each
# target, SEED repeats a run.  An input that breaks it is kept in build/check.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename);
use File::Path qw(make_path);
use Test::More;

my $program = shift @ARGV or die "fuzz.pl PROGRAM\n";
(my $name = basename($program)) =~ s/_fuzz$//;
my $seconds = $ENV{FUZZ_SECONDS} // 15;
my $seed = $ENV{SEED} || int rand 1 << 31;
my $run = $ENV{PGOB_RUN} // '/tmp';
my $work = "$run/fuzz-$name";
make_path("$work/corpus", 'build/check/fuzz');

my @seeds = grep { -d } "tests/fuzz/corpus/$name";
my $log = "$work/log";
my $status = system("'$program' -max_total_time=$seconds -seed=$seed -timeout=10 -rss_limit_mb=1024 "
	  . "-print_final_stats=1 -artifact_prefix='build/check/fuzz/$name-' '$work/corpus' @seeds >'$log' 2>&1");
open my $fh, '<', $log or die "$log: $!";
my @lines = <$fh>;
close $fh;
my ($runs) = map { /stat::number_of_executed_units:\s*(\d+)/ ? $1 : () } @lines;

ok(@seeds > 0, "$name has seeds");
is($status, 0, "$name: no crash, leak or time-out in $seconds s (seed $seed)")
  or diag(join '', @lines > 60 ? @lines[ -60 .. -1 ] : @lines);
cmp_ok($runs // 0, '>', 100, "$name: inputs were run: " . ($runs // 0));
done_testing();
