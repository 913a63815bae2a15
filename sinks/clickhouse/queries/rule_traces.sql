-- What rules are judged on: one row a request of $traces (the columns of `traces`), with $columns of what follows. What the
-- model says of the served items, and who brought them, is in rule_candidates.sql.
SELECT $columns
FROM
(
    SELECT
        * EXCEPT (segments, experiments, stages),
        segments::Array(Tuple(key String, value String)) AS segments,
        experiments::Array(Tuple(key String, value String)) AS experiments,
        if(responded, arrayLast(s -> s.1 = 'response', events).8, NULL) AS responded_at,
        arrayMap(s -> (s.1, s.2, s.3, s.4, s.5, s.6, s.7), events)::Array(Tuple(
            stage String, component String, attempt UInt8, status String, duration_ms Nullable(Float32),
            n_in Nullable(UInt32), n_out Nullable(UInt32)
        )) AS stages
    FROM
    (
        SELECT
            *,
            -- without the lists: a lambda takes a copy along for every element
            arrayMap(
                s -> (
                    s.stage, s.component, s.attempt, s.status, s.duration_ms, s.n_in,
                    if(s.has_items, ifNull(s.n_out, length(s.items)::UInt32), s.n_out), s.record_at
                ),
                stages
            ) AS events
        FROM ($traces)
    )
)
