-- The scan of the alert SegmentWorse (streams/detect/scan.py), over the time shown: each segment against all other
-- requests, less what the two differ by in the six hours before, weighted as the placements are asked now.
SELECT
    metric,
    if(segment = '', 'all requests', segment) AS "segment",
    placement,
    total AS "requests",
    actual AS "share",
    expected AS "expected",
    (actual - expected) * total AS "lost",
    multiIf(
        NOT compared, 'too few requests',
        p <= passing AND actual - greatest(expected, usual) >= {least}, 'worse',
        'small or by chance'
    ) AS "verdict",
    if(metric = 'failed', '', metric) AS "status"
FROM
(
    -- Benjamini and Hochberg: those with the k lowest p, for the largest k whose k-th p is at most k q / m
    SELECT *, max(if(p <= k * {q} / m, p, -1)) OVER (PARTITION BY metric, compared) AS passing
    FROM
    (
        SELECT
            *,
            row_number() OVER (PARTITION BY metric, compared ORDER BY p) AS k,
            count() OVER (PARTITION BY metric, compared) AS m
        FROM
        (
            SELECT
                *,
                total >= {min_requests} AND rest_total >= {min_requests} AS compared,
                usual_total > 0 AND rest_usual_total > 0 AS known,
                bad / greatest(total, 1) AS actual,
                usual_bad / greatest(usual_total, 1e-9) AS usual,
                least(greatest(
                    rest_bad / greatest(rest_total, 1)
                        + if(known, usual - rest_usual_bad / greatest(rest_usual_total, 1e-9), 0),
                    0
                ), 1) AS expected,
                {variance} AS variance,
                0.5 * erfc((actual - expected) / sqrt(variance) / sqrt(2)) AS p
            FROM
            (
                SELECT
                    *,
                    greatest(maxIf(bad, is_all) OVER of_metric - bad, 0) AS rest_bad,
                    greatest(maxIf(total, is_all) OVER of_metric - total, 0) AS rest_total,
                    greatest(maxIf(usual_bad, is_all) OVER of_metric - usual_bad, 0) AS rest_usual_bad,
                    greatest(maxIf(usual_total, is_all) OVER of_metric - usual_total, 0) AS rest_usual_total
                FROM
                (
                    -- each placement, each segment at it, each segment at several, and all there is
                    SELECT
                        metric, key.1 AS placement, key.2 AS segment, placement = '' AND segment = '' AS is_all,
                        sum(now_bad) AS bad, sum(now_total) AS total,
                        sum(before_bad * key.3) AS usual_bad, sum(before_total * key.3) AS usual_total
                    FROM
                    (
                        SELECT
                            *,
                            scale * placed_total / greatest(placed_before, 1) AS weight,
                            arrayJoin(arrayConcat(
                                [(p, s, weight)],
                                if(s = '', [('', '', weight)], []),
                                if(s != '' AND places > 1, [('', s, scale * now_total / greatest(before_total, 1))], [])
                            )) AS key
                        FROM
                        (
                            SELECT
                                *,
                                sumIf(placed_before, s = '') OVER of_metric
                                    / greatest(sumIf(placed_total, s = '') OVER of_metric, 1) AS scale,
                                count() OVER (PARTITION BY metric, s) AS places
                            FROM
                            (
                                SELECT
                                    *,
                                    maxIf(now_total, s = '') OVER at_placement AS placed_total,
                                    maxIf(before_total, s = '') OVER at_placement AS placed_before,
                                    max(before_total) OVER (PARTITION BY metric) AS any_before
                                FROM
                                (
                                    SELECT
                                        placement AS p, segment AS s, each.1 AS metric,
                                        each.2 AS now_bad, each.3 AS now_total, each.4 AS before_bad, each.5 AS before_total
                                    FROM
                                    (
                                        SELECT m.placement AS placement, m.segment AS segment, arrayJoin([{measures}]) AS each
                                        FROM (SELECT *, window >= $__fromTime AS is_now FROM segment_metrics) AS m
                                        WHERE window >= $__fromTime - {usual} AND window <= $__toTime
                                            AND NOT startsWith(segment, 'placement=') AND window NOT IN
                                            (
                                                SELECT window
                                                FROM visible
                                                WHERE window >= $__fromTime - {usual} AND window <= $__toTime AND incomplete
                                            )
                                        GROUP BY placement, segment
                                        HAVING sumIf(m.requests, is_now) > 0
                                    )
                                )
                                WINDOW at_placement AS (PARTITION BY metric, p)
                            )
                            WHERE placed_before > 0 OR any_before = 0
                            WINDOW of_metric AS (PARTITION BY metric)
                        )
                    )
                    GROUP BY metric, placement, segment
                )
                WINDOW of_metric AS (PARTITION BY metric)
            )
            WHERE NOT is_all
        )
    )
)
WHERE actual > expected
    AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    AND $__conditionalAll(substring(segment, 1, position(segment, '=') - 1) IN (${dimension:singlequote}), $dimension)
ORDER BY "verdict" = 'worse' DESC, "lost" DESC, metric, "segment", placement
LIMIT 100
