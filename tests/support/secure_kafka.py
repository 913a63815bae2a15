"""An Apache Kafka that encrypts: one listener on which clients log in, one on which they show a certificate."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from rectrace.local.kafka_jvm import ApacheKafka
from rectrace.local.ports import LOOPBACK, free_port

USERNAME: Final = "rectrace"
PASSWORD: Final = "not-for-everybody"

_MODULES: Final = "org.apache.kafka.common.security"
_LISTENERS: Final = """\
listeners=CONTROLLER://{{host}}:{{controller}},PLAINTEXT://{{host}}:{{port}},LOGIN://{{host}}:{login},MUTUAL://{{host}}:{mutual}
advertised.listeners=PLAINTEXT://{{host}}:{{port}},LOGIN://{{host}}:{login},MUTUAL://{{host}}:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={keys}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.mutual.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.login.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
"""


@dataclass(frozen=True)
class SecureKafka:
    """Addresses (host:port) and the files that a client needs."""

    login: str
    mutual: str
    plain: str
    ca: Path
    client: Path  # certificate and key
    strange_ca: Path  # of an authority that has signed nothing here


@contextmanager
def secure_kafka(directory: Path) -> Iterator[SecureKafka]:
    """Running, on loopback; USERNAME and PASSWORD log in by PLAIN and by SCRAM-SHA-512."""
    authority = trustme.CA()
    ca, client, keys, strange = (directory / f"{name}.pem" for name in ("ca", "client", "broker", "strange"))
    authority.cert_pem.write_to_path(ca)
    trustme.CA().cert_pem.write_to_path(strange)
    authority.issue_cert("worker.rectrace").private_key_and_cert_chain_pem.write_to_path(client)
    keys.write_bytes(_for_java(authority.issue_cert(LOOPBACK)))
    login, mutual = free_port(), free_port()
    listeners = _LISTENERS.format(
        login=login, mutual=mutual, keys=keys, ca=ca, user=USERNAME, password=PASSWORD, modules=_MODULES
    )
    scram = ["--add-scram", f"SCRAM-SHA-512=[name={USERNAME},password={PASSWORD}]"]
    with ApacheKafka(directory / "kafka", properties=listeners, formatting=scram) as kafka:
        addresses = f"{LOOPBACK}:{login}", f"{LOOPBACK}:{mutual}", kafka.address
        yield SecureKafka(*addresses, ca, client, strange)


def _for_java(issued: trustme.LeafCert) -> bytes:
    """Java reads keys in PKCS #8 only."""
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain
