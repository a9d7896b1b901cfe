# Copyright (C) rs-gateway contributors
#
# Everything made is below build/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CC      ?= cc
JOBS    ?= 2
B       := build
MODULE  := $(B)/module/ngx_http_rs_signal_module.so

export JOBS
export RS_TOP := $(CURDIR)

WARN    := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes \
           -Wconversion -Wpointer-arith -Werror
CFLAGS  ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
RSFLAGS := -std=gnu11 $(WARN) -Ilibrs

SUITES  := librs agent redis console gateway e2e


.PHONY: help deps all librs module agent unit-programs demo test unit gateway \
        e2e test-asan lint fuzz fuzz-smoke clean

help:
	@echo "make deps        install what is needed (twice: does nothing)"
	@echo "make all         librs, the nginx module, the agent, tools"
	@echo "make demo        a whole fleet here; https://localhost:8443/"
	@echo "make test        every suite: $(SUITES)"
	@echo "make unit        librs, agent, redis, console"
	@echo "make gateway     t/: nginx with the module"
	@echo "make e2e         Chromium, a desktop, coturn"
	@echo "make test-asan   t/ against nginx built with the sanitizers"
	@echo "make fuzz-smoke  each fuzz target for a few seconds"
	@echo "make lint        style, structure, documentation"
	@echo "make clean       remove build/"

deps:
	@util/deps

all: librs module agent


# ---- librs

LIBRS_SRC := $(wildcard librs/*.c)
LIBRS_OBJ := $(LIBRS_SRC:librs/%.c=$(B)/librs/%.o)
LIBRS_T   := $(patsubst librs/t/%.c,$(B)/librs/t/test_%,$(wildcard librs/t/rs_*.c))

librs: $(B)/librs.a

$(B)/librs.a: $(LIBRS_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/librs/%.o: librs/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(RSFLAGS) -fPIC -MMD -MP -c -o $@ $<

# a test includes the source it tests, to reach what is static there

$(B)/librs/t/test_%: librs/t/%.c $(B)/librs.a Makefile
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(RSFLAGS) -MMD -MP -MF $@.d \
	    -o $@ $< $(B)/librs.a -ljansson -lcrypto


# ---- the module

module:
	@util/build-module


# ---- the agent

agent:
	@$(MAKE) -s -C agent BUILD=$(CURDIR)/$(B)/agent all


# ---- tests

unit-programs: $(LIBRS_T)
	@$(MAKE) -s -C agent BUILD=$(CURDIR)/$(B)/agent tests

test: deps all unit-programs
	@util/test $(SUITES)

unit: all unit-programs
	@util/test librs agent redis console

gateway: module
	@util/test gateway

e2e: all
	@util/test e2e

test-asan:
	@util/build-module --asan
	@util/test gateway-asan

lint:
	@util/style-check
	@util/doc-check


# ---- fuzzing

FUZZ := $(patsubst fuzz/fuzz_%.c,$(B)/fuzz/fuzz_%,$(wildcard fuzz/fuzz_*.c))

fuzz: $(FUZZ)

$(B)/fuzz/fuzz_%: fuzz/fuzz_%.c $(LIBRS_SRC) $(wildcard librs/*.h) Makefile
	@mkdir -p $(@D)
	@clang -g -O1 -std=gnu11 -Ilibrs -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -o $@ $< $(LIBRS_SRC) \
	    -ljansson -lcrypto

fuzz-smoke: fuzz
	@util/fuzz-smoke $(FUZZ)


# ---- the demo

demo: deps all
	@util/rs-stack run --dir $(B)/demo --port-base 8000 --ip auto \
	    --localhost --agent --apps


clean:
	rm -rf $(B)


-include $(wildcard $(B)/librs/*.d $(B)/librs/t/*.d)
