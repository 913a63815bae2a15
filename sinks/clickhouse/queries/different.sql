-- What requests say of themselves, value by value: how many of the bad ones say it, and how many of the rest. Of either a
-- sample by hash of the request id. A component takes long, and drops many, above the p95 of the rest. Of those that let
-- nothing through the first alone counts: the others had nothing to let through.
WITH
    told AS
    (
        SELECT
            $bad AS bad, request_id, placement::String AS placement, segments, experiments,
            missing::Array(String) AS missing, served_by::String AS served_by,
            stages.stage::Array(String) AS stage, stages.component::Array(String) AS component,
            stages.version::Array(String) AS version, stages.status::Array(String) AS status, stages.duration_ms AS took,
            arrayFlatten(arrayMap(
                (name, reasons, sizes, counts) -> arrayConcat(
                    arrayMap((reason, n) -> (name, reason, greatest(n, counts[reason])), reasons, sizes),
                    arrayMap(
                        reason -> (name, reason, counts[reason]),
                        arrayFilter(reason -> NOT has(reasons, reason), mapKeys(counts))
                    )
                ),
                stages.component, stages.dropped.keys, stages.dropped.values.size2, stages.dropped_counts
            ))::Array(Tuple(String, String, UInt64)) AS drops,
            arrayMap((n, items) -> ifNull(n, items), stages.n_out, stages.items.size1) AS outs
        FROM $database.traces_runs
        WHERE $visible AND ({placement:String} = '' OR placement = {placement:String}) AND $condition
            AND cityHash64(request_id) % if($bad, {bad_in:UInt64}, {rest_in:UInt64}) = 0
    ),
    (
        SELECT (mapFromArrays(groupArray(name), groupArray(ms)), groupUniqArray(1000)(name))
        FROM
        (
            SELECT name, quantileIf(0.95)(ifNull(its_ms, 0), NOT bad AND its_ms IS NOT NULL) AS ms
            FROM told
            ARRAY JOIN component AS name, took AS its_ms
            GROUP BY name
        )
    ) AS components,
    (
        SELECT mapFromArrays(groupArray(concat(name, char(0), reason)), groupArray(n))
        FROM
        (
            SELECT dropped.1 AS name, dropped.2 AS reason, quantileIf(0.95)(dropped.3, NOT bad) AS n
            FROM told
            ARRAY JOIN drops AS dropped
            GROUP BY name, reason
        )
    ) AS many
SELECT
    each.1 AS field, each.2 AS name, each.3 AS value,
    countIf(bad) AS bad_with, countIf(NOT bad) AS rest_with,
    (SELECT (countIf(bad), countIf(NOT bad)) FROM told) AS totals,
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
                arrayFilter(name -> NOT has(component, name), components.2)
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
                name -> ('component', name, concat('takes more than ', toString(round(components.1[name])), ' ms')),
                arrayFilter((name, ms) -> ifNull(ms > components.1[name], false), component, took)
            ),
            arrayMap(each -> ('drops as', each.1, each.2), drops),
            arrayMap(
                each -> ('drops many', each.1, concat(toString(floor(many[concat(each.1, char(0), each.2)])), ' as ', each.2)),
                arrayFilter(each -> each.3 > many[concat(each.1, char(0), each.2)], drops)
            )
        )::Array(Tuple(String, String, String))) AS every
    FROM told
)
ARRAY JOIN every AS each
GROUP BY field, name, value
ORDER BY bad_with / greatest(totals.1, 1) - rest_with / greatest(totals.2, 1) DESC, field, name, value
LIMIT {limit:UInt32}
