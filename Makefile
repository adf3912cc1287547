# What a user or a developer runs. Everything here works from a clean clone after `scripts/install-deps.sh`.
CARGO ?= cargo

.PHONY: help run headless test fuzz test-window test-brokers test-clean-root twin-diff bench picture check audit icons deps ui desktop

help:
	@echo 'make run       the desktop application on the demo lab; without a display the demo journey, headless'
	@echo 'make headless  the engine without a window: pilotctl serve'
	@echo 'make test      every test; those that need a peer that is not installed say "skipped"'
	@echo 'make test-window  the journey in the real window, under Xvfb'
	@echo 'make test-brokers  the exports against a real Kafka, InfluxDB and Prometheus'
	@echo 'make test-clean-root  make run as a stranger would, in a fresh Debian 12 root; half an hour, as root'
	@echo 'make twin-diff  SEEDS=500 random networks on real FRR against the twin, row by row; hours, as root (make test runs 20)'
	@echo 'make bench     every promised figure measured here, against its reference; ten minutes, on a machine that does nothing else'
	@echo 'make fuzz      every decoder, ten minutes each; SECONDS_EACH=3600 for longer, MUTANTS=10000000 for so many inputs in all'
	@echo 'make check     format, lints, dependency direction, migrations, generated types'
	@echo 'make audit     licences, advisories and duplicates of every dependency (cargo-deny)'
	@echo 'make deps      what is missing on this machine'

run:
	@scripts/run.sh

headless:
	$(CARGO) run --release --package cli --bin pilotctl -- serve

fuzz:
	scripts/fuzz.sh $(if $(MUTANTS),mutants $(MUTANTS),run $(or $(SECONDS_EACH),600))

test:
	@scripts/test.sh

# builds the desktop package, so it is not part of `make test`
test-window: desktop
	scripts/test-window.sh

test-brokers:
	@scripts/test-brokers.sh

test-clean-root:
	scripts/test-clean-root.sh

# 500 networks take about four hours on two cores; what differs is made smaller and kept under KEEP. It ends with the figures (networks, rows,
# rows equal, told as dependent on order, different) and a list of all differences, each with its case
twin-diff:
	nice -n 10 $(CARGO) xtask twin-diff --seeds $(or $(SEEDS),500) --from $(or $(FROM),1) --keep $(or $(KEEP),target/twin-diff) --at-once $(or $(AT_ONCE),3)

# ONLY='ingest gnmi' for some of them
bench:
	$(CARGO) build --release --package cli --package lab --package reference --package twin-reference
	scripts/bench.py $(ONLY)

# the picture of the README, from the real window
picture: test-window
	cp $${CARGO_TARGET_DIR:-target}/pictures/window/card.png docs/window.png

check:
	$(CARGO) xtask check

# the version is pinned: what passes today must not fail tomorrow because of the tool
audit:
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked --version 0.20.2 cargo-deny
	$(CARGO) deny --all-features check --hide-inclusion-graph bans licenses sources
	@$(CARGO) deny check advisories || { echo 'advisories: not checked, or some found: see above. The database comes from github.com/RustSec/advisory-db.'; exit 3; }

ui: ui/node_modules
	cd ui && npm run build

ui/node_modules: ui/package-lock.json
	cd ui && npm ci
	@touch ui/node_modules

desktop: ui
	$(CARGO) build --package pilothouse

icons:
	python3 icons/make.py

deps:
	@scripts/install-deps.sh --check
