"""What travels: event models, envelopes, the parts of a trace."""
