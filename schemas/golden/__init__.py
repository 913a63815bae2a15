"""Golden examples: records of every kind that earlier versions of producers send, kept for ever."""

from importlib import resources


def examples(version: str = "v1") -> dict[str, bytes]:
    """The records of one schema version by name: `request.minimal`, `scoring.full`, `interaction.full`, ..."""
    folder = resources.files(__name__) / version
    if not folder.is_dir():
        raise LookupError(f"no golden examples of version {version!r}")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".json"): file.read_bytes() for file in files if file.name.endswith(".json")}
