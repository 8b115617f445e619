# Machine.pm - what the figures were measured on: hardware, and versions of everything.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Machine;

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename);
use PgOutbox::Env;
use POSIX ();

# describe(): a flat hash, without names of hosts or users.
sub describe
{
	my ($memory) = _read('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
	my ($model) = _read('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
	my @uname = POSIX::uname();
	my $top = PgOutbox::Env::top();
	return {
		processor => $model // $uname[4],
		cores => scalar(() = _read('/proc/cpuinfo') =~ /^processor\s*:/mg),
		memory_gib => 0 + sprintf('%.0f', ($memory // 0) / 1048576),
		system => join(', ', grep { $_ } _read('/etc/os-release') =~ /^PRETTY_NAME="?([^"\n]*)/m, "$uname[0] " . $uname[2] =~ s/-.*//r),
		postgresql => _word(PgOutbox::Env::pgbin() . '/postgres --version', qr/ (\d[\d.]*)/),
		librdkafka => _word('pkg-config --modversion rdkafka', qr/(\d[\d.]*)/),
		java => _word('java -version 2>&1', qr/version "([^"]*)/),
		kafka => _jar("$top/build/kafka/kafka_2.13-*.jar"),
		debezium => _jar("$top/build/debezium/debezium-connector-postgres-*.jar")
	};
}

sub _read
{
	my ($file) = @_;
	open my $fh, '<', $file or return '';
	local $/;
	return scalar(<$fh>) // '';
}

sub _word
{
	my ($command, $regex) = @_;
	return `$command` =~ $regex ? $1 : 'unknown';
}

sub _jar
{
	my ($pattern) = @_;
	my ($file) = glob $pattern;
	return defined $file && basename($file) =~ /-(\d[\w.]*)\.jar$/ ? $1 : 'unknown';
}

1;
