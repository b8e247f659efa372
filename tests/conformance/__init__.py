"""Unmodified S3 clients against every backend: `make conformance`."""
