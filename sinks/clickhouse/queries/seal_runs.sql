-- Runs of $table that no reader needs: neither the newest sealed run of their window nor the one that was the newest
-- {before} (epoch ms), and older than that themselves.
SELECT DISTINCT toUnixTimestamp(window), run, tail
FROM $database.$table
WHERE window >= {since:DateTime('UTC')} AND run < {before:UInt64} AND (window, run, tail) NOT IN
(
    SELECT window, newest.1, newest.2
    FROM
    (
        SELECT window, max((run, tail)) AS newest
        FROM $database.sealed
        WHERE window >= {since:DateTime('UTC')}
        GROUP BY window
        UNION ALL
        SELECT window, max((run, tail))
        FROM $database.sealed
        WHERE window >= {since:DateTime('UTC')} AND sealed_at < fromUnixTimestamp64Milli({before:Int64}, 'UTC')
        GROUP BY window
    )
)
ORDER BY ALL
LIMIT 1000
