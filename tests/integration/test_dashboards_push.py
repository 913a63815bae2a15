"""`rectrace dashboards push` against a server that does what Grafana does, over HTTP."""

import gzip
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import Result

from dashboards.grafana import COMMITTED, TAG
from tests.support import grafana as fake
from tests.support.command_line import run
from tests.support.grafana import ADMIN, EDITOR, VIEWER, Answer, FakeGrafana, json_answer, text

ITEMS: Final = "rectrace-items"
UIDS: Final = sorted(file.stem for file in COMMITTED.glob("*.json"))
FIRST: Final = UIDS[0]  # the order of a push
HERE: Final = {uid: json.loads((COMMITTED / f"{uid}.json").read_text()) for uid in UIDS}
PLAIN: Final = text(500, "pq: too many connections\nstack trace: main.go:1")


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with FakeGrafana() as running:
        yield running


def push(grafana: FakeGrafana | str, *words: str, token: str = EDITOR) -> Result:
    url = grafana if isinstance(grafana, str) else grafana.url
    done = run(["dashboards", "push", "--grafana", url, *words], {"RECTRACE_GRAFANA_TOKEN": token})
    assert token not in done.output
    return done


def refused(done: Result, *told: str, code: int = 1) -> None:
    """One line on stderr that says all of this, and no traceback."""
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("rectrace: "), done.stderr
    for each in told:
        assert each in last


def written(done: Result) -> dict[str, str]:
    assert done.exit_code == 0, done.output
    return {uid: what for uid, _, what in (line.partition(": ") for line in done.stdout.splitlines())}


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The dashboards, one with another title and another query."""
    folder = tmp_path / "dashboards"
    shutil.copytree(COMMITTED, folder)
    document = json.loads((folder / f"{ITEMS}.json").read_text())
    document["title"] = "rectrace: Articles"
    sql = document["panels"][0]["targets"][0]["rawSql"]
    document["panels"][0]["targets"][0]["rawSql"] = sql + "\nLIMIT 7"
    (folder / f"{ITEMS}.json").write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize("token", [EDITOR, ADMIN])
def test_a_first_push_makes_the_folder_and_a_second_writes_nothing(grafana: FakeGrafana, token: str) -> None:
    """Grafana says to the editor that the folder is not for it to see, and to the admin that it is not there."""
    assert written(push(grafana, token=token)) == {"folder rectrace": "new"} | dict.fromkeys(UIDS, "new")
    assert {uid: grafana.newest(uid) for uid in UIDS} == HERE
    assert {versions[-1]["folder"] for versions in grafana.saved.values()} == {"rectrace"}
    before = list(grafana.writes)
    assert written(push(grafana)) == dict.fromkeys(UIDS, "unchanged")
    assert grafana.writes == before


def test_only_what_changed_is_written(grafana: FakeGrafana, changed: Path) -> None:
    push(grafana)
    grafana.writes.clear()
    assert written(push(grafana, str(changed))) == dict.fromkeys(UIDS, "unchanged") | {ITEMS: "changed"}
    assert grafana.writes == ["/api/dashboards/db"]
    assert grafana.newest(ITEMS)["title"] == "rectrace: Articles"
    assert [each["version"] for each in grafana.saved[ITEMS]] == [1, 2]  # the older one stays


def test_what_is_saved_before_a_failure_is_named_and_not_saved_again(grafana: FakeGrafana) -> None:
    def fails_from_then_on(running: FakeGrafana) -> None:
        running.overrides["POST", "/api/dashboards/db"] = PLAIN

    grafana.before_save = fails_from_then_on
    done = push(grafana)
    refused(done, f"save the dashboard {UIDS[1]} (500)")
    assert done.stdout.splitlines() == ["folder rectrace: new", f"{FIRST}: new"]
    grafana.overrides.clear()
    grafana.before_save = lambda _: None
    assert written(push(grafana)) == dict.fromkeys(UIDS, "new") | {FIRST: "unchanged"}


def test_what_a_push_did_as_json(grafana: FakeGrafana) -> None:
    told = json.loads(push(grafana, "--json", "--folder", "team/ours").stdout)
    assert (told["written"], told["folder"]) == (True, "ours")
    assert told["new_folders"] == [{"uid": "team", "parent": None}, {"uid": "ours", "parent": "team"}]
    assert {each["uid"]: each["what"] for each in told["dashboards"]} == dict.fromkeys(UIDS, "new")


def test_a_dry_run_shows_the_lines_that_differ_and_writes_nothing(grafana: FakeGrafana, changed: Path) -> None:
    push(grafana)
    grafana.writes.clear()
    done = push(grafana, str(changed), "--dry-run")
    assert (done.exit_code, grafana.writes) == (0, [])
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert f"{ITEMS}: changed" in lines
    assert '-"title": "rectrace: Items",' in [line.replace("- ", "-", 1) for line in lines]
    assert '+"title": "rectrace: Articles",' in [line.replace("+ ", "+", 1) for line in lines]
    assert [line for line in lines if line.startswith("+") and line.endswith('"LIMIT 7"')]
    assert len(lines) < 30
    shown = json.loads(push(grafana, str(changed), "--dry-run", "--json").stdout)
    assert (shown["written"], shown["new_folders"]) == (False, [])
    assert {each["uid"]: each["what"] for each in shown["dashboards"]}[ITEMS] == "changed"


def test_a_dry_run_of_a_first_push_needs_no_more_than_to_read(grafana: FakeGrafana) -> None:
    hidden, absent = "new: not there, or not for this token to see", "new: not there"
    for token, told in ((VIEWER, hidden), (ADMIN, absent)):
        done = push(grafana, "--dry-run", token=token)
        assert written(done) == {"folder rectrace": "would be made"} | dict.fromkeys(UIDS, told)
    assert (grafana.writes, grafana.folders) == ([], {})


def test_a_long_diff_is_cut_and_json_has_all_of_it(grafana: FakeGrafana) -> None:
    push(grafana)
    grafana.edit(ITEMS, panels=[])
    done = push(grafana, "--dry-run")
    assert "lines more, which --json has" in done.stdout
    assert len(done.stdout.splitlines()) < 60
    shown = json.loads(push(grafana, "--dry-run", "--json").stdout)
    (items,) = [each for each in shown["dashboards"] if each["uid"] == ITEMS]
    assert len(items["lines"]) > 500


@pytest.mark.parametrize("version", ["11.0.0", "13.2.3"])
def test_what_a_newer_grafana_adds_by_itself_is_no_change(version: str, changed: Path) -> None:
    with FakeGrafana(version) as grafana:
        push(grafana)
        grafana.migrates = True
        assert written(push(grafana)) == dict.fromkeys(UIDS, "unchanged")
        assert written(push(grafana, str(changed)))[ITEMS] == "changed"


def test_what_people_changed_by_hand_is_named_and_stays_as_an_older_version(grafana: FakeGrafana) -> None:
    push(grafana)
    grafana.edit(ITEMS, title="Mine")
    assert written(push(grafana, "--dry-run"))[ITEMS] == "changed, would replace version 2, which no push saved"
    assert written(push(grafana))[ITEMS] == "changed, replaced version 2, which no push saved"
    assert [each["document"]["title"] for each in grafana.saved[ITEMS]] == [
        HERE[ITEMS]["title"],
        "Mine",
        HERE[ITEMS]["title"],
    ]
    assert written(push(grafana))[ITEMS] == "unchanged"


def test_folders_are_in_folders(grafana: FakeGrafana) -> None:
    done = push(grafana, "--folder", "team/recs/rectrace")
    assert {"folder team", "folder recs in team", "folder rectrace in recs"} <= set(written(done))
    assert [grafana.folders[uid].get("parentUid") for uid in ("team", "recs", "rectrace")] == [None, "team", "recs"]
    refused(push(grafana, "--folder", "other/rectrace"), "--folder", "rectrace is in recs, not in other")
    assert written(push(grafana, "--folder", "rectrace")) == dict.fromkeys(UIDS, "unchanged")
    assert written(push(grafana, "--folder", "recs")) == dict.fromkeys(UIDS, "changed")
    assert {versions[-1]["folder"] for versions in grafana.saved.values()} == {"recs"}


def test_what_is_not_ours_is_refused_and_nothing_is_written(grafana: FakeGrafana) -> None:
    grafana.add_folder("theirs")
    grafana.saved[ITEMS] = [
        {"version": 3, "document": {"uid": ITEMS, "title": "Sales"}, "folder": "theirs", "message": "", "by": "bob"}
    ]
    for words in ([], ["--dry-run"]):
        done = push(grafana, *words)
        refused(done, "nothing was written")
        assert f"{ITEMS}: refused: 'Sales' has this uid without the tag {TAG}" in done.stdout
    refused(push(grafana, "--json"), "nothing was written")
    assert (grafana.writes, list(grafana.folders)) == ([], ["theirs"])


def test_what_the_token_may_not_see_is_not_written_to(grafana: FakeGrafana) -> None:
    grafana.add_folder("rectrace")
    grafana.hidden.add("rectrace")
    refused(push(grafana), "did not make the folder rectrace", "it is there already", "another --folder")
    grafana.add_folder("ours")
    grafana.saved[FIRST] = [
        {"version": 1, "document": {"uid": FIRST}, "folder": "rectrace", "message": "", "by": "bob"}
    ]
    refused(push(grafana, "--folder", "ours"), f"did not save the dashboard {FIRST}", "it is there already")
    assert grafana.writes == []


def test_what_comes_from_files_is_refused(grafana: FakeGrafana) -> None:
    push(grafana)
    grafana.provisioned.add(ITEMS)
    done = push(grafana)
    refused(done, "nothing was written")
    assert f"{ITEMS}: refused: Grafana loads it from files" in done.stdout


def test_a_dashboard_without_the_tag_is_not_pushed(grafana: FakeGrafana, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(HERE[ITEMS] | {"tags": [], "uid": "mine"}))
    done = push(grafana, str(tmp_path))
    refused(done, "nothing was written")
    assert "mine: refused: it lacks the tag" in done.stdout


def test_who_is_quicker_is_not_overwritten(grafana: FakeGrafana, changed: Path) -> None:
    push(grafana)

    def quicker(running: FakeGrafana) -> None:
        running.before_save = lambda _: None
        running.edit(ITEMS, title="Mine")

    grafana.before_save = quicker
    refused(push(grafana, str(changed)), ITEMS, "somebody changed it meanwhile", "--dry-run", "push again")
    assert grafana.newest(ITEMS)["title"] == "Mine"
    assert written(push(grafana, str(changed)))[ITEMS].startswith("changed, replaced version 2")


def test_every_dashboard_of_ours_has_the_tag() -> None:
    assert {uid for uid, document in HERE.items() if TAG in document["tags"]} == set(UIDS)


def test_a_path_before_the_api_is_kept() -> None:
    with FakeGrafana(prefix="/tools/grafana") as grafana:
        assert set(written(push(f"{grafana.url}/")).values()) == {"new"}
        bare = grafana.url.removesuffix("/tools/grafana")
        refused(push(bare), "is no Grafana (--grafana)", "with the path")


def test_a_token_may_come_from_a_file_and_is_in_no_argument(grafana: FakeGrafana, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{EDITOR}\n")
    words = ["dashboards", "push", "--grafana", grafana.url, "--token-file", str(file)]
    done = run(words, {"RECTRACE_GRAFANA_TOKEN": "glsa_another"})
    assert set(written(done).values()) == {"new"}
    assert EDITOR not in done.output


@pytest.mark.parametrize(
    ("held", "told"), [("", "a token and nothing else"), ("a b", "a token"), ("glsa_ä", "a token"), ("a\nb", "a token")]
)
def test_a_file_that_holds_no_token_is_refused(grafana: FakeGrafana, tmp_path: Path, held: str, told: str) -> None:
    file = tmp_path / "token"
    file.write_text(held, "utf-8")
    refused(push(grafana, "--token-file", str(file)), f"--token-file {file}", told, code=2)
    refused(push(grafana, "--token-file", str(tmp_path)), "--token-file", "Is a directory", code=2)
    refused(push(grafana, "--token-file", "/nowhere"), "--token-file /nowhere", "No such file", code=2)


def test_what_is_not_given_is_asked_for(grafana: FakeGrafana) -> None:
    done = run(["dashboards", "push", "--grafana", grafana.url], {})
    refused(done, "--token-file", "RECTRACE_GRAFANA_TOKEN", "role Editor", code=2)
    done = run(["dashboards", "push"], {"RECTRACE_GRAFANA_TOKEN": EDITOR})
    refused(done, "--grafana", "RECTRACE_ALERTS__GRAFANA", code=2)
    done = run(["dashboards", "push"], {"RECTRACE_GRAFANA_TOKEN": EDITOR, "RECTRACE_ALERTS__GRAFANA": grafana.url})
    assert set(written(done).values()) == {"new"}


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://grafana", "http://", "http://admin:secret@grafana:3000"])
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    done = push(url)
    assert done.exit_code == 2
    assert "--grafana" in done.stderr
    assert "secret" not in done.output


@pytest.mark.parametrize("folder", ["", "/", "a//b", "a b", "x" * 41, "/".join("abcdefghi")])
def test_what_is_no_folder_is_refused(grafana: FakeGrafana, folder: str) -> None:
    refused(push(grafana, "--folder", folder), "--folder", "must be the uid of a folder")
    assert grafana.writes == []


def test_nobody_who_listens_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        refused(push(url), f"no Grafana answers at {url} (--grafana)", "Connection refused", "is it running")
    refused(push("http://nowhere.invalid:3000"), "nowhere.invalid", "--grafana")


def test_a_connection_that_is_not_to_be_trusted_is_said(grafana: FakeGrafana) -> None:
    refused(push(grafana.url.replace("http://", "https://")), "--grafana", "REQUESTS_CA_BUNDLE")


def test_a_token_that_is_not_known_is_said(grafana: FakeGrafana) -> None:
    refused(push(grafana, token="glsa_wrong"), "does not know the token", "--token-file", "Invalid API key")


def test_a_token_that_may_not_is_said(grafana: FakeGrafana, changed: Path) -> None:
    done = push(grafana, token=VIEWER)
    refused(
        done, "--token-file", "may not make the folder rectrace", "role Editor", "--folder", "additional permissions"
    )
    grafana.add_folder("rectrace")
    refused(push(grafana, token=VIEWER), f"may not save the dashboard {FIRST}", "in the folder rectrace")
    push(grafana)
    done = push(grafana, str(changed), "--dry-run", token=VIEWER)  # who may only read sees what would change
    assert written(done)[ITEMS] == "changed"


@pytest.mark.parametrize(("version", "old"), [("10.4.19", True), ("9.5.0", True), ("11.0.0", False), ("", False)])
def test_a_grafana_that_is_too_old_is_said(version: str, old: bool) -> None:
    with FakeGrafana(version) as grafana:
        done = push(grafana)
        if old:
            refused(done, f"Grafana {version}", "too old (--grafana)", "11.0", "folders in folders")
        assert bool(grafana.writes) is not old


HTML: Final = Answer(200, b"<!DOCTYPE html><title>Log in</title>", "text/html")


MOVED: Final = Answer(301, b"", headers={"Location": "https://there/login"})
NO_FOLDER: Final = {"message": "Folder not found"}


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        ("GET health", HTML, ["is no Grafana (--grafana)", "https://host/grafana"]),
        ("GET health", json_answer(200, {"status": "pass"}), ["is no Grafana (--grafana)"]),
        ("GET health", json_answer(200, []), ["is no Grafana (--grafana)"]),
        ("GET health", text(404, "404 page not found"), ["is no Grafana (--grafana)"]),
        ("GET health", json_answer(503, {"database": "failing"}), ["failed to say", "(503)", "its log"]),
        ("GET health", MOVED, ["https://there/login", "--grafana"]),
        ("GET folders/rectrace", HTML, ["is no Grafana (--grafana)"]),
        ("GET folders/rectrace", PLAIN, ["read the folder rectrace (500)", "too many connections", "try again"]),
        ("POST folders", json_answer(409, {"message": "same uid exists"}), ["it is there already", "push again"]),
        ("POST folders", text(413, "Entity Too Large"), ["make the folder rectrace (413)", "Too Large"]),
        ("POST folders", Answer(204, b""), ["is no Grafana (--grafana)"]),
        (f"GET dashboards/uid/{ITEMS}", PLAIN, [f"read the dashboard {ITEMS} (500)"]),
        (f"GET dashboards/uid/{ITEMS}", json_answer(200, {}), ["is no Grafana"]),
        (f"GET dashboards/uid/{ITEMS}", json_answer(406, {"message": "no such kind"}), ["(406)", "no such"]),
        (f"GET dashboards/uid/{ITEMS}", json_answer(200, []), ["is no Grafana"]),
        ("POST dashboards/db", PLAIN, [f"save the dashboard {FIRST} (500)", "its log says why"]),
        ("POST dashboards/db", text(403, "blocked"), ["may not save", "--folder", "blocked"]),
        ("POST dashboards/db", MOVED, ["https://there/login", "--grafana"]),
        ("POST dashboards/db", json_answer(400, NO_FOLDER), ["no folder rectrace (--folder)", "push again"]),
        ("POST dashboards/db", json_answer(404, NO_FOLDER), ["no folder rectrace (--folder)", "push again"]),
        ("POST dashboards/db", json_answer(412, {"status": "name-exists"}), ["take another --folder"]),
        ("POST dashboards/db", json_answer(422, {"message": f"bad {EDITOR}"}), ["(422)", "bad ***"]),
    ],
)
def test_what_goes_wrong_is_one_line_that_says_what_to_do(
    grafana: FakeGrafana, asked: str, answer: Answer, told: list[str]
) -> None:
    method, _, path = asked.partition(" ")
    with grafana.answering(method, f"/api/{path}", answer):
        refused(push(grafana), *told)
    assert set(written(push(grafana)).values()) <= {"new", "unchanged"}


@pytest.mark.parametrize(
    "slow", [Answer(200, b"{}", after=3), Answer(200, b"{}", trickles=True), Answer(500, b"", trickles=True)]
)
def test_an_answer_that_takes_too_long_is_given_up(grafana: FakeGrafana, slow: Answer) -> None:
    with grafana.answering("GET", "/api/folders/rectrace", slow):
        refused(push(grafana, "--timeout", "0.3"), "did not read the folder rectrace within 0.3 s", "--timeout")


def test_what_is_no_grafana_does_not_get_the_token(grafana: FakeGrafana) -> None:
    with grafana.answering("GET", "/api/health", HTML):
        refused(push(grafana), "is no Grafana")
    assert grafana.heard == [""]
    push(grafana)
    assert set(grafana.heard[2:]) == {f"Bearer {EDITOR}"}


def test_an_answer_that_is_packed_is_read(grafana: FakeGrafana) -> None:
    packed = gzip.compress(json.dumps({"database": "ok", "version": "13.2.3"}).encode())
    answer = Answer(200, packed, headers={"Content-Encoding": "gzip"})
    with grafana.answering("GET", "/api/health", answer):
        assert set(written(push(grafana)).values()) == {"new"}


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "grafana_api.py").write_text("raise ModuleNotFoundError('no', name='grafana_api')")
    code = "from rectrace.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "dashboards", "push"],
        env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'rectrace[dashboards]'" in done.stderr


def test_the_server_refuses_what_grafana_refuses(grafana: FakeGrafana) -> None:
    """The fake itself: what the tests above rely on."""
    bearer = f"Bearer {EDITOR}"
    wanted: dict[str, Any] = {"dashboard": {"uid": "a"}, "folderUid": "none", "overwrite": False}
    assert grafana.post("/api/dashboards/db", bearer, wanted).code == 400
    assert grafana.post("/api/dashboards/db", bearer, wanted | {"folderUid": ""}).code == 200
    assert grafana.post("/api/dashboards/db", bearer, wanted | {"folderUid": ""}).code == 412
    grafana.provisioned.add("a")
    assert grafana.post("/api/dashboards/db", bearer, wanted | {"folderUid": "", "overwrite": True}).code == 400
    assert grafana.post("/api/folders", bearer, {"uid": "b", "title": "b", "parentUid": "none"}).code == 404
    assert grafana.get("/api/folders/b", f"Bearer {fake.VIEWER}x").code == 401
