-- Requests that a segment loses: what is bad there beyond what is bad among the other requests of its placement. Bad are
-- no response, an empty one and the fallback.
SELECT
    s.placement AS placement,
    s.segment AS segment,
    s.requests AS requests,
    s.bad / s.requests AS "bad",
    (t.bad - s.bad) / nullIf(t.requests - s.requests, 0) AS "bad among others",
    s.requests * ("bad" - "bad among others") AS "lost"
FROM
(
    SELECT placement, segment, sum(m.requests) AS requests, sum(m.requests - responded + m.empty + m.fallback) AS bad
    FROM segment_metrics AS m
    WHERE $__timeFilter(window) AND segment != ''
        AND $__conditionalAll(placement IN (${placement:singlequote}), $placement)
    GROUP BY placement, segment
) AS s
INNER JOIN
(
    SELECT placement, sum(m.requests) AS requests, sum(m.requests - responded + m.empty + m.fallback) AS bad
    FROM segment_metrics AS m
    WHERE $__timeFilter(window) AND segment = ''
    GROUP BY placement
) AS t ON t.placement = s.placement
WHERE "lost" > 0
ORDER BY "lost" DESC, placement, segment
LIMIT 50
