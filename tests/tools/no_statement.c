/*
 * no_statement.c - preloaded: libpq has no memory for the statement whose name, or whose
 * text, begins with the content of the file $NO_STATEMENT; once, for then the file is removed.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pg_conn;

extern int	PQsendQuery(struct pg_conn *conn, const char *query);
extern int	PQsendQueryParams(struct pg_conn *conn, const char *query, int nparams,
							  const unsigned int *types, const char *const *values,
							  const int *lengths, const int *formats, int result_format);
extern int	PQsendQueryPrepared(struct pg_conn *conn, const char *name, int nparams,
								const char *const *values, const int *lengths,
								const int *formats, int result_format);

static int
is_refused(const char *statement)
{
	const char *path = getenv("NO_STATEMENT");
	int			fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char		refused[64] = "";
	ssize_t		n;

	if (fd < 0)
		return 0;
	n = read(fd, refused, sizeof(refused) - 1);
	(void) close(fd);
	return n > 0 && strncmp(refused, statement, (size_t) n) == 0 && unlink(path) == 0;
}

int
PQsendQuery(struct pg_conn *conn, const char *query)
{
	int			(*send) (struct pg_conn *, const char *);

	*(void **) &send = dlsym(RTLD_NEXT, "PQsendQuery");
	return is_refused(query) ? 0 : send(conn, query);
}

int
PQsendQueryParams(struct pg_conn *conn, const char *query, int nparams,
				  const unsigned int *types, const char *const *values,
				  const int *lengths, const int *formats, int result_format)
{
	int			(*send) (struct pg_conn *, const char *, int, const unsigned int *, const char *const *, const int *, const int *, int);

	*(void **) &send = dlsym(RTLD_NEXT, "PQsendQueryParams");
	return is_refused(query) ? 0 : send(conn, query, nparams, types, values, lengths, formats, result_format);
}

int
PQsendQueryPrepared(struct pg_conn *conn, const char *name, int nparams,
					const char *const *values, const int *lengths,
					const int *formats, int result_format)
{
	int			(*send) (struct pg_conn *, const char *, int, const char *const *, const int *, const int *, int);

	*(void **) &send = dlsym(RTLD_NEXT, "PQsendQueryPrepared");
	return is_refused(name) ? 0 : send(conn, name, nparams, values, lengths, formats, result_format);
}
