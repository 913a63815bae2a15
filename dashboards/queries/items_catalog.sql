-- What the catalogue says of it now.
SELECT item, title, brand, category, price, available, deleted, created_at AS created, record_at AS known
FROM catalog FINAL
WHERE item = ${item:singlequote}
ORDER BY record_at DESC
LIMIT 1
