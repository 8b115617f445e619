# 310_exactly_takeover.pl - tests/e2e/310_exactly_takeover.pl at full size.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';
use PgOutbox::Node;    # now: it has INIT blocks, for which a do comes too late

do './tests/e2e/310_exactly_takeover.pl' or die $@ || $!;
