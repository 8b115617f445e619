# Lint.pm - what the checks of tests/lint share: which sources there are, and their flags.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Lint;

use strict;
use warnings FATAL => 'all';

use Exporter qw(import);
use File::Find ();
use Test::More;

our @EXPORT_OK = qw(sources tracked slurp flags command_is_silent tool);

# tracked(): all files of the checkout that belong to it.
sub tracked
{
	my @files = split /\0/, qx{git ls-files -z --cached --others --exclude-standard 2>/dev/null};
	if (!@files)
	{
		# not a clone: everything but what is built
		File::Find::find(
			{
				no_chdir => 1,
				preprocess => sub { return grep { $_ ne 'build' && $_ ne '.git' } @_ },
				wanted => sub { push @files, $_ =~ s{^\./}{}r if -f }
			},
			'.');
	}
	return sort grep { -e } @files;
}

# sources(PREFIX...): C files below these folders.
sub sources
{
	my @prefixes = @_;
	my @files = grep { /\.c$/ } tracked();
	return grep { my $file = $_; grep { index($file, $_) == 0 } @prefixes } @files;
}

sub slurp
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar <$fh> // '';
}

# tool(NAME...): the first of these programs that is there; dies if none is, since
# a check that can't run is no check.
sub tool
{
	my @names = @_;
	foreach my $name (@names)
	{
		return $name if grep { -x "$_/$name" } split /:/, $ENV{PATH};
	}
	die "none of these is installed: @names\n";
}

# flags(FILE): what the compiler needs to know about it, as a list.
my ($packages, $server);
sub flags
{
	my ($file) = @_;
	my @warnings = qw(-std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wvla -D_GNU_SOURCE);
	if ($file =~ m{^decoder_plugin/})
	{
		if (!defined $server)
		{
			my $config = $ENV{PG_CONFIG} || qx{tests/env/deps.sh --pg-config};
			chomp $config;
			$server = qx{$config --includedir-server};
			chomp $server;
		}
		# the server's headers are no business of these checks; its macros compare
		# as they like
		return (qw(-std=gnu11 -Wall -Wmissing-prototypes -D_GNU_SOURCE -fwrapv), '-isystem', $server);
	}
	$packages //= qx{pkg-config --cflags rdkafka jansson libpq libmicrohttpd};
	return (@warnings, qw(-Isrc -Isrc/streamer -Idecoder_plugin), '-pthread', split ' ', $packages);
}

# command_is_silent(NAME, COMMAND...): one point: exit status 0 and no output.
sub command_is_silent
{
	my ($name, @command) = @_;
	my $pid = open my $fh, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command;
	die "$command[0]: $!" unless $pid;
	local $/;
	my $out = <$fh> // '';
	my $ok = close $fh;
	return ok($ok && $out eq '', $name) || diag($out eq '' ? "exit status $?" : $out);
}

1;
