# Proc.pm - a process that a test has started: recorded, measured, ended by its pid.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Proc;

# Every process is recorded (pid and start time) in $PGOB_RUN/procs before
# anything else happens with it, so that whoever cleans up after a killed run
# ends that very process and never another one that got its number.

use strict;
use warnings FATAL => 'all';

use Fcntl qw(:flock O_WRONLY O_CREAT O_APPEND);
use POSIX qw(:sys_wait_h);
use PgOutbox::Env;
use PgOutbox::Wait qw(wait_for);
use Time::HiRes qw(time);

my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my @mine;

# start_time(PID): when the process started, in clock ticks since boot, or undef
# if there is none; with the pid it identifies a process.
sub start_time
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or return;
	my $line = <$fh>;
	close $fh;
	return unless defined $line && $line =~ /^\d+ \(.*\) (.*)$/s;
	my @field = split ' ', $1;
	return if $field[0] eq 'Z';
	return $field[19];
}

# record(PID, NAME): for processes that others start (a postmaster).
sub record
{
	my ($pid, $name) = @_;
	my $start = start_time($pid) // return;
	sysopen my $fh, PgOutbox::Env::run() . '/procs', O_WRONLY | O_CREAT | O_APPEND, 0666
	  or die "procs: $!";
	syswrite $fh, "$pid $start $name\n";
	close $fh;
	return $start;
}

# start(name => , cmd => [...], log => FILE, env => {...}, stdin => FILE):
# runs a program in the background, stdout and stderr appended to log.
# stdout => FILE splits stdout from the log.
sub start
{
	my ($class, %arg) = @_;
	my $log = $arg{log} // PgOutbox::Env::testdir() . "/log/$arg{name}.log";

	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		untie *STDOUT;
		untie *STDERR;
		open STDIN, '<', $arg{stdin} // '/dev/null' or POSIX::_exit(126);
		POSIX::dup2(fileno(STDIN), 0);
		open my $out, '>>', $log or POSIX::_exit(126);
		POSIX::dup2(fileno($out), 2);
		if (defined $arg{stdout})
		{
			open $out, '>>', $arg{stdout} or POSIX::_exit(126);
		}
		POSIX::dup2(fileno($out), 1);
		foreach my $key (keys %{ $arg{env} // {} })
		{
			if (defined $arg{env}{$key}) { $ENV{$key} = $arg{env}{$key}; }
			else                         { delete $ENV{$key}; }
		}
		delete $ENV{PGAPPNAME};
		no warnings 'exec';
		exec { $arg{cmd}[0] } @{ $arg{cmd} } or do
		{
			syswrite STDERR, "exec $arg{cmd}[0]: $!\n";
			POSIX::_exit(127);
		};
	}
	my $self = bless {
		name => $arg{name},
		pid => $pid,
		log => $log,
		stop_signal => $arg{stop_signal} // 'TERM',
		started => time,
		owner => $$
	}, $class;
	$self->{start} = record($pid, $arg{name});
	push @mine, $self;
	return $self;
}

sub pid { return $_[0]{pid}; }
sub log { return $_[0]{log}; }

# alive(): also reaps it once it has ended.
sub alive
{
	my ($self) = @_;
	return 0 if defined $self->{status};
	my $got = waitpid $self->{pid}, WNOHANG;
	if ($got == $self->{pid})
	{
		$self->{status} = $?;
		return 0;
	}
	$self->{status} = -1 if $got < 0;
	return $got == 0 ? 1 : 0;
}

# signal(NAME): no-op when it has ended; its number may be another's by then.
sub signal
{
	my ($self, $name) = @_;
	return $self->alive ? kill $name, $self->{pid} : 0;
}

# wait_exit(SECONDS): the exit status (as from $?), or undef if it still runs.
sub wait_exit
{
	my ($self, $seconds) = @_;
	wait_for(sub { !$self->alive }, $seconds // 30, step => 0.005) or return;
	return $self->{status};
}

# exit_code(): the code that it ended with, 128 + signal if it was killed.
sub exit_code
{
	my ($self) = @_;
	my $status = $self->{status};
	return unless defined $status;
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

sub kill9
{
	my ($self) = @_;
	$self->signal('KILL');
	return $self->wait_exit(30);
}

# stop(SECONDS): asks it to end, then insists.  Returns the exit code.
sub stop
{
	my ($self, $seconds) = @_;
	if ($self->alive)
	{
		kill 'CONT', $self->{pid};
		kill $self->{stop_signal}, $self->{pid};
		defined $self->wait_exit($seconds // 15) or $self->kill9;
	}
	return $self->exit_code;
}

# ---- figures from /proc

sub _status_field
{
	my ($self, $field) = @_;
	open my $fh, '<', "/proc/$self->{pid}/status" or return;
	my ($value) = map { /^\Q$field\E:\s+(\d+)/ ? $1 : () } <$fh>;
	close $fh;
	return $value;
}

sub rss_kib { return $_[0]->_status_field('VmRSS'); }
sub peak_rss_kib { return $_[0]->_status_field('VmHWM'); }

# cpu_of(PID): seconds of processor time used so far, by all threads; for
# processes of others too, such as a walsender.
sub cpu_of
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or return;
	my $line = <$fh>;
	close $fh;
	$line =~ s/^.*\) //s;
	my @field = split ' ', $line;
	return ($field[11] + $field[12]) / $ticks;
}

sub cpu_seconds { return cpu_of($_[0]{pid}); }

# ---- the log

sub log_size { return -s $_[0]{log} // 0; }

sub log_text
{
	my ($self, $offset) = @_;
	open my $fh, '<:raw', $self->{log} or return '';
	seek $fh, $offset // 0, 0;
	local $/;
	my $text = <$fh> // '';
	close $fh;
	return $text;
}

# wait_for_log(REGEX, OFFSET, SECONDS): offset of the end of the log when it
# matched, undef if it never did.  A process that has ended writes no more.
sub wait_for_log
{
	my ($self, $regex, $offset, $seconds) = @_;
	my $found = wait_for(
		sub {
			my $ended = !$self->alive;
			return 1 if $self->log_text($offset) =~ $regex;
			return $ended ? -1 : 0;
		},
		$seconds // 30);
	return if !$found || $found < 0;
	return $self->log_size;
}

END
{
	my $status = $?;
	foreach my $proc (reverse @mine)
	{
		next if $proc->{owner} != $$ || $proc->{shared};
		$proc->stop(5);
	}
	$? = $status;
}

1;
