# 310_exactly_takeover.pl - tests/e2e/310_exactly_takeover.pl at full size.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

do './tests/e2e/310_exactly_takeover.pl' or die $@ || $!;
