"""The Kafka of the settings, as the clients need it."""

from rectrace.settings import Settings, SettingsError
from streams.cluster import Cluster, Login


def cluster(settings: Settings) -> Cluster:
    """Its address, with TLS and a login where the settings say so. Raises SettingsError for files that have gone."""
    security = settings.kafka_security
    try:
        tls = security.tls()
    except ValueError as error:  # it could when the settings were read
        raise SettingsError(f"kafka_security: {error}") from None
    login = Login(security.mechanism, security.username, security.password.get_secret_value())
    return Cluster(settings.kafka, tls, login if security.logs_in else None)
