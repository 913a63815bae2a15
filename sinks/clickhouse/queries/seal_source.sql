-- The landing rows whose request's home is window {window}: its own rows and stray parts, without requests that have
-- turned out to be at home in an earlier window.
(
    SELECT * REPLACE ({window:DateTime('UTC')} AS window)
    FROM $database.landing AS landing
    -- qualified: a bare `window` would be the constant that replaces it
    WHERE (
            landing.window = {window:DateTime('UTC')}
            OR (landing.window, request_id) IN (
                SELECT window, request_id FROM $database.strays WHERE home = {window:DateTime('UTC')}
            )
        )
        AND request_id NOT IN (
            SELECT request_id FROM $database.strays
            WHERE window = {window:DateTime('UTC')} AND home < {window:DateTime('UTC')}
        )
)
