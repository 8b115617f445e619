/*
 * probes_config.c - http.listen, without the server that it is for.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "http_address.h"
#include "probes.h"

enum err_class
probes_listen(const struct config *config, const char **listen, struct err *err)
{
	struct http_address ignored;

	*listen = config_string(config, "http", "listen");
	if (*listen && (*listen)[0] == '\0')
		*listen = NULL;
	if (!*listen || http_address_parse(*listen, &ignored))
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "config-value", "%s: http.listen is not an address with a port: \"%s\"",
				   config_where(config, "http", "listen"), *listen);
	return err_hint(err, "127.0.0.1:9464, [::1]:9464, or :9464 for all addresses; names are not looked up");
}
