"""Settings: environment variables `RECTRACE_*` (nested: `RECTRACE_JOIN__GRACE`) over a YAML file (`RECTRACE_CONFIG`).

Seconds, bytes and counts as named; every number has bounds. A wrong setting is a `SettingsError` that says which, where
it was given, what it was and what is allowed. Lists may be given as JSON or as a,b.
"""

import getpass
import os
import ssl
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from rectrace.settings_problems import CONFIG_VARIABLE, PREFIX, SettingsError, problem, refuse_unknown_variables
from schemas.recommenders import http_address

__all__ = ["CONFIG_VARIABLE", "PREFIX", "Settings", "SettingsError", "load"]

DAY: Final = 86_400.0
MAX_PORT: Final = 65_535


def _brokers(text: str) -> str:
    for address in text.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) <= MAX_PORT) or set(host) & set(" /@"):
            raise ValueError("must be HOST:PORT, or several separated by commas")
    return ",".join(address.strip() for address in text.split(","))


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not set(url) & set(" \t\n")
    except ValueError:  # a port that is none
        good = False
    if not good or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
    return url.rstrip("/")


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.netloc or set(url) & set(" \t\n?#")):
        raise ValueError("must be http://... or https://..., without ? and #")
    return url.rstrip("/")


def _unusable(files: str, error: OSError) -> str:
    """A file of keys, and why: the library's word for what is in it says little more."""
    if isinstance(error, ssl.SSLError):
        return f"{files} cannot be used: no PEM, the wrong key or the wrong password of it ({error.reason or 'SSL'})"
    return f"cannot read {files}: {error.strerror}"


def _listed(value: object) -> object:
    """a,b from an environment variable as a list."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _token(token: SecretStr) -> SecretStr:
    if 0 < len(token.get_secret_value()) < 16:
        raise ValueError("must have 16 characters or more")
    return token


def _plan(arms: object) -> object:
    if not isinstance(arms, dict) or len(arms) < 2:
        raise ValueError('must hold two arms or more with their planned weights, such as {"control": 1, "v2": 1}')
    return arms


def _plans(experiments: object) -> object:
    if not isinstance(experiments, dict):
        raise ValueError('must hold experiments by name, such as {"ranker": {"control": 1, "v2": 1}}')
    return experiments


Seconds = Annotated[float, Field(gt=0, le=DAY)]
Days = Annotated[float, Field(gt=0, le=400 * DAY)]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Brokers = Annotated[str, AfterValidator(_brokers)]
Server = Annotated[str, AfterValidator(_server)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Listed = BeforeValidator(_listed)
Weight = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Plan = Annotated[dict[str, Weight], BeforeValidator(_plan)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSecurity(_Part):
    """How Kafka is talked to: as it comes, in plain text and without a login."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca: str = Field("", description="PEM file of the authorities that are trusted; empty: this machine's")
    certificate: str = Field("", description="PEM file of this client's certificate, where brokers ask for one")
    key: str = Field("", description="PEM file of its key; empty: in the certificate's file")
    key_password: SecretStr = SecretStr("")
    check_hostname: bool = Field(True, description="whether a broker's certificate must be for its host")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr = SecretStr("")

    @property
    def encrypts(self) -> bool:
        """Whether connections are by TLS."""
        return self.protocol.endswith("SSL")

    @property
    def logs_in(self) -> bool:
        """Whether by SASL."""
        return self.protocol.startswith("SASL")

    def tls(self) -> ssl.SSLContext | None:
        """None without encryption. Raises ValueError for files that cannot be used."""
        if not self.encrypts:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise ValueError(f"ca: {_unusable(self.ca, error)}") from None
        context.check_hostname = self.check_hostname
        if self.certificate:
            try:
                context.load_cert_chain(self.certificate, self.key or None, self.key_password.get_secret_value)
            except OSError as error:
                files = f"{self.certificate} and {self.key}" if self.key else self.certificate
                raise ValueError(f"certificate: {_unusable(files, error)}") from None
        return context

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """What is given and not used would be missed: somebody believes that the connection is encrypted."""
        if not self.encrypts and (self.ca or self.certificate):
            raise ValueError(f"ca and certificate need protocol SSL or SASL_SSL, which is {self.protocol}")
        if self.key and not self.certificate:
            raise ValueError("key needs certificate")
        given = (bool(self.username), bool(self.password.get_secret_value()))
        if self.logs_in and not all(given):
            raise ValueError(f"protocol {self.protocol} needs username and password")
        if not self.logs_in and any(given):
            raise ValueError(
                f"username and password need protocol SASL_SSL or SASL_PLAINTEXT, which is {self.protocol}"
            )
        self.tls()
        return self


# A broker of this machine's own, whatever the environment and the file say of another.
UNSECURED: Final = {
    "protocol": "PLAINTEXT",
    **dict.fromkeys(("ca", "certificate", "key", "key_password", "username", "password"), ""),
}


class Topics(_Part):
    """Kafka topics. Stage events: one topic, or several with equal partition counts."""

    stages: Annotated[tuple[Topic, ...], Field(min_length=1), Listed] = ("rectrace.stages",)
    interactions: Topic = "rectrace.interactions"
    catalog: Topic = "rectrace.catalog"
    rules: Topic = "rectrace.rules"


class Join(_Part):
    """When the parts of a request are closed."""

    settle: Seconds = Field(1.5, description="seconds after the response, unless all expected components came")
    grace: Seconds = Field(10.0, description="seconds after its last event")
    max_wait: Seconds = Field(60.0, description="seconds after its first event")
    max_open: int = Field(200_000, ge=1, le=10_000_000, description="open requests of one worker")
    memory: int = Field(512_000_000, ge=16_000_000, le=1 << 40, description="bytes of open and unwritten events")
    # At most two days: landing forgets its rows after three, and a window must not be sealed again without them.
    late_horizon: Annotated[float, Field(gt=0, le=2 * DAY)] = Field(
        2 * DAY, description="seconds; older record times are not believed, older windows not sealed again"
    )


class Flush(_Part):
    """When a batch is written: at any of these."""

    interval: float = Field(1.0, ge=0.05, le=60, description="seconds")
    max_bytes: int = Field(16_000_000, ge=100_000, le=1 << 30)
    max_rows: int = Field(5_000, ge=1, le=1_000_000)


class Seal(_Part):
    """When windows are sealed."""

    interval: float = Field(1.0, ge=0.1, le=60, description="seconds between two looks at what is due")
    patience: Seconds = Field(300.0, description="seconds for a partition that makes no progress")


class Outcomes(_Part):
    """What item outcomes are kept by, beside the total."""

    segments: Annotated[tuple[str, ...], Field(max_length=3), Listed] = ("country",)
    segment_values: int = Field(50, ge=1, le=1_000, description="values of one segment that keep their name")


class Pipeline(_Part):
    """What is known of a recommender's placements; `*` stands for all others."""

    orders: dict[str, tuple[str, ...]] = Field({}, description="placement: its stages or components in pipeline order")
    expected: dict[str, tuple[str, ...]] = Field({}, description="placement: components or stages of every request")
    slow: Seconds = Field(1.0, description="seconds above which a request is slow")


class Retention(_Part):
    """How long traces live."""

    all: Days = Field(2 * DAY, description="seconds")
    kept: Days = Field(30 * DAY, description="seconds, of traces with something wrong and of the sampled users")
    users: int = Field(100, ge=1, le=1_000_000, description="one user in so many is sampled")


class DeadLetters(_Part):
    """The worker stops when both are exceeded within the window: then it is not the events that are wrong."""

    max_share: float = Field(0.5, gt=0, le=1, description="of the records read")
    max_count: int = Field(1_000, ge=1)
    window: Seconds = Field(60.0, description="seconds")


class Metrics(_Part):
    """The worker's Prometheus port."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(9464, ge=0, le=MAX_PORT, description="0: a free one")


class Alerts(_Part):
    """The alerts about the recommender. Without an Alertmanager they are evaluated and kept, and sent to nobody."""

    alertmanager: Annotated[tuple[Server, ...], Listed] = Field((), description="URLs; all of them are told")
    thresholds: str = Field("", description="YAML file with other thresholds than the default ones")
    late: Seconds = Field(60.0, description="seconds after its end from which on a window pages nobody")
    hold: float = Field(300.0, ge=30, le=DAY, description="seconds until an alert that nobody sends again ends")
    resend: float = Field(60.0, ge=1, le=3_600, description="seconds between two times that what fires is sent")
    timeout: float = Field(5.0, gt=0, le=60, description="seconds for Alertmanager to answer")
    console: BaseUrl = Field("", description="URL of the console, for links")
    grafana: BaseUrl = Field("", description="URL of Grafana, for links")
    runbooks: BaseUrl = Field("", description="URL under which each alert's runbook is, by its name")

    @model_validator(mode="after")
    def _resends_in_time(self) -> Self:
        if self.resend * 2 > self.hold:
            raise ValueError(
                f"hold must be at least twice resend, which is {self.resend:g}: else alerts end in between"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def user_name() -> str:
    """Of the user whose process this is; empty in a container that knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


class Console(_Part):
    """The web console. Elsewhere than on loopback it needs a token, or a proxy in front that says who asks."""

    host: str = Field("127.0.0.1", min_length=1, description="address it listens on")
    port: int = Field(8080, ge=0, le=MAX_PORT, description="0: a free one")
    token: Annotated[SecretStr, AfterValidator(_token)] = Field(
        SecretStr(""), description="what viewers sign in with, 16 characters or more"
    )
    editor_token: Annotated[SecretStr, AfterValidator(_token)] = Field(
        SecretStr(""), description="what editors sign in with, who may also publish rules and silence alerts"
    )
    user_header: str = Field(
        "", pattern=r"^[A-Za-z0-9-]*$", description="header in which a proxy that signs people in names them"
    )
    editors: Annotated[tuple[str, ...], Listed] = Field(
        (), description="editors among those whom the proxy names; *: all of them"
    )
    proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], Listed] = Field(
        (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description="networks of the proxies whose header is believed",
    )
    max_time: float = Field(20.0, ge=1, le=600, description="seconds of one query")
    max_memory: int = Field(2_000_000_000, ge=10_000_000, le=1 << 40, description="bytes of one query")
    max_rows: int = Field(500_000_000, ge=1_000, le=10**12, description="rows that one query may read")

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def guarded(self) -> bool:
        """True if who asks is checked."""
        return bool(self.tokens or self.user_header)

    @property
    def tokens(self) -> dict[str, bool]:
        """Those that are set, and whether who signs in with them is an editor."""
        given = {self.token.get_secret_value(): False, self.editor_token.get_secret_value(): True}
        return {token: editor for token, editor in given.items() if token}


class Playground(_Part):
    """Recommenders that people ask from the console. Only addresses that are allowed are ever asked."""

    registry: str = Field("", description="YAML file with the recommenders; empty: there are none")
    allowed: Annotated[tuple[Annotated[str, AfterValidator(http_address)], ...], Listed] = Field(
        (), description="http(s)://HOST:PORT[/PATH] at or below which they may be asked; empty: none may"
    )
    timeout: float = Field(5.0, ge=0.1, le=60, description="seconds for a whole answer")
    max_bytes: int = Field(2_000_000, ge=1_000, le=100_000_000, description="bytes of an answer")
    wait: float = Field(30.0, ge=1, le=600, description="seconds in which a request's trace is looked for")


class _Environment(EnvSettingsSource):
    """Leaves what is no JSON as it is: the model says what is wrong with it, and by its name."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid")

    kafka: Brokers = Field("127.0.0.1:9092", description="HOST:PORT, several separated by commas")
    kafka_security: KafkaSecurity = KafkaSecurity()
    group: str = Field("rectrace", min_length=1, description="consumer group of the workers")
    session_timeout: float = Field(10.0, ge=1, le=300, description="seconds until a silent worker's partitions go")
    clickhouse: Server = Field("http://127.0.0.1:8123", description="URL")
    clickhouse_user: str = ""
    clickhouse_password: SecretStr = SecretStr("")
    database: Identifier = "rectrace"
    cluster: str = Field("", pattern=r"^[A-Za-z0-9_{}-]*$", description="ClickHouse cluster; empty: one server")
    fsync: bool = Field(False, description="landing survives a power cut of an only server")
    topics: Topics = Topics()
    join: Join = Join()
    flush: Flush = Flush()
    seal: Seal = Seal()
    outcomes: Outcomes = Outcomes()
    pipeline: Pipeline = Pipeline()
    retention: Retention = Retention()
    dead_letters: DeadLetters = DeadLetters()
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    grafana_token: SecretStr = Field(SecretStr(""), description="of a service account, to push dashboards")
    console: Console = Console()
    playground: Playground = Playground()
    experiments: Annotated[dict[str, Plan], BeforeValidator(_plans)] = Field(
        {}, description="experiment: the planned weights of its arms, of any scale; others are not watched"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file."""
        file = os.environ.get(CONFIG_VARIABLE)
        from_file = (YamlConfigSettingsSource(settings_cls, yaml_file=file),) if file else ()
        return (init_settings, _Environment(settings_cls), *from_file)


def load(**given: Any) -> Settings:
    """The settings of this process; `given` (those not None) go before everything else. Raises SettingsError."""
    file = os.environ.get(CONFIG_VARIABLE, "")
    if file:
        _check_file(file)
    refuse_unknown_variables(Settings)
    wanted: Mapping[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**wanted)
    except ValidationError as error:
        problems = (problem(Settings, dict(each), set(_dotted(wanted)), file) for each in error.errors())
        raise SettingsError("\n".join(problems)) from None


def _dotted(given: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{above}{name}.")
        else:
            yield above + name


def read_yaml(file: str, setting: str) -> Any:
    """What a file holds; setting: what names it. Raises SettingsError, with the place of what is wrong."""
    try:
        return yaml.safe_load(Path(file).read_bytes().decode())
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read {file!r}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark
        line = f", line {at.line + 1}, column {at.column + 1}" if at else ""
        raise SettingsError(f"{file}{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not YAML in UTF-8: {' '.join(str(error).split())}") from None


def _check_file(file: str) -> None:
    """Refuse what the YAML source would end on with an error of its own."""
    content = read_yaml(file, CONFIG_VARIABLE)
    if not isinstance(content, dict) and content is not None:
        raise SettingsError(f"{file}: must hold settings by name, such as `kafka: kafka-1:9092`")
