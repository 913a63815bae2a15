-- Of the requests that are compared: how many there are, bad and rest, in the row without a name; how long each component
-- takes at the p95 of the rest, and how many it drops for a reason. NULL where the rest says nothing of it. place: of the
-- component in the pipeline, the last it has.
SELECT
    each.1 AS kind, each.2 AS name, each.3 AS reason, countIf(bad) AS bad_ones, countIf(NOT bad) AS rest,
    quantileIf(0.95)(ifNull(each.4, 0), NOT bad AND each.4 IS NOT NULL) AS p95,
    if(isFinite(p95), p95, NULL) AS usual, max(each.5) AS place
FROM ($requests)
ARRAY JOIN arrayConcat(
    [('', '', '', NULL, 0)],
    arrayMap(
        (name, ms, place) -> ('took', name, '', ms::Nullable(Float64), place), component, took, arrayEnumerate(component)
    ),
    arrayMap(dropped -> ('drops', dropped.1, dropped.2, dropped.3::Nullable(Float64), 0), drops)
)::Array(Tuple(String, String, String, Nullable(Float64), UInt32)) AS each
GROUP BY kind, name, reason
LIMIT 10000
