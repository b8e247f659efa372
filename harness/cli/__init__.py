"""The command `bench`: reads flags, calls the pipeline, prints. Nothing else prints."""

from harness.cli.main import main

__all__ = ["main"]
