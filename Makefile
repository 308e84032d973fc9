# Names for the things one does here. `make help` lists them; there is one way to do each.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-upgrade test fuzz lint fmt build install static image disk bench clean

OUT ?= out
DESTDIR ?=
ROUTERS ?= frr
SECONDS ?= 30
SEED ?=
CARGO ?= cargo
export SRP_OUT := $(OUT)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing from Debian's packages (root)
	@scripts/setup

demo: setup ## two chassis, two FRR routers, four faults, one report (root); ROUTERS=bird|gobgp; VM=1: chassis as QEMU machines; KEEP=1: leave it up
	$(CARGO) build --release --locked -p srpd -p srpctl -p lab
	$(if $(VM),scripts/build-static,@true)
	target/release/lab demo --routers $(ROUTERS) --out $(OUT)/demo $(if $(VM),--vm) $(if $(KEEP),--keep)

demo-upgrade: setup ## two appliances from signed disks beside two FRR routers, upgrade of both, way back, one report (root); KEEP=1
	$(CARGO) build --release --locked -p srpd -p srpctl -p lab
	scripts/build-static
	target/release/lab demo --upgrade --routers $(ROUTERS) --out $(OUT)/demo-upgrade $(if $(KEEP),--keep)

test: ## set-up and all tests: unit, property, scenario, namespace labs, VM boot (root)
	@scripts/setup --tests
	@$(MAKE) --no-print-directory lint
	scripts/build-static
	$(CARGO) nextest run --workspace --locked --no-fail-fast
	@$(MAKE) --no-print-directory fuzz SECONDS=5 SEED=1

fuzz: ## octets that nobody would send, at every decoder and at the BGP session: SECONDS=30 each, SEED= to repeat
	$(CARGO) run --locked -q -p fuzz -- all $(SECONDS) $(SEED)

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

fmt: ## format everything
	$(CARGO) fmt --all

build: ## release binaries in target/release
	$(CARGO) build --release --locked

install: ## build, and install binaries, systemd unit, completion and manual pages under $(DESTDIR)/ (root)
	$(CARGO) build --release --locked -p srpd -p srpctl
	install -D -m 755 target/release/srpd $(DESTDIR)/usr/sbin/srpd
	install -D -m 755 target/release/srpctl $(DESTDIR)/usr/bin/srpctl
	install -D -m 644 srp/daemon/srpd.service $(DESTDIR)/etc/systemd/system/srpd.service
	install -d $(DESTDIR)/usr/share/bash-completion/completions $(DESTDIR)/etc/srp
	target/release/srpctl completion bash > $(DESTDIR)/usr/share/bash-completion/completions/srpctl
	target/release/srpctl man $(DESTDIR)/usr/share/man/man1

static: ## static binaries for the image
	scripts/build-static

image: static ## the development image in $(OUT)/image
	$(CARGO) run --release --locked -q -p image -- build --out $(OUT)/image

disk: setup static ## a signed image of the appliance and a disk that boots it by BIOS and by UEFI, in $(OUT)/disk
	$(CARGO) run --release --locked -q -p image -- disk --out $(OUT)/disk --build "$$(git describe --always --dirty)"

bench: setup ## switchovers, silent power cuts, false alarms, proofs, measured; longer runs: lab bench --help (root)
	$(CARGO) build --release --locked
	target/release/lab bench --out $(OUT)/bench

clean: ## remove what was built
	$(CARGO) clean
	rm -rf $(OUT)
