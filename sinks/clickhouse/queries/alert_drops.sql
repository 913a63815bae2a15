-- Why each component dropped candidates over a time.
SELECT placement, stage, component, toUnixTimestamp(min(window)), sumMap(map(reason::String, n)),
    sumMap(map(reason::String, events))
FROM $database.drop_metrics
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY placement, stage, component
ORDER BY placement, stage, component
