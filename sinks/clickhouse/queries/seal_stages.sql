-- Counts win over list lengths. What an event does not say of n_in is what came out of the last event before it that had
-- a list (of all sources, after retrieval). An event that says neither a list nor a count put out nothing if it failed;
-- else nobody knows.
INSERT INTO $database.stage_metrics_runs
WITH
    flows AS
    (
        SELECT
            placement,
            -- (stage, has a list, n_out), without the lists: a lambda takes a copy along for every element
            arrayMap(s -> (s.stage, s.has_items, ifNull(s.n_out, length(s.items))), stages) AS outs,
            arraySum(out -> if(out.1 = 'retrieval', out.3, 0), outs) AS retrieved,
            arrayMap(
                (out, e) -> arrayLast(
                    b -> b < e AND outs[b].2 AND NOT (outs[b].1 = out.1 AND out.1 IN $parallel), arrayEnumerate(outs)
                ),
                outs, arrayEnumerate(outs)
            ) AS before,
            arrayMap(
                (out, b) -> multiIf(
                    out.1 IN ('request', 'retrieval') OR b = 0, 0, outs[b].1 = 'retrieval', retrieved, outs[b].3
                ),
                outs, before
            ) AS ins,
            arrayMap(
                s -> (
                    s.stage, s.component, s.version, s.status IN ('timeout', 'error'), s.status = 'fallback', s.n_in,
                    s.has_items OR s.n_out IS NOT NULL OR s.status IN ('timeout', 'error'), s.duration_ms
                ),
                stages
            ) AS events
        FROM ($traces)
    )
SELECT
    {window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64},
    placement, event.1 AS stage, event.2 AS component, event.3 AS version,
    count(),
    countIf(event.4),
    countIf(event.5),
    sum(ifNull(event.6, n_in)),
    sum(out.3),
    countIf(stage != 'request' AND event.7 AND out.3 = 0),
    sum(ifNull(event.8, 0)),
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(assumeNotNull(event.8), event.8 IS NOT NULL)
FROM flows
ARRAY JOIN events AS event, outs AS out, ins AS n_in
GROUP BY placement, stage, component, version
