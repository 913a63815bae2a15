-- Requests with how many items were shown of what they served, and how many of these users clicked within an hour. Shown
-- is what has an impression; of a request that has none, every slot.
SELECT
            is_now, first_value, second_value,
            length(slots)::UInt64 AS shown,
            arrayCount(item -> has(clicked, item), slots)::UInt64 AS clicks,
            arrayCount(item -> has(bought, item), slots)::UInt64 AS purchases
        FROM
        (
            SELECT
                of_requests.*, acted.clicked AS clicked, acted.bought AS bought,
                arrayFilter(item -> empty(acted.seen) OR has(acted.seen, item), served) AS slots
            FROM ($requests) AS of_requests
            LEFT JOIN
            (
                SELECT
                    request_id,
                    groupUniqArrayIf(item, kind = 'impression') AS seen,
                    groupUniqArrayIf(item, kind = 'click') AS clicked,
                    groupUniqArrayIf(item, kind = 'purchase') AS bought
                FROM $database.interactions
                WHERE ts >= {then_since:DateTime('UTC')} AND ts < {until:DateTime('UTC')} + INTERVAL 1 HOUR
                GROUP BY request_id
            ) AS acted USING (request_id)
        )
