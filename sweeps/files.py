"""Floor 4. Writing files whole or not at all, and reading records that people may have edited."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file: aside first, then renamed; its folder is made if it is not there.

    Raises
    ------
    OSError
        If the folder or the file cannot be written; nothing is left behind.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def check_writable(folder: Path) -> None:
    """Raise OSError if files could not be written there; make nothing yet."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(nearest))


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as a JSON file, keys sorted; errors as for `write_whole`."""
    write_whole(path, json_text(record) + "\n")


def json_text(record: Any) -> str:
    """JSON for people and programs: indented, keys sorted, no NaN."""
    return json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)


def read_text(path: Path) -> str:
    """Return what a text file holds.

    Raises
    ------
    ValueError
        If it is not UTF-8.
    OSError
        If it cannot be read.

    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text at byte {error.start}") from None


def read_record(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML or JSON file holds.

    Raises
    ------
    ValueError
        If it is neither, or holds something else; the message names the file and the line.
    OSError
        If it cannot be read.

    """
    text = read_text(path)
    value = _from_json(text, path) if path.suffix == ".json" else _from_yaml(text, path)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: must hold a mapping of keys to values")
    return value


def _from_json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"{path}{line}: not JSON: {str(error).split(':')[0]}") from None


def _from_yaml(text: str, path: Path) -> Any:
    import yaml

    from sweeps.nodes import compose

    node = compose(text, str(path)).node
    try:
        return yaml.SafeLoader("").construct_document(node)  # type: ignore[no-untyped-call]
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None


def _umask() -> int:
    """Return the umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
