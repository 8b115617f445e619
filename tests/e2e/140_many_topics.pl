# 140_many_topics.pl - a few hundred topics at once: every event arrives, once, in its topic.
#
# Each event of a transaction is of another topic, so that the producer has all of them
# under way at the same time.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $topics = 200;
my $each = 50;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new(heap => '768m')->start;
$kafka->create_topic("many$_", 1) foreach 1 .. $topics;
$node->safe_psql('postgres', <<"SQL");
DO \$\$
BEGIN
	FOR n IN 1 .. $each LOOP
		PERFORM outbox.emit('many', t::text, 'e', to_jsonb(n), topic => 'many' || t) FROM generate_series(1, $topics) t;
		COMMIT;
	END LOOP;
END
\$\$
SQL

my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox');
$streamer->start;
ok($node->wait_confirmed('outbox', undef, 120), 'all is confirmed') or diag($streamer->log_text);
is($streamer->stop, 0, 'stops when asked');

# what is confirmed is there by now
my $sum = 0;
my $wrong = 0;
foreach my $t (1 .. $topics)
{
	my $there = $kafka->messages_in("many$t");
	$sum += $there;
	$wrong++ if $there != $each;
}
is($sum, $topics * $each, 'as many as were committed');
is($wrong, 0, 'in each topic');

my $consumer = PgOutbox::Consumer->start($kafka, '^many[0-9]+$');
is($consumer->wait_count($sum, 60), $sum, 'a consumer gets them');
my (%last, $disorder);
foreach my $m ($consumer->messages)
{
	$disorder++ if "many$m->{key}" ne $m->{topic} || $m->{value} != ++$last{ $m->{key} };
}
is($disorder // 0, 0, 'each in its topic, in order');
$consumer->stop;
done_testing();
