-- Events of each component in each window, all versions together.
SELECT toUnixTimestamp(window), placement, stage, component, sum(n), sum(failed), sum(zero_out), sum(n_in), sum(n_out)
FROM $database.stage_metrics
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY window, placement, stage, component
