# program.mk - builds a scenario's PROGRAMS, with its LIBRARIES, into build/tests; its Makefile includes this.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

BUILD := ../../../build/tests
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wvla
override CFLAGS += -std=gnu11 $(WARNINGS) $(if $(WERROR),-Werror)

.PHONY: all clean
all: $(addprefix $(BUILD)/,$(PROGRAMS))

$(BUILD)/%: %.c ../app.h ../program.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $$(pkg-config --cflags --libs rdkafka libpq $(LIBRARIES))

clean:
	rm -f $(addprefix $(BUILD)/,$(PROGRAMS))
