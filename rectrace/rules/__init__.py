"""The starter pack: rules that come with rectrace, each with examples. Written for the demo's shop; copy and change."""
