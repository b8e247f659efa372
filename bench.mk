# Proofs and benchmarks: they take minutes, want a quiet machine and root; not part of `test`.
PROOF := .venv/bin/python benchmarks/proofs

.PHONY: proof-clean proof-stops proof-own-pauses proof-hog proof-gc proof-tuning proofs

## proof-clean   clean P99 repeats where observed P99 does not
proof-clean:
	$(PROOF)/clean.py $(FLAGS)

## proof-stops   injected stops of every backend are found
proof-stops:
	$(PROOF)/stops.py $(FLAGS)

## proof-own-pauses  a backend's own pause is never cleaned away
proof-own-pauses:
	$(PROOF)/own_pauses.py $(FLAGS)

## proof-hog     a busy loop on the backend's core is named and cleaned
proof-hog:
	$(PROOF)/hog.py $(FLAGS)

## proof-gc      mark phases show on a large live heap, and vanish with GOGC=off
proof-gc:
	$(PROOF)/collector.py $(FLAGS)

## proof-tuning  what the tuning is worth, in alternating pairs
proof-tuning:
	$(PROOF)/tuning.py $(FLAGS)

proofs: proof-clean proof-stops proof-own-pauses proof-hog proof-gc

TIMES ?= 20

.PHONY: known-answers

## known-answers  the suite of known-answer tests TIMES=20 times; every try must pass
known-answers:
	.venv/bin/bench calibrate --suite --tries $(TIMES) $(FLAGS)

BENCHMARK := .venv/bin/python benchmarks/backends

.PHONY: bench-ceilings bench-durability bench-idle bench-allocations

## bench-ceilings  GETs per core of every variant beside nginx
bench-ceilings:
	$(BENCHMARK)/ceilings.py $(FLAGS)

## bench-durability  PUTs by durability mode
bench-durability:
	$(BENCHMARK)/modes.py $(FLAGS)

## bench-idle    10,000 idle connections beside 10,000 RPS
bench-idle:
	$(BENCHMARK)/idle.py $(FLAGS)

## bench-allocations  heap allocations of a request, counted by eBPF
bench-allocations:
	$(BENCHMARK)/allocations.py $(FLAGS)

.PHONY: bench-engine bench-grain bench-polling

## bench-engine  what a request costs the engine, beside wrk2 and others (WRK2= names wrk2)
bench-engine:
	.venv/bin/python benchmarks/engine/pairs.py $(FLAGS)

## bench-grain   what a coarser grain saves and costs (CHART= also writes docs/grain.svg)
bench-grain:
	.venv/bin/python benchmarks/engine/grain.py $(if $(CHART),--chart docs/grain.svg) $(FLAGS)

## bench-polling  epoll beside io_uring, in a sketch of the engine's inner job
bench-polling:
	.venv/bin/python benchmarks/engine/polling.py $(FLAGS)
