/*
 * visible.c - an event never leaves before others can see what it tells of
 *
 * A commit is decoded as soon as its record is flushed, but is seen by others
 * only once its backend has left the set of running transactions: microseconds
 * later, or minutes where it waits for a synchronous standby.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "replication/output_plugin.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "utils/guc.h"

/*
 * First some short sleeps, since most transactions are visible microseconds
 * after their flush; then the latch, so that interrupts are served.
 */
#define SHORT_SLEEPS		8
#define SHORT_SLEEP_US		20
#define LONGER_WAITS		20
#define LONGER_WAIT_MS		1
#define LONGEST_WAIT_MS		10

/* xids this far behind the horizon are taken for ones ahead of it */
#define HORIZON_REACH		(UINT32_C(1) << 30)

/*
 * Is the transaction running?  Costs nothing on a backlog: the horizon jumps to
 * the present at the first xid that isn't behind it.
 *
 * The horizon is also what makes TransactionIdIsInProgress() safe: of an xid
 * older than any that runs it may ask pg_subtrans, where such pages may be
 * gone, and raise an ERROR.
 */
static bool
is_running(OutboxState *state, TransactionId xid)
{
	if (TransactionIdIsNormal(state->horizon) &&
		TransactionIdPrecedes(xid, state->horizon) &&
		(uint32) (state->horizon - xid) < HORIZON_REACH)
		return false;

	state->horizon = GetOldestActiveTransactionId();
	if (TransactionIdPrecedes(xid, state->horizon))
		return false;
	return TransactionIdIsInProgress(xid);
}

bool
outbox_is_sync_standby(void)
{
	return MyWalSnd != NULL && MyWalSnd->sync_standby_priority > 0;
}

/*
 * If the commit may be waiting for this very walsender, waiting for the commit
 * would never end.  A reload that made us a synchronous standby is taken note
 * of here because nobody else would while we wait.
 */
static bool
would_wait_for_ourselves(void)
{
	if (MyWalSnd != NULL && ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		SyncRepInitConfig();
	}
	return outbox_is_sync_standby();
}

static void
pause_briefly(int round)
{
	static uint32 wait_event = 0;
	long		timeout;

	if (round < SHORT_SLEEPS)
	{
		pg_usleep(SHORT_SLEEP_US);
		return;
	}
	if (wait_event == 0)
		wait_event = OUTBOX_WAIT_EVENT_NEW("OutboxWaitVisible");
	timeout = round < SHORT_SLEEPS + LONGER_WAITS ? LONGER_WAIT_MS : LONGEST_WAIT_MS;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 timeout, wait_event);
	ResetLatch(MyLatch);
}

void
outbox_wait_visible(LogicalDecodingContext *ctx, TransactionId xid)
{
	OutboxState *state = ctx->output_plugin_private;

	/* what a standby decodes it has replayed, and then it is visible there */
	if (RecoveryInProgress())
		return;

	for (int round = 0; is_running(state, xid); round++)
	{
		if (would_wait_for_ourselves())
		{
			if (!state->warned_sync)
				ereport(WARNING,
						(errmsg("outbox_decoder: events may be ahead of their data"),
						 errdetail("This walsender is a synchronous standby, so commits wait for it; it can't wait for them."),
						 errhint("Keep its application_name out of synchronous_standby_names.")));
			state->warned_sync = true;
			return;
		}
		CHECK_FOR_INTERRUPTS();
		outbox_uncork();
		pause_briefly(round);
		/* the latch is the walsender's too: it looks again before it sleeps */
		CHECK_FOR_INTERRUPTS();
		/* keeps the connection alive, and notices when it is gone */
		OutputPluginUpdateProgress(ctx, false);
	}
}
