"""Statistics of change: pure functions over counts. No I/O, no clock, no numpy: a plain worker runs them."""
