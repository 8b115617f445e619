#!/usr/bin/env perl
# pgtap.pl - runs one pgTAP script on a server of its own, with the extension's files there.
#
# The script prints TAP itself (plan, finish); it runs in one session of database
# postgres, where pgTAP is installed, without ON_ERROR_STOP: an error leaves the
# plan unfulfilled, which fails.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

# directories and logs are named after the script, not after its runner
BEGIN { $0 = $ARGV[0] if @ARGV; }

use PgOutbox::Env;
use PgOutbox::Node;

my $file = shift @ARGV // die "pgtap.pl FILE\n";
(my $name = $file) =~ s{^.*/|\.sql$}{}g;

# what psql prints has to reach prove, past the log that the library keeps
my $out = PgOutbox::Env::testdir() . "/$name.out";
my $node = PgOutbox::Node->new($name);
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE SCHEMA pgtap; CREATE EXTENSION pgtap SCHEMA pgtap;'
	  . 'ALTER DATABASE postgres SET search_path = public, pgtap');
my $top = PgOutbox::Env::top();
my $status = system("cd '$top' && psql -X -q -A -t -P pager=off -d '"
	  . $node->connstr('postgres') . "' -f '$file' >'$out' 2>&1");

open my $fh, '<', $out or die "$out: $!";
my @lines = <$fh>;
close $fh;
my $tap = Test::More->builder;
foreach my $line (@lines)
{
	# errors and notices are remarks to prove
	$line = "# $line" if $line !~ /^(?:\s*(?:ok|not ok)\b|\s*1\.\.\d|\s*#|Bail out!)/;
	print { $tap->output } $line;
}
$node->stop('immediate');
$tap->no_ending(1);
exit($status ? 1 : 0);
