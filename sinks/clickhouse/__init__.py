"""ClickHouse: migrations, rows, landing, seal, queries."""
