# Durability of the backends that declare it: the suite, every torn offset, and 200 kills.
BACKENDS_DIR ?= backends
CRASH_ROUNDS ?= 200
DURABILITY := $(PYTHON) -m pytest -q tests/durability --backends-dir $(BACKENDS_DIR)

.PHONY: durability torn crash

## durability    log format, recovery, refusals, order, and five kills a backend
durability:
	$(DURABILITY)

## torn          a tail torn at every byte of the last record, not every seventh
torn:
	PAUSEMARK_EVERY_OFFSET=1 $(DURABILITY) -k torn_at_any_byte

## crash         CRASH_ROUNDS=200 kills over variants and modes (CRASH="--backend rust/mio": of one)
crash:
	$(PYTHON) -m tests.durability.crash --backends-dir $(BACKENDS_DIR) \
		--rounds $(CRASH_ROUNDS) $(CRASH)
