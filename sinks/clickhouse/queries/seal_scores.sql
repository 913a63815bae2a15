-- Scores as they were sent, by what they say of each request. Reads only what it needs of the events: names and scores.
INSERT INTO $database.score_metrics_runs
WITH
    scorers AS
    (
        SELECT
            placement, stages.scores AS lists, stages.version AS versions,
            arrayFilter(
                x -> x.2 = 'scoring' AND x.5,
                arrayZip(
                    arrayEnumerate(stages.stage), stages.stage, stages.component, stages.attempt,
                    arrayMap(scores -> notEmpty(scores), stages.scores)
                )
            ) AS events,
            arrayFilter(x -> NOT arrayExists(y -> y.3 = x.3 AND y.4 > x.4, events), events) AS last
        FROM $database.traces_runs
        WHERE window = {window:DateTime('UTC')} AND run = {run:UInt64} AND tail = {tail:UInt64}
    ),
    lists AS
    (
        SELECT
            placement, event.3 AS component, versions[event.1] AS version,
            length(lists[event.1]) AS candidates,
            arrayMap(s -> assumeNotNull(s), arrayFilter(s -> s IS NOT NULL, lists[event.1])) AS scores,
            arrayUniq(scores) AS distinct,
            multiIf(empty(scores), 'none', length(scores) = 1, 'single', distinct = 1, 'constant', 'varied') AS spread
        FROM scorers
        ARRAY JOIN last AS event
    )
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    placement, component, version, spread,
    count(),
    sum(candidates),
    sum(length(scores)),
    sum(distinct),
    sum(arraySum(s -> s::Float64, scores)),
    sum(arraySum(s -> s::Float64 * s::Float64, scores)),
    sumMap(
        arrayMap(s -> if(s = 0, 0, sign(s) * ($middle + ceil(log(abs(s)) / $width)))::Int32, scores),
        arrayWithConstant(length(scores), 1::UInt64)
    ) AS buckets
FROM lists
GROUP BY placement, component, version, spread
