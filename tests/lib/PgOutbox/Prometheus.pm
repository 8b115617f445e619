# Prometheus.pm - a private Prometheus server, and its promtool.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Prometheus;

#   PgOutbox::Prometheus::promtool();      # path, undef if it isn't there
#   my $prometheus = PgOutbox::Prometheus->start(
#       rules => 'FILE', interval => '200ms', targets => { 'pg_outbox' => '127.0.0.1:9464' });
#   my @firing = $prometheus->firing;      # names of alerts

use strict;
use warnings FATAL => 'all';

use HTTP::Tiny;
use JSON::PP;
use PgOutbox::Env;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

sub _find
{
	my ($name) = @_;
	my ($path) = grep { -x } map { "$_/$name" } PgOutbox::Env::top() . '/build/prometheus', split /:/, $ENV{PATH};
	return $path;
}

sub promtool { return _find('promtool'); }
sub server { return _find('prometheus'); }

# start(rules => FILE, interval => DURATION, targets => { job => address })
sub start
{
	my ($class, %arg) = @_;
	my $dir = PgOutbox::Env::testdir() . '/prometheus';
	mkdir $dir or die "$dir: $!";
	my $self = bless { port => PgOutbox::Kafka::free_port() }, $class;
	open my $fh, '>', "$dir/prometheus.yml" or die "$dir/prometheus.yml: $!";
	print $fh <<"END";
global:
  scrape_interval: $arg{interval}
  scrape_timeout: $arg{interval}
  evaluation_interval: $arg{interval}
rule_files: ['$arg{rules}']
scrape_configs:
END
	foreach my $job (sort keys %{ $arg{targets} })
	{
		print $fh "  - job_name: $job\n    static_configs: [{targets: ['$arg{targets}{$job}']}]\n";
	}
	close $fh or die "$dir/prometheus.yml: $!";
	$self->{proc} = PgOutbox::Proc->start(
		name => 'prometheus',
		cmd => [
			server(), "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/data",
			"--web.listen-address=127.0.0.1:$self->{port}"
		]);
	wait_for(sub { ($self->get('/-/ready'))[0] == 200 || !$self->{proc}->alive }, 60);
	$self->{proc}->alive or die 'prometheus: ' . $self->{proc}->log_text;
	return $self;
}

sub get
{
	my ($self, $path) = @_;
	my $answer = HTTP::Tiny->new(timeout => 10)->get("http://127.0.0.1:$self->{port}$path");
	return ($answer->{status}, $answer->{content});
}

# alerts(): { name => state } of those that are pending or firing
sub alerts
{
	my ($self) = @_;
	my ($status, $body) = $self->get('/api/v1/alerts');
	die "alerts: $status $body\n" if $status != 200;
	return { map { $_->{labels}{alertname} => $_->{state} } @{ decode_json($body)->{data}{alerts} } };
}

sub firing
{
	my ($self) = @_;
	my $alerts = $self->alerts;
	return sort grep { $alerts->{$_} eq 'firing' } keys %$alerts;
}

sub stop { return $_[0]{proc}->stop; }

1;
