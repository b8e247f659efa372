# The night: candidate, pinned baseline and twin in blocks of one run; compared; made into a site.
#
# A short plan is make nightly BASELINE=HEAD NIGHTLY_BLOCKS=2 NIGHTLY_DURATION=5s; it ends with
# "cannot tell" and code 3, because a gate needs 8 blocks.

NIGHTLY_RPS ?= 5000
NIGHTLY_DURATION ?= 60s
NIGHTLY_WARMUP ?= 5s
NIGHTLY_BLOCKS ?= 8
# Empty: every backend that candidate and baseline both have.
NIGHTLY_BACKENDS ?=
# More flags of `bench run`, such as --runtime process.
NIGHTLY_FLAGS ?=
BASELINE ?=

ACTIONLINT_VERSION := v1.7.7
ACTIONLINT := build/tools/actionlint-$(ACTIONLINT_VERSION)

.PHONY: nightly nightly-setup actionlint

nightly-setup:
	@PAUSEMARK_WITHOUT="$(PAUSEMARK_WITHOUT) dev browser" tools/setup.sh

## nightly       BASELINE=<commit>: candidate, baseline and twin in one run; compare; site
nightly: nightly-setup
	@BASELINE="$(BASELINE)" RPS="$(NIGHTLY_RPS)" DURATION="$(NIGHTLY_DURATION)" \
	    WARMUP="$(NIGHTLY_WARMUP)" BLOCKS="$(NIGHTLY_BLOCKS)" BACKENDS="$(NIGHTLY_BACKENDS)" \
	    FLAGS="$(NIGHTLY_FLAGS)" tools/nightly.sh

## actionlint    checks the workflows, when there is a Go to build the checker with
actionlint:
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory $(ACTIONLINT); \
	else echo "actionlint: skipped, there is no go"; fi
	@! command -v go >/dev/null || $(ACTIONLINT)

$(ACTIONLINT):
	GOBIN=$(CURDIR)/build/tools go install \
	    github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)
	mv build/tools/actionlint $@

check: actionlint
