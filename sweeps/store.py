"""Floor 4. Results of a sweep's points in one SQLite file, found again by the content they are of.

A point is a task: a kind of evaluation, a record of plain values that says everything the result
depends on, and a salt that changes with the code that computes it. Its key is the SHA-256 of the
three. The file is in write-ahead mode and each `put` is one transaction: after `kill -9` it holds
exactly what was put, several processes may write at once, and nothing in it is ever changed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Record = Mapping[str, Any]
"""Plain JSON values by name."""

SCHEMA_VERSION = 1
APPLICATION = 0x6D6C6D31
"""`mlm1`: marks an SQLite file as a store of macloom."""

BUSY_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, record TEXT NOT NULL,
    result TEXT NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID
"""
_PUT = "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?)"
_GET = "SELECT key, result, digest FROM results WHERE key IN ({})"
_BATCH = 500
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


def canonical(record: Record) -> str:
    """The one JSON text of a record: keys sorted, no NaN.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or is no plain JSON value.
    """
    try:
        return json.dumps(
            dict(record), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
        )
    except TypeError as error:
        raise ValueError(f"a record holds plain JSON values only: {error}") from error


def code_digest(*paths: Path) -> str:
    """Digest of sources and data (files, or folders with all below): salt of what they compute.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        below = (file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")
        for file in sorted(below) if path.is_dir() else [path]:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Task:
    """One evaluation: its result depends on `record` and on the code that `salt` stands for."""

    kind: str
    record: Record = field(hash=False)
    salt: str = ""

    @property
    def key(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        text = canonical({"kind": self.kind, "record": self.record, "salt": self.salt})
        return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """An open store; a context manager. Use one per process.

    Parameters
    ----------
    path
        The file; it and its folder are created if they are not there.

    Raises
    ------
    ValueError
        If the file is damaged, or not a store of this version. It is left as it is.
    OSError
        If it cannot be opened, read or written.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with self._translated():
                self._claim()
        except BaseException:
            self._connection.close()
            raise

    def _claim(self) -> None:
        if self._pragma("application_id") != APPLICATION:
            with self._transaction():
                self._create()
        version = self._pragma("user_version")
        if version != SCHEMA_VERSION:
            raise ValueError(
                f"{self.path} is a store of version {version}, "
                f"this macloom reads version {SCHEMA_VERSION}"
            )
        verdict = self._pragma("quick_check(1)")
        if verdict != "ok":
            raise self._damaged(str(verdict).splitlines()[-1])
        self._pragma("synchronous = NORMAL")
        if self._pragma("journal_mode") != "wal":
            self._pragma("journal_mode = WAL")

    def _create(self) -> None:
        """Make an empty file a store, unless another process just did."""
        application = self._pragma("application_id")
        if application == APPLICATION:
            return
        if application or self._pragma("schema_version"):
            raise ValueError(f"{self.path} is an SQLite file, but not a store of macloom")
        self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._connection.execute(_SCHEMA)

    def get(self, tasks: Sequence[Task]) -> dict[str, dict[str, Any]]:
        """The results that are there, by key.

        Raises
        ------
        ValueError
            If one of them is damaged.
        """
        keys = [task.key for task in tasks]
        found: dict[str, dict[str, Any]] = {}
        with self._translated():
            for start in range(0, len(keys), _BATCH):
                batch = keys[start : start + _BATCH]
                query = _GET.format(",".join("?" * len(batch)))
                for key, result, digest in self._connection.execute(query, batch):
                    if digest != _digest(key, result):
                        raise self._damaged(f"the result {key[:12]} does not match its digest")
                    found[key] = json.loads(result)
        return found

    def put(self, results: Iterable[tuple[Task, Record]]) -> None:
        """Keep some results, all or none; what is already there stays.

        Raises
        ------
        ValueError
            If a result holds NaN, an infinity or anything but plain JSON values.
        OSError
            If it cannot be written.
        """
        rows = []
        for task, result in results:
            key, text = task.key, canonical(result)
            rows.append((key, task.kind, canonical(task.record), text, _digest(key, text)))
        with self._translated(), self._transaction():
            self._connection.executemany(_PUT, rows)

    def __len__(self) -> int:
        with self._translated():
            return int(self._connection.execute("SELECT count(*) FROM results").fetchone()[0])

    def close(self) -> None:
        """Close the file; a closed store is of no more use."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pragma(self, text: str) -> Any:
        row = self._connection.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours: ValueError for damage, OSError for the rest."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if code & 0xFF in _DAMAGE:
                raise self._damaged(str(error)) from error
            raise OSError(f"store {self.path}: {error}") from error

    def _damaged(self, reason: str) -> ValueError:
        return ValueError(
            f"store {self.path} is damaged or no store of macloom ({reason}); "
            f"it was left as it is: move it away to start anew"
        )


def _digest(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()[:16]
