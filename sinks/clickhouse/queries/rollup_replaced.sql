-- Runs of item outcomes that no reader needs: windows that an hour rolled up before {before} (epoch ms) stands for, and
-- hours older than that which were never published.
SELECT DISTINCT toUnixTimestamp(window), span, run, tail
FROM $database.item_outcomes_runs
LEFT JOIN
(
    SELECT hour, newest.1 AS hour_run, newest.2 AS hour_tail
    FROM (SELECT hour, max((run, tail)) AS newest, min(rolled_at) AS first FROM $database.rolled GROUP BY hour)
    WHERE first < fromUnixTimestamp64Milli({before:Int64}, 'UTC')
) AS hours ON hours.hour = toStartOfHour(window)
WHERE window < {until:DateTime('UTC')}
    AND if(span = 10, run < hour_run, run < {before:UInt64} AND (run, tail) != (hour_run, hour_tail))
ORDER BY ALL
LIMIT 1000
