# 320_exactly_transfer.pl - the bank of tests/scenarios/transfer at full size.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';
use PgOutbox::Node;    # now: it has INIT blocks, for which a do comes too late

use lib 'tests/scenarios/transfer';

do './tests/scenarios/transfer/020_transactions.pl' or die $@ || $!;
