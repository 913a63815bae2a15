"""Settings: each kind of wrong value names the setting, where it was given, what it was and what is allowed."""

import os
from pathlib import Path
from typing import Any

import pytest

from rectrace.settings import UNSECURED, Settings, SettingsError, load


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("RECTRACE_"):
            monkeypatch.delenv(name)


def refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    return str(error.value)


def from_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "rectrace.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setenv("RECTRACE_CONFIG", str(file))
    return file


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RECTRACE_KAFKA", "localhost", "is 'localhost': must be HOST:PORT, or several separated by commas"),
        ("RECTRACE_KAFKA", "", "is '': must be HOST:PORT"),
        ("RECTRACE_KAFKA", "a:1,b:99999", "is 'a:1,b:99999': must be HOST:PORT"),
        ("RECTRACE_CLICKHOUSE", "localhost:8123", "must be http://HOST:PORT or https://HOST:PORT"),
        ("RECTRACE_CLICKHOUSE", "http://host:99999", "is 'http://host:99999': must be http://HOST:PORT"),
        ("RECTRACE_CLICKHOUSE", "http://host:8123/database", "must be http://HOST:PORT"),
        ("RECTRACE_CLICKHOUSE", "http://", "must be http://HOST:PORT"),
        ("RECTRACE_DATABASE", "my-db", "is 'my-db': must be letters, digits and underscores, no digit first"),
        ("RECTRACE_CLUSTER", "a b", "is 'a b': must be letters, digits, underscores, hyphens and braces"),
        ("RECTRACE_GROUP", "", "is '': must have at least 1 character"),
        ("RECTRACE_FSYNC", "maybe", "is 'maybe': must be true or false"),
        (
            "RECTRACE_JOIN__GRACE",
            "0",
            "is '0': must be a number, above 0, at most 86,400 (seconds after",
        ),
        ("RECTRACE_JOIN__GRACE", "soon", "is 'soon': must be a number, above 0, at most 86,400"),
        ("RECTRACE_JOIN__GRACE", "inf", "must be a number, above 0"),
        ("RECTRACE_JOIN__GRACE", "nan", "must be a number, above 0"),
        ("RECTRACE_JOIN__LATE_HORIZON", "604800", "is '604800': must be a number, above 0, at most 172,800"),
        ("RECTRACE_JOIN__MAX_OPEN", "1.5", "must be a whole number, at least 1, at most 10,000,000"),
        ("RECTRACE_FLUSH__MAX_BYTES", "1e6", "must be a whole number, at least 100,000, at most 1,073,741,824"),
        ("RECTRACE_METRICS__PORT", "70000", "is '70000': must be a whole number, at least 0, at most 65,535"),
        ("RECTRACE_DEAD_LETTERS__MAX_SHARE", "50", "must be a number, above 0, at most 1 (of the records read)"),
        ("RECTRACE_TOPICS__STAGES", "", "is []: must have at least 1 item"),
        ("RECTRACE_TOPICS__STAGES", '["a", "b c"]', "[1] is 'b c': must be letters, digits, dots, underscores"),
        ("RECTRACE_TOPICS__STAGES", '{"a": 1}', "must be a list, in a variable a,b or JSON"),
        ("RECTRACE_OUTCOMES__SEGMENTS", "a,b,c,d", "is ['a', 'b', 'c', 'd']: must have at most 3 items"),
        (
            "RECTRACE_PIPELINE__EXPECTED",
            "home",
            "is 'home': must be lists by name, in a variable JSON such as {\"home\"",
        ),
        ("RECTRACE_PIPELINE__EXPECTED", '{"home": 5}', "[home] is 5: must be a list"),
        ("RECTRACE_ALERTS__ALERTMANAGER", "am:9093", "[0] is 'am:9093': must be http://HOST:PORT or https://HOST:PORT"),
        ("RECTRACE_ALERTS__LATE", "0", "is '0': must be a number, above 0, at most 86,400 (seconds after its end"),
        ("RECTRACE_ALERTS__HOLD", "29", "is '29': must be a number, at least 30, at most 86,400 (seconds until"),
        ("RECTRACE_ALERTS__GRAFANA", "grafana", "is 'grafana': must be http://... or https://..., without ? and #"),
        ("RECTRACE_ALERTS__CONSOLE", "http://c?a=b", "is 'http://c?a=b': must be http://... or https://..., without ?"),
        ("RECTRACE_PLAYGROUND__ALLOWED", "shop:80", "[0] is 'shop:80': must be http://HOST:PORT/PATH or https://..."),
        ("RECTRACE_PLAYGROUND__ALLOWED", "http://me:pass@shop/", "[0] is 'http://***@shop/': must be http://HOST:PORT"),
        ("RECTRACE_PLAYGROUND__TIMEOUT", "90", "is '90': must be a number, at least 0.1, at most 60 (seconds for a"),
        ("RECTRACE_JOIN", "5", "must hold settings by name: settle, grace, max_wait"),
        ("RECTRACE_JOIN", '{"grace": 0}', "[grace] is 0: must be a number, above 0"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    message = refused(monkeypatch, name, value)
    assert message.startswith(name)
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("RECTRACE_KAFAK", "RECTRACE_KAFAK is not a setting; did you mean RECTRACE_KAFKA?"),
        ("RECTRACE_JOIN__GRASE", "RECTRACE_JOIN__GRASE is not a setting; did you mean RECTRACE_JOIN__GRACE?"),
        ("RECTRACE_JOIN_GRACE", "RECTRACE_JOIN_GRACE is not a setting; did you mean RECTRACE_JOIN__GRACE?"),
        ("RECTRACE_CLICKHOUSE__PASSWORD", "did you mean RECTRACE_CLICKHOUSE_PASSWORD?"),
        (
            "RECTRACE_XYZZY",
            "RECTRACE_XYZZY is not a setting; known are RECTRACE_KAFKA, RECTRACE_KAFKA_SECURITY, RECTRACE_GROUP",
        ),
    ],
)
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, told: str) -> None:
    message = refused(monkeypatch, name, "hunter2")
    assert told in message
    assert "hunter2" not in message


def test_variables_of_the_tests_and_of_the_client_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECTRACE_REQUIRE", "RECTRACE_TEST_CLICKHOUSE", "RECTRACE_TEST_GRAFANA_USER", "RECTRACE_VALIDATE"):
        monkeypatch.setenv(name, "x")
    assert load() == Settings()


def test_lists_are_json_or_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECTRACE_TOPICS__STAGES", "first, second")
    monkeypatch.setenv("RECTRACE_OUTCOMES__SEGMENTS", '["country", "device"]')
    monkeypatch.setenv("RECTRACE_PIPELINE__EXPECTED", '{"home": ["ann", "ranker"]}')
    settings = load()
    assert settings.topics.stages == ("first", "second")
    assert settings.outcomes.segments == ("country", "device")
    assert settings.pipeline.expected == {"home": ("ann", "ranker")}


def test_options_go_before_variables_and_these_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_file(monkeypatch, tmp_path, "kafka: file:1\ngroup: file\njoin: {grace: 3, settle: 4}\nmetrics: {port: 1}\n")
    monkeypatch.setenv("RECTRACE_KAFKA", "variable:1")
    monkeypatch.setenv("RECTRACE_JOIN__SETTLE", "5")
    monkeypatch.setenv("RECTRACE_METRICS__HOST", "0.0.0.0")
    settings = load(kafka="option:1", clickhouse=None, metrics={"port": 2})
    assert (settings.kafka, settings.group) == ("option:1", "file")
    assert (settings.join.grace, settings.join.settle, settings.join.max_wait) == (3, 5, 60)
    assert (settings.metrics.host, settings.metrics.port) == ("0.0.0.0", 2)


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^--kafka is 'localhost': must be HOST:PORT"):
        load(kafka="localhost")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("join: {grace: 0}", "FILE: join.grace is 0: must be a number, above 0"),
        ("join:\n  grase: 3\n", "FILE: join.grase is not a setting; did you mean join.grace?"),
        ("join: 5", "FILE: join is 5: must hold settings by name"),
        ("clickhouse_pasword: hunter2", "FILE: clickhouse_pasword is not a setting; did you mean clickhouse_password?"),
        ("clickhouse_password: [hunter2]", "FILE: clickhouse_password is set, but not usable: must be a string"),
        ("- kafka", "FILE: must hold settings by name, such as `kafka: kafka-1:9092`"),
        ("just text", "FILE: must hold settings by name"),
        ("kafka: a: b", "FILE, line 1, column 9: not YAML: mapping values are not allowed here"),
        ("kafka: [", "FILE, line 1, column 9: not YAML"),
        (b"kafka: \xff", "FILE: not YAML in UTF-8"),
    ],
)
def test_errors_of_the_file_name_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | bytes, told: str
) -> None:
    file = from_file(monkeypatch, tmp_path, text)
    with pytest.raises(SettingsError) as error:
        load()
    assert told in str(error.value).replace(str(file), "FILE")
    assert "hunter2" not in str(error.value)


def test_every_problem_has_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_file(monkeypatch, tmp_path, "join: {grace: 0, settle: x}\nkafka: nowhere\n")
    with pytest.raises(SettingsError) as error:
        load()
    assert str(error.value).count("\n") == 2


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("RECTRACE_CONFIG", str(tmp_path / name))
    with pytest.raises(SettingsError, match=r"^RECTRACE_CONFIG: cannot read '.*'"):
        load()


def test_an_empty_file_is_no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_file(monkeypatch, tmp_path, "# nothing yet\n")
    assert load() == Settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECTRACE_CLICKHOUSE_PASSWORD", "hunter2")
    settings = load()
    assert settings.clickhouse_password.get_secret_value() == "hunter2"
    shown: list[Any] = [repr(settings), str(settings), settings.model_dump_json()]
    assert not [each for each in shown if "hunter2" in each]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"protocol": "SASL_SSL"}, "protocol SASL_SSL needs username and password"),
        ({"protocol": "SASL_PLAINTEXT", "username": "u"}, "needs username and password"),
        ({"username": "u", "password": "p"}, "username and password need protocol SASL_SSL or SASL_PLAINTEXT"),
        ({"protocol": "SSL", "password": "p"}, "need protocol SASL_SSL or SASL_PLAINTEXT, which is SSL"),
        ({"ca": "ca.pem"}, "ca and certificate need protocol SSL or SASL_SSL, which is PLAINTEXT"),
        ({"protocol": "SSL", "key": "key.pem"}, "key needs certificate"),
        ({"protocol": "SSL", "ca": "gone.pem"}, "ca: cannot read gone.pem: No such file or directory"),
        ({"protocol": "SSL", "certificate": "gone.pem"}, "certificate: cannot read gone.pem: No such file"),
        ({"protocol": "SSL", "ca": __file__}, "test_settings.py cannot be used: no PEM, the wrong key"),
        ({"protocol": "SSL", "certificate": __file__, "key": "k"}, "test_settings.py and k"),
        ({"protocol": "TLS"}, "is 'TLS': must be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ({"mechanism": "GSSAPI"}, "is 'GSSAPI': must be 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
    ],
)
def test_half_a_connection_to_kafka_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], told: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"RECTRACE_KAFKA_SECURITY__{name.upper()}", value)
    with pytest.raises(SettingsError) as error:
        load()
    assert "kafka_security" in str(error.value).lower()
    assert told in str(error.value)


def test_a_broker_of_this_machine_needs_nothing_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROTOCOL": "SASL_SSL", "USERNAME": "u", "PASSWORD": "p"}.items():
        monkeypatch.setenv(f"RECTRACE_KAFKA_SECURITY__{name}", value)
    assert load().kafka_security.logs_in
    security = load(kafka_security=UNSECURED).kafka_security
    assert not security.logs_in
    assert not security.encrypts
