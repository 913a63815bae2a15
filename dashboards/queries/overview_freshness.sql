-- Is it us? Ages in seconds, as of now. What is sealed late, or lacks a partition, is no data for alerts.
SELECT
    (
        SELECT greatest(dateDiff('second', maxOrNull(window) + 10, now()), 0)
        FROM visible
        WHERE NOT incomplete AND window > (SELECT max(window) FROM sealed) - INTERVAL 1 DAY
    ) AS "newest sealed",
    (
        SELECT greatest(dateDiff('second', minOrNull(until), now()), 0)
        FROM
        (
            SELECT max(landed_until) AS until
            FROM progress
            GROUP BY topic, partition
            HAVING max(claimed_at) > now() - INTERVAL 1 DAY
        )
    ) AS "slowest partition",
    (SELECT countIf(incomplete) FROM visible WHERE $__timeFilter(window)) AS "windows incomplete",
    (SELECT sum(orphans) FROM visible WHERE $__timeFilter(window)) AS "no request event",
    (SELECT count() FROM dead_letters FINAL WHERE $__timeFilter(landed_at)) AS "dead letters"
