# 040_cppcheck.pl - cppcheck has nothing to say about the programs and the plugin.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Lint qw(sources tool command_is_silent);
use Test::More;

my @options = (
	tool('cppcheck'), '--quiet', '--error-exitcode=1', '--std=c11', '--inline-suppr',
	'--enable=warning,portability,performance', '--library=posix', '--suppress=missingInclude',
	'--suppress=missingIncludeSystem', '--suppress=normalCheckLevelMaxBranches',
	'--template={file}:{line}: {severity}: {message} [{id}]');

command_is_silent('src', @options, '-Isrc', '-Idecoder_plugin', sources('src/'));
command_is_silent('decoder_plugin', @options, '-Idecoder_plugin', sources('decoder_plugin/'));
command_is_silent('tests/tools', @options, sources('tests/tools/'));

done_testing();
