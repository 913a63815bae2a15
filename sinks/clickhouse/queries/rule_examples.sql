-- The newest requests that one rule found at fault, with what it saw. Of a rule that everything violates, a window keeps
-- a thousand.
SELECT
    request_id, any(v.at) AS at, any(v.placement) AS placement, any(v.user_id) AS user_id,
    arraySort(groupArray((v.position, v.item, v.values))) AS found
FROM $database.violations AS v
WHERE rule = {rule:String} AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
GROUP BY request_id
ORDER BY at DESC
LIMIT {limit:UInt32}
