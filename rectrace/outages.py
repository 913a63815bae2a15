"""What to tell people when ClickHouse cannot be used: one line that says what to do. Of Kafka: kafka_outages.py."""

import re
from typing import Final

from rectrace.settings import Settings

_NAMED_BY: Final = "RECTRACE_CLICKHOUSE or --clickhouse names the address"
_TABLES: Final = "`rectrace migrate` makes the tables, RECTRACE_DATABASE names the database"
# In the driver's text, what it means, and what to do.
_MEANINGS: Final = (
    (r"Connection refused", "nothing listens at {url}", f"Is ClickHouse running there? {_NAMED_BY}."),
    (r"Failed to resolve|Name or service not known", "no host is known by the name in {url}", f"{_NAMED_BY}."),
    (r"WRONG_VERSION_NUMBER", "{url} answers without TLS", f"Is it http:// there? {_NAMED_BY}."),
    (r"CERTIFICATE_VERIFY_FAILED", "the certificate of {url} is not trusted", f"{_NAMED_BY}."),
    (
        r"\((TIMEOUT_EXCEEDED|TOO_SLOW|TOO_MANY_ROWS|TOO_MANY_BYTES|MEMORY_LIMIT_EXCEEDED)\)",
        "that is more than one question may read or take",
        "Ask for a shorter time, or for less.",
    ),
    (r"timed? ?out", "{url} did not answer in time", f"Is ClickHouse running there, and well? {_NAMED_BY}."),
    (r"RemoteDisconnected|Connection reset|BadStatusLine", "{url} hangs up", f"Is ClickHouse there? {_NAMED_BY}."),
    (r"\(UNKNOWN_DATABASE\)", "there is no database {database!r} at {url}", f"{_TABLES}."),
    (r"\(UNKNOWN_TABLE\)", "database {database!r} at {url} lacks tables", f"{_TABLES}."),
    (
        r"\((AUTHENTICATION_FAILED|REQUIRED_PASSWORD|WRONG_PASSWORD|UNKNOWN_USER)\)",
        "{url} refuses user {user!r} or its password",
        "RECTRACE_CLICKHOUSE_USER and RECTRACE_CLICKHOUSE_PASSWORD name them.",
    ),
    (
        r"\(ACCESS_DENIED\)",
        "user {user!r} may not do that at {url}",
        "It needs to read and write the database; to migrate, to create it.",
    ),
    (r"received HTTP status (?!.*DB::Exception)", "what answers at {url} is no ClickHouse", f"{_NAMED_BY}."),
)


def clickhouse(text: str, settings: Settings) -> str:
    """One line about an error of ClickHouse, from its text."""
    url = re.sub(r"//[^/@\s]*@", "//", settings.clickhouse)
    values = {"url": url, "database": settings.database, "user": settings.clickhouse_user or "default"}
    for pattern, meaning, advice in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return f"ClickHouse: {meaning.format(**values)}. {advice}"
    return text
