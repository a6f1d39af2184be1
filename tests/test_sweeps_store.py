import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sweeps.store import APPLICATION, Store, Task, canonical, code_digest

WRITER = """
import os, sys
from pathlib import Path
from sweeps.store import Store, Task
with Store(Path(sys.argv[1])) as store:
    number = 0
    while True:
        store.put([(Task("square", {"n": number}), {"square": number * number})])
        number += 1
        print(number, flush=True)
"""


def task(number: int, salt: str = "") -> Task:
    return Task("square", {"n": number}, salt)


def put(store: Store, *numbers: int) -> None:
    store.put((task(number), {"square": number * number}) for number in numbers)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "points.sqlite"


def test_what_was_put_is_found_again_after_closing(path):
    with Store(path) as store:
        put(store, 1, 2)
        assert len(store) == 2
    with Store(path) as store:
        assert store.get([task(1), task(3)]) == {task(1).key: {"square": 1}}


def test_keys_depend_on_content_alone():
    same = Task("a", {"x": 1, "y": [2]}), Task("a", {"y": [2], "x": 1})
    assert same[0].key == same[1].key
    others = [Task("b", {"x": 1, "y": [2]}), Task("a", {"x": 1}), Task("a", same[0].record, "salt")]
    assert len({same[0].key, *(other.key for other in others)}) == 4


def test_many_keys_at_once(path):
    with Store(path) as store:
        put(store, *range(2500))
        found = store.get([task(number) for number in range(3000)])
    assert len(found) == 2500
    assert found[task(2499).key] == {"square": 2499 * 2499}


def test_what_is_there_is_never_overwritten(path):
    with Store(path) as store:
        put(store, 2)
        store.put([(task(2), {"square": 5})])
        assert store.get([task(2)]) == {task(2).key: {"square": 4}}


def test_all_of_a_put_or_nothing(path):
    with Store(path) as store:
        with pytest.raises(ValueError, match="Out of range float values"):
            store.put([(task(1), {"square": 1}), (task(2), {"square": float("nan")})])
        with pytest.raises(ValueError, match="plain JSON values only"):
            store.put([(task(1), {"square": 1}), (task(2), {"square": {1, 2}})])
        assert len(store) == 0


@pytest.mark.parametrize(
    "content", [b"no database", b"SQLite format 3\0" + b"x" * 5000, b"\x00" * 4096]
)
def test_a_file_that_is_no_store_is_left_as_it_is(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"store .* is damaged or no store of macloom .*move it"):
        Store(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.95])
def test_a_damaged_store_is_refused_in_one_line(path, place):
    with Store(path) as store:
        put(store, *range(2000))
    content = bytearray(path.read_bytes())
    start = int(len(content) * place)
    content[start : start + 5000] = bytes(len(content[start : start + 5000]))
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged") as caught, Store(path) as store:
        store.get([task(number) for number in range(2000)])
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_changed_result_is_noticed(path):
    with Store(path) as store:
        put(store, 3)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE results SET result = '{\"square\":10}'")
    connection.close()
    with Store(path) as store, pytest.raises(ValueError, match="does not match its digest"):
        store.get([task(3)])


def test_another_programs_database_is_refused(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(ValueError, match="an SQLite file, but not a store of macloom"):
        Store(path)


def test_a_later_version_is_refused(path):
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(ValueError, match="a store of version 2, this macloom reads version 1"):
        Store(path)


def test_an_empty_file_becomes_a_store(path):
    path.parent.mkdir()
    path.touch()
    Store(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_places_that_cannot_be_opened(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Store(tmp_path / "file" / "points.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="unable to open database file"):
        Store(tmp_path / "folder")


def _fill(path: Path, first: int) -> None:
    with Store(path) as store:
        for number in range(first, first + 60):
            put(store, number)


def test_several_processes_create_and_fill_one_store(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_fill, args=(path, 40 * n)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    with Store(path) as store:
        assert len(store) == 180
        assert len(store.get([task(number) for number in range(180)])) == 180


def test_after_kill_9_all_that_was_put_is_there(path):
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < 50:
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    acknowledged = max([acknowledged, *map(int, rest)])
    with Store(path) as store:
        assert len(store.get([task(number) for number in range(acknowledged)])) == acknowledged
        assert acknowledged <= len(store) <= acknowledged + 1


def test_canonical_text():
    assert canonical({"b": 1, "a": "×"}) == '{"a":"×","b":1}'
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"a": float("inf")})


def test_the_code_digest_changes_with_the_code(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "b.yaml").write_text("x: 1")
    before = code_digest(tmp_path)
    assert before == code_digest(tmp_path)
    (tmp_path / "a.pyc").write_text("ignored")
    assert before == code_digest(tmp_path)
    (tmp_path / "data" / "b.yaml").write_text("x: 2")
    assert before != code_digest(tmp_path)
    with pytest.raises(OSError, match="gone"):
        code_digest(tmp_path / "gone.py")
