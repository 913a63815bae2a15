"""Generated files that are committed: written anew as a whole, so that a diff shows what changed."""

from collections.abc import Mapping
from pathlib import Path


def write(folder: Path, documents: Mapping[str, str], stale: str) -> list[Path]:
    """Write a file NAME.json for each document, remove those of the pattern `stale` that are no document any more.

    Returns the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / f"{name}.json": text for name, text in documents.items()}
    for old in set(folder.glob(stale)) - set(files):
        old.unlink()
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return list(files)
