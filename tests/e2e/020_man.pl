# 020_man.pl - the manual pages of both programs have what the programs have.
#
# The written page against --help, the generated one of the file against the reference of keys.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use Test::More;

my $dir = PgOutbox::Env::testdir();
my @groff = grep { -x "$_/groff" } split /:/, $ENV{PATH};

sub spoken { my ($program, @args) = @_; return scalar qx('@{[ PgOutbox::Env::program($program) ]}' @args); }

sub quiet_in_groff
{
	my ($file, $name) = @_;
  SKIP:
	{
		skip 'groff is not installed', 1 if !@groff;
		is(qx(groff -man -ww -z -Tascii '$file' 2>&1), '', "$name: groff has nothing to say");
	}
	return;
}

foreach my $program ('outbox-streamer', 'inbox-consumer')
{
	my $file = PgOutbox::Env::top() . "/src/man/$program.1";
	open my $fh, '<', $file or die "$file: $!";
	my $page = do { local $/; <$fh> };
	close $fh;
	$page =~ s/\\-/-/g;

	# commands, and the words behind them, as --help has them; both ways
	my ($list) = spoken($program, '--help') =~ /^Commands:\n(.*?)\n\n/ms;
	my @commands = $list =~ /^  (\w+) /mg;
	cmp_ok(scalar @commands, '>', 4, "$program: --help has commands");
	my @sections;
	foreach my $command ('', @commands)
	{
		my $help = spoken($program, $command, '--help');
		my @missing = grep { $page !~ /\Q$_\E\b/ } $help =~ /(--[a-z-]+)/g;
		is("@missing", '', "$program.1 has all options of $command --help");
		next if $command eq '';
		my ($words) = $help =~ /\AUsage: \S+ $command (\w+(?:\|\w+)+) /;
		push @sections, defined $words ? map { "$command $_" } split /\|/, $words : $command;
	}
	is(join("\n", sort $page =~ /^\.SS (.*)$/mg), join("\n", sort @sections), "$program.1 has a section for each command, and no other");
	quiet_in_groff($file, "$program.1");

	# the page of the file: every key of the reference, under its section
	my $generated = spoken($program, 'config', 'man') =~ s/\\\(dq/"/gr;
	my $name = uc $program;
	like($generated, qr/\A\.TH \Q$name\E\.CONF 5 /m, "$program.conf.5 is one");
	my $reference = spoken($program, 'config', 'reference');
	my (%keys, %there);
	foreach my $part (split /^#### /m, $reference)
	{
		next if $part !~ /\A`\[(.*?)\]`/;
		my $section = $1;
		$keys{"$section.$_"} = 1 foreach $part =~ /^\| `([\w.]+)` \|/mg;
	}
	foreach my $part (split /^\.SH "?\[/m, $generated)
	{
		next if $part !~ /\A([^\]]*)\]/;
		my $section = $1;
		$there{"$section.$_"} = 1 foreach map { s/\\-/-/gr } $part =~ /^\\fB([\w.\\-]+)\\fP$/mg;
	}
	cmp_ok(scalar keys %keys, '>', 10, "$program: the reference has keys");
	is(join("\n", grep { !$there{$_} } sort keys %keys), '', "$program.conf.5 has all of them");
	open my $out, '>', "$dir/$program.conf.5" or die $!;
	print $out $generated;
	close $out;
	quiet_in_groff("$dir/$program.conf.5", "$program.conf.5");
}

done_testing();
