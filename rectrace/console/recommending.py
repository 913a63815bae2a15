"""Recommenders asked by HTTP, for people: only at addresses that are allowed, with limits of time and size.

No redirect is followed, no proxy and no password file of the machine is used, and nothing that was sent or answered is
logged.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx

from rectrace.settings import Playground
from schemas.recommenders import (
    REQUEST_ID,
    Answer,
    AnswerInvalid,
    Recommender,
    Registry,
    RegistryInvalid,
    Value,
    allowed,
    load_registry,
    read_answer,
)

AT_ONCE: Final = 8  # questions
SHOWN: Final = 1_500  # characters of what was answered, where it is not an answer
HEALTH_S: Final = 2.0
MOST_REGISTRY: Final = 2_000_000  # bytes

State = Literal["ok", "not allowed", "unreachable", "timeout", "http error", "redirect", "too large", "wrong answer"]


@dataclass(frozen=True)
class Question:
    """What is asked: values by the names of its inputs; version, arms: empty for what the recommender takes itself."""

    recommender: Recommender
    values: Mapping[str, Value]
    version: str = ""
    arms: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        told: dict[str, Any] = {"inputs": dict(self.values)}
        if self.version:
            told["version"] = self.version
        return told | ({"arms": dict(self.arms)} if self.arms else {})


@dataclass(frozen=True)
class Outcome:
    """What came of a question. took_ms: until all of the answer was here, or it was given up; -1: not asked."""

    request_id: str
    state: State
    took_ms: float
    said: str = ""  # what is wrong, in words
    answered: str = ""  # the beginning of what was answered in its place
    answer: Answer | None = None

    @property
    def trace_id(self) -> str:
        """The request id that its stage events carry."""
        return self.answer.request_id if self.answer else self.request_id

    @property
    def warnings(self) -> list[str]:
        """What to know of an answer before one believes it."""
        told = []
        if self.answer and self.answer.request_id != self.request_id:
            told.append(
                f"It was asked as {self.request_id} and calls itself {self.answer.request_id}: it does not keep the "
                f"header {REQUEST_ID}."
            )
        if self.answer and self.answer.served_by not in ("", "primary"):
            told.append(f"Served by {self.answer.served_by}.")
        if self.answer and len({each.item for each in self.answer.items}) < len(self.answer.items):
            told.append("Some items are in it more than once.")
        return told


class Recommenders:
    """The recommenders of the settings."""

    def __init__(self, settings: Playground) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(AT_ONCE)
        self._looks = asyncio.Semaphore(AT_ONCE)  # at health, which may not keep a question waiting
        self._client: httpx.AsyncClient | None = None

    def registry(self) -> Registry:
        """As the file is now. Raises RegistryInvalid."""
        file = self._settings.registry
        if not file:
            return Registry()
        try:
            with Path(file).open("rb") as opened:
                content = opened.read(MOST_REGISTRY + 1)
            if len(content) > MOST_REGISTRY:
                raise RegistryInvalid(f"{file}: has more than {MOST_REGISTRY:,} bytes")
            return load_registry(content.decode(), file)
        except OSError as error:
            raise RegistryInvalid(f"playground.registry: cannot read {file!r}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise RegistryInvalid(f"{file}: not UTF-8: {error.reason}") from None

    async def ask(self, question: Question) -> Outcome:
        """Never raises: what goes wrong is told."""
        request_id, url = secrets.token_hex(8), question.recommender.url
        if not allowed(url, self._settings.allowed):
            return Outcome(request_id, "not allowed", -1, _forbidden(url))
        content = json.dumps(question.body).encode()
        headers = {REQUEST_ID: request_id, "content-type": "application/json"}
        async with self._room:
            begun = time.monotonic()
            found = await self._fetch("POST", url, self._settings.timeout, content, headers)
            took = (time.monotonic() - begun) * 1000
        if isinstance(found, _Failed):
            return Outcome(request_id, found.state, took, found.said, found.answered)
        try:
            return Outcome(request_id, "ok", took, answer=read_answer(found))
        except AnswerInvalid as error:
            return Outcome(request_id, "wrong answer", took, f"What it answered is wrong:\n{error}", _text(found))

    async def health(self, recommender: Recommender) -> tuple[bool | None, str]:
        """Whether it answers (None: nobody knows), and that in words."""
        url = recommender.health
        for each in filter(None, (recommender.url, url)):
            if not allowed(each, self._settings.allowed):
                return False, _forbidden(each)
        if url is None:
            return None, "health not known: the registry names no address for it"
        async with self._looks:
            begun = time.monotonic()
            found = await self._fetch("GET", url, min(HEALTH_S, self._settings.timeout))
        if isinstance(found, _Failed):
            return False, found.said
        return True, f"healthy ({(time.monotonic() - begun) * 1000:,.0f} ms)"

    async def _fetch(
        self, method: str, url: str, timeout: float, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> "bytes | _Failed":
        """The body of an answer with 200. url: one that is allowed."""
        sent = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "rectrace-playground"}
        try:
            async with (
                asyncio.timeout(timeout),
                self._connected().stream(method, url, content=content, headers={**sent, **(headers or {})}) as answered,
            ):
                body = bytearray()
                if answered.headers.get("content-encoding", "identity") != "identity":
                    return _Failed("wrong answer", "It answers compressed, which it was not asked for.")
                async for chunk in answered.aiter_raw():
                    body += chunk
                    if len(body) > self._settings.max_bytes:
                        most = f"more than {self._settings.max_bytes:,} bytes (playground.max_bytes)"
                        return _Failed("too large", f"It answers {most}.", _text(body))
                return _judged(answered, bytes(body))
        except (TimeoutError, httpx.TimeoutException):
            return _Failed("timeout", f"No whole answer within {timeout:g} s (playground.timeout).")
        except (httpx.ConnectError, OSError):
            return _Failed("unreachable", f"Nothing listens at {origin(url)}, or no host is known by that name.")
        except (httpx.InvalidURL, UnicodeError):
            return _Failed("unreachable", f"{origin(url)} names no host.")
        except httpx.HTTPError as error:
            return _Failed("unreachable", f"{origin(url)} does not speak HTTP as it should, or hangs up: {error}")

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=self._settings.timeout,
                follow_redirects=False,
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return self._client


@dataclass(frozen=True)
class _Failed:
    state: State
    said: str
    answered: str = ""


def origin(url: str) -> str:
    """Its scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _judged(answered: httpx.Response, body: bytes) -> bytes | _Failed:
    status = answered.status_code
    if status in (301, 302, 303, 307, 308):
        to = answered.headers.get("location", "nowhere").partition("?")[0][:200]
        return _Failed("redirect", f"It answers HTTP {status}, go to {to}: redirects are not followed.")
    if status != 200:
        return _Failed("http error", f"It answers HTTP {status} {answered.reason_phrase}".rstrip() + ".", _text(body))
    return body


def _forbidden(url: str) -> str:
    return f"{origin(url)} may not be asked: playground.allowed (RECTRACE_PLAYGROUND__ALLOWED) does not have it."


def _text(body: bytes | bytearray) -> str:
    text = bytes(body[: 4 * SHOWN]).decode(errors="replace")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
