"""Floor 4. The command ``macloom``: parses, calls one function of `sweeps.commands*`, and turns
errors into one line and an exit code: 0 fine, 1 the check failed, 2 bad input, 3 a missing tool,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hw.errors import MissingTool
from sweeps.arguments import (
    SIMULATORS,
    Parser,
    add_design,
    add_foreign,
    add_json,
    at_least,
    nearest_command,
    word,
)
from sweeps.executors import add_executor

FINE, CHECK_FAILED, BAD_INPUT, MISSING_TOOL, STOPPED, TERMINATED = 0, 1, 2, 3, 130, 143
_OWN_PACKAGES = ("hw", "sim", "costmodel", "sweeps", "macloom")

Declare = Callable[[argparse.ArgumentParser], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Words after ``macloom``; those of the process if none are given.

    Returns
    -------
    The exit code. Bad options leave by `SystemExit` with code 2, as argparse does.

    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    with _terminable() as terminated:
        code = _outcome(words)
    return TERMINATED if code == STOPPED and terminated.is_set() else code


@contextmanager
def _terminable() -> Iterator[threading.Event]:
    """Have SIGTERM do what Ctrl-C does, and tell whether it came."""
    terminated = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return

    def stop(*_: object) -> None:
        terminated.set()
        signal.raise_signal(signal.SIGINT)

    usual = signal.signal(signal.SIGTERM, stop)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, usual)


def _outcome(words: Sequence[str]) -> int:
    """Run one command; the exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as stop:
        return _fail(str(stop) or "stopped", STOPPED, "")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except MissingTool as error:
        return _fail(str(error), MISSING_TOOL)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _OWN_PACKAGES:
            raise
        return _fail(f"the Python package {package} is not installed", MISSING_TOOL)
    except OSError as error:
        return _fail(_os_message(error), BAD_INPUT)
    except ValueError as error:
        return _fail(str(error), BAD_INPUT)


def _run(words: Sequence[str]) -> int:
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise ValueError(nearest_command(words[0], tuple(COMMANDS)))
    arguments, unknown = parser().parse_known_args(words)
    if unknown:
        arguments.parser.refuse(unknown)
    module, function = COMMANDS[arguments.command][1].split(":")
    code: int = getattr(importlib.import_module(module), function)(arguments)
    return code


def _fail(message: str, code: int, prefix: str = "error: ") -> int:
    print(prefix + " ".join(message.split()), file=sys.stderr)
    return code


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one line (the signature is that of `warnings.showwarning`)."""
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def _os_message(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*names[-1:], error.strerror.lower()])


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(
        prog="macloom",
        description="Which number format should my hardware use, and what does it cost?",
        epilog="Exit codes: 0 fine, 1 a check failed, 2 bad input, 3 a missing tool.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, _, declare) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(parser=command)
        declare(command)
    return top


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"macloom {version('macloom')}")
        parser.exit()


def _formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="describe these: names, or files of codebooks"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw their values instead; .png, .svg or .pdf"
    )
    parser.add_argument(
        "--absolute", action="store_true", help="draw values as they are, not over the largest"
    )
    add_json(parser)


def _cast(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_cast import declare

    declare(parser)


def _performance(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_performance import declare

    declare(parser)


def _generate(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    _add_output(parser, "write SLUG.v and its sidecar SLUG.json here instead of printing")
    add_json(parser)


def _simulate(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    _add_simulation(parser)
    _add_output(parser, "write the Verilog and a sidecar with the verdict here")
    add_foreign(parser, simulated=True)
    parser.add_argument(
        "--netlist", action="store_true", help="check the netlist that Yosys maps instead"
    )
    add_json(parser)


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.v", help="a file of `macloom generate`")
    _add_simulation(parser)
    add_json(parser)


def _add_simulation(parser: argparse.ArgumentParser) -> None:
    _add_simulator(parser)
    parser.add_argument(
        "--vectors", type=at_least(1), metavar="N", help="about how many random vectors"
    )
    parser.add_argument("--seed", type=at_least(0), default=1, metavar="N", help="of these (1)")


def _estimate(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    from sweeps.commands_estimate import add_exports

    parser.add_argument("--breakdown", action="store_true", help="cost of each part")
    add_exports(parser)
    parser.add_argument(
        "--extrapolate",
        action="store_true",
        help="take a design outside a user's target too, with a wider error",
    )
    add_json(parser)


def _energy(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_energy import declare

    declare(parser)


def _synthesize(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument("--no-cache", action="store_true", help="synthesise even if known")
    parser.add_argument(
        "--clock",
        action="store_true",
        help="the clock too: ecp5 and ice40 placed and routed (minutes), xcup and xc7 by formula",
    )
    parser.add_argument(
        "--liberty",
        type=Path,
        metavar="FILE",
        help="area, delay and leakage in your own cells too (target asic)",
    )
    _add_output(parser, "write the Verilog and a sidecar (with --rtl: TOP.json) here")
    add_foreign(parser, simulated=False)
    add_json(parser)


def _calibrate(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_calibrate import declare

    declare(parser)


def _sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", type=Path, metavar="SPEC.yaml", help="or digits, vit or bytes")
    _add_output(parser, "folder of the results instead of the file's `output`")
    add_executor(parser)
    add_json(parser)


def _sensitivity(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_layers import declare_sensitivity

    declare_sensitivity(parser)


def _allocate(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_allocate import declare

    declare(parser)


def _sqnr(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_sqnr import declare

    declare(parser)


def _recommend(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_recommend import declare

    declare(parser)


def _grid(parser: argparse.ArgumentParser) -> None:
    from sweeps.commands_grid import declare

    declare(parser)


def _plot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("points", type=Path, metavar="POINTS.csv", help="of `macloom sweep`")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="without suffix: PNG and SVG; .html"
    )
    parser.add_argument(
        "--peer",
        type=Path,
        action="append",
        default=[],
        metavar="TOP.json",
        help="draw foreign RTL too: a record of `macloom synthesize --rtl … -o DIR`; repeatable",
    )
    add_json(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    _add_simulator(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", default=Path("build/demo"), help="build/demo"
    )
    add_json(parser)


def _add_simulator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--simulator",
        type=word(*SIMULATORS),
        default=SIMULATORS[0],
        metavar="NAME",
        help=f"{' or '.join(SIMULATORS)} ({SIMULATORS[0]})",
    )


def _add_output(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=text)


COMMANDS: dict[str, tuple[str, str, Declare]] = {
    "formats": ("list number formats; describe or draw some", "sweeps.commands:formats", _formats),
    "generate": ("write the Verilog of a design", "sweeps.commands:generate", _generate),
    "simulate": (
        "run a design's Verilog against the golden model",
        "sweeps.commands:simulate",
        _simulate,
    ),
    "verify": ("re-run an exported file from the file alone", "sweeps.commands:verify", _verify),
    "estimate": ("area of a design by formula", "sweeps.commands:estimate", _estimate),
    "synthesize": ("area of a design by Yosys", "sweeps.commands:synthesize", _synthesize),
    "energy": ("energy per MAC by toggles", "sweeps.commands_energy:energy", _energy),
    "calibrate": (
        "the model's error; a target of your own tool's reports",
        "sweeps.commands_calibrate:calibrate",
        _calibrate,
    ),
    "cast": ("numbers of a file to a format, as codes", "sweeps.commands_cast:cast", _cast),
    "sweep": ("accuracy and area of many formats", "sweeps.commands_sweep:sweep", _sweep),
    "sensitivity": (
        "what each layer loses in each format",
        "sweeps.commands_layers:sensitivity",
        _sensitivity,
    ),
    "allocate": (
        "a format for each layer within budgets, exactly",
        "sweeps.commands_allocate:allocate",
        _allocate,
    ),
    "sqnr": ("signal to noise of weights in formats", "sweeps.commands_sqnr:sqnr", _sqnr),
    "recommend": (
        "the best design for a network within limits",
        "sweeps.commands_recommend:recommend",
        _recommend,
    ),
    "grid": ("the front of millions of designs by formula", "sweeps.commands_grid:grid", _grid),
    "plot": ("draw the points of a sweep", "sweeps.commands_sweep:plot", _plot),
    "performance": (
        "a whole network on accelerators, by formula",
        "sweeps.commands_performance:performance",
        _performance,
    ),
    "demo": ("the whole job on real input", "sweeps.commands_sweep:demo", _demo),
    "doctor": ("what is installed, what it enables", "sweeps.commands:doctor", add_json),
}

if __name__ == "__main__":
    sys.exit(main())
