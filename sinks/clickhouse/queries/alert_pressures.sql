-- Rule pressure at each placement in each window: of requests with a model's order, and the slots of all.
SELECT toUnixTimestamp(window), placement, sum(judged), sum(pressure_sum), sum(slots)
FROM $database.pressure
WHERE window BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}
GROUP BY window, placement
