# 023_reload.pl - SIGHUP: what can be reloaded is, what can't is said, what is
# wrong changes nothing.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $streamer = PgOutbox::Streamer->new(node => $node, slot => 'outbox',
	config => { sink => { type => 'stdout' }, log => { level => 'info' } });
$streamer->start;
ok($node->wait_until("SELECT active FROM pg_replication_slots WHERE slot_name = 'outbox'"), 'it streams');

# arrives(ID): an event comes out
sub arrives
{
	my ($id) = @_;
	$node->safe_psql('postgres', "SELECT outbox.emit('order', '$id', 'created', '{}')");
	return wait_for(
		sub {
			open my $fh, '<', $streamer->output_file or return 0;
			local $/;
			return (<$fh> // '') =~ /\t\Q$id\E\t/;
		},
		10);
}
ok(arrives('first'), 'an event arrives');

# hangup(CONFIG, REGEX, NAME): what it logs about it
sub hangup
{
	my ($config, $regex, $name) = @_;
	my $from = -s $streamer->log;
	$streamer->configure($config);
	$streamer->signal('HUP');
	ok($streamer->wait_for_log($regex, 10, $from), $name) or diag $streamer->log_text($from);
	return $from;
}
hangup({ outbox => { max_inflight_events => 'many' } }, qr/error\[config-value\]: \S+:\d+: outbox\.max_inflight_events/, 'a mistake is refused with its line');
ok(arrives('second'), 'and changes nothing');
my $from = hangup({ outbox => { max_inflight_events => 100, topic => 'other', message_prefix => 'x' } },
	qr/warning: outbox\.topic has changed; this takes effect after a restart/, 'a key that needs a restart');
like($streamer->log_text($from), qr/outbox\.message_prefix has changed/, 'all of them are named');
unlike($streamer->log_text($from), qr/max_inflight_events has/, 'but none that is applied');
$from = hangup({ outbox => { topic => undef, message_prefix => undef }, 'table "outbox.event"' => { payload => 'payload' } },
	qr/table\.payload has changed/, 'a section that was not there');
unlike($streamer->log_text($from), qr/outbox\.topic has/, 'what is as it was is not named');
hangup({ 'table "outbox.event"' => { payload => undef }, log => { level => 'debug', format => 'json' } }, qr/^\{"time":/m, 'the log changes its form');
ok(arrives('third'), 'events go on');
is($streamer->stop, 0, 'stopped');

done_testing();
