# Makefile - everything that can be asked for from the top; `make help` lists it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

# Which server: PG_CONFIG if given, else the newest supported major that is
# installed with its headers.
PG_CONFIG ?= $(shell tests/env/deps.sh --pg-config)
export PREFIX ?= $(or $(prefix),/usr/local)

# what is under test
export PG_MAJOR SUITE TESTS SANITIZE SEED DEPS KAFKA_HOME

ENV = tests/env

.PHONY: all help install uninstall deps demo check bench proof lint ci clean distclean have-build
.DEFAULT_GOAL := all

help:
	@echo 'make            builds extension, output plugin and programs (never downloads)'
	@echo 'make install    installs them (DESTDIR, PG_CONFIG, prefix)'
	@echo 'make deps       installs the packages that are missing; the only target that asks for rights'
	@echo 'make demo       shows the whole path, from an order in a shop to Kafka, in a private sandbox'
	@echo 'make check      runs all tests; SUITE="unit e2e" and TESTS="file ..." choose, SANITIZE=1 takes'
	@echo '                an ASan/UBSan build, SEED=n repeats a random run, PG_MAJOR=n chooses the server'
	@echo 'make lint       warnings as errors, static analysis, layering'
	@echo 'make ci         lint, check, check SANITIZE=1, and PostgreSQL 16 and 18 in brief'
	@echo 'make proof      every promise at full size, to build/proof/results.json'
	@echo 'make bench      figures against peers, to build/bench/results.json'
	@echo 'make clean      removes what was built; distclean also what was downloaded'

# ---- build and install: nothing here downloads or asks for rights

have-build:
	@$(ENV)/deps.sh --missing build

all: have-build
	@$(MAKE) -C sql PG_CONFIG=$(PG_CONFIG)
	@$(MAKE) -C decoder_plugin PG_CONFIG=$(PG_CONFIG)
	@$(MAKE) -C src

install: have-build
	@$(MAKE) -C sql PG_CONFIG=$(PG_CONFIG) install
	@$(MAKE) -C decoder_plugin PG_CONFIG=$(PG_CONFIG) install
	@$(MAKE) -C src install

uninstall:
	@$(MAKE) -C sql PG_CONFIG=$(PG_CONFIG) uninstall
	@$(MAKE) -C decoder_plugin PG_CONFIG=$(PG_CONFIG) uninstall
	@$(MAKE) -C src uninstall

# ---- what needs more than a compiler; each installs what is missing, unless DEPS=no

deps:
	@$(ENV)/deps.sh build test monitoring

demo:
	@$(ENV)/deps.sh build test
	@$(ENV)/stage.sh demo

check:
	@$(ENV)/deps.sh build test monitoring
	@$(ENV)/check.sh

bench:
	@$(ENV)/deps.sh build test bench
	@$(ENV)/stage.sh bench

proof:
	@$(ENV)/deps.sh build test bench
	@$(ENV)/stage.sh proof

lint:
	@$(ENV)/deps.sh build lint
	@$(ENV)/check.sh lint

ci:
	@$(ENV)/deps.sh build test monitoring lint majors
	@$(ENV)/ci.sh

clean:
	@if [ -n "$(PG_CONFIG)" ]; then \
		for d in sql decoder_plugin; do \
			[ ! -e $$d/Makefile ] || $(MAKE) -s -C $$d PG_CONFIG=$(PG_CONFIG) clean || exit 1; \
		done; \
	fi
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name kafka ! -name prometheus ! -name download -exec rm -rf {} +

distclean: clean
	rm -rf build
