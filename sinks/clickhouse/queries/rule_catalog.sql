-- The states of the served items of $traces from shortly before {since} on, each with the one in force then.
WITH
    shown AS (SELECT DISTINCT arrayJoin(served) FROM ($traces)),
    before AS
    (
        SELECT item, max(record_at)
        FROM $database.catalog
        WHERE record_at <= {since:DateTime('UTC')} AND item IN (SELECT * FROM shown)
        GROUP BY item
    )
SELECT item, record_at, deleted, title, brand, category, price, available, created_at,
    attributes::Array(Tuple(key String, value String)) AS attributes
FROM $database.catalog FINAL
WHERE item IN (SELECT * FROM shown) AND (record_at > {since:DateTime('UTC')} OR (item, record_at) IN (SELECT * FROM before))
ORDER BY item, record_at
