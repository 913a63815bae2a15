"""A Kafka that encrypts and asks who is there: every connection of rectrace keeps to it, and what is wrong is said."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rectrace import settings
from rectrace.kafka_cluster import cluster
from rectrace.local.ports import LOOPBACK, free_port
from streams.cluster import Cluster
from streams.unreachable import why
from tests.support.secure_kafka import PASSWORD, USERNAME, SecureKafka, secure_kafka
from tests.support.service import Service, eventually

pytestmark = pytest.mark.needs("kafka")
LOGIN: Final = {"protocol": "SASL_SSL", "username": USERNAME, "password": PASSWORD}
WRONG: Final = f"{PASSWORD}?"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure")) as running:
        yield running


def variables(kafka: str, **security: object) -> dict[str, str]:
    named = {f"RECTRACE_KAFKA_SECURITY__{name.upper()}": str(value) for name, value in security.items()}
    return {"RECTRACE_KAFKA": kafka, **named}


def reached(kafka: str, **security: object) -> Cluster:
    return cluster(settings.load(kafka=kafka, kafka_security={name: str(value) for name, value in security.items()}))


def event(request: str, stage: str, **fields: object) -> bytes:
    body = {"schema_version": 1, "request_id": request, "ts": time.time_ns() // 1_000_000, "stage": stage}
    return json.dumps(body | {"component": "api"} | fields).encode()


def test_all_that_talks_to_kafka_logs_in_encrypted(kafka: SecureKafka, clickhouse: str, tmp_path: Path) -> None:
    given = variables(kafka.login, ca=kafka.ca, **LOGIN)
    with Service(kafka.plain, clickhouse, tmp_path, partitions=1, settings=given) as service:
        assert "all topics are there" in service.ask("topics", "--partitions", "1")
        service.start_ready()
        service.publish(service.stages, event("r", "request", placement="home", k=1))
        service.publish(service.stages, b"not json")
        service.publish(service.stages, event("r", "response", items=["a"]))
        letters = "SELECT count() FROM $database.dead_letters"
        eventually(lambda: service.rows(letters) == [(1,)], lambda: service.log)
        assert service.ask("dlq", "replay").startswith("sent 1 dead letter")
        # it is sealed only where the worker's admin client learns of the partitions, and offsets are committed
        traces = "SELECT request_id FROM $database.traces"
        eventually(lambda: service.rows(traces) == [("r",)], lambda: service.log)
        eventually(lambda: service.rows(letters) == [(2,)], lambda: service.log)
        assert service.stop() == 0


def test_a_worker_shows_its_certificate(kafka: SecureKafka, clickhouse: str, tmp_path: Path) -> None:
    given = variables(kafka.mutual, protocol="SSL", ca=kafka.ca, certificate=kafka.client)
    with Service(kafka.plain, clickhouse, tmp_path, partitions=1, settings=given) as service:
        service.start_ready()
        service.publish(service.stages, event("r", "request", placement="home", k=1))
        service.publish(service.stages, event("r", "response", items=["a"]))
        landed = "SELECT count() FROM $database.landing"
        eventually(lambda: service.rows(landed) == [(1,)], lambda: service.log)
        assert service.stop() == 0


def test_a_password_that_is_wrong_is_said_by_commands_and_by_the_worker(
    kafka: SecureKafka, clickhouse: str, tmp_path: Path
) -> None:
    given = variables(kafka.login, ca=kafka.ca, **LOGIN | {"password": WRONG})
    with Service(kafka.plain, clickhouse, tmp_path, settings=given) as service:
        told = f"{kafka.login} refuses user 'rectrace' or its password (SCRAM-SHA-512)."
        service.start()
        eventually(lambda: f"cannot use Kafka: {told} Trying again" in service.log, lambda: service.log)
        assert told in service.ask("topics", code=1)
        assert PASSWORD not in service.log


def test_what_a_broker_has_against_us_is_said(kafka: SecureKafka) -> None:
    trusted = {**LOGIN, "ca": kafka.ca}
    nobody = f"{LOOPBACK}:{free_port()}"
    for address, security, told in (
        (kafka.login, trusted, ""),
        (kafka.login, {**trusted, "mechanism": "PLAIN"}, ""),
        (f"{nobody},{kafka.login}", {**trusted, "password": WRONG}, "refuses user 'rectrace' or its password (SCRAM"),
        (kafka.login, {**trusted, "mechanism": "PLAIN", "password": WRONG}, "refuses user 'rectrace' or its password"),
        (kafka.login, {**trusted, "mechanism": "SCRAM-SHA-256"}, "knows no login by SCRAM-SHA-256"),
        (kafka.login, {**trusted, "ca": kafka.strange_ca}, "is not trusted: "),
        (kafka.login.replace(LOOPBACK, "localhost"), trusted, "not valid for 'localhost'"),
        (kafka.login.replace(LOOPBACK, "localhost"), {**trusted, "check_hostname": False}, ""),
        (kafka.login, {}, "hangs up: it may want TLS"),
        (kafka.mutual, {"protocol": "SSL", "ca": kafka.ca}, "hangs up: it may want TLS, a login or a certificate"),
        (kafka.mutual, {"protocol": "SSL", "ca": kafka.ca, "certificate": kafka.client}, ""),
        (kafka.plain, {"protocol": "SSL", "ca": kafka.ca}, "seems to answer without TLS"),
        (nobody, {}, ""),
    ):
        said = asyncio.run(why(reached(address, **security)))
        assert (told in said) if told else not said, (address, security, said)
