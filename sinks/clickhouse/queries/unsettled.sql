-- Windows from {since} on with rows that are not sealed, are sealed incomplete, or have more rows than their visible run
-- read. (They have fewer once their landing rows have expired: then there is nothing better to be had.)
SELECT
    toUnixTimestamp(window),
    sum(rows) AS now_rows,
    max(sealed) AS is_sealed,
    max(sealed_rows) AS read_rows,
    max(incomplete) AS is_incomplete,
    max(first_at) AS first_sealed_at,
    max(last_at) AS last_sealed_at
FROM
(
    SELECT window, count() AS rows, false AS sealed, 0::UInt64 AS sealed_rows, false AS incomplete, 0. AS first_at, 0. AS last_at
    FROM $database.landing
    WHERE window >= {since:DateTime('UTC')}
    GROUP BY window
    UNION ALL
    SELECT named, sum(parts), false, 0, false, 0., 0.
    FROM
    (
        SELECT home, window, request_id, max(parts) AS parts
        FROM $database.strays
        WHERE greatest(home, window) >= {since:DateTime('UTC')}
        GROUP BY home, window, request_id
    )
    ARRAY JOIN [home, window] AS named
    WHERE named >= {since:DateTime('UTC')}
    GROUP BY named
    UNION ALL
    SELECT
        window, 0, true, rows, incomplete,
        toUnixTimestamp64Milli(first_sealed_at) / 1000, toUnixTimestamp64Milli(last_sealed_at) / 1000
    FROM $database.visible
    WHERE window >= {since:DateTime('UTC')} AND window >= (SELECT min(window) FROM $database.landing)
)
GROUP BY window
HAVING NOT is_sealed OR now_rows > read_rows OR (is_incomplete AND now_rows = read_rows)
ORDER BY window
