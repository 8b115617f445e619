# isolation.pl - the plugin's isolation tests (specs, expected), through PGXS's pg_isolation_regress.
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Regress;

PgOutbox::Regress::run(isolation => 1, conf => "max_prepared_transactions = 5\n");
