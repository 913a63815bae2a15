-- Stated drops by reason. dropped_counts win over lists; a rule's drop that stands in no list of its event counts by the
-- rule. No lambda takes the dropped candidates along, but for the few events in which rules drop.
INSERT INTO $database.drop_metrics_runs
WITH
    events AS
    (
        SELECT
            placement,
            arrayMap(
                (stage, component, dropped, counts, adjustments) -> (
                    stage, component, mapKeys(dropped), arrayMap(items -> length(items), mapValues(dropped)),
                    mapKeys(counts), mapValues(counts),
                    arrayFilter(
                        a -> NOT has(arrayFlatten(mapValues(dropped)), a.item),
                        arrayFilter(a -> a.action = 'drop', adjustments)
                    ).rule_id
                ),
                stages.stage, stages.component, stages.dropped, stages.dropped_counts, stages.adjustments
            ) AS told
        FROM $database.traces_runs
        WHERE window = {window:DateTime('UTC')} AND run = {run:UInt64} AND tail = {tail:UInt64}
    )
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64}, placement, event.1 AS stage, event.2 AS component, reason,
    sum(n), count()
FROM
(
    SELECT
        placement, event, arrayJoin(arrayDistinct(arrayConcat(event.3, event.5, event.7))) AS reason,
        if(has(event.5, reason), event.6[indexOf(event.5, reason)], event.4[indexOf(event.3, reason)])::UInt64
            + countEqual(event.7, reason) AS n
    FROM events
    ARRAY JOIN told AS event
    WHERE event.1 != 'request'
)
WHERE n > 0
GROUP BY placement, stage, component, reason
