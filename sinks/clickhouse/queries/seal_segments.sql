INSERT INTO $database.segment_metrics_runs
WITH ($known) AS known
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    placement, segment,
    count(),
    countIf(responded),
    countIf(has(statuses, 'empty')),
    countIf(has(statuses, 'short')),
    countIf(responded AND n_served < 5),
    countIf(responded AND n_served < 10),
    countIf(has(statuses, 'fallback')),
    countIf(hasAny(statuses, ['error', 'timeout'])),
    countIf(has(statuses, 'incomplete')),
    sum(conflicts),
    sum(k),
    sum(n_served),
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(assumeNotNull(total_ms), total_ms IS NOT NULL)
FROM
(
    SELECT
        * EXCEPT (segments, stages),
        arrayJoin(arrayConcat([''], arrayMap(
            pair -> concat(pair.1, '=', if(has(known, concat(pair.1, '=', pair.2)), pair.2, 'other')), $pairs
        )))::LowCardinality(String) AS segment
    FROM ($traces)
)
GROUP BY placement, segment
