"""Bodies of inserts, as files for the engine to read.

The engine's streaming insert reports success also when the write failed after parsing (a constraint, a throwing view,
too many partitions); INSERT ... SELECT FROM file(...) raises.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GLOB_CHARACTERS = frozenset("*?{}[]")  # file() would expand them in a path


class Spool:
    """A directory beside the data directory, emptied at start: the engine's lock says that nobody else uses it."""

    def __init__(self, data: Path) -> None:
        data = data.absolute()
        self.directory = data.with_name(f"{data.name}.inserts")
        if GLOB_CHARACTERS & set(str(self.directory)):
            self.directory = Path(tempfile.mkdtemp(prefix="chdb-inserts-"))
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o700)

    @contextmanager
    def file(self, data: bytes) -> Iterator[Path]:
        """A file with these bytes, gone at the end of the block."""
        with tempfile.NamedTemporaryFile(dir=self.directory, suffix=".insert") as file:
            file.write(data)
            file.flush()
            yield Path(file.name)

    def close(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
