"""The composition root: command line, settings, wiring, client, local stack, demo."""
