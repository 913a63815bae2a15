-- Hours before {before} that are not rolled up, and none of whose windows may be sealed again: the first seal of each is
-- longer ago than the horizon, and its last so long ago that no run begun before {run} can still be published.
SELECT toUnixTimestamp(toStartOfHour(window)) AS hour
FROM $database.visible
WHERE window >= {before:DateTime('UTC')} - INTERVAL 31 DAY -- as far as outcomes are kept
    AND toStartOfHour(window) + INTERVAL 1 HOUR <= {before:DateTime('UTC')}
    AND toStartOfHour(window) NOT IN (SELECT hour FROM $database.rolled)
GROUP BY hour
HAVING max(rows) > 0 AND max(first_sealed_at) < {before:DateTime('UTC')} AND max(run) < {run:UInt64}
ORDER BY hour
LIMIT {limit:UInt32}
