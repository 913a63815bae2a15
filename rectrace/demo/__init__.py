"""A demo recommender over a real catalogue, with a library of faults."""
