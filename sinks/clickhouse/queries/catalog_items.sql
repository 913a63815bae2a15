-- The newest catalogue entry of each of these items.
SELECT item, title, brand, category, price, available, created_at, attributes
FROM $database.catalog FINAL
WHERE item IN {items:Array(String)} AND NOT deleted
ORDER BY item, record_at DESC
LIMIT 1 BY item
