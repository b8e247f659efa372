# Fuzzers of the backends that have some: a connection (requests of any bytes), and recovery; of the
# load generator: answers of any bytes, and plans.
# In C and C++ they are libFuzzer's and need clang; in Rust too, and need a C++ compiler for it;
# Go's are native: go test -fuzz.

FUZZ_SECONDS ?= 600

.PHONY: fuzz

## fuzz          all fuzzers, for FUZZ_SECONDS=600 each (C and C++ need clang)
fuzz:
	for room in loadgen $(BACKENDS); do \
	    if grep -q '^fuzz:' $$room/Makefile; then \
	        $(MAKE) --no-print-directory -C $$room fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) || exit 1; \
	    fi; done
