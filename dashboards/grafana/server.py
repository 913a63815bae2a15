"""A Grafana that is running, by its HTTP API: the little that a push needs. Only this knows the package grafana-api.

The package takes every answer for JSON, follows redirects, which makes a GET of a POST, and waits as long as an answer
trickles. So each answer is judged here before the package reads it.
"""

import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from grafana_api.grafana_face import GrafanaFace
from urllib3.exceptions import HTTPError, ReadTimeoutError

LEAST: Final = (11, 0)  # from there on folders may be in folders
URL: Final = "--grafana"
TOKEN: Final = "--token-file or RECTRACE_GRAFANA_TOKEN"  # noqa: S105 - what gives it
FOLDER: Final = "--folder"
TIMEOUT: Final = "--timeout"
_CHUNK: Final = 65_536
_SHOWN: Final = 200  # characters of what Grafana says
_GONE: Final = "folder not found"  # by its message: the code of it has changed between versions

Document = Mapping[str, Any]


class GrafanaError(Exception):
    """What went wrong, in one line for people: it names the option, and says what to do. Never with the token."""


@dataclass(frozen=True)
class Folder:
    """parent: uid of the folder that it is in, or nothing."""

    uid: str
    parent: str


@dataclass(frozen=True)
class Saved:
    """A dashboard as Grafana has it. provisioned: it comes from files, which alone can change it."""

    document: Document
    version: int
    folder: str  # uid, or nothing
    provisioned: bool


class Missing(Enum):
    """Why something is not shown. Of what is not there Grafana says to all but its admins that they may not see it."""

    ABSENT = "not there"
    HIDDEN = "not there, or not for this token to see"


class _Refused(Exception):  # noqa: N818
    """An answer from 400 on. kind: `status` of its body, by which a 412 says why; said: for people."""

    def __init__(self, code: int, kind: str, said: str) -> None:
        super().__init__(said)
        self.code, self.kind, self.said = code, kind, said


class _NoJson(Exception):  # noqa: N818
    """An answer that is not what an API gives."""


class Grafana:
    """`with Grafana(...) as grafana:` asks it.

    url: where its pages are, with the path if it has one; timeout: seconds for an answer to begin, and to end.
    """

    def __init__(self, url: str, token: str, timeout: float) -> None:
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        face = GrafanaFace(
            token,
            host=parts.netloc,
            protocol=parts.scheme,
            url_path_prefix=f"{prefix}/" if prefix else "",
            timeout=timeout,
        )
        face.api.s.hooks["response"] = self._judge
        self._face = face
        self._url, self._token, self._timeout = url, token, timeout

    def __enter__(self) -> "Grafana":
        return self

    def __exit__(self, *exc: object) -> None:
        self._face.api.s.close()

    def version(self) -> str:
        """Which it is, or nothing where it does not tell. Raises GrafanaError where it is too old, or no Grafana."""
        with self._doing("say which version it is"):
            try:
                # without the token: what is no Grafana shall not get it
                health = self._face.api.s.get(f"{self._face.api.url}/health", timeout=self._timeout).json()
            except _Refused as refused:
                if refused.code != 404:
                    raise
                raise _NoJson from None
            if "database" not in health:
                raise _NoJson
        version = str(health.get("version", ""))
        found = re.match(r"(\d+)\.(\d+)", version)
        if found and (int(found[1]), int(found[2])) < LEAST:
            least = ".".join(map(str, LEAST))
            raise GrafanaError(
                f"Grafana {version} at {self._url} is too old ({URL}): before {least} it has no folders in folders; it "
                "can load the files of `rectrace dashboards render` by provisioning"
            )
        return version

    def folder(self, uid: str) -> Folder | Missing:
        with self._doing(f"read the folder {uid}", uid):
            found = self._object(lambda: self._face.folder.get_folder(uid))
        return found if isinstance(found, Missing) else Folder(uid, str(found.get("parentUid") or ""))

    def make_folder(self, uid: str, parent: str) -> None:
        """In the folder `parent`, or in none where that is empty; its title is its uid."""
        wanted = {"uid": uid, "title": uid, **({"parentUid": parent} if parent else {})}
        with self._doing(f"make the folder {uid}", uid, new=True):
            self._face.api.POST("/folders", json=wanted)

    def dashboard(self, uid: str) -> Saved | Missing:
        with self._doing(f"read the dashboard {uid}"):
            found = self._object(lambda: self._face.dashboard.get_dashboard(uid))
            if isinstance(found, Missing):
                return found
            document, meta = found.get("dashboard"), found.get("meta")
            if not isinstance(document, dict) or not isinstance(meta, dict):
                raise _NoJson
        version = int(document.get("version") or 0)
        return Saved(document, version, str(meta.get("folderUid") or ""), bool(meta.get("provisioned")))

    def last_message(self, uid: str) -> str | None:
        """What was said when the dashboard was last saved; None where that is not for this token to know."""
        with self._doing(f"read the versions of the dashboard {uid}"):
            found = self._shown(lambda: self._face.api.GET(f"/dashboards/uid/{uid}/versions?limit=1"))
        if isinstance(found, Missing):
            return None
        versions = found.get("versions") if isinstance(found, dict) else found  # a list: before 11.5
        return str(versions[0].get("message") or "") if versions else ""

    def save(self, document: Document, folder: str, over: int | None, message: str) -> None:
        """over: the version that it takes the place of, None for a new one; GrafanaError where there is another one."""
        uid = document["uid"]
        kept = {name: value for name, value in document.items() if name not in ("id", "version")}
        versioned = kept if over is None else {**kept, "version": over}
        wanted = {"dashboard": versioned, "folderUid": folder, "message": message, "overwrite": False}
        with self._doing(f"save the dashboard {uid}", folder, new=over is None):
            self._face.dashboard.update_dashboard(wanted)

    @staticmethod
    def _shown(ask: Callable[[], Any]) -> Any:
        """What there is, or as Missing why it is not shown."""
        try:
            return ask()
        except _Refused as refused:
            if refused.code not in (403, 404):
                raise
            return Missing.ABSENT if refused.code == 404 else Missing.HIDDEN

    @classmethod
    def _object(cls, ask: Callable[[], Any]) -> dict[str, Any] | Missing:
        found = cls._shown(ask)
        if not isinstance(found, dict | Missing):
            raise _NoJson
        return found

    def _judge(self, answer: requests.Response, **_: object) -> None:
        """A hook of requests: it sees an answer before anything else reads it."""
        if answer.is_redirect:
            answer.close()
            raise GrafanaError(
                f"{self._url} leads on to {self._clean(answer.headers['location'])}: give {URL} the address at which "
                "Grafana itself answers, with its path"
            )
        body = self._body(answer)
        answer.raw = io.BytesIO(body)
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if answer.status_code >= 400:
            told = content if isinstance(content, dict) else {}
            said = str(told.get("message") or body.decode(errors="replace"))
            raise _Refused(answer.status_code, str(told.get("status", "")), self._clean(said))
        if not isinstance(content, dict | list):
            raise _NoJson

    def _body(self, answer: requests.Response) -> bytes:
        """All of it, within the time."""
        ends = time.monotonic() + self._timeout
        found = bytearray()
        with closing(answer.raw) as coming:
            try:
                while chunk := coming.read1(_CHUNK, decode_content=True):  # what has come: never waits for more
                    found += chunk
                    if time.monotonic() > ends:
                        raise requests.ReadTimeout
            except ReadTimeoutError:
                raise requests.ReadTimeout from None
            except HTTPError as error:
                raise requests.ConnectionError(error) from None
        return bytes(found)

    @contextmanager
    def _doing(self, what: str, folder: str = "", *, new: bool = False) -> Iterator[None]:
        """What goes wrong, in words. what: Grafana was to do; folder: uid of the one that it is about; new: it makes
        something that was not there."""
        try:
            yield
        except _Refused as refused:
            raise GrafanaError(self._explained(what, folder, new, refused)) from None
        except _NoJson:
            raise GrafanaError(
                f"what answers at {self._url} is no Grafana ({URL}): give the address of its pages, with the path if "
                "there is one, such as https://host/grafana"
            ) from None
        except requests.Timeout:
            raise GrafanaError(
                f"Grafana at {self._url} did not {what} within {self._timeout:g} s: try again, or give it longer "
                f"({TIMEOUT})"
            ) from None
        except requests.exceptions.SSLError as error:
            raise GrafanaError(
                f"no trusted connection to {self._url} ({URL}): {self._reason(error)}; REQUESTS_CA_BUNDLE may name the "
                "file of your own authority"
            ) from None
        except requests.RequestException as error:
            raise GrafanaError(
                f"no Grafana answers at {self._url} ({URL}): {self._reason(error)}; is it running, and is that its "
                "address?"
            ) from None

    def _explained(self, what: str, folder: str, new: bool, refused: _Refused) -> str:
        says = f" (Grafana: {refused.said})" if refused.said else ""
        match refused.code:
            case 401:
                return (
                    f"Grafana at {self._url} does not know the token ({TOKEN}): make one for a service account of this "
                    f"Grafana{says}"
                )
            case 403:
                where = f" in the folder {folder} ({FOLDER})" if folder else ""
                return (
                    f"the token ({TOKEN}) may not {what}: give its service account the role Editor, or permission to "
                    f"edit{where}{says}"
                )
            case 409 | 412 if new and refused.kind in ("", "version-mismatch"):
                return (
                    f"Grafana did not {what}: it is there already, made a moment ago or not for this token ({TOKEN}) "
                    f"to see; push again, and if it stays so let the token edit it, or take another {FOLDER}{says}"
                )
            case 409 | 412 if refused.kind in ("", "version-mismatch"):
                return f"Grafana did not {what}: somebody changed it meanwhile; see --dry-run, and push again{says}"
            case 412:
                return (
                    f"Grafana did not {what}: something else is in its place; take another {FOLDER}, or rename what is "
                    f"there{says}"
                )
            case 400 | 404 if _GONE in refused.said.lower():
                return f"Grafana cannot {what}: there is no folder {folder} ({FOLDER}) any more; push again{says}"
            case code if code >= 500:
                return f"Grafana at {self._url} failed to {what} ({code}): its log says why; try again{says}"
            case code:
                return f"Grafana at {self._url} did not {what} ({code}){says}"

    def _clean(self, text: str) -> str:
        """One short line without the token, whatever answered has made of it."""
        line = " ".join((text.replace(self._token, "***") if self._token else text).split())
        return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."

    def _reason(self, error: Exception) -> str:
        """The innermost cause: those around it repeat the address and tell of objects in memory."""
        cause: BaseException = error
        while (inner := cause.args[0] if cause.args else None) and isinstance(inner, BaseException):
            cause = inner
        reason = getattr(cause, "reason", None)
        if isinstance(reason, BaseException):
            return self._reason(Exception(reason))
        said = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        return self._clean(re.sub(r"^.*?object at 0x\w+>: |^.*?port=\d+\): ", "", said))
