-- Slots served at each placement in each window, and those that each rule took; of all rules together under ''.
SELECT toUnixTimestamp(window), placement, '' AS rule, sum(slots_by_rules), sum(slots)
FROM $database.pressure
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY window, placement
UNION ALL
SELECT toUnixTimestamp(window), placement, rule, sum(slots), 0
FROM $database.rule_pressure
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')} AND slots > 0
GROUP BY window, placement, rule
