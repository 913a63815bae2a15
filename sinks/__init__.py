"""Where results go: ClickHouse, and in-memory fakes of the same ports."""
