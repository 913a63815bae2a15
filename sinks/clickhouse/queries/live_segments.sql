-- Segments in which more requests are bad than among the other requests of their placement: those with most lost good
-- events first. Bad are no response, an empty one and the fallback.
SELECT
    s.place AS place, s.name AS name, s.requests AS requests, s.bad AS bad,
    t.requests - s.requests AS rest_requests, t.bad - s.bad AS rest_bad
FROM
(
    SELECT
        placement::String AS place, segment::String AS name, sum(m.requests) AS requests,
        sum(m.requests - responded + m.empty + m.fallback) AS bad
    FROM $database.segment_metrics AS m
    WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')} AND segment != ''
        AND NOT startsWith(segment, 'placement=') AND ({placement:String} = '' OR placement = {placement:String})
    GROUP BY place, name
) AS s
INNER JOIN
(
    SELECT
        placement::String AS place, sum(m.requests) AS requests,
        sum(m.requests - responded + m.empty + m.fallback) AS bad
    FROM $database.segment_metrics AS m
    WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')} AND segment = ''
    GROUP BY place
) AS t ON t.place = s.place
WHERE rest_requests > 0 AND bad * rest_requests > rest_bad * requests
ORDER BY bad - rest_bad / rest_requests * requests DESC, place, name
LIMIT {limit:UInt32}
