"""sweeps.residual_figure: a panel for each target, with its errors, in colours told apart."""

from pathlib import Path

import pytest

from sweeps import residual_figure
from sweeps.cli import main
from sweeps.residual_figure import GROUPS, draw, group_of


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Draw a few designs of each target only."""
    whole = residual_figure.held_out
    monkeypatch.setattr(residual_figure, "held_out", lambda name: whole(name)[:25])


def test_a_figure_of_all_targets(tmp_path: Path):
    file = tmp_path / "residuals.png"
    draw(["xcup", "ecp5"], file)
    assert file.read_bytes()[:4] == b"\x89PNG"
    svg = tmp_path / "residuals.svg"
    draw(["gowin"], svg)
    assert "<svg" in svg.read_text()[:2000]


def test_groups_are_told_apart():
    assert len({colour for _, colour, _ in GROUPS}) == len({m for *_, m in GROUPS}) == 7
    known = {group for group, *_ in GROUPS}
    assert {group_of(one) for one in residual_figure.held_out("xcup")} <= known


def test_the_command_prints_the_table(capsys, tmp_path):
    assert main(["calibrate", "--show", "--target", "gowin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["target", "designs"]
    assert lines[2].split()[:2] == ["gowin", "all"]
    assert len(lines) >= 6
