"""Measurements. Not shipped. `python -m benchmarks.pipeline --help`; what was measured is in RESULTS.md."""
