# Fuzzers of the backends that have some: a connection (requests of any bytes), and recovery.

FUZZ_SECONDS ?= 600

.PHONY: fuzz

## fuzz          the fuzzers of C and C++ for FUZZ_SECONDS=600 each (they need clang)
fuzz:
	for room in $(BACKENDS); do \
	    if grep -q '^fuzz:' $$room/Makefile; then \
	        $(MAKE) --no-print-directory -C $$room fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) || exit 1; \
	    fi; done
