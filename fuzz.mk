# Fuzzers of every backend: a connection (requests of any bytes) and the log's recovery.

FUZZ_SECONDS ?= 600

.PHONY: fuzz

## fuzz          every backend's fuzzers for FUZZ_SECONDS=600 each (C and C++ need clang)
fuzz:
	for room in $(BACKENDS); do \
	    if grep -q '^fuzz:' $$room/Makefile; then \
	        $(MAKE) --no-print-directory -C $$room fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) || exit 1; \
	    fi; done
