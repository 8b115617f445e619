# regress.pl - the plugin's regression tests (sql, expected), through PGXS's pg_regress.
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Regress;

PgOutbox::Regress::run(isolation => 0, conf => "max_prepared_transactions = 5\n");
