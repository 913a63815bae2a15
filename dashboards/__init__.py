"""What people look at: Grafana dashboards and the console (they come with their own steps)."""
