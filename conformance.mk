# Unmodified S3 clients, and ceph/s3-tests, against every backend.

# More flags of tests/conformance/run.py, such as --backend c --client boto3.
CONFORMANCE_FLAGS ?=
# A clone of ceph/s3-tests with its virtual environment; without one, the error says how to get it.
S3_TESTS ?= build/s3-tests
# More flags of tests/conformance/s3_tests.py, such as --backend c.
S3_TESTS_FLAGS ?=
.PHONY: conformance s3-tests

## conformance   eight S3 clients against every backend, signatures verified: a table
conformance:
	$(PYTHON) -m tests.conformance.run $(CONFORMANCE_FLAGS)

## s3-tests      S3_TESTS=<clone of ceph/s3-tests>: its pinned names against every backend: a table
s3-tests:
	$(PYTHON) -m tests.conformance.s3_tests --suite $(S3_TESTS) $(S3_TESTS_FLAGS)
