"""Dashboards into a Grafana that is running: what a push would change, and the push. Ours are those with the tag.

What is not ours is never written to, and nothing is ever deleted. A dashboard is unchanged if it is equal to what is
here, or if what saved it last was a push of the same: a newer Grafana may change a dashboard by itself.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dashboards.grafana import TAG
from dashboards.grafana.server import FOLDER, Document, Grafana, GrafanaError, Missing, Saved

_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_DEEPEST: Final = 8  # folders in folders that Grafana has
_OF_GRAFANA: Final = frozenset({"id", "iteration", "schemaVersion", "version"})  # it counts these itself
_PUSHED: Final = "rectrace dashboards push"  # what is said when a version is saved, before the digest
_DIGITS: Final = 16  # of the digest

What = Literal["new", "changed", "unchanged", "refused"]


@dataclass(frozen=True)
class Step:
    """One dashboard. lines: what changes, as a unified diff; why it is new or refused. over: the version that is there.

    by_hand: that version is not of a push; it stays in Grafana as an older one.
    """

    uid: str
    what: What
    lines: Sequence[str] = ()
    over: int | None = None
    by_hand: bool = False


@dataclass(frozen=True)
class Plan:
    """folders: those to be made, each with the one that it is in, outermost first."""

    folder: str
    folders: Sequence[tuple[str, str]]
    steps: Sequence[Step]

    @property
    def refused(self) -> bool:
        return any(step.what == "refused" for step in self.steps)


def path(folder: str) -> list[str]:
    """uids of folders from a text such as `team/rectrace`, outermost first. Raises GrafanaError."""
    uids = folder.split("/")
    if not all(_UID.fullmatch(uid) for uid in uids) or len(uids) > _DEEPEST:
        raise GrafanaError(
            f"{FOLDER} {folder!r}: must be the uid of a folder, or several from the outermost on, such as "
            f"team/rectrace, at most {_DEEPEST}; a uid has letters, digits, _ and -, at most 40"
        )
    return uids


def plan(grafana: Grafana, documents: Mapping[str, Document], folder: str) -> Plan:
    """What a push would change. Reads, and writes nothing. Raises GrafanaError."""
    uids = path(folder)
    missing = list(_missing(grafana, uids))
    target = uids[-1]
    return Plan(target, missing, [_step(grafana, documents[uid], target) for uid in sorted(documents)])


def push(grafana: Grafana, documents: Mapping[str, Document], planned: Plan) -> Iterator[Step]:
    """Do what was planned, and yield each step once it is done. Raises GrafanaError; what was done before, stays.

    Of a plan of which a part is refused nothing at all is done.
    """
    if planned.refused:
        return
    for uid, parent in planned.folders:
        grafana.make_folder(uid, parent)
    for step in planned.steps:
        if step.what != "unchanged":
            document = documents[step.uid]
            grafana.save(document, planned.folder, step.over, _message(document))
        yield step


def _missing(grafana: Grafana, uids: Sequence[str]) -> Iterator[tuple[str, str]]:
    parent = ""
    for uid in uids:
        found = grafana.folder(uid)
        if isinstance(found, Missing):
            yield uid, parent
        elif parent and found.parent != parent:  # the first may be anywhere: a uid is enough to find it
            where = f"in {found.parent}" if found.parent else "outermost"
            raise GrafanaError(
                f"{FOLDER}: the folder {uid} is {where}, not in {parent}: give {FOLDER} {uid} alone, or another uid"
            )
        parent = uid


def _step(grafana: Grafana, document: Document, folder: str) -> Step:
    uid = document["uid"]
    if TAG not in (document.get("tags") or []):
        return Step(uid, "refused", [f"it lacks the tag {TAG}, by which a push knows what is ours"])
    saved = grafana.dashboard(uid)
    if isinstance(saved, Missing):
        return Step(uid, "new", [saved.value])
    if why := _not_ours(saved):
        return Step(uid, "refused", [why])
    moved = [f"folder: {saved.folder or 'none'} -> {folder}"] if saved.folder != folder else []
    diff = _diff(uid, saved.document, document)
    said = grafana.last_message(uid) if diff else ""
    if said == _message(document):
        diff = []
    by_hand = bool(diff) and said is not None and not said.startswith(_PUSHED)
    return Step(uid, "changed" if moved or diff else "unchanged", [*moved, *diff], saved.version, by_hand)


def _not_ours(saved: Saved) -> str:
    if saved.provisioned:
        return "Grafana loads it from files: change those, or take them away and push again"
    if TAG not in (saved.document.get("tags") or []):
        title = saved.document.get("title", "")
        return f"{title!r} has this uid without the tag {TAG}, so it is not ours: give it another uid, or the tag"
    return ""


def _message(document: Document) -> str:
    """By which a push knows its own work again."""
    text = json.dumps(_normal(document), sort_keys=True, ensure_ascii=False)
    return f"{_PUSHED} {hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def _normal(document: Document) -> dict[str, Any]:
    """Without what Grafana adds of itself."""
    kept = {name: value for name, value in document.items() if name not in _OF_GRAFANA}
    listed = (kept.get("annotations") or {}).get("list") or []
    return {**kept, "annotations": {"list": [each for each in listed if not each.get("builtIn")]}}


def _diff(uid: str, before: Document, after: Document) -> list[str]:
    old, new = (_lines(_normal(each)) for each in (before, after))
    return list(difflib.unified_diff(old, new, f"{uid} (in Grafana)", f"{uid} (here)", n=1, lineterm=""))


def _lines(content: Any) -> list[str]:
    return json.dumps(_split(content), indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def _split(content: Any) -> Any:
    """Texts of several lines as lists of them: of a query only the lines that differ are shown."""
    if isinstance(content, Mapping):
        return {name: _split(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_split(each) for each in content]
    return content.splitlines() if isinstance(content, str) and "\n" in content else content
