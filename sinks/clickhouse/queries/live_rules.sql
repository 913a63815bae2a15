-- Requests at fault by rule in a period, with some of them, and how many were in as long a time some while before it. Of
-- a rule that tells placements apart only those at the placement.
SELECT
    hits.rule_id AS rule_id, hits.severity_name AS severity_name,
    hits.found AS found, hits.of AS of, hits.found_before AS found_before, hits.of_before AS of_before,
    shown.examples AS examples
FROM
(
    SELECT
        rule::String AS rule_id,
        anyLast(severity)::String AS severity_name,
        sumIf(hit, is_now) AS found,
        sumIf(judged, is_now) AS of,
        sumIf(hit, NOT is_now) AS found_before,
        sumIf(judged, NOT is_now) AS of_before
    FROM (SELECT *, window >= {since:DateTime('UTC')} AS is_now FROM $database.rule_hits)
    WHERE ({placement:String} = '' OR grouped['placement'] IN ('', {placement:String})) AND
    (
        (window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')})
        OR (window >= {earlier:DateTime('UTC')} AND window < {earlier_until:DateTime('UTC')})
    )
    GROUP BY rule_id
    HAVING found > 0
) AS hits
LEFT JOIN
(
    SELECT rule::String AS rule_id, groupUniqArray(3)(request_id) AS examples
    FROM $database.violations
    WHERE window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
        AND ({placement:String} = '' OR placement = {placement:String})
    GROUP BY rule_id
) AS shown ON shown.rule_id = hits.rule_id
ORDER BY rule_id
