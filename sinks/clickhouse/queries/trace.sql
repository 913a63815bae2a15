-- One request, sealed or not: its parts in landing merged (orphans too); once landing has forgotten it, its trace.
SELECT *
FROM ($merged)
UNION ALL
SELECT *
FROM $database.traces
WHERE request_id = {request_id:String}
    AND request_id NOT IN (SELECT request_id FROM $database.landing WHERE request_id = {request_id:String})
