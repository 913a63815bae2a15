"""What a recommender is asked by HTTP, and everything that may be answered in place of an answer."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from rectrace.console.recommending import Outcome, Question, Recommenders
from rectrace.local.ports import free_port
from rectrace.settings import Playground
from schemas.recommenders import Recommender, RegistryInvalid
from tests.support.recommender import Asked, Reply, TestRecommender, slate


def one(url: str, **fields: object) -> Recommender:
    given = {"id": "one", "name": "One", "target": "user", "result": "product", "url": url, **fields}
    return Recommender.model_validate(given)


def ask(url: str, allowed: str = "", **limits: float) -> Outcome:
    settings = Playground.model_validate({"allowed": [allowed or url], **limits})
    question = Question(one(url), {"user": "u-1", "k": 3}, "2", {"ranker": "v2"})
    return asyncio.run(Recommenders(settings).ask(question))


def test_a_question_and_its_answer() -> None:
    with TestRecommender(lambda asked: slate(asked.request_id, "g1", "g2", version="2")) as recommender:
        outcome = ask(f"{recommender.base}/for-you")
    (asked,) = recommender.asked
    assert (asked.path, asked.request_id) == ("/for-you", outcome.request_id)
    assert asked.body == {"inputs": {"user": "u-1", "k": 3}, "version": "2", "arms": {"ranker": "v2"}}
    assert not {"authorization", "cookie"} & set(asked.headers)
    assert (outcome.state, outcome.trace_id, outcome.warnings) == ("ok", outcome.request_id, [])
    assert outcome.answer is not None
    assert [each.item for each in outcome.answer.items] == ["g1", "g2"]
    assert outcome.took_ms > 0


def test_every_question_has_an_id_of_its_own() -> None:
    with TestRecommender(lambda asked: slate(asked.request_id)) as recommender:
        assert ask(recommender.base).request_id != ask(recommender.base).request_id


@pytest.mark.parametrize(
    ("reply", "state", "said", "answered"),
    [
        (Reply(b"<h1>Ooops</h1>", 500), "http error", "It answers HTTP 500 Internal Server Error.", "<h1>Ooops</h1>"),
        (Reply(b'{"error": "no user"}', 404), "http error", "It answers HTTP 404 Not Found.", '{"error": "no user"}'),
        (Reply(b"", 204), "http error", "It answers HTTP 204 No Content.", ""),
        (Reply(b"<html>sign in</html>"), "wrong answer", "it is not JSON", "<html>sign in</html>"),
        (Reply(b'{"items": []}'), "wrong answer", "request_id: required field is missing", '{"items": []}'),
        (Reply(b"{}", headers={"content-encoding": "gzip"}), "wrong answer", "It answers compressed", ""),
        (Reply(b"x" * 5_000), "too large", "It answers more than 2,000 bytes", "x" * 1_500 + " ..."),
    ],
)
def test_what_is_no_answer_is_told_with_what_it_was(reply: Reply, state: str, said: str, answered: str) -> None:
    with TestRecommender(lambda _: reply) as recommender:
        outcome = ask(recommender.base, max_bytes=2_000)
    assert (outcome.state, outcome.answer, outcome.answered) == (state, None, answered)
    assert said in outcome.said


def test_redirects_are_not_followed() -> None:
    with TestRecommender(lambda asked: slate(asked.request_id, "secret")) as forbidden:
        reply = Reply(b"", 302, {"location": f"{forbidden.base}/admin?token=hunter2"})
        with TestRecommender(lambda _: reply) as recommender:
            outcome = ask(recommender.base)
    assert (outcome.state, forbidden.asked) == ("redirect", [])
    assert outcome.said == f"It answers HTTP 302, go to {forbidden.base}/admin: redirects are not followed."


def test_what_is_not_allowed_is_not_asked() -> None:
    with TestRecommender(lambda asked: slate(asked.request_id)) as recommender:
        for allowed in ("http://127.0.0.1:1/", f"{recommender.base}/other"):
            outcome = ask(f"{recommender.base}/for-you", allowed)
            assert outcome.state == "not allowed"
            assert f"{recommender.base} may not be asked: playground.allowed" in outcome.said
        well, said = asyncio.run(Recommenders(Playground()).health(one(recommender.base, health=recommender.base)))
        assert (well, recommender.asked) == (False, [])
        assert "may not be asked" in said


@pytest.mark.parametrize("reply", [Reply(b"{}", wait=30), Reply(b" " * 2_000, drip=0.05)])
def test_time_is_limited_however_it_is_spent(reply: Reply) -> None:
    with TestRecommender(lambda _: reply) as recommender:
        begun = time.monotonic()
        outcome = ask(recommender.base, timeout=0.5)
    assert (outcome.state, outcome.said) == ("timeout", "No whole answer within 0.5 s (playground.timeout).")
    assert outcome.took_ms > 400
    assert time.monotonic() - begun < 10


def test_nobody_is_there() -> None:
    for host in ("127.0.0.1", "no-such-host.invalid"):
        outcome = ask(f"http://{host}:{free_port()}/")
        assert outcome.state == "unreachable"
        assert f"Nothing listens at http://{host}:" in outcome.said


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "-", "1.2.3.4.5", "0x7f.1"])
def test_a_host_that_is_none(host: str) -> None:
    assert ask(f"http://{host}:{free_port()}/").state == "unreachable"


def test_an_answer_to_look_at_twice() -> None:
    def answer(asked: Asked) -> Reply:
        return slate("mine", "g1", "g1", served_by="fallback")

    with TestRecommender(answer) as recommender:
        outcome = ask(recommender.base)
    assert outcome.trace_id == "mine"
    assert outcome.warnings == [
        f"It was asked as {outcome.request_id} and calls itself mine: it does not keep the header X-Request-Id.",
        "Served by fallback.",
        "Some items are in it more than once.",
    ]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with TestRecommender(lambda asked: slate(asked.request_id)) as recommender:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("NO_PROXY", "")
        assert ask(recommender.base).state == "ok"


def test_nothing_that_is_sent_or_answered_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), TestRecommender(lambda _: Reply(b"hunter2", 500)) as recommender:
        ask(recommender.base)
    assert caplog.text == ""


def test_health() -> None:
    with TestRecommender(lambda asked: Reply(status=200 if asked.path == "/well" else 503)) as recommender:
        asking = Recommenders(Playground(allowed=(recommender.base,)))

        def health(**fields: str) -> tuple[bool | None, str]:
            async def asked() -> tuple[bool | None, str]:
                return await Recommenders(Playground(allowed=(recommender.base,))).health(
                    one(recommender.base, **fields)
                )

            return asyncio.run(asked())

        well, said = health(health=f"{recommender.base}/well")
        assert (well, said.startswith("healthy (")) == (True, True)
        assert health(health=f"{recommender.base}/ill") == (False, "It answers HTTP 503 Service Unavailable.")
        assert health()[0] is None
        assert asking.registry().recommenders == ()


def test_a_registry_that_cannot_be_read(tmp_path: Path) -> None:
    for content, told in (
        (b"- id: x\n  name: \xff\n", "not UTF-8"),
        (b" " * 2_000_001, "has more than 2,000,000 bytes"),
    ):
        (tmp_path / "registry.yaml").write_bytes(content)
        with pytest.raises(RegistryInvalid, match=told):
            Recommenders(Playground(registry=str(tmp_path / "registry.yaml"))).registry()
    with pytest.raises(RegistryInvalid, match=r"playground.registry: cannot read '.*none.yaml': No such file"):
        Recommenders(Playground(registry=str(tmp_path / "none.yaml"))).registry()
