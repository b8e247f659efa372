# One random stream of operations, played to every variant: the answers must be equal.

DIFFERENTIAL_OPERATIONS ?= 1000000
DIFFERENTIAL_SECONDS ?= 3600
# Each plays seeds of its own to servers of its own.
DIFFERENTIAL_PROCESSES ?= 2
# More flags of tests/differential/run.py, such as --backend c --backend rust --seed 7.
DIFFERENTIAL_FLAGS ?=
.PHONY: differential

## differential  a million operations to every variant, for an hour at most: equal answers
differential:
	$(PYTHON) -m tests.differential.run --operations $(DIFFERENTIAL_OPERATIONS) \
	    --seconds $(DIFFERENTIAL_SECONDS) --processes $(DIFFERENTIAL_PROCESSES) \
	    $(DIFFERENTIAL_FLAGS)
