/*
 * http_address.h - where to listen: "127.0.0.1:9464", "[::1]:9464", ":9464".
 *
 * Pure.  Addresses are numeric, so that nothing has to be looked up; without one
 * it is every address of the machine, IPv4 and IPv6.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_HTTP_ADDRESS_H
#define OUTBOX_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct http_address
{
	struct sockaddr_storage address;
	socklen_t	len;
	bool		any;			/* no address was given */
};

/* False: it isn't one. */
extern bool http_address_parse(const char *text, struct http_address *out);

#endif							/* OUTBOX_HTTP_ADDRESS_H */
