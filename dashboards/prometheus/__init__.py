"""What Prometheus and Alertmanager watch of rectrace itself. Alerts about the recommender come from streams/alerts."""
