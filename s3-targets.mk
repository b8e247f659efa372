# The same signed scenario against stores that others wrote and against our own backends.

.PHONY: s3-targets

## s3-targets    a mixed signed scenario against MinIO, versitygw, our backends; nginx reads
s3-targets:
	$(PYTHON) benchmarks/targets/table.py $(FLAGS)
