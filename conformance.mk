# Unmodified S3 clients against every backend.

# More flags of tests/conformance/run.py, such as --backend c --client boto3.
CONFORMANCE_FLAGS ?=
.PHONY: conformance

## conformance   eight S3 clients against every backend, signatures verified: a table
conformance:
	$(PYTHON) -m tests.conformance.run $(CONFORMANCE_FLAGS)
