"""Where Kafka is, and how it is talked to."""

import ssl
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Login:
    """By SASL. mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""

    mechanism: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Cluster:
    """brokers: host:port, several separated by commas. tls: None for connections in plain text."""

    brokers: str
    tls: ssl.SSLContext | None = None
    login: Login | None = None

    def __str__(self) -> str:
        return self.brokers

    def client_options(self) -> dict[str, Any]:
        """What the clients of aiokafka and those of kafka-python take alike."""
        encrypted = "SSL" if self.tls else "PLAINTEXT"
        options: dict[str, Any] = {
            "bootstrap_servers": self.brokers.split(","),
            "security_protocol": f"SASL_{encrypted}" if self.login else encrypted,
            "ssl_context": self.tls,
        }
        if self.login:
            options |= {
                "sasl_mechanism": self.login.mechanism,
                "sasl_plain_username": self.login.username,
                "sasl_plain_password": self.login.password,
            }
        return options
