"""README.md: its commands run and print what it shows. `python tests/test_readme.py` renews them.

In an expected output a line `…` stands for any lines; times are not compared.
"""

import doctest
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELLIPSIS = "…"
VARYING = ((r"\b\d+(\.\d+)? s\b", "SECONDS"), (r"Verilator [\d.]+", "Verilator"))


def blocks(kind, text):
    return [found[2] for found in BLOCK.finditer(text) if found[1] == kind]


def commands(block):
    """Commands of a console block, each with the lines shown below it."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def write_files(text, folder):
    for kind, comment in (("yaml", "#"), ("verilog", "//")):
        for block in blocks(kind, text):
            (folder / re.match(rf"{comment} (\S+)\n", block)[1]).write_text(block)


def execute(command, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout.splitlines()


def same(line):
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return line.rstrip()


def matches(shown, printed):
    shown, printed = [same(line) for line in shown], [same(line) for line in printed]
    if ELLIPSIS not in shown:
        return shown == printed
    head = shown.index(ELLIPSIS)
    tail = len(shown) - head - 1
    enough = len(printed) >= head + tail
    return enough and shown[:head] + shown[head + 1 :] == printed[:head] + printed[-tail:][:tail]


def renewed(shown, printed):
    """What to show instead: as many lines around `…` as before."""
    if ELLIPSIS not in shown:
        return printed
    head = shown.index(ELLIPSIS)
    tail = len(shown) - head - 1
    return [*printed[:head], ELLIPSIS, *printed[len(printed) - tail :]]


def test_the_commands_print_what_is_shown(tmp_path):
    text = README.read_text(encoding="utf-8")
    write_files(text, tmp_path)
    ran = 0
    for block in blocks("console", text):
        for command, shown in commands(block):
            printed = execute(command, tmp_path)
            assert matches(shown, printed), "\n".join([command, *printed])
            ran += 1
    assert ran >= 8


def test_the_python_session_is_true():
    text = "\n".join(blocks("pycon", README.read_text(encoding="utf-8")))
    test = doctest.DocTestParser().get_doctest(text, {}, "README", str(README), 0)
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert runner.summarize().attempted >= 5
    assert runner.summarize().failed == 0


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`?\bmake ([a-z-]+)", README.read_text(encoding="utf-8")))
    assert named >= {"demo", "test"}
    for name in named - {"and"}:
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["took 1.2 s"], ["took 34.5 s"], True),
        (["a", "…", "d"], ["a", "b", "c", "d"], True),
        (["a", "…"], ["a", "b"], True),
        (["a", "…", "d"], ["a", "b"], False),
        (["x", "…"], ["a", "b"], False),
    ],
)
def test_the_comparison_can_fail(shown, printed, expected):
    assert matches(shown, printed) is expected


def renew():
    """Rewrite the outputs in the README with what the commands print now."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        write_files(text, Path(name))
        for block in blocks("console", text):
            lines = []
            for command, shown in commands(block):
                lines += [f"$ {command}", *renewed(shown, execute(command, Path(name)))]
            text = text.replace(
                f"```console\n{block}```", "```console\n" + "\n".join(lines) + "\n```"
            )
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew()
