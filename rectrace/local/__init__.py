"""The local stack: a Kafka-compatible broker and ClickHouse's engine, from PyPI wheels alone."""
