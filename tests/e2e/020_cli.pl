# 020_cli.pl - the command line and the configuration: what is refused, and how.
#
# Needs neither server nor broker.
#
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Proc;
use Test::More;

my $program = PgOutbox::Env::program('outbox-streamer');
my $dir = PgOutbox::Env::testdir();
my $runs = 0;

# run([ARGS], ENV): (exit code, stdout, stderr)
sub run
{
	my ($args, %env) = @_;
	my $base = "$dir/log/run" . ++$runs;
	my $proc = PgOutbox::Proc->start(
		name => "run$runs",
		log => "$base.err",
		stdout => "$base.out",
		env => \%env,
		cmd => [ $program, @$args ]);
	defined $proc->wait_exit(20) or $proc->kill9;
	return ($proc->exit_code,
		map { open my $fh, '<:raw', $_ or die "$_: $!"; local $/; <$fh> // '' } "$base.out", "$base.err");
}

# file(TEXT): a configuration file
my $files = 0;
sub file
{
	my ($text) = @_;
	my $name = "$dir/c" . ++$files . '.conf';
	open my $fh, '>:raw', $name or die "$name: $!";
	print $fh $text;
	close $fh;
	return $name;
}

# refused([ARGS], REGEX, NAME, ENV): exit 1, one line, nothing on stdout
sub refused
{
	my ($args, $regex, $name, %env) = @_;
	my ($code, $out, $err) = run($args, %env);
	subtest $name => sub {
		is($code, 1, 'exit 1');
		is($out, '', 'nothing on stdout');
		like($err, qr/\Aoutbox-streamer: error\[[a-z-]+\]: [^\n]*; hint: \S[^\n]*\n\z/, 'one line, with a hint');
		like($err, $regex, 'it says so');
	};
	return;
}

my @minimal = ('-o', 'postgres.dsn=dbname=x', '-o', 'sink.type=stdout');

# --- commands
my ($code, $out, $err) = run(['--help']);
is($code, 0, '--help');
like($out, qr/^  $_ /m, "it knows $_") foreach qw(stream check slot config version);
foreach my $command (qw(stream check slot config version))
{
	($code, $out, $err) = run([ $command, '--help' ]);
	ok($code == 0 && $out =~ /\AUsage: outbox-streamer $command/ && $err eq '', "$command --help");
}
($code, $out, $err) = run(['--version']);
like($out, qr/\Aoutbox-streamer \d+\.\d+ \(wire \d+ to \d+, libpq \d+\.\d+, librdkafka [0-9.]+\)\n\z/, '--version');

refused([], qr/error\[usage\]: a command is missing; hint: /, 'no command');
refused(['strem'], qr/no command "strem"; hint: did you mean "stream"\?/, 'a misspelt command');
refused([ 'stream', '--endpos=1' ], qr/--endpos=1 is not a position/, 'a bad LSN');
refused([ 'stream', '--nope' ], qr/no option --nope/, 'an unknown option');
refused([ 'stream', '-x' ], qr/no option -x/, 'an unknown letter');
refused([ 'stream', '-c' ], qr/-c needs a value/, 'a missing value');
refused([ 'stream', 'now' ], qr/unexpected argument "now"/, 'an argument too many');
refused([ 'slot', 'create', '--yes' ], qr/does not belong to "slot create"/, 'an option of another subcommand');
refused([ 'slot', 'make' ], qr/no "slot make"/, 'an unknown subcommand');

# --- configuration files
my $good = "[postgres]\ndsn = dbname=x\n[sink]\ntype = stdout\n";
my %bad = (
	'an unknown key' => [ "[postgres]\ndsn = x=y\nslto = a\n", qr/c\d+\.conf:3: there is no key "slto" in section \[postgres\]; hint: did you mean "slot"\?/ ],
	'a key in the wrong section' => [ "${good}level = debug\n", qr/:5: .*; hint: it belongs into section \[log\]/ ],
	'an unknown section' => [ "${good}\n[kafak]\n", qr/:6: there is no section \[kafak\]; hint: did you mean \[kafka\]\?/ ],
	'a number that is none' => [ "${good}[outbox]\nmax_inflight_events = many\n", qr/:6: outbox\.max_inflight_events is not a whole number: "many"; hint: from 1 to / ],
	'a size without bounds' => [ "${good}[outbox]\nmax_inflight_bytes = 1kB\n", qr/:6: .* is too small: "1kB"; hint: from 64kB to 64GB/ ],
	'a duration without a unit' => [ "${good}[outbox]\ndrain_timeout = 5\n", qr/:6: .* is not a duration: "5"; hint: .*units are ms, s, min, h and d/ ],
	'an unknown choice' => [ "[postgres]\ndsn = x=y\n[sink]\ntype = file\n", qr/:4: .*hint: choose one of kafka\|stdout/ ],
	'an empty value' => [ "${good}[outbox]\nwait_visible =\n", qr/:6: outbox\.wait_visible has no value; hint: write on or off/ ],
	'a duplicate' => [ "${good}[postgres]\ndsn = dbname=y\n", qr/:6: postgres\.dsn is already set in line 2/ ],
	'a line that is nothing' => [ "${good}what\n", qr/:5: equal sign is missing; hint: a line is / ],
	'a heading without end' => [ "${good}[outbox\n", qr/:5: no closing bracket/ ],
	'a line before the first section' => [ "slot = x\n$good", qr/:1: this line stands before the first section/ ],
	'a NUL byte' => [ "${good}[log]\nlevel = in\0fo\n", qr/:6: there is a NUL byte in this line/ ],
	'another encoding' => [ "${good}[outbox]\ntopic = caf\xe9\n", qr/:6: this line is not valid UTF-8/ ],
	'a table without a schema' => [ "${good}[table \"event\"]\n", qr/:5: "event" is not a table's qualified name/ ],
	'a table section without a name' => [ "${good}[table]\n", qr/:5: section \[table\] needs a name; hint: write \[table "schema\.name"\]/ ],
	'an unfinished constant' => [ "${good}[table \"a.b\"]\ntype = 'it's'\n", qr/:6: type is not a constant in single quotes/ ],
	'a bad DSN' => [ "[postgres]\ndsn = host=x nonsense\n[sink]\ntype=stdout\n", qr/:2: postgres\.dsn is not a connection string: .*nonsense/ ],
	'a DSN with replication' => [ "[postgres]\ndsn = dbname=x replication=true\n[sink]\ntype=stdout\n", qr/postgres\.dsn sets replication; hint: leave it out/ ],
	'a bad slot' => [ "${good}[postgres]\nslot = My-Slot\n", qr/:6: postgres\.slot is not a slot's name: "My-Slot"/ ],
	'no DSN' => [ "[sink]\ntype = stdout\n", qr/postgres\.dsn is not set; hint: .*OUTBOX_POSTGRES_DSN/ ],
	'no brokers' => [ "[postgres]\ndsn = dbname=x\n", qr/kafka\.bootstrap\.servers is not set; hint: .*-o sink\.type=stdout/ ],
	'exactly-once to standard output' => [ "${good}[outbox]\ndelivery = exactly-once\n", qr/:6: .* needs sink\.type = kafka/ ],
	'a property of Kafka that is none' => [ "[postgres]\ndsn = dbname=x\n[kafka]\nbootstrap.servers = a:1\nlinger.sm = 5\n", qr/:5: librdkafka \S+ has no property "linger\.sm"/ ],
	'a bad value of a property' => [ "[postgres]\ndsn = dbname=x\n[kafka]\nbootstrap.servers = a:1\nlinger.ms = -5\n", qr/:5: kafka\.linger\.ms: .*range/ ],
	'a property that is ours' => [ "[postgres]\ndsn = dbname=x\n[kafka]\nbootstrap.servers = a:1\nacks = 1\n", qr/:5: kafka\.acks can't be set to "1"/ ]);
refused([ '-c', file($bad{$_}[0]), 'stream' ], $bad{$_}[1], $_) foreach sort keys %bad;
refused([ '-c', "$dir/none.conf", 'stream' ], qr/error\[config-file\]: cannot read "\S+none\.conf": No such file/, 'a file that is not there');
refused([ '-c', $dir, 'stream' ], qr/Is a directory/, 'a directory');
refused([ 'stream', '-o', 'sink' ], qr/-o sink: not of the form section\.key=value/, 'a malformed -o');
refused([ 'stream', '-o', 'postgres.dsn=dbname=x', '-o', 'sink.typ=stdout' ], qr/-o: there is no key "typ"/, 'an unknown key in -o');
refused([ 'stream', @minimal ], qr/environment OUTBOX_LOG_LEVEL: log\.level is not one of the choices: "loud"/,
	'a bad value in the environment', OUTBOX_LOG_LEVEL => 'loud');
refused([ 'stream', @minimal ], qr/environment OUTBOX_POSTGRES_SLTO: there is no key "slto"/,
	'an unknown key in the environment', OUTBOX_POSTGRES_SLTO => 'x');

# --- what is accepted
my $long = 'x' x 4000;
my $odd = file("\xef\xbb\xbf# comment\r\n[postgres]\r\n; another\r\ndsn = host=/tmp password=a;b#c options='-c search_path=$long'\r\n"
	  . "[table \"My Schema.\\\"odd.name\\\"\"]\r\npayload = body\r\n[table \"a.b\"]\r\n[table \"A.b\"]\r\n[sink]\r\ntype=stdout");
($code, $out, $err) = run([ '-c', $odd, 'config', 'show' ]);
is($code, 0, 'BOM, CRLF, long lines, no newline at the end') or diag $err;
like($out, qr/^\[table "My Schema\.\\"odd\.name\\""\]\n# \S+:6\npayload = body\n\n\[table "a\.b"\]\n\n\[table "A\.b"\]\n/m,
	'tables as they were written');
like($out, qr/^# default\nslot = pg_outbox$/m, 'defaults');
unlike($out, qr/password=/, 'no secret');
my $again = file($out =~ s/^dsn = .*$/dsn = dbname=x/mr);
is((run([ '-c', $again, 'config', 'show' ]))[0], 0, 'config show can be read again');

($code, $out, $err) = run([ 'config', 'show', '-o', 'log.level=debug', '-c', file("${good}[log]\nlevel = error\nformat = json\n") ],
	OUTBOX_LOG_LEVEL => 'warning', OUTBOX_LOG_FORMAT => 'text', OUTBOX_KAFKA_LINGER_MS => 7);
like($out, qr/^# -o\nlevel = debug\n# environment OUTBOX_LOG_FORMAT\nformat = text$/m, 'options before environment before file');
like($out, qr/^# environment OUTBOX_KAFKA_LINGER_MS\nlinger\.ms = 7$/m, 'an underscore stands for a dot');

($code, $out, $err) = run([ 'config', 'show' ], OUTBOX_POSTGRES_DSN => 'dbname=x', OUTBOX_KAFKA_BOOTSTRAP_SERVERS => 'a:1',
	OUTBOX_KAFKA_SERVICE_HOST => '10.0.0.1', OUTBOX_KAFKA_PORT => 'tcp://10.0.0.1:9092', OUTBOX_SERVICE_PORT => 80,
	OUTBOX_KAFKA_PORT_9092_TCP_ADDR => '10.0.0.1');
is($code, 0, 'from the environment alone, with what Kubernetes sets for Services') or diag $err;

# --- secrets
my $secret = file("s3cret\n");
my @secrets = ('-c', file("[postgres]\ndsn_file = " . file("dbname=x password=s3cret\n")
	  . "\n[kafka]\nbootstrap.servers = a:1\nsasl.password_file = $secret\nssl.key.password = s3cret\n"));
($code, $out, $err) = run([ @secrets, 'config', 'show' ], OUTBOX_KAFKA_SSL_KEYSTORE_PASSWORD_FILE => $secret);
is($code, 0, 'secrets from files') or diag $err;
like($out, qr/^\Q$_\E = \*{8}$/m, "$_ is set") foreach 'dsn', 'sasl.password', 'ssl.key.password', 'ssl.keystore.password';
unlike($out . $err, qr/s3cret/, 'and not shown');
refused([ @secrets, 'stream' ], qr/s: log\.level|log\.level is not/, 'nor in an error', OUTBOX_LOG_LEVEL => 's');
refused([ 'stream', @minimal, '-o', "kafka.sasl.password_file=$dir/none" ], qr/-o: cannot read ".*none"/, 'a file that is not there');
refused([ @secrets, 'stream', '-o', 'postgres.dsn=host=x password=s3cret bad' ], qr/missing "=" after "bad"/, 'a bad DSN with a password');

# --- what is generated
($code, $out) = run([ 'config', 'example' ]);
my $example = file($out =~ s/^dsn =$/dsn = dbname=x/mr);
is((run([ '-c', $example, 'config', 'show' ]))[0], 0, 'the example can be read');
my $all = file($out =~ s/^dsn =$/dsn = dbname=x/mr =~ s/^#(\w[\w.]* = .)/$1/mgr);
is((run([ '-c', $all, 'config', 'show' ]))[0], 0, 'with all defaults in force too');
my ($first, $second) = map { (run([ 'config', 'reference' ]))[1] } 1, 2;
like($first, qr/^\| `bootstrap\.servers` \| text \|/m, 'the reference');
is($first, $second, 'is always the same');

# --- the log
open my $journal, '>', "$dir/journal" or die "$dir/journal: $!";
my ($device, $inode) = (stat $journal)[ 0, 1 ];
close $journal;
foreach my $case ([ "$device:$inode", '<3>' ], [ "$device:1", '' ])
{
	my $bad = PgOutbox::Proc->start(name => 'journal', log => "$dir/journal", env => { JOURNAL_STREAM => $case->[0] }, cmd => [ $program, 'nothing' ]);
	$bad->wait_exit(20);
	like($bad->log_text, qr/^\Q$case->[1]\Eoutbox-streamer: error\[usage\]/m, "JOURNAL_STREAM, prefix '$case->[1]'");
}
(undef, undef, $err) = run([ 'slot', 'show', @minimal, '-o', 'log.format=json', '-o', 'postgres.dsn=host=/nonexistent dbname=x' ]);
like($err, qr/\A\{"time":"\d{4}-\d\d-\d\dT[\d:.]+Z","level":"error","code":"postgres-unreachable","message":"[^"]*(?:\\"[^"]*)*"(?:,"hint":"[^"]*")?\}\n\z/,
	'JSON');

done_testing();
