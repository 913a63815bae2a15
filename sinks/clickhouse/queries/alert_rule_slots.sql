-- Slots that each rule pinned, boosted or injected at each placement in each window.
SELECT toUnixTimestamp(window), placement, rule, sum(slots) AS taken
FROM $database.rule_pressure
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY window, placement, rule
HAVING taken > 0
