-- Dead letters, those found last first. Not by record time: that may be anything.
SELECT topic, partition, offset, record_at, reason, field, message, component, request_id, key, raw
FROM $database.dead_letters FINAL
WHERE landed_at >= {since:DateTime('UTC')} AND landed_at <= {until:DateTime('UTC')}
    AND ({reason:String} = '' OR reason = {reason:String})
    AND ({component:String} = '' OR component = {component:String})
    AND ({topic:String} = '' OR topic = {topic:String})
ORDER BY landed_at DESC, record_at DESC, topic, partition, offset
LIMIT {limit:UInt32}
