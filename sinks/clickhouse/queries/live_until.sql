-- The newest window that is sealed and lacks no partition; null where there is none.
SELECT maxOrNull(window) AS newest
FROM $database.visible
WHERE NOT incomplete AND window > (SELECT max(window) FROM $database.sealed) - INTERVAL 1 DAY
