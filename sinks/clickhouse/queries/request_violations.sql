-- What rules found wrong with one request, as its newest seal has it. The period bounds what is read.
SELECT rule, severity, item, position, values, at
FROM $database.violations
WHERE request_id = {request_id:String} AND window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}
ORDER BY severity = 'info', rule, position
LIMIT 1000
