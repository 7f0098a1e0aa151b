# The plugin, its tests and its demo. Everything runs without root, but for `deps`
# where Debian packages are missing. Nothing touches the system's own ejabberd.

# Ejabberd's libraries under their own names, for every Erlang started from here.
LIBS := $(CURDIR)/_build/ejabberd_libs
export ERL_LIBS := $(LIBS)

# Debian's, which has python3-slixmpp, even where another one comes first.
export PYTHON ?= /usr/bin/python3

PLUGIN := _build/default/lib/ejabberd_twitter

TARGET := $(or $(CARGO_TARGET_DIR),target)

# The model beside which a random walk is made.
export TWITTER_WALK := $(abspath $(TARGET))/release/twitter_walk

# Where the servers of Common Test store what they store: mnesia, sqlite, pgsql, mysql.
export TWITTER_STORAGE := $(or $(STORAGE),$(TWITTER_STORAGE),mnesia)

# Users, contacts and posts of each in the simulation: 3 GB and some minutes.
SIMULATION ?= 1000000 50 10

# Where the packages go.
PACKAGES := _build/packages

# Chroots of other Debians are made by scripts that are beside the project.
export COMPAT ?= ../shared/compat

.PHONY: help deps build model deb contrib demo test check ct sql matrix smoke interop install-test soak slixmpp fuzz \
	bench bench-core bench-server bench-federation \
	bench-operations screenshots clean

help:
	@echo 'make deps      install the Debian packages that are missing'
	@echo 'make build     build the plugin into $(PLUGIN)/{ebin,priv}'
	@echo 'make deb       a Debian package for the ejabberd that is installed here, in $(PACKAGES)'
	@echo 'make contrib   a folder and an archive for ejabberdctl module_install, in $(PACKAGES)'
	@echo 'make demo      start a private server and play a day of 2008; ARGS=--once ends'
	@echo '               after it, ARGS=--help shows the options'
	@echo 'make test      run every check and every test'
	@echo 'make check     formats, lints, types and documentation, warnings denied'
	@echo 'make ct        Common Test; SUITE=x_SUITE and CASE=y choose, STORAGE=sqlite, pgsql or mysql'
	@echo '               has all servers store in such a database instead of Mnesia'
	@echo 'make sql       the suites of Common Test that depend on storage, on SQLite and PostgreSQL;'
	@echo "               STORAGES='mysql' runs them on MariaDB"
	@echo 'make matrix    Common Test, slixmpp, the demo and the installation with the ejabberd of three Debians, in'
	@echo "               chroots (as root): RELEASES='trixie' chooses, SUITE='x_SUITE y_SUITE' runs these only;"
	@echo '               COMPAT names the folder of make-chroot.sh, COMPAT_ROOTS where the chroots are;'
	@echo '               besides, without SUITE, what depends on storage on MariaDB'
	@echo 'make smoke     a few suites of it, with the two that are not of this Debian'
	@echo "make interop   ejabberd's own tests with our node tree; EJABBERD='FOLDER...' names its sources,"
	@echo "               RELEASES='trixie' runs them in such chroots"
	@echo 'make install-test  installs, upgrades and removes the packages in such chroots'
	@echo 'make soak      a random walk of two dozen people beside a model that knows who must get what:'
	@echo '               SECONDS=n or STEPS=n says how long, SEED=n makes the same walk again'
	@echo 'make slixmpp   tests from outside, with slixmpp; TEST=test_x chooses'
	@echo 'make fuzz      looks for inputs that break the core, TIME=seconds (60) for each target;'
	@echo '               FUZZ=path chooses. Needs cargo-fuzz (cargo install cargo-fuzz) and c++'
	@echo 'make bench     measures everything, and writes the tables of bench/RESULTS.md: the next two'
	@echo 'make bench-core    the core, the way into it from Erlang, a simulation of a million users;'
	@echo "               SIMULATION='20000 50 10' takes fewer, with contacts and posts of each"
	@echo 'make bench-server  posts over real connections, beside PEP and others; ARGS=--quick'
	@echo '               takes about two minutes, ARGS=--help shows the options'
	@echo 'make bench-federation  a post to 1,000 and 10,000 followers on another server: stanzas, bytes, CPU'
	@echo 'make bench-operations  start-up, warm-up and backup of a server with 100,000 users and 1,000,000 posts: some'
	@echo "               ten minutes; ARGS='USERS CONTACTS POSTS' takes others"
	@echo 'make screenshots  the pictures of the README, by a real Psi'
	@echo 'make clean     remove everything that was built'

# MariaDB where somebody asks for it. Its core packages bring no service.
deps:
	@test/support/install_packages.sh $(if $(filter mysql,$(TWITTER_STORAGE) $(STORAGES)),mariadb-server-core mariadb-client-core erlang-p1-mysql)

build: deps
	@test/support/link_ejabberd.sh $(LIBS)
	cargo build --release --locked
	rebar3 compile
	@test/support/install_native.sh $(PLUGIN)/priv

model:
	cargo build --release --locked -p twitter_model

deb: build
	@mkdir -p $(PACKAGES)
	@packaging/deb.sh $(PLUGIN) $(PACKAGES)

contrib: build
	@mkdir -p $(PACKAGES)
	@packaging/contrib.sh $(PACKAGES)

demo: build
	@$(PYTHON) test/demo/demo.py $(ARGS)

test: build model
	@test/support/run_all.sh

check: build
	@test/support/check.sh _build/results/check

ct: build model
	@test/support/run_ct.escript _build/results/ct $(SUITE) $(CASE)

sql: build model
	@test/support/run_sql.sh $(STORAGES)

# MariaDB is here for the time that it takes.
matrix: STORAGES := $(if $(SUITE),,mysql)
matrix: build model
	@failed=0; test/support/matrix.sh all $(SUITE) || failed=$$?; \
	$(if $(SUITE),,test/support/run_sql.sh mysql || failed=$$?; test/support/matrix.sh install || failed=$$?;) \
	exit $$failed

# Where no chroot can be made it says so, and that is no failure.
smoke: build model
	@RELEASES='$(or $(RELEASES),trixie forky)' test/support/matrix.sh smoke || [ $$? -eq 75 ]

# With RELEASES in their chroots, else with the ejabberd that is installed here.
interop: export EJABBERD := $(EJABBERD)
interop: build model
	@$(if $(RELEASES),test/support/matrix.sh interop,test/support/interop.sh _build/results/interop)

install-test: build model
	@test/support/matrix.sh install

# Ten minutes, if nobody says how long.
soak: export WALK_SECONDS := $(if $(STEPS),,$(or $(SECONDS),600))
soak: export WALK_STEPS := $(STEPS)
soak: export WALK_SEED := $(SEED)
soak: build model
	@test/support/run_ct.escript _build/results/soak walk_SUITE

slixmpp: build
	@$(PYTHON) test/support/run_slixmpp.py _build/results/slixmpp $(TEST)

fuzz:
	@test/support/fuzz.sh $(or $(TIME),60) $(FUZZ)

# One after the other, whatever make is told: they would disturb each other.
bench:
	$(MAKE) bench-core
	$(MAKE) bench-server
	$(MAKE) bench-federation

bench-core: build
	cargo bench --locked -p twitter_core --bench timeline --bench fanout --bench words
	cargo bench --locked -p twitter_core --bench simulation -- $(SIMULATION) >$(TARGET)/simulation.json
	@bench/crossing/crossing.escript $(TARGET)/crossing.json
	@$(PYTHON) -B bench/core_report.py $(TARGET) "make bench-core SIMULATION='$(SIMULATION)'"

bench-server: build
	cargo build --release --locked -p twitter_load
	@bench/end_to_end/run.escript $(ARGS)

bench-federation: build
	@bench/federation/run.escript $(ARGS)

bench-operations: build
	@bench/operations/run.escript $(ARGS)

screenshots: build
	@$(PYTHON) test/support/screenshots.py

clean:
	rm -rf _build target
