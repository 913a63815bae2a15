-- What requests say of themselves, value by value: how many of the bad ones say it, and how many of the rest, of so many
-- {bad} and {rest}. A component takes long, and drops many, above the p95 of the rest (different_usual). Of those that let
-- nothing through the first alone counts: the others had nothing to let through.
WITH
    mapFromArrays({took_names:Array(String)}, {took:Array(Float64)}) AS long,
    mapFromArrays(
        arrayMap((name, reason) -> concat(name, char(0), reason), {drops_names:Array(String)}, {drops_reasons:Array(String)}),
        {drops:Array(Float64)}
    ) AS many
SELECT
    each.1 AS field, each.2 AS name, each.3 AS value,
    countIf(bad) AS bad_with, countIf(NOT bad) AS rest_with,
    minIf(request_id, bad) AS example,
    count() OVER () AS looks
FROM
(
    SELECT
        bad, request_id,
        arrayFirstIndex(
            (s, n) -> s NOT IN ('request', 'retrieval', 'response') AND n = 0, stage, outs
        ) AS stopped,
        arrayDistinct(arrayConcat(
            [('placement', '', placement), ('served by', '', served_by)],
            arrayZip(arrayMap(n -> 'segment', mapKeys(segments)), mapKeys(segments), mapValues(segments)),
            arrayZip(arrayMap(n -> 'arm', mapKeys(experiments)), mapKeys(experiments), mapValues(experiments)),
            arrayMap(name -> ('missing', name, ''), missing),
            arrayMap(
                name -> ('component', name, 'sends nothing'),
                arrayFilter(name -> NOT has(component, name), mapKeys(long))
            ),
            arrayFilter(
                told -> told.3 != '', arrayMap((name, its) -> ('version', name, its), component, version)
            ),
            arrayFilter(
                told -> told.3 NOT IN ('', 'ok'), arrayMap((name, its) -> ('component', name, its), component, status)
            ),
            arrayMap(
                (name, s, n) -> ('source', name, 'finds nothing'),
                arrayFilter((name, s, n) -> s = 'retrieval' AND n = 0, component, stage, outs),
                arrayFilter((s, n) -> s = 'retrieval' AND n = 0, stage, outs),
                arrayFilter((n, s) -> s = 'retrieval' AND n = 0, outs, stage)
            ),
            if(stopped > 0, [('component', component[stopped], 'lets nothing through')], []),
            arrayMap(
                name -> ('component', name, concat('takes more than ', toString(round(long[name])), ' ms')),
                arrayFilter((name, ms) -> ifNull(ms > long[name], false), component, took)
            ),
            arrayMap(each -> ('drops as', each.1, each.2), drops),
            arrayMap(
                each -> ('drops many', each.1, concat(toString(floor(many[concat(each.1, char(0), each.2)])), ' as ', each.2)),
                arrayFilter(each -> each.3 > many[concat(each.1, char(0), each.2)], drops)
            )
        )::Array(Tuple(String, String, String))) AS every
    FROM ($requests)
)
ARRAY JOIN every AS each
GROUP BY field, name, value
ORDER BY bad_with / {bad:UInt64} - rest_with / {rest:UInt64} DESC, field, name, value
LIMIT {limit:UInt32}
