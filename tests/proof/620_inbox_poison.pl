# 620_inbox_poison.pl - tests/e2e/620_inbox_poison.pl at full size.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';
use FindBin;
use PgOutbox::Node;    # now: it has INIT blocks, for which a require comes too late

require "$FindBin::RealBin/../e2e/620_inbox_poison.pl";
