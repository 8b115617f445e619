/*
 * http_address.c - where to listen: "127.0.0.1:9464", "[::1]:9464", ":9464".
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "http_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* 1 to 65535, digits only; 0 = isn't a port. */
static in_port_t
parse_port(const char *text)
{
	size_t		len = strlen(text);
	long		port;

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return 0;
	port = strtol(text, NULL, 10);
	return port <= 65535 ? htons((in_port_t) port) : 0;
}

/* An IPv6 address stands in brackets, an IPv4 address doesn't. */
static bool
parse_host(char *host, in_port_t port, struct http_address *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *) &out->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &out->address;
	size_t		len = strlen(host);

	if (len >= 2 && host[0] == '[' && host[len - 1] == ']')
	{
		host[len - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		out->len = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1;
	}
	in->sin_family = AF_INET;
	in->sin_port = port;
	out->len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

bool
http_address_parse(const char *text, struct http_address *out)
{
	const char *colon = strrchr(text, ':');
	char		host[64];
	in_port_t	port;

	memset(out, 0, sizeof(*out));
	if (!colon || (size_t) (colon - text) >= sizeof(host))
		return false;
	port = parse_port(colon + 1);
	if (port == 0)
		return false;
	if (colon == text)
	{
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &out->address;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;	/* sin6_addr is in6addr_any */
		out->len = sizeof(*in6);
		out->any = true;
		return true;
	}
	memcpy(host, text, (size_t) (colon - text));
	host[colon - text] = '\0';
	return parse_host(host, port, out);
}
