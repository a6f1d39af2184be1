"""sweeps.page: the structure always; in headless Chromium what it shows and what filters leave.

Without Chromium the rendering tests are reported as not run, or fail if MACLOOM_NEED_CHROMIUM is
set, as `.ci/run` does.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from hw.design import from_record
from sweeps.arguments import Parser, add_design, design_of
from sweeps.cli import main
from sweeps.generate_command import generate_command
from sweeps.page import SYMBOLS, page_data, render_page, save_page
from sweeps.points import to_csv
from sweeps.runs import mark_fronts
from tests.test_sweeps_plot import POINTS
from tests.test_sweeps_plot_metrics import in_bits

CHOSEN = [
    replace(p, command=f"macloom generate dot --weight {p.weight} --target {target}")
    for target in ("xcup", "ecp5")
    for p in (in_bits(p, target) for p in POINTS[::12])
]
CHOSEN = mark_fronts(CHOSEN, ("bits_per_byte", "sites_per_lane"))
CHOSEN = [replace(p, indistinct_from_best=p.on_front and p.bits_per_byte < 1.68) for p in CHOSEN]


class Elements(HTMLParser):
    """Ids, scripts and outside references of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.outside: list[str] = []
        self.scripts: dict[str, str] = {}
        self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.outside += [given[name] for name in ("src", "href") if name in given]
        self._inside = given.get("id", f"script{len(self.scripts)}") if tag == "script" else None

    def handle_data(self, data):
        if self._inside is not None:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


@pytest.fixture(scope="module")
def page():
    return render_page(CHOSEN)


def test_the_page_needs_nothing_else(page):
    found = Elements(page)
    assert found.outside == []
    assert len(found.ids) == len(set(found.ids))
    wanted = {"filters", "targets", "families", "only", "plot", "command", "fronts", "data", "copy"}
    assert wanted <= set(found.ids)
    assert len(found.scripts) == 3
    assert any(len(text) > 1_000_000 for text in found.scripts.values())
    assert json.loads(found.scripts["data"]) == page_data(CHOSEN)
    used = set(re.findall(r'byId\("(\w+)"\)', page))
    assert used <= set(found.ids)
    assert "@" not in page.partition("<script>")[0]


def test_the_data_are_all_points():
    data = page_data(CHOSEN)
    assert len(data["points"]) == len(CHOSEN) > 40
    for number, (found, p) in enumerate(zip(data["points"], CHOSEN, strict=True)):
        assert found["number"] == number
        assert (found["pair"], found["target"], found["family"]) == (p.pair, p.target, p.family)
        assert (found["value"], found["sites"]) == (p.bits_per_byte, p.sites_per_lane)
        assert (found["low"], found["high"]) == p.interval
        assert (found["front"], found["same"]) == (p.on_front, p.indistinct_from_best)
        assert found["command"] == p.command
    assert data["targets"] == ["xcup", "ecp5"]
    assert {family["symbol"] for family in data["families"]} == set(SYMBOLS.values()) - {"cross"}
    worst, best = data["range"]
    assert worst > best
    low, high = page_data(POINTS)["range"]
    assert low < high


def test_text_cannot_leave_its_place():
    evil = replace(CHOSEN[0], network="</script><b>", command="</script><i>")
    page = render_page([evil])
    assert "</script><b>" not in page
    assert "</script><i>" not in page
    assert json.loads(Elements(page).scripts["data"])["points"][0]["command"] == "</script><i>"


def test_what_has_no_page(monkeypatch):
    with pytest.raises(ValueError, match="at least one point"):
        render_page([])
    with pytest.raises(ValueError, match="one metric, not accuracy, bits_per_byte"):
        render_page([POINTS[0], CHOSEN[0]])
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    from hw.errors import MissingTool

    with pytest.raises(MissingTool, match=r"pip install 'macloom\[html\]'"):
        render_page(CHOSEN)


def test_plot_writes_the_page(tmp_path, capsys):
    table, out = tmp_path / "points.csv", tmp_path / "front.html"
    table.write_text(to_csv(CHOSEN))
    assert main(["plot", str(table), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"points": len(CHOSEN), "files": [str(out)]}
    assert out.read_text(encoding="utf-8") == render_page(CHOSEN)
    assert main(["plot", str(table), "-o", str(out), "--peer", "x.json"]) == 2


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "mac", "weight": "int4", "activation": "fixed<8,4>"},
        {"kind": "dot", "weight": "e2m1fn", "activation": "int8", "lanes": 8, "specials": "ignore"},
        {"kind": "array", "weight": "int2", "activation": "uint3", "rows": 2, "columns": 3},
        {"kind": "dot", "weight": "int4", "activation": "int8", "structure": "rows"},
        {"kind": "tile", "weight": "int4", "activation": "int8", "accumulator": "wrap:20"},
    ],
)
def test_commands_describe_their_design(record):
    design = from_record(record)
    words = shlex.split(generate_command(design, "ecp5"))
    assert words[:2] == ["macloom", "generate"]
    assert not set("<>|&;") & set(generate_command(design, "ecp5"))
    parser = Parser()
    add_design(parser)
    parser.add_argument("-o")
    assert design_of(parser.parse_args(words[2:])) == (design, "ecp5")


def rendered(page, folder, **parts):
    """The page's document after its scripts ran, in headless Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        assert not os.environ.get("MACLOOM_NEED_CHROMIUM"), "Chromium is needed, but not installed"
        pytest.skip("not run: Chromium is not installed")
    path = folder / "front.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000"),
            *("--dump-dom", f"{path.as_uri()}#{urlencode(parts)}"),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    body = done.stdout
    assert '<p id="problem"></p>' in body
    return body


def marks(body):
    """Drawn points: Plotly draws each as a path of this class, error bars and lines as others."""
    return len(re.findall(r'<path class="point[ "]', body))


def test_the_page_in_a_browser(page, tmp_path):
    body = rendered(page, tmp_path)
    assert f'<p id="shown">{len(CHOSEN)} of {len(CHOSEN)} points</p>' in body
    measured = sum(p.on_front and p.sites_per_lane_measured is not None for p in CHOSEN)
    ringed = sum(p.indistinct_from_best for p in CHOSEN)
    assert ringed > 2
    assert marks(body) == len(CHOSEN) + measured + ringed
    assert len(re.findall(r"<tr data-number", body)) == sum(p.on_front for p in CHOSEN)
    assert "Bits per byte on 256 held-out contexts" in body


def test_filters_and_a_chosen_point_in_a_browser(page, tmp_path):
    families = ("integer × integer", "minifloat × integer")
    own = [p for p in CHOSEN if p.target == "ecp5" and p.family in families and p.on_front]
    number = CHOSEN.index(own[0])
    body = rendered(
        page, tmp_path, target="ecp5", families="|".join(families), only=1, point=number
    )
    assert 0 < len(own) < sum(p.on_front for p in CHOSEN) / 2
    assert f'<p id="shown">{len(own)} of {len(CHOSEN)} points</p>' in body
    assert len(re.findall(r"<tr data-number", body)) == len(own)
    command = re.search(r'<code id="command">(.*?)</code>', body)
    assert command
    assert command[1] == own[0].command
    assert f'data-number="{number}" class="chosen"' in body


def test_saving_goes_aside_first(tmp_path):
    assert save_page(CHOSEN[:3], tmp_path / "new" / "front.html").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["front.html"]
