"""ClickHouse's engine (chDB) in one process behind ClickHouse's HTTP interface, for local stacks and tests.

Speaks what clickhouse-connect (sync and async), curl and clickhouse-go's HTTP transport send: SQL in the body, in the
`query` parameter or in form fields; settings and param_x; sessions; gzip, lz4 and zstd both ways; exception codes;
X-ClickHouse-Summary. Not here: users and grants (any name and password is taken, so bind loopback), TLS, compress=1,
external tables, KILL QUERY, replication; async inserts are executed at once.

    python -m rectrace.local.chdb_server --path DIR --host 127.0.0.1 --port N
"""
