"""The pipeline: pure steps, their ports, and app.py, the only file that knows Faust."""
