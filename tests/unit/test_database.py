"""User and password reach ClickHouse however they are given, and nothing else does."""

import pytest
from pydantic import SecretStr

from rectrace.database import _address
from rectrace.settings import Settings


@pytest.mark.parametrize(
    ("url", "user", "password", "address"),
    [
        ("http://host:8123", "", "", "http://host:8123"),
        ("http://a:b@host:8123", "", "", "http://a:b@host:8123"),
        ("http://host:8123", "me", "", "http://me:@host:8123"),
        ("http://host:8123", "me", "p@:/ß", "http://me:p%40%3A%2F%C3%9F@host:8123"),
        ("http://host:8123", "", "secret", "http://default:secret@host:8123"),
        ("https://a%40x:b@host", "", "secret", "https://a%40x:secret@host"),
        ("http://a:b@[::1]:8123", "me", "secret", "http://me:secret@[::1]:8123"),
    ],
)
def test_address(url: str, user: str, password: str, address: str) -> None:
    settings = Settings(clickhouse=url, clickhouse_user=user, clickhouse_password=SecretStr(password))
    assert _address(settings) == address
