-- Dead letters by the window of their record time. They are written before the window can be sealed.
SELECT toUnixTimestamp(toStartOfInterval(record_at, INTERVAL 10 SECOND)) AS at, component, count()
FROM $database.dead_letters FINAL
WHERE record_at >= {first:DateTime('UTC')} AND record_at < {last:DateTime('UTC')} + INTERVAL 10 SECOND
    AND landed_at >= {first:DateTime('UTC')} - INTERVAL 1 DAY
GROUP BY at, component
