-- How often each rule adjusted a candidate in the sampled windows, and by how much; a row without a rule counts the
-- requests.
SELECT
    placement, adjusted.1 AS stage, adjusted.2 AS component, adjusted.3 AS rule_id, adjusted.4 AS action, is_now,
    count() AS times, uniqExact(request_id) AS requests, avg(abs(adjusted.5)) AS delta
FROM
(
    SELECT
        placement, request_id, window >= {since:DateTime('UTC')} AS is_now,
        arrayJoin(arrayConcat([('', '', '', '', NULL)], arrayFlatten(arrayMap(
            (stage, component, adjustments) -> arrayMap(
                a -> (stage, component, a.rule_id, a.action, a.delta), adjustments
            ),
            stages.stage, stages.component, stages.adjustments
        )))) AS adjusted
    FROM $database.traces_runs
    WHERE $visible AND ({placement:String} = '' OR placement = {placement:String}) AND $sampled
)
GROUP BY placement, stage, component, rule_id, action, is_now
ORDER BY placement, stage, component, rule_id, action, is_now
