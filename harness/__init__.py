"""Pausemark's orchestrator: build, drive, watch, judge and report backends in several languages."""

__version__ = "0.1.0"
