"""Why Kafka cannot be used. Its clients tell no more than that no broker took them; the cause is of one connection."""

import asyncio
import ssl
from typing import Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from streams.cluster import Cluster

TIMEOUT_S: Final = 5.0


async def why(kafka: Cluster) -> str:
    """What the first broker that listens has against us, in words; empty where none listens, or one takes us."""
    for broker in kafka.brokers.split(","):
        host, _, port = broker.rpartition(":")
        try:
            await asyncio.wait_for(_connect(kafka, host, int(port)), TIMEOUT_S)
        except Exception as error:  # any more would hide the trouble that is asked about
            if said := _in_words(kafka, broker, error):
                return said
        else:
            return ""
    return ""


async def _connect(kafka: Cluster, host: str, port: int) -> None:
    options = kafka.client_options()
    options.pop("bootstrap_servers")
    connection = AIOKafkaConnection(host, port, request_timeout_ms=int(TIMEOUT_S * 1000), **options)
    try:
        await connection.connect()
    finally:
        connection.close()


def _in_words(kafka: Cluster, broker: str, error: Exception) -> str:
    login = kafka.login
    if isinstance(error, SaslAuthenticationFailed) and login:
        return f"{broker} refuses user {login.username!r} or its password ({login.mechanism})"
    if isinstance(error, UnsupportedSaslMechanismError) and login:
        return f"{broker} knows no login by {login.mechanism} (kafka_security.mechanism)"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {broker} is not trusted: {error.verify_message} (kafka_security.ca)"
    if isinstance(error, ssl.SSLError) or (kafka.tls and isinstance(error, ConnectionResetError)):
        return f"{broker} seems to answer without TLS (kafka_security.protocol)"
    if isinstance(error, KafkaConnectionError):
        return f"{broker} hangs up: it may want TLS, a login or a certificate (kafka_security)"
    return ""
