# Screen.pm - what the demo prints: numbered steps, commands, tables, colours on a terminal.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Screen;

# Colours only where somebody looks: on a terminal, unless NO_COLOR is set
# (https://no-color.org); CLICOLOR_FORCE=1 wants them in any case, as svg.pl does.

use strict;
use warnings FATAL => 'all';

use Time::HiRes qw(time);

my %code = (bold => 1, dim => 2, red => 31, green => 32, yellow => 33, blue => 34, cyan => 36);
my ($term, $colours, $started);
my $step = 0;

# open_on(HANDLE): a duplicate of standard output; the test modules take the original.
sub open_on
{
	($term) = @_;
	$term->autoflush(1);
	$colours = $ENV{CLICOLOR_FORCE} ? 1 : -t $term && !length($ENV{NO_COLOR} // '') && ($ENV{TERM} // '') ne 'dumb';
	$started = time;
	return;
}

sub paint
{
	my ($colour, $text) = @_;
	return $colours ? "\e[$code{$colour}m$text\e[0m" : $text;
}

sub line { print $term @_, "\n"; return; }

# step(TEXT): a numbered heading, with the seconds that have gone by.
sub step
{
	my ($text) = @_;
	$step++;
	my $clock = sprintf '%5.1f s', time - $started;
	line('');
	line(paint(cyan => $step), '  ', paint(bold => $text), ' ' x (88 - length $text), paint(dim => $clock));
	return;
}

# command(TEXT): what somebody would type.
sub command { line('   ', paint(blue => '$ '), paint(blue => $_[0])); return; }

# sql(LINE...): what an application would send; comments are dimmed.
sub sql
{
	foreach my $line (@_)
	{
		my ($code, $comment) = $line =~ /^(.*?)(\s*--.*)?$/;
		line('   ', paint(blue => $code), defined $comment ? paint(dim => $comment) : ());
	}
	return;
}

sub text { line('   ', $_) foreach @_; return; }
sub note { line('   ', paint(dim => $_)) foreach @_; return; }

# count(OK, NUMBER, TEXT): one line of the account.
sub count
{
	my ($ok, $number, $text) = @_;
	line('   ', paint($ok ? 'green' : 'red', sprintf '%7s', thousands($number)), "  $text",
		$ok ? '' : paint(red => '   <-- wrong'));
	return $ok;
}

sub thousands
{
	my ($n) = @_;
	1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
	return $n;
}

sub seconds { return time - $started; }

1;
