"""Floor 4. The grammar of the command line: one for all commands that take a design."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from hw.design import Design

SIMULATORS = ("verilator", "icarus")
OBJECTIVES = ("sites", "lut", "ff", "dsp", "fmax", "energy")
DEFAULT_TARGET = "xcup"
_DESIGN_KEYS = (
    "kind",
    "weight",
    "activation",
    "lanes",
    "rows",
    "columns",
    "dataflow",
    "accumulator",
    "structure",
    "specials",
    "chain",
    "pipeline",
    "organisation",
    "group",
    "length",
    "datatypes",
    "weights",
)
_DESIGN_EPILOG = (
    "The design is given by its kind and options, or by --design FILE (YAML or JSON: a design "
    "record, or the sidecar of an exported file); options then replace what the file says."
)


SIGN_KINDS = ("binary", "ternary")
"""Words for a kind that mean a dot product with weights of this format."""
_KIND_HELP = (
    "mac, dot, array, tile, bitplane, constdot or square; binary or ternary: a dot product with "
    "such weights, and such activations too unless --activation says otherwise"
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with code 2."""
        print(f"error: {' '.join(message.split())} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Leave as `error` does because of words that mean nothing here; suggest the nearest."""
        options = [name for action in self._actions for name in action.option_strings]
        near = difflib.get_close_matches(words[0].partition("=")[0], options, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        self.error(f"{self.prog} has no argument {words[0]}{hint}")


def word(*choices: str) -> Callable[[str], str]:
    """Return a converter that accepts some words and suggests the nearest for others."""

    def convert(text: str) -> str:
        if text not in choices:
            near = difflib.get_close_matches(text, choices, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise argparse.ArgumentTypeError(
                f"must be one of {', '.join(choices)}, not {text!r}{hint}"
            )
        return text

    return convert


def at_least(least: int) -> Callable[[str], int]:
    """Return a converter for whole numbers from `least` on."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least} on, not {text!r}"
            )
        return value

    return convert


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of text")


def add_design(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a design, and its target."""
    parser.epilog = _DESIGN_EPILOG
    parser.add_argument("kind", nargs="?", metavar="KIND", help=_KIND_HELP)
    parser.add_argument("--design", type=Path, metavar="FILE", help="YAML or JSON file")
    parser.add_argument("--weight", metavar="FORMAT", help="such as int8, fixed_8_4, e4m3fn")
    parser.add_argument("--activation", metavar="FORMAT", help="default: the weight format")
    parser.add_argument("--lanes", type=at_least(1), metavar="N", help="of a dot (16), a cell (1)")
    parser.add_argument("--rows", type=at_least(1), metavar="R", help="of an array or tile (4)")
    parser.add_argument("--columns", type=at_least(1), metavar="C", help="of an array or tile (4)")
    parser.add_argument(
        "--dataflow",
        metavar="NAME",
        help="of an array: output-stationary or weight-stationary (output-stationary)",
    )
    parser.add_argument(
        "--accumulator",
        metavar="ACCUMULATOR",
        help="exact[:TERMS], wrap:BITS, saturate:BITS[:once], window:BITS[:TERMS], "
        "float:FORMAT[:step|sequential|once] or a format (exact:256)",
    )
    parser.add_argument(
        "--structure",
        help="auto, behavioural, rows, table, merged, compressor, baugh-wooley, khot, dsp or "
        "packed (auto)",
    )
    parser.add_argument(
        "--chain", type=at_least(0), metavar="N", help="rows of a chain, of structure merged (0)"
    )
    parser.add_argument("--specials", help="flag or ignore: NaN and infinite operands (flag)")
    _add_serial(parser)
    _add_building(parser)


def _add_serial(parser: argparse.ArgumentParser) -> None:
    """Add the options of single kinds."""
    parser.add_argument(
        "--organisation",
        metavar="NAME",
        help="of a bitplane: parallel, weight-serial or both-serial (weight-serial)",
    )
    parser.add_argument(
        "--group", type=at_least(1), metavar="G", help="weights per scale of a bitmod (128)"
    )
    parser.add_argument(
        "--length", type=at_least(1), metavar="K", help="weights per output of a bitmod (4096)"
    )
    parser.add_argument(
        "--datatypes", metavar="LIST", help="of a bitmod: of fp3,fp4,int5,int6,int8 (all)"
    )
    parser.add_argument(
        "--weights",
        metavar="LIST|FILE",
        help="of a constdot: whole numbers such as 3,-5,7, outputs apart by ; or by lines",
    )


def _add_building(parser: argparse.ArgumentParser) -> None:
    """Add how a structure is chosen, the pipeline, and the target."""
    parser.add_argument(
        "--optimize",
        type=word(*OBJECTIVES),
        metavar="GOAL",
        help=f"choose the structure for {', '.join(OBJECTIVES)}, and say why (sites)",
    )
    parser.add_argument(
        "--verify", type=at_least(1), default=0, metavar="N", help="measure the best N of these"
    )
    parser.add_argument(
        "--pipeline",
        type=at_least(0),
        metavar="N",
        help="register stages before the accumulators, placed automatically (0)",
    )
    parser.add_argument(
        "--target-mhz", type=float, metavar="F", help="as few stages as this clock needs"
    )
    parser.add_argument(
        "--target",
        help=f"xcup, xc7, ecp5, ice40, gowin, asic, or a file of `calibrate` ({DEFAULT_TARGET})",
    )
    parser.add_argument(
        "--portable", action="store_true", help="plain Verilog: no LUT6_2 and CARRY4 of Xilinx"
    )


def add_foreign(parser: argparse.ArgumentParser, simulated: bool) -> None:
    """Add the options that put somebody else's RTL in the place of our own."""
    group = parser.add_argument_group("somebody else's RTL instead of ours")
    group.add_argument("--rtl", type=Path, nargs="+", metavar="FILE", help="(System)Verilog files")
    group.add_argument("--top", metavar="MODULE", help="their top module")
    group.add_argument(
        "--parameter", action="append", metavar="NAME=VALUE", help="of the top module; repeatable"
    )
    if simulated:
        group.add_argument(
            "--ports",
            metavar="MAP",
            help="OURS=THEIRS,… or a file of such lines; THEIRS is name, ~name, name[] (unpacked "
            "array), name{} (name0, name1, …); 0=name and 1=name hold an input",
        )
        group.add_argument(
            "--latency",
            type=at_least(0),
            metavar="N",
            help="cycles from operands to total (1 with a clock, else 0)",
        )


def design_of(arguments: argparse.Namespace) -> tuple[Design, str]:
    """Return the design that arguments describe, and the name of its target.

    Raises
    ------
    ValueError
        If the arguments or the file describe no design.
    OSError
        If the file cannot be read.

    """
    from hw.design import from_record

    given = {key: value for key in _DESIGN_KEYS if (value := getattr(arguments, key)) is not None}
    _settle_signs(given)
    _settle_weights(given)
    if arguments.design is None:
        if "kind" not in given:
            raise ValueError("a design needs its kind (mac, dot, array, tile) or --design FILE")
        return from_record(given), _target(arguments, DEFAULT_TARGET)
    record, target = _from_file(arguments.design)
    if given.get("kind", record.get("kind")) != record.get("kind"):
        raise ValueError(
            f"{arguments.design} describes the kind {record.get('kind')!r}, not {given['kind']!r}"
        )
    try:
        from_record(record)
    except ValueError as error:
        raise ValueError(f"{arguments.design}: {error}") from None
    return from_record(record | given), _target(arguments, target)


def _settle_signs(given: dict[str, Any]) -> None:
    """Replace the words of `SIGN_KINDS` by what they mean."""
    word = given.get("kind")
    if word not in SIGN_KINDS:
        return
    if given.get("weight", word) != word:
        raise ValueError(
            f"{word} is a dot product with {word} weights, not {given['weight']}: "
            f"say dot --weight {given['weight']}"
        )
    given |= {"kind": "dot", "weight": word}


def _settle_weights(given: dict[str, Any]) -> None:
    """Replace the name of a file of weights by what it says."""
    text = given.get("weights")
    if text is not None and not set(text) <= set("0123456789abcdefx-+,; \n"):
        given["weights"] = Path(text).read_text(encoding="utf-8")


def _target(arguments: argparse.Namespace, default: str) -> str:
    """Return the name of the target, as `hw.target.load` takes it."""
    from hw.target import PORTABLE

    name: str = arguments.target or default
    return f"{name}:{PORTABLE}" if arguments.portable and ":" not in name else name


def _from_file(path: Path) -> tuple[dict[str, Any], str]:
    """Return the design record of a file, and the target its sidecar names."""
    from sweeps.files import read_record

    record = read_record(path)
    inner = record.get("design")
    if isinstance(inner, dict):
        return inner, str(record.get("target") or DEFAULT_TARGET)
    return record, DEFAULT_TARGET


def nearest_command(name: str, commands: Sequence[str]) -> str:
    """Return the message for a command that does not exist."""
    near = difflib.get_close_matches(name, commands, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"commands: {', '.join(commands)}"
    return f"there is no command {name!r}; {hint}"
