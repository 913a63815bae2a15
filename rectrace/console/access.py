"""Who may see the console, and who may change something: an ASGI middleware before everything else. Pure but for the
clock that it is given.

On loopback without a token everybody on the machine may do everything, if the browser means this very address: a page
of another site, or of a name that was pointed at 127.0.0.1, is refused. Else people sign in with the token of viewers
or that of editors, or a proxy that is believed names them in a header.
"""

import asyncio
import hashlib
import hmac
import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rectrace.settings import Console, SettingsError, is_loopback, user_name

COOKIE: Final = "rectrace_console"
SIGNED_IN_S: Final = 12 * 3_600
WRONG_TOKEN_S: Final = 0.5  # an answer takes so long: guessing is slow
MOST_BYTES: Final = 4_096  # of a sign-in form
# Nothing comes from elsewhere, whatever a page or what it shows may name.
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; form-action 'self'; "
        "base-uri 'self'; object-src 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_PERSON: Final = "rectrace_person"  # in the state of a request
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>rectrace: sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px sans-serif; max-width: 24rem; margin: 15vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .5rem; width: 100%; box-sizing: border-box; margin-top: .5rem }}</style>
<h1>rectrace</h1><p>{said}</p><form method="post" action="/login?{next}">
<label>Token <input name="token" type="password" autocomplete="current-password" autofocus required></label>
<button>Sign in</button></form></html>"""


@dataclass(frozen=True)
class Person:
    """Who asks. name: empty where nobody says it."""

    name: str = ""
    editor: bool = False


def person(request: Request) -> Person:
    """Who asked for a page; whom no guard let through is a viewer."""
    found = request.scope.get("state", {}).get(_PERSON)
    return found if isinstance(found, Person) else Person()


def check(console: Console) -> None:
    """Raises SettingsError where anybody who can reach the address could read everything."""
    if not console.loopback and not console.guarded:
        raise SettingsError(
            f"the console on {console.host} could be read by anybody who reaches it: set console.token "
            "(RECTRACE_CONSOLE__TOKEN), or console.user_header (RECTRACE_CONSOLE__USER_HEADER) to the header in which "
            "a proxy that signs people in names them"
        )


class Guard:
    """Lets through who may, and adds headers to every answer."""

    def __init__(self, app: ASGIApp, console: Console, now: Callable[[], float]) -> None:
        """now: seconds since the epoch."""
        self.app = app
        self._console = console
        self._now = now
        self._tokens = console.tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = await self._answer(scope, headers, receive)
        if isinstance(answer, Person):
            scope["state"] = {**scope.get("state", {}), _PERSON: answer}
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, _with_headers(send))

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive) -> Response | Person:
        """Who may see the console, or what is answered in its place."""
        host = self._from_proxy(scope, headers, "x-forwarded-host") or headers.get("host", "")
        if not self._console.guarded and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return PlainTextResponse("this console is for its own machine: open it as http://127.0.0.1", 403)
        origin = headers.get("origin", "")
        if origin and urlsplit(origin).netloc != host:
            told = (
                f"asked by a page of {origin!r}, which is not {host!r}; a proxy in front must pass the Host header on"
            )
            return PlainTextResponse(told, 403)
        if not self._console.guarded:
            return Person(user_name(), editor=True)
        if scope["path"] == "/ready":
            return Person()
        if self._tokens and scope["path"] == "/login":
            return await self._login(scope, headers, receive)
        if name := self._from_proxy(scope, headers, self._console.user_header):
            return Person(name, bool({name, "*"} & set(self._console.editors)))
        if token := self._signed_in(headers):
            return Person(editor=self._tokens[token])
        if not self._tokens:
            return PlainTextResponse("sign in through the proxy in front of this console", 401)
        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            wanted = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            return RedirectResponse(f"/login?{urlencode({'next': wanted})}", 303)
        return PlainTextResponse("sign in first", 401, {"www-authenticate": "Bearer"})

    def _from_proxy(self, scope: Scope, headers: Headers, name: str) -> str:
        """A header that a believed proxy sent; empty if it did not."""
        if not self._console.user_header or not name or not scope.get("client"):
            return ""
        try:
            peer = ip_address(scope["client"][0])
        except ValueError:
            return ""
        return headers.get(name, "") if any(peer in network for network in self._console.proxies) else ""

    def _signed_in(self, headers: Headers) -> str:
        """The token that somebody has, or had when signing in; empty: none."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (token := self._token(given.strip())):
            return token
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        until, _, signature = (cookie.value if cookie else "").partition(".")
        if not (until.isdecimal() and int(until) > self._now()):
            return ""
        signed = (token for token in self._tokens if hmac.compare_digest(signature.encode(), _sign(token, until)))
        return next(signed, "")

    def _token(self, given: str) -> str:
        """What was given, if it is a token."""
        return next((token for token in self._tokens if hmac.compare_digest(given.encode(), token.encode())), "")

    async def _login(self, scope: Scope, headers: Headers, receive: Receive) -> Response:
        wanted = _own(parse_qs(scope["query_string"].decode("latin-1")).get("next", ["/"])[0])
        said = "Sign in with a token of this console (settings console.token, console.editor_token)."
        if scope["method"] == "POST":
            form = parse_qs((await _body(receive)).decode("latin-1"))
            if token := self._token(form.get("token", [""])[0]):
                answer = RedirectResponse(wanted, 303)
                scheme = self._from_proxy(scope, headers, "x-forwarded-proto") or scope["scheme"]
                until = str(int(self._now()) + SIGNED_IN_S)
                answer.set_cookie(
                    COOKIE, f"{until}.{_sign(token, until).decode()}", max_age=SIGNED_IN_S, httponly=True,
                    samesite="lax", secure=scheme == "https",
                )  # fmt: skip
                return answer
            await asyncio.sleep(WRONG_TOKEN_S)
            said = "That is not the token."
        page = _PAGE.format(said=html.escape(said), next=html.escape(urlencode({"next": wanted})))
        return HTMLResponse(page, 200 if scope["method"] in ("GET", "HEAD") else 403)


def _sign(token: str, until: str) -> bytes:
    return hmac.new(token.encode(), f"{COOKIE} {until}".encode(), hashlib.sha256).hexdigest().encode()


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return sending


def _own(target: str) -> str:
    """Where to go after signing in: a path of this console, never another site."""
    parts: Mapping[str, str] = urlsplit(target)._asdict()
    inside = target.startswith("/") and not parts["scheme"] and not parts["netloc"] and "\\" not in target
    return quote(target, safe="/?&=%:+,;@!$'()*~.-_") if inside else "/"


async def _body(receive: Receive) -> bytes:
    held = b""
    while len(held) <= MOST_BYTES:
        message = await receive()
        held += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return held
    return b""
