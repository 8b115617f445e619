# Mutant.pm - deliberate faults: a copy of the tree, a patch on it, and a test that must fail.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Mutant;

# A mutant is a file FOLDER/NAME.patch: lines of the form "Key: value", then a unified
# diff of files below the top.
#
#   Fault:      what is wrong with it, in a line
#   Caught-by:  the test that must fail: a file name without folder and extension
#   Point:      a regular expression: one of the points that fail must match it, or
#               "signal" if the fault ends the test by a signal
#   Sanitize:   yes, if only ASan and UBSan see it
#
# Hunks apply where their text is found, once and exactly; line numbers don't matter.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use File::Temp ();

# all(FOLDER): the mutants in it, chosen by MUTANTS (names) if that is set
sub all
{
	my ($class, $folder) = @_;
	my %chosen = map { $_ => 1 } split ' ', $ENV{MUTANTS} // '';
	my @mutants = map { $class->read($_) } sort glob "$folder/*.patch";
	return grep { !%chosen || $chosen{ $_->{name} } } @mutants;
}

sub read
{
	my ($class, $file) = @_;
	my $text = slurp($file);
	my $self = bless { name => basename($file, '.patch'), hunks => [] }, $class;
	my ($head, $diff) = $text =~ /\A(.*?)^(--- .*)\z/ms or die "$file: no diff in it\n";
	while ($head =~ /^([A-Z][\w-]*): *(.*?) *$/mg)
	{
		$self->{ lc $1 } = $2;
	}
	foreach my $key (qw(fault caught-by point))
	{
		defined $self->{$key} or die "$file: no \"\u$key:\"\n";
	}
	my $target;
	foreach my $line (split /^/, $diff)
	{
		if    ($line =~ /^--- /)           { next; }
		elsif ($line =~ m{^\+\+\+ \w/(\S+)}) { $target = $1; }
		elsif ($line =~ /^@@/) { push @{ $self->{hunks} }, { file => $target, old => '', new => '' }; }
		elsif ($line =~ /^([ +-])(.*)\z/s)
		{
			my $hunk = $self->{hunks}[-1];
			$hunk->{old} .= $2 if $1 ne '+';
			$hunk->{new} .= $2 if $1 ne '-';
		}
		else { die "$file: not a line of a unified diff: $line"; }
	}
	return $self;
}

sub slurp
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/ = undef;
	my $text = <$fh>;
	close $fh;
	return $text;
}

sub spew
{
	my ($file, $text) = @_;
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return;
}

# tree(PATHS): a new copy of these, with their folders; removed at the end
sub tree
{
	my (@paths) = @_;
	my $tree = File::Temp->newdir(($ENV{PGOB_RUN} // '/tmp') . '/mutant-XXXXXX');
	foreach my $path (@paths)
	{
		make_path("$tree/" . dirname($path));
		system('cp', '-R', $path, "$tree/" . dirname($path)) == 0 or die "copying $path failed\n";
	}
	return $tree;
}

# misfits(TREE): what keeps it from being applied, a line each
sub misfits
{
	my ($self, $tree) = @_;
	my @misfits;
	foreach my $hunk (@{ $self->{hunks} })
	{
		my $found = () = slurp("$tree/$hunk->{file}") =~ /^\Q$hunk->{old}\E/mg;
		push @misfits, "a hunk applies $found times to $hunk->{file}, not once" if $found != 1;
	}
	return @misfits;
}

# apply(TREE): patches it; returns what has to be given to restore()
sub apply
{
	my ($self, $tree) = @_;
	my %before;
	my @misfits = $self->misfits($tree);
	die map { "$self->{name}: $_\n" } @misfits if @misfits;
	foreach my $hunk (@{ $self->{hunks} })
	{
		my $file = "$tree/$hunk->{file}";
		my $text = slurp($file);
		$before{$file} //= $text;
		$text =~ s/^\Q$hunk->{old}\E/$hunk->{new}/m;
		spew($file, $text);
	}
	return \%before;
}

sub restore
{
	my ($before) = @_;
	spew($_, $before->{$_}) foreach keys %$before;
	return;
}

# verdict(STATUS, OUTPUT): undef if a test that ended so has caught the mutant, else why not
sub verdict
{
	my ($self, $status, $output) = @_;
	return 'the test passes' if $status == 0;
	# died of a signal, or was killed by the timeout that it ran under
	my $signal = $status & 127 || ($status >> 8 > 128 ? ($status >> 8) - 128 : 0);
	if ($self->{point} eq 'signal')
	{
		return $signal || $output =~ /^==\d+==ERROR: AddressSanitizer|: runtime error: /m ? undef :
		  'the test fails, but not by a signal';
	}
	my @failed = $output =~ /^not ok \d+ - (.*)$/mg;
	return undef if grep { /$self->{point}/ } @failed;
	return "the test fails, but not at /$self->{point}/" . (@failed ? " (it fails at: $failed[0])" : '')
	  . ($signal ? " (signal $signal)" : '');
}

1;
