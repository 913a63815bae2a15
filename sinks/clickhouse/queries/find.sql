-- What a text that somebody typed is: a request, a user, an item.
SELECT DISTINCT kind
FROM
(
    (SELECT 1 AS rank, 'request' AS kind FROM $database.landing WHERE request_id = {text:String} LIMIT 1)
    UNION ALL
    (SELECT 1, 'request' FROM $database.traces WHERE request_id = {text:String} LIMIT 1)
    UNION ALL
    (SELECT 2, 'user' FROM $database.traces WHERE user_id = {text:String} AND window >= {since:DateTime('UTC')} LIMIT 1)
    UNION ALL
    (SELECT 2, 'user' FROM $database.landing WHERE user_id = {text:String} AND window >= {recent:DateTime('UTC')} LIMIT 1)
    UNION ALL
    (SELECT 3, 'item' FROM $database.catalog WHERE item = {text:String} LIMIT 1)
    UNION ALL
    (
        SELECT 3, 'item' FROM $database.item_outcomes
        WHERE item = {text:String} AND segment = '' AND window >= {since:DateTime('UTC')} LIMIT 1
    )
)
ORDER BY rank
