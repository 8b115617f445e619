/*
 * http_address_test.c - what is an address to listen at.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/http_address.h"

/* As "address port", or "any port", or "no". */
static const char *
parsed(const char *text)
{
	static char buf[100];
	struct http_address a;
	char		name[INET6_ADDRSTRLEN] = "any";
	in_port_t	port;

	if (!http_address_parse(text, &a))
		return "no";
	if (a.address.ss_family == AF_INET)
	{
		const struct sockaddr_in *in = (const struct sockaddr_in *) &a.address;

		inet_ntop(AF_INET, &in->sin_addr, name, sizeof(name));
		port = in->sin_port;
	}
	else
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &a.address;

		if (!a.any)
			inet_ntop(AF_INET6, &in6->sin6_addr, name, sizeof(name));
		port = in6->sin6_port;
	}
	snprintf(buf, sizeof(buf), "%s %u", name, ntohs(port));
	return buf;
}

int
main(void)
{
	static const char *const bad[] = {
		"", ":", "9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:80 ", " 127.0.0.1:80", "127.0.0:80", "::1:80", "[::1]80",
		"[::1:80", "::1]:80", "[]:80", "[127.0.0.1]:80", "127.0.0.1:000080", "[::1]x:80",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"
	};

	is_str(parsed("127.0.0.1:9464"), "127.0.0.1 9464", "IPv4");
	is_str(parsed("0.0.0.0:1"), "0.0.0.0 1", "every IPv4 address");
	is_str(parsed("[::1]:65535"), "::1 65535", "IPv6");
	is_str(parsed("[::]:80"), ":: 80", "every IPv6 address");
	is_str(parsed(":9464"), "any 9464", "every address");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_str(parsed(bad[i]), "no", "not one: \"%s\"", bad[i]);
	return done_testing();
}
