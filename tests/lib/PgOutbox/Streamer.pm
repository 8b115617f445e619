# Streamer.pm - outbox-streamer (or another program of ours) under test.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Streamer;

#   my $streamer = PgOutbox::Streamer->new(
#       node => $node, kafka => $kafka, slot => 'outbox',
#       config => { outbox => { topic => 'x' }, kafka => { 'linger.ms' => 5 },
#                   'table "shop.event"' => { id => 'event_id' } });
#   $streamer->start;                     # outbox-streamer -c FILE stream
#   $streamer->wait_for_log(qr/streaming/);
#   $streamer->kill9; $streamer->start;   # again, same configuration
#   my ($code, $out, $err) = $streamer->run('check');

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);
use Time::HiRes ();

my $count = 0;

# new(node, kafka, slot, config, name, program, command, database): without kafka no
# bootstrap servers are set; give config => { sink => { type => 'stdout' } }.
# A value of undef in config leaves a default of ours out.
sub new
{
	my ($class, %arg) = @_;
	$count++;
	my $name = $arg{name} // "streamer$count";
	my $dir = PgOutbox::Env::testdir();
	my %config = (
		postgres => {
			($arg{node} ? (dsn => $arg{node}->dsn($arg{database})) : ()),
			(defined $arg{slot} ? (slot => $arg{slot}) : ())
		},
		kafka => { $arg{kafka} ? ('bootstrap.servers' => $arg{kafka}->bootstrap) : () });
	my $self = bless {
		name => $name,
		program => PgOutbox::Env::program($arg{program} // 'outbox-streamer'),
		command => $arg{command} // 'stream',
		file => "$dir/$name.conf",
		log => "$dir/log/$name.log",
		out => "$dir/log/$name.out",
		config => \%config,
		env => $arg{env} // {}
	}, $class;
	$self->configure($arg{config} // {});
	return $self;
}

# configure({ section => { key => value } }): merges and writes the file; a
# running streamer reads it at its next start or SIGHUP.
sub configure
{
	my ($self, $config) = @_;
	foreach my $section (keys %$config)
	{
		my $into = $self->{config}{$section} //= {};
		$into->{$_} = $config->{$section}{$_} foreach keys %{ $config->{$section} };
	}
	open my $fh, '>', "$self->{file}.new" or die "$self->{file}: $!";
	foreach my $section (sort keys %{ $self->{config} })
	{
		my $keys = $self->{config}{$section};
		print $fh "[$section]\n";
		foreach my $key (sort grep { defined $keys->{$_} } keys %$keys)
		{
			print $fh "$key = $keys->{$key}\n";
		}
		print $fh "\n";
	}
	close $fh;
	rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";
	return $self;
}

sub config_file { return $_[0]{file}; }
sub log { return $_[0]{log}; }
sub output_file { return $_[0]{out}; }
sub proc { return $_[0]{proc}; }
sub pid { return $_[0]{proc}->pid; }

# start(ARGS): subcommand stream (or command) in the background.  stderr goes to the log,
# stdout (events of sink.type = stdout) to output_file.
sub start
{
	my ($self, @args) = @_;
	die "$self->{name} runs already\n" if $self->{proc} && $self->{proc}->alive;
	$self->{from} = -s $self->{log} // 0;
	$self->{proc} = PgOutbox::Proc->start(
		name => $self->{name},
		log => $self->{log},
		stdout => $self->{out},
		env => $self->{env},
		cmd => [ $self->{program}, '-c', $self->{file}, $self->{command}, @args ]);
	return $self;
}

# wait_for_log(REGEX, SECONDS, OFFSET): in what it wrote since its last start,
# or since OFFSET.  Returns the log's size then; undef if it ended or took too long.
sub wait_for_log
{
	my ($self, $regex, $seconds, $offset) = @_;
	return $self->{proc}->wait_for_log($regex, $offset // $self->{from}, $seconds);
}

sub log_text { my ($self, $offset) = @_; return $self->{proc}->log_text($offset // $self->{from}); }

# running and ending
sub alive { return $_[0]{proc} && $_[0]{proc}->alive; }
sub kill9 { return $_[0]{proc}->kill9; }
sub signal { my ($self, $name) = @_; return $self->{proc}->signal($name); }
sub pause { return $_[0]{proc}->signal('STOP'); }
sub resume { return $_[0]{proc}->signal('CONT'); }

# stop(SECONDS): SIGTERM, which drains; returns the exit code (137 if it had to be killed).
sub stop { my ($self, $seconds) = @_; return $self->{proc}->stop($seconds); }

# wait_exit(SECONDS): the exit code, undef while it runs.
sub wait_exit
{
	my ($self, $seconds) = @_;
	defined $self->{proc}->wait_exit($seconds) or return;
	return $self->{proc}->exit_code;
}

sub rss_kib { return $_[0]{proc}->rss_kib; }
sub peak_rss_kib { return $_[0]{proc}->peak_rss_kib; }
sub cpu_seconds { return $_[0]{proc}->cpu_seconds; }

# run(ARGS): another subcommand, to its end: (exit code, stdout, stderr, seconds).
# Killed after 60 s; the code is then 137.
my $runs = 0;
sub run
{
	my ($self, @args) = @_;
	my $base = PgOutbox::Env::testdir() . '/log/' . $self->{name} . '-run' . ++$runs;
	my $started = Time::HiRes::time();
	my $proc = PgOutbox::Proc->start(
		name => "$self->{name} @args",
		log => "$base.err",
		stdout => "$base.out",
		env => $self->{env},
		cmd => [ $self->{program}, '-c', $self->{file}, @args ]);
	defined $proc->wait_exit(60) or $proc->kill9;
	my $seconds = Time::HiRes::time() - $started;
	my @text = map { open my $fh, '<:raw', $_ or die "$_: $!"; local $/; <$fh> // '' } "$base.out", "$base.err";
	return ($proc->exit_code, @text, $seconds);
}

1;
