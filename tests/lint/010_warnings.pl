# 010_warnings.pl - everything compiles without a warning, with gcc and with clang.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use Cwd qw(getcwd);
use PgOutbox::Lint qw(tool);
use Test::More;

my $top = getcwd();
delete @ENV{qw(TESTS SANITIZE MAKEFLAGS MAKELEVEL)};

sub builds
{
	my ($name, @make) = @_;
	my $out = qx{@make 2>&1};
	return is($?, 0, $name) || diag(substr $out, -4000);
}

my $config = $ENV{PG_CONFIG} || qx{tests/env/deps.sh --pg-config};
chomp $config;

foreach my $cc (tool('gcc'), tool('clang-14', 'clang'))
{
	my $build = "$top/build/lint/$cc";
	builds("src with $cc", "make -C src WERROR=1 CC=$cc BUILD=$build");
	builds("tests/unit with $cc", "make -C tests/unit WERROR=1 CC=$cc BUILD=$build/unit");
	builds("tests/tools with $cc", "make -C tests/tools WERROR=1 CC=$cc BUILD=$build/tools");

	# PGXS builds in place: in a copy; clang does not know all of gcc's flags
	my $copt = '-Werror -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers'
	  . ($cc =~ /clang/ ? ' -Wno-unknown-warning-option -Wno-ignored-optimization-argument' : '');
	builds("decoder_plugin with $cc",
		"rm -rf $build/plugin && mkdir -p $build/plugin && cp decoder_plugin/*.[ch] decoder_plugin/Makefile $build/plugin/"
		  . " && make -C $build/plugin PG_CONFIG='$config' with_llvm=no CC=$cc COPT='$copt'");
}

done_testing();
