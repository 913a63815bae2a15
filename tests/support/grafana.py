"""An HTTP server that does with folders and dashboards what Grafana 13 does, and fails as that and proxies do."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from rectrace.local.ports import LOOPBACK

ADMIN: Final = "glsa_0fTheAdmin_1234abcd"
EDITOR: Final = "glsa_0fTheEditor_1234abcd"
VIEWER: Final = "glsa_0fTheViewer_1234abcd"
TICK: Final = 0.05  # seconds

Json = dict[str, Any]


@dataclass
class Answer:
    """What is sent. trickles: byte by byte, until whoever reads is gone; after: seconds before it begins."""

    code: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    trickles: bool = False
    after: float = 0.0


def json_answer(code: int, content: object) -> Answer:
    return Answer(code, json.dumps(content).encode())


def text(code: int, said: str) -> Answer:
    return Answer(code, said.encode(), "text/plain")


def _denied(action: str) -> Answer:
    said = f"You'll need additional permissions to perform this action. Permissions needed: {action}"
    return json_answer(403, {"accessErrorId": "ACE0123", "message": said, "title": "Access denied"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone: that is what some tests are about."""


class FakeGrafana:
    """`with FakeGrafana() as grafana:` listens on a free port. `writes` are the POSTs that it took.

    Of what is not there only an admin hears that it is not: all others hear that they may not see it. hidden: folders
    that only an admin may see. overrides: an answer for a method and a path, in place of its own; before_save: called
    with it before a dashboard is saved, such as for somebody who is quicker. migrates: on reading it adds to
    dashboards, as a newer version does.
    """

    def __init__(self, version: str = "13.2.3", prefix: str = "") -> None:
        self.version, self.prefix = version, prefix
        self.folders: dict[str, Json] = {}
        self.saved: dict[str, list[Json]] = {}  # versions of each dashboard by uid, oldest first
        self.provisioned: set[str] = set()
        self.hidden: set[str] = set()
        self.writes: list[str] = []
        self.heard: list[str] = []  # what said who asks, of every request
        self.overrides: dict[tuple[str, str], Answer] = {}
        self.before_save: Callable[[FakeGrafana], None] = lambda _: None
        self.migrates = False

    def __enter__(self) -> "FakeGrafana":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet: else each waits for the acknowledgement of its head

            def do_GET(self) -> None:
                self._answer(fake.get(self.path, self.headers.get("Authorization", "")))

            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(fake.post(self.path, self.headers.get("Authorization", ""), content))

            def _answer(self, answer: Answer) -> None:
                time.sleep(answer.after)
                self.send_response(answer.code)
                for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(1_000_000 if answer.trickles else len(answer.body)))
                self.end_headers()
                try:
                    while answer.trickles:
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        time.sleep(TICK)
                    self.wfile.write(answer.body)
                except OSError:  # whoever asked has gone
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                pass

        self._server = _Server((LOOPBACK, 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(TICK,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}{self.prefix}"

    def get(self, path: str, authorization: str) -> Answer:
        return self._served("GET", path, authorization, {})

    def post(self, path: str, authorization: str, content: Json) -> Answer:
        answer = self._served("POST", path, authorization, content)
        if answer.code < 400:
            self.writes.append(path.removeprefix(self.prefix))
        return answer

    def add_folder(self, uid: str, parent: str = "", title: str = "") -> None:
        self.folders[uid] = {"uid": uid, "title": title or uid, "version": 1} | (
            {"parentUid": parent} if parent else {}
        )

    def edit(self, uid: str, **changes: Any) -> None:
        """As a person does it in Grafana."""
        newest = self.saved[uid][-1]
        self._keep(newest["document"] | changes, newest["folder"], "", "alice")

    def newest(self, uid: str) -> Json:
        return dict(self.saved[uid][-1]["document"])

    @contextmanager
    def answering(self, method: str, path: str, answer: Answer) -> Iterator[None]:
        self.overrides[method, path] = answer
        yield
        del self.overrides[method, path]

    def _served(self, method: str, path: str, authorization: str, content: Json) -> Answer:
        self.heard.append(authorization)
        path = path.removeprefix(self.prefix) if path.startswith(self.prefix) else "/elsewhere"
        path, _, _ = path.partition("?")
        if (answer := self.overrides.get((method, path))) is not None:
            return answer
        if path == "/api/health":
            return json_answer(200, {"commit": "0123abc", "database": "ok", "version": self.version})
        if not path.startswith("/api/"):
            return Answer(404, b"<!DOCTYPE html><title>Grafana</title>", "text/html; charset=UTF-8")
        token = authorization.removeprefix("Bearer ")
        if token not in (ADMIN, EDITOR, VIEWER):
            return json_answer(401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401})
        if token == VIEWER and (method == "POST" or path.endswith("/versions")):
            return _denied("dashboards:write")
        served: list[tuple[str, Callable[..., Answer]]] = [
            (r"GET /api/folders/([\w-]+)", lambda uid: self._folder(uid, token)),
            (r"POST /api/folders", lambda: self._make_folder(content)),
            (r"GET /api/dashboards/uid/([\w-]+)", lambda uid: self._dashboard(uid, token)),
            (r"GET /api/dashboards/uid/([\w-]+)/versions", self._versions),
            (r"POST /api/dashboards/db", lambda: self._save(content, token)),
        ]
        for pattern, serve in served:
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return serve(*found.groups())
        return json_answer(404, {"message": "Not found"})

    def _folder(self, uid: str, token: str) -> Answer:
        if token != ADMIN and (uid not in self.folders or uid in self.hidden):
            return _denied("folders:read")
        if uid not in self.folders:
            return json_answer(404, {"message": "folder not found", "status": "not-found"})
        return json_answer(200, self.folders[uid])

    def _make_folder(self, content: Json) -> Answer:
        uid, parent = content["uid"], content.get("parentUid", "")
        if uid in self.folders:
            return json_answer(412, {"message": "the folder has been changed by someone else"})
        if parent and parent not in self.folders:
            return json_answer(404, {"message": "folder not found", "status": "not-found"})
        self.add_folder(uid, parent, content["title"])
        return json_answer(200, self.folders[uid])

    def _dashboard(self, uid: str, token: str) -> Answer:
        seen = set(self.folders) - self.hidden
        if token != ADMIN and (not seen or (uid in self.saved and self.saved[uid][-1]["folder"] in self.hidden)):
            return _denied("dashboards:read")  # also where there is no folder in which it might be
        if uid not in self.saved:
            return json_answer(404, {"message": "Dashboard not found", "traceID": ""})
        newest = self.saved[uid][-1]
        document = json.loads(json.dumps(newest["document"]))
        if self.migrates:
            builtin = {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "name": "Annotations"}
            document["annotations"]["list"].insert(0, builtin)
            document |= {"schemaVersion": 99, "preload": False}
            for panel in document["panels"]:
                panel["transparent"] = False
        meta = {
            "folderUid": newest["folder"],
            "provisioned": uid in self.provisioned,
            "version": newest["version"],
            "isFolder": False,
        }
        return json_answer(200, {"dashboard": document | {"id": 7, "version": newest["version"]}, "meta": meta})

    def _versions(self, uid: str) -> Answer:
        if uid not in self.saved:
            return json_answer(404, {"message": "No versions found for dashboardId"})
        listed = [
            {"uid": uid, "version": each["version"], "createdBy": each["by"], "message": each["message"]}
            for each in reversed(self.saved[uid])
        ]
        old = tuple(map(int, self.version.split(".")[:2])) < (11, 5)
        return json_answer(200, listed if old else {"continueToken": "", "versions": listed})

    def _save(self, content: Json, token: str) -> Answer:
        self.before_save(self)
        document, folder = content["dashboard"], content.get("folderUid", "")
        uid = document["uid"]
        if folder and folder not in self.folders:
            return json_answer(400, {"message": "folder not found"})
        if folder in self.hidden and token != ADMIN:
            return _denied("dashboards:create")
        if uid in self.provisioned:
            return json_answer(400, {"message": "Cannot save provisioned dashboard"})
        known = self.saved.get(uid)
        if known and not content["overwrite"] and document.get("version", 0) != known[-1]["version"]:
            said = "The dashboard has been changed by someone else"
            return json_answer(412, {"message": said, "status": "version-mismatch"})
        kept = {name: value for name, value in document.items() if name not in ("id", "version")}
        version = self._keep(kept, folder, content.get("message", ""), "sa-rectrace")
        return json_answer(200, {"status": "success", "uid": uid, "version": version, "url": f"/d/{uid}/x"})

    def _keep(self, document: Json, folder: str, message: str, by: str) -> int:
        versions = self.saved.setdefault(document["uid"], [])
        entry = {"version": len(versions) + 1, "document": document, "folder": folder, "message": message, "by": by}
        versions.append(entry)
        return len(versions)
