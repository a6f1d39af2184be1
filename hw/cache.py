"""Results kept by the content they were made of (floor 0, standard library only).

One file per result under the user's cache folder: ``$MACLOOM_CACHE``, else
``$XDG_CACHE_HOME/macloom``, else ``~/.cache/macloom``. Files are written beside and renamed, so
that two runs can share the folder.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class CacheWarning(UserWarning):
    """The cache is of no use: an entry is corrupt, or the folder cannot be written."""


def default_folder() -> Path:
    """Return the user's cache folder; it need not exist."""
    if own := os.environ.get("MACLOOM_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "macloom"
    return Path.home() / ".cache" / "macloom"


def content_key(*parts: str) -> str:
    """Return a name for the given content; no two lists of texts have the same."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of results.

    Parameters
    ----------
    kind
        Name of the subfolder, such as ``synthesis``.
    folder
        The cache folder; `default_folder` by default.

    """

    kind: str
    folder: Path = field(default_factory=default_folder)

    def path(self, key: str) -> Path:
        """Return the file of an entry."""
        return self.folder / self.kind / key[:2] / f"{key}.json"

    def get(self, key: str) -> dict[str, Any] | None:
        """Return an entry or None; a corrupt entry is reported and counts as none."""
        path = self.path(key)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            warnings.warn(f"cache entry {path} is unreadable: {error}", CacheWarning, stacklevel=2)
            return None
        try:
            entry = json.loads(text)
            if entry["sha256"] != _digest(entry["result"]):
                raise ValueError("checksum differs")
            result: dict[str, Any] = entry["result"]
        except (ValueError, KeyError, TypeError):
            message = f"cache entry {path} is corrupt; computing it again"
            warnings.warn(message, CacheWarning, stacklevel=2)
            return None
        return result

    def put(self, key: str, result: dict[str, Any]) -> None:
        """Keep a result of JSON values; failing to write is reported, not an error."""
        path = self.path(key)
        text = json.dumps({"sha256": _digest(result), "result": result})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, text)
        except OSError as error:
            message = f"cannot write the cache {self.folder}: {error.strerror or error}"
            warnings.warn(message, CacheWarning, stacklevel=2)


def _digest(result: object) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the whole new one."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
