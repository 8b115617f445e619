#!/usr/bin/env perl
# run.pl - runs a command where servers can run: as an ordinary user, in a directory
# of its own, of which nothing is left.
#
#   tests/env/run.pl [--bring DIR]... -- COMMAND ARGS...
#
# As root, servers refuse to start.  So the command then runs as user postgres (or
# nobody), and because that user may not be able to read the checkout, in a copy.
# --bring names a directory below the checkout whose contents come back after
# the run.
#
# Whatever way it ends, processes that the command has recorded (see
# tests/lib/PgOutbox/Proc.pm) are ended, by pid and start time; those of a run that
# was killed are ended by the next one.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use POSIX qw(:sys_wait_h);

# no file of an earlier installation decides anything here
my $top = abs_path(dirname(__FILE__) . '/../..');
my $tmp = $ENV{PGOB_TMP} // '/tmp';
my (@bring, $uid, $gid, $home);

while (@ARGV)
{
	my $arg = shift @ARGV;
	last if $arg eq '--';
	if ($arg eq '--bring') { push @bring, shift @ARGV; }
	else                   { die "run.pl: unknown option $arg\n"; }
}
@ARGV or die "run.pl: no command\n";

if ($> == 0)
{
	my ($user) = grep { defined getpwnam $_ } qw(postgres nobody);
	defined $user or die "run.pl: neither user postgres nor nobody exists\n";
	($uid, $gid) = (getpwnam $user)[ 2, 3 ];
}

# ---- processes, identified by pid and start time

sub start_time
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or return -1;
	my $line = <$fh> // return -1;
	$line =~ s/^.*\) //s;
	my @field = split ' ', $line;
	return $field[0] eq 'Z' ? -1 : $field[19];
}

sub become_user
{
	return unless defined $uid;
	$) = "$gid $gid";
	$( = $gid;
	POSIX::setuid($uid) == 0 or $> = $uid;
	die "run.pl: cannot become user $uid\n" if $> != $uid || $< != $uid || $) + 0 != $gid;
	return;
}

# Whether the user can read these files where they are, which spares a copy.
sub readable
{
	my (@files) = @_;
	my $child = fork() // die "fork: $!";
	if ($child == 0)
	{
		become_user();
		POSIX::_exit(@files && !(grep { !-r } @files) ? 0 : 1);
	}
	waitpid $child, 0;
	return $? == 0;
}

# Ends the recorded processes; as the user who recorded them, who could name no
# others' processes that way.
sub end_recorded
{
	my ($file) = @_;
	return unless -e $file;
	my $child = fork() // die "fork: $!";
	if ($child == 0)
	{
		become_user();
		my @records;
		open my $fh, '<', $file or POSIX::_exit(0);
		while (my $line = <$fh>)
		{
			push @records, [ $1, $2, $3 ] if $line =~ /^(\d+) (\d+) (\S+)/;
		}
		close $fh;
		my $left = sub { return grep { start_time($_->[0]) == $_->[1] } @records; };
		# a postmaster ends its children when it gets QUIT; killed, it would orphan them
		kill 'CONT', $_->[0] foreach $left->();
		kill $_->[2] eq 'postgres' ? 'QUIT' : 'KILL', $_->[0] foreach $left->();
		foreach my $try (1 .. 200)
		{
			last if !$left->();
			select undef, undef, undef, 0.02;
		}
		kill 'KILL', $_->[0] foreach $left->();
		POSIX::_exit(0);
	}
	waitpid $child, 0;
	return;
}

# ---- what a killed run has left

foreach my $old (glob "$tmp/pgob-*")
{
	my @stat = lstat $old;
	next unless @stat && -d _ && $stat[4] == $> && open my $fh, '<', "$old/owner";
	my ($pid, $start) = (<$fh> // '') =~ /^(\d+) (\d+)/;
	close $fh;
	next if !defined $pid || start_time($pid) == $start;
	print STDERR "run.pl: removing what an interrupted run has left in $old\n";
	end_recorded("$old/run/procs");
	remove_tree($old, { safe => 0 });
}

# ---- a directory for this run

my $dir = File::Temp::tempdir('pgob-XXXXXX', DIR => $tmp);
{
	open my $fh, '>', "$dir/owner" or die "$dir/owner: $!";
	print $fh "$$ " . start_time($$) . "\n";
	close $fh or die "$dir/owner: $!";
}
my $work = $top;
make_path("$dir/run/home");
chmod 0755, $dir;

sub finish
{
	my ($status) = @_;
	$SIG{$_} = 'IGNORE' foreach qw(INT TERM HUP);
	end_recorded("$dir/run/procs");
	foreach my $bring (@bring)
	{
		if ($work ne $top && -d "$work/$bring")
		{
			make_path("$top/$bring");
			system('cp', '-r', "$work/$bring/.", "$top/$bring/");
		}
	}
	if ($status != 0 && -d "$dir/run/t")
	{
		# logs say why
		my $keep = "$top/build/check/logs";
		remove_tree($keep);
		make_path($keep);
		system("cd '$dir/run' && find t kafka-shared -path '*/pgdata' -prune -o -path '*/data' -prune -o -type f "
			  . "\\( -name '*.log' -o -name 'regress_log_*' -o -name 'regression.*' -o -name '*.conf' -o -name '*.err' \\) "
			  . "-size -20M -print0 2>/dev/null | tar -cf - --null -T - 2>/dev/null | tar -xf - --no-same-owner -C '$keep'");
		print STDERR "# logs are in build/check/logs\n";
	}
	chdir '/';
	remove_tree($dir) unless $ENV{PGOB_KEEP};
	print STDERR "# kept: $dir\n" if $ENV{PGOB_KEEP};
	exit $status;
}

if (defined $uid)
{
	# without version control, objects, downloads, earlier results and other servers
	$work = "$dir/top";
	mkdir $work or die "$work: $!";
	my @without = qw(.git build/download build/obj build/unit/obj build/fuzz/obj build/sanitize/obj
	  build/sanitize/unit/obj build/check build/lint);
	push @without, grep { $ENV{PG_MAJOR} && !m{^build/pg/\Q$ENV{PG_MAJOR}\E$} }
	  map { s{^\Q$top\E/}{}r } grep { -d } glob "$top/build/pg/*";
	my @there;
	push @there, 'build/kafka' if readable(glob "$top/build/kafka/*.jar");
	push @there, 'build/prometheus' if readable(grep { -e } "$top/build/prometheus/promtool");
	push @without, @there;
	system("cd '$top' && tar -cf - @{[map { qq(--exclude='./$_') } @without]} . | tar -xf - -C '$work'") == 0
	  or finish(1);
	symlink "$top/$_", "$work/$_" foreach @there;
	system('chown', '-R', '-h', "$uid:$gid", $work, "$dir/run") == 0 or finish(1);
	system('chmod', '-R', 'u+rwX', $work) == 0 or finish(1);
}

# ---- the command

$ENV{PGOB_TOP} = $work;
$ENV{PGOB_RUN} = "$dir/run";
$ENV{PGOB_WRAPPED} = 1;
$ENV{HOME} = "$dir/run/home";
$ENV{JAVA_TOOL_OPTIONS} = join ' ', grep { defined } $ENV{JAVA_TOOL_OPTIONS}, '-XX:-UsePerfData';
delete @ENV{ grep { /^(OUTBOX|INBOX)_/ } keys %ENV };

my $command = fork();
defined $command or finish(1);
if ($command == 0)
{
	become_user();
	# whoever started us in the background has had INT ignored
	$SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP QUIT PIPE);
	chdir $work or die "$work: $!";
	umask 022;
	exec { $ARGV[0] } @ARGV or do
	{
		print STDERR "run.pl: $ARGV[0]: $!\n";
		POSIX::_exit(127);
	};
}
my $asked;
foreach my $signal (qw(INT TERM HUP))
{
	$SIG{$signal} = sub { $asked = $signal; kill $signal, $command; };
}
while (1)
{
	my $got = waitpid $command, 0;
	last if $got == $command;
	last if $got < 0 && !$!{EINTR};
}
my $status = $?;
finish(130) if $asked;
finish($status & 127 ? 128 + ($status & 127) : $status >> 8);
