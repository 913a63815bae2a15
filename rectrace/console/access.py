"""Who may see the console: an ASGI middleware before everything else. Pure but for the clock that it is given.

On loopback without a token everybody on the machine may, if the browser means this very address: a page of another
site, or of a name that was pointed at 127.0.0.1, is refused. Else people sign in with the token, or a proxy that is
believed names them in a header.
"""

import asyncio
import hashlib
import hmac
import html
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rectrace.settings import Console, SettingsError, is_loopback

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
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>rectrace: sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px sans-serif; max-width: 24rem; margin: 15vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .5rem; width: 100%; box-sizing: border-box; margin-top: .5rem }}</style>
<h1>rectrace</h1><p>{said}</p><form method="post" action="/login?{next}">
<label>Token <input name="token" type="password" autocomplete="current-password" autofocus required></label>
<button>Sign in</button></form></html>"""


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
        self._token = console.token.get_secret_value()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = await self._refusal(scope, headers, receive)
        if answer is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, _with_headers(send))

    async def _refusal(self, scope: Scope, headers: Headers, receive: Receive) -> Response | None:
        """What is answered in place of the console; None: nothing, it may be seen."""
        host = self._from_proxy(scope, headers, "x-forwarded-host") or headers.get("host", "")
        if not self._console.guarded and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return PlainTextResponse("this console is for its own machine: open it as http://127.0.0.1", 403)
        origin = headers.get("origin", "")
        if origin and urlsplit(origin).netloc != host:
            told = (
                f"asked by a page of {origin!r}, which is not {host!r}; a proxy in front must pass the Host header on"
            )
            return PlainTextResponse(told, 403)
        if not self._console.guarded or scope["path"] == "/ready":
            return None
        if self._token and scope["path"] == "/login":
            return await self._login(scope, headers, receive)
        if self._from_proxy(scope, headers, self._console.user_header) or self._signed_in(headers):
            return None
        if not self._token:
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

    def _signed_in(self, headers: Headers) -> bool:
        if not self._token:
            return False
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token.encode()):
            return True
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        until, _, signature = (cookie.value if cookie else "").partition(".")
        valid = until.isdecimal() and int(until) > self._now()
        return valid and hmac.compare_digest(signature.encode(), self._sign(until).encode())

    def _sign(self, until: str) -> str:
        return hmac.new(self._token.encode(), f"{COOKIE} {until}".encode(), hashlib.sha256).hexdigest()

    async def _login(self, scope: Scope, headers: Headers, receive: Receive) -> Response:
        wanted = _own(parse_qs(scope["query_string"].decode("latin-1")).get("next", ["/"])[0])
        said = "Sign in with the token of this console (setting console.token)."
        if scope["method"] == "POST":
            form = parse_qs((await _body(receive)).decode("latin-1"))
            if hmac.compare_digest(form.get("token", [""])[0].encode(), self._token.encode()):
                answer = RedirectResponse(wanted, 303)
                scheme = self._from_proxy(scope, headers, "x-forwarded-proto") or scope["scheme"]
                until = str(int(self._now()) + SIGNED_IN_S)
                answer.set_cookie(
                    COOKIE, f"{until}.{self._sign(until)}", max_age=SIGNED_IN_S, httponly=True, samesite="lax",
                    secure=scheme == "https",
                )  # fmt: skip
                return answer
            await asyncio.sleep(WRONG_TOKEN_S)
            said = "That is not the token."
        page = _PAGE.format(said=html.escape(said), next=html.escape(urlencode({"next": wanted})))
        return HTMLResponse(page, 200 if scope["method"] in ("GET", "HEAD") else 403)


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
