"""Who may see the console: this machine alone, whoever has the token, or whom a believed proxy names."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from rectrace.console.access import COOKIE, SIGNED_IN_S, Guard, Person, check, person
from rectrace.settings import Console, SettingsError, user_name

TOKEN = "0123456789abcdef"
WITH_TOKEN = Console(host="0.0.0.0", token=SecretStr(TOKEN))
EDITOR_TOKEN = "fedcba9876543210"
BY_PROXY = Console(host="0.0.0.0", user_header="X-User", proxies=["10.1.0.0/16"])
HTML = {"accept": "text/html"}
NOW = 1_000_000.0
Asking = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def get(headers: dict[str, str]) -> Asking:
    return lambda client: client.get("/", headers=headers)


async def seen(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(str(person(Request(scope))))(scope, receive, send)


def ask(
    console: Console, wanted: Asking, *, host: str = "console.example",
    peer: str = "10.1.2.3", now: Callable[[], float] = lambda: NOW,
) -> httpx.Response:  # fmt: skip
    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(Guard(seen, console, now), client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await wanted(client)

    return asyncio.run(asking())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "console.example"])
def test_elsewhere_than_on_loopback_it_needs_a_guard(host: str) -> None:
    with pytest.raises(SettingsError, match=r"RECTRACE_CONSOLE__TOKEN.*RECTRACE_CONSOLE__USER_HEADER"):
        check(Console(host=host))
    check(Console(host=host, token=SecretStr(TOKEN)))
    check(Console(host=host, user_header="X-User"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_it_needs_none(host: str) -> None:
    check(Console(host=host))


@pytest.mark.parametrize(("host", "code"), [("127.0.0.1:8080", 200), ("localhost", 200), ("[::1]:8080", 200),
                                            ("evil.example", 403), ("127.0.0.1.evil.example", 403)])  # fmt: skip
def test_a_name_that_was_pointed_at_this_machine_is_refused(host: str, code: int) -> None:
    assert ask(Console(), lambda client: client.get("/requests"), host=host).status_code == code


def test_a_page_of_another_site_is_refused() -> None:
    for console, host in ((Console(), "127.0.0.1"), (WITH_TOKEN, "console.example")):
        headers = {"origin": "http://evil.example", "authorization": f"Bearer {TOKEN}"}
        asked = ask(console, get(headers), host=host)
        assert asked.status_code == 403
        own = headers | {"origin": f"http://{host}"}
        assert ask(console, get(own), host=host).status_code == 200


def test_without_the_token_a_person_is_asked_for_it_and_a_program_refused() -> None:
    asked = ask(WITH_TOKEN, lambda client: client.get("/items/g1?from=now-1h", headers=HTML))
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Fitems%2Fg1%3Ffrom%3Dnow-1h")
    assert ask(WITH_TOKEN, lambda client: client.get("/items/g1")).status_code == 401
    for given in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}"):
        headers = {"authorization": given}
        assert ask(WITH_TOKEN, get(headers)).status_code == 401
    assert ask(WITH_TOKEN, lambda client: client.get("/", headers={"x-user": "me"})).status_code == 401
    assert ask(WITH_TOKEN, lambda client: client.get("/ready")).status_code == 200


def test_signing_in_lasts_its_time_and_leads_back() -> None:
    async def sign_in(client: httpx.AsyncClient) -> httpx.Response:
        done = await client.post("/login?next=%2Fitems%2Fg1", data={"token": TOKEN})
        assert (done.status_code, done.headers["location"]) == (303, "/items/g1")
        assert "httponly" in done.headers["set-cookie"].lower()
        assert TOKEN not in done.headers["set-cookie"]
        return await client.get("/")

    signed_in = ask(WITH_TOKEN, sign_in)
    assert signed_in.status_code == 200
    cookie = {"cookie": signed_in.request.headers["cookie"]}
    assert ask(WITH_TOKEN, get(cookie)).status_code == 200
    assert ask(WITH_TOKEN, get(cookie), now=lambda: NOW + SIGNED_IN_S + 1).status_code == 401
    other = Console(host="0.0.0.0", token=SecretStr(TOKEN[::-1]))
    assert ask(other, get(cookie)).status_code == 401
    longer = {"cookie": cookie["cookie"].replace(f"{COOKIE}=1", f"{COOKIE}=9")}
    assert ask(WITH_TOKEN, get(longer)).status_code == 401


def test_a_wrong_token_is_said_and_shown_nowhere() -> None:
    done = ask(WITH_TOKEN, lambda client: client.post("/login?next=/", data={"token": "<script>guess</script>"}))
    assert done.status_code == 403
    assert "not the token" in done.text
    assert "guess" not in done.text


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_site(target: str) -> None:
    done = ask(WITH_TOKEN, lambda client: client.post("/login", params={"next": target}, data={"token": TOKEN}))
    assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_header_is_believed_of_a_proxy_alone() -> None:
    named = {"x-user": "ada"}
    assert ask(BY_PROXY, lambda client: client.get("/", headers=named)).status_code == 200
    assert ask(BY_PROXY, lambda client: client.get("/", headers=named), peer="10.2.0.1").status_code == 401
    assert ask(BY_PROXY, lambda client: client.get("/")).status_code == 401
    assert ask(BY_PROXY, lambda client: client.get("/login", headers=HTML)).status_code == 401


def test_what_a_proxy_says_of_the_address_is_believed_of_it_alone() -> None:
    told = {"x-user": "ada", "origin": "https://rec.example", "x-forwarded-host": "rec.example"}
    assert ask(BY_PROXY, get(told)).status_code == 200
    assert ask(BY_PROXY, get({**told, "x-forwarded-host": "other.example"})).status_code == 403
    assert ask(BY_PROXY, get(told), peer="10.2.0.1").status_code == 403
    assert ask(Console(), get({"x-forwarded-host": "localhost"}), host="evil.example").status_code == 403


def test_a_browser_may_load_nothing_from_elsewhere() -> None:
    headers = ask(Console(), lambda client: client.get("/"), host="localhost").headers
    assert headers["content-security-policy"].startswith("default-src 'self' ")
    assert headers["x-content-type-options"] == "nosniff"


def test_a_websocket_needs_the_same() -> None:
    def upgrade(console: Console, *headers: tuple[bytes, bytes]) -> list[str]:
        told: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            told.append("the console")

        async def send(message: object) -> None:
            told.append(message["type"])  # type: ignore[index]

        async def receive() -> dict[str, object]:
            return {"type": "websocket.connect"}

        scope = {"type": "websocket", "path": "/_nicegui_ws/", "query_string": b"", "scheme": "ws",
                 "headers": [(b"host", b"localhost"), *headers], "client": ("127.0.0.1", 1)}  # fmt: skip
        asyncio.run(Guard(app, console, lambda: NOW)(scope, receive, send))
        return told

    assert upgrade(Console()) == ["the console"]
    assert upgrade(Console(), (b"origin", b"http://evil.example")) == ["websocket.close"]
    assert upgrade(WITH_TOKEN) == ["websocket.close"]
    assert upgrade(WITH_TOKEN, (b"authorization", f"Bearer {TOKEN}".encode())) == ["the console"]


def test_who_may_change_something() -> None:
    both = Console(host="0.0.0.0", token=SecretStr(TOKEN), editor_token=SecretStr(EDITOR_TOKEN))
    for token, editor in ((TOKEN, False), (EDITOR_TOKEN, True)):
        asked = ask(both, get({"authorization": f"Bearer {token}"}))
        assert asked.text == str(Person(editor=editor))

        async def sign_in(client: httpx.AsyncClient, token: str = token) -> httpx.Response:
            signed = await client.post("/login", data={"token": token})
            return await client.get("/", headers={"cookie": f"{COOKIE}={signed.cookies[COOKIE]}"})

        assert ask(both, sign_in).text == str(Person(editor=editor))
    only_editors = Console(host="0.0.0.0", editor_token=SecretStr(EDITOR_TOKEN))
    assert ask(only_editors, get({"authorization": f"Bearer {TOKEN}"})).status_code == 401
    assert ask(only_editors, get({"authorization": f"Bearer {EDITOR_TOKEN}"})).status_code == 200


@pytest.mark.parametrize(("editors", "editor"), [((), False), (("ann",), False), (("ann", "me"), True), (("*",), True)])
def test_the_proxy_says_who_it_is_and_the_settings_who_may_change_something(
    editors: tuple[str, ...], editor: bool
) -> None:
    console = BY_PROXY.model_copy(update={"editors": editors})
    assert ask(console, get({"x-user": "me"})).text == str(Person("me", editor))


def test_on_this_machine_everybody_is_an_editor_and_what_no_guard_let_through_is_a_viewer() -> None:
    assert ask(Console(), get({}), host="127.0.0.1").text == str(Person(user_name(), editor=True))
    assert person(Request({"type": "http", "headers": []})) == Person()
