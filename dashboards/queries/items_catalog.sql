-- What the catalogue says of it now.
SELECT
    item,
    title,
    brand,
    category,
    price,
    if(catalog.available, 'yes', 'no') AS available,
    if(catalog.deleted, 'yes', 'no') AS deleted,
    created_at AS created,
    record_at AS known
FROM catalog FINAL
WHERE item = ${item:singlequote}
ORDER BY record_at DESC
LIMIT 1
