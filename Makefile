# Copyright (C) rs-gateway contributors
#
# Everything made is below build/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

B       := $(CURDIR)/build
JOBS    ?= 2
FUZZ_SECONDS ?= 5

export JOBS
export RS_TOP := $(CURDIR)

SUITES  := librs agent tunnel redis tools console bench monitoring docs gateway e2e faults


.PHONY: help deps all librs module agent tunnel render viewer record turn console test \
        unit gateway e2e \
        test-asan test-faults test-turn test-pipes test-cobrowse test-ansible test-fleet test-first lint fuzz-smoke bench demo \
        clean deb repo test-deb matrix

help:
	@echo "make deps        install what is needed (twice: does nothing)"
	@echo "make all         librs, the nginx module, the agent, rs-tunnel, the"
	@echo "                 services rs-render and rs-record, the TURN plugin,"
	@echo "                 the console"
	@echo "make demo        a whole fleet here; https://localhost:8443/"
	@echo "                 OIDC=1: with an OpenID provider to sign in at"
	@echo "                 COBROWSE=1: with a rendering service and a recorder"
	@echo "make test        every suite: $(SUITES)"
	@echo "make unit        librs, agent, tunnel, redis, console, bench, monitoring,"
	@echo "                 the commands of docs/"
	@echo "make gateway     t/: nginx with the module"
	@echo "make e2e         Chromium, a desktop, coturn; E2E=full (default) or"
	@echo "                 short"
	@echo "make test-asan   librs, the agent, t/, the plugin with the sanitizers"
	@echo "make test-faults workers, nodes, Redis break under load;"
	@echo "                 FAULTS=full (default), short or quick: faults/README.md"
	@echo "make test-ansible  ansible-lint, and the modules of ansible/ with Redis"
	@echo "make test-turn   the TURN plugin with the real coturn; TURN=full"
	@echo "                 (default) or short"
	@echo "make test-pipes  rs-tunnel and the gateway's ports, with a real sshd, nginx"
	@echo "                 and UDP behind an agent; PIPES=full (default) or short"
	@echo "make test-cobrowse  rendered sessions, documents, recordings; COBROWSE=full"
	@echo "                 (default) or short"
	@echo "make test-first  from packages to a picture, on clean hosts (root)"
	@echo "make test-fleet  packages, roles and plays on booted hosts (root);"
	@echo "                 FLEET=full (default) or short: fleet/README.md"
	@echo "make fuzz-smoke  each fuzz target for a few seconds"
	@echo "make bench       build/bench/rs-load and its tests: bench/README.md"
	@echo "make deb         Debian packages in build/deb; SUITE=bookworm, trixie, sid"
	@echo "make repo        and a signed repository of them, build/repo, for apt"
	@echo "make test-deb    installs, upgrades and purges them in clean roots"
	@echo "make matrix      packages and suites in Debian 12, 13 and unstable roots;"
	@echo "                 MATRIX=short (default) or full; SUITE=trixie, PART=turn for one"
	@echo "make lint        style, structure, documentation"
	@echo "make clean       remove build/"

deps:
	@util/deps

all: librs module agent tunnel render record turn console


librs:
	@$(MAKE) -s -j $(JOBS) -C librs BUILD=$(B)/librs all

module:
	@util/build-module

agent:
	@$(MAKE) -s -j $(JOBS) -C agent BUILD=$(B)/agent all

tunnel:
	@$(MAKE) -s -j $(JOBS) -C tunnel BUILD=$(B)/tunnel all

# services, made of what the agent and librs are made of; a folder that is not
# there yet is none to build

render: librs agent viewer
	@test ! -f render/Makefile || \
	    $(MAKE) -s -j $(JOBS) -C render BUILD=$(B)/render all

# the page that shows documents in there

viewer:
	@util/build-viewer

record: librs agent
	@test ! -f record/Makefile || \
	    $(MAKE) -s -j $(JOBS) -C record BUILD=$(B)/record all

turn: librs
	@$(MAKE) -s -j $(JOBS) -C coturn_auth_plugin BUILD=$(B)/turn \
	    LIBRS=$(B)/librs/librs.a all

console:
	@util/build-console


# ---- tests

test: deps all
	@util/test $(SUITES)

unit: all
	@util/test librs agent tunnel redis console bench monitoring docs

gateway: module console
	@util/test gateway

e2e: deps all
	@util/test e2e

test-asan: deps all
	@util/build-module --asan
	@util/test librs-asan agent-asan tunnel-asan gateway-asan turn-asan

test-faults: deps all
	@FAULTS=$(or $(FAULTS),full) util/test faults

test-fleet: deps
	@util/deps fleet
	@FLEET=$(or $(FLEET),full) fleet/run

test-first: deps
	@util/deps fleet
	@fleet/first-ten-minutes

test-turn: deps all
	@test "$(TURNSERVER)" = own || util/coturn-root
	@TURN=$(or $(TURN),full) util/test turn

test-pipes: deps all
	@util/deps pipes
	@PIPES=$(or $(PIPES),full) util/test pipes

test-cobrowse: deps all
	@util/deps cobrowse
	@COBROWSE=$(or $(COBROWSE),full) util/test render record cobrowse

# ---- packages: SUITE is bookworm, trixie or sid; this machine's unless said

deb:
	@util/deps fleet
	@util/build-deb $(SUITE)

repo: deb
	@util/build-repo $(if $(REPO_KEY),--key $(REPO_KEY))

test-deb: repo
	@RS_SUITE=$(or $(SUITE),bookworm) prove -e '' debian/t/*.t

test-ansible:
	@util/deps fleet
	@util/lint-ansible
	@util/with-netns ansible/t/modules

matrix:
	@util/deps fleet
	@util/matrix $(if $(PART),--part $(PART)) $(SUITE)

lint:
	@util/style-check
	@util/doc-check
	@util/tools-doc --check
	@util/lint-ansible
	@docs/t/check
	@monitoring/check
	@util/version --check

fuzz-smoke:
	@$(MAKE) -s -j $(JOBS) -C librs BUILD=$(B)/librs fuzz
	@$(MAKE) -s -C librs BUILD=$(B)/librs FUZZ_SECONDS=$(FUZZ_SECONDS) \
	    fuzz-smoke

bench: librs
	@$(MAKE) -s -j $(JOBS) -C bench BUILD=$(B)/bench \
	    LIBRS=$(B)/librs/librs.a all check


# ---- the demo

demo: deps all
	@test -z "$(COBROWSE)" || util/deps cobrowse
	@util/rs-stack run --dir $(B)/demo --port-base 8000 --ip auto \
	    --localhost --agent --apps $(if $(OIDC),--oidc) \
	    $(if $(COBROWSE),--render --record)


clean:
	rm -rf $(B)
