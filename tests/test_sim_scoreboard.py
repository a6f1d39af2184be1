"""The scoreboard counts every wrong, missing and surplus word."""

import numpy as np

from sim.ports import text_bits
from sim.scoreboard import Scoreboard, port_values


def test_scoreboard_counts_and_names_the_first_difference():
    board = Scoreboard([("valid", 1), ("total", 3)])
    expected = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], np.uint8)
    board.compare(expected, expected.copy(), "cycle")
    assert (board.mismatches, board.first) == (0, None)
    seen = text_bits(["1011", "0x00"], 4)
    board.compare(expected, seen, "cycle")
    assert board.mismatches == 2
    wanted = {"where": "cycle 1", "port": "total", "expected": "000", "got": "X00"}
    assert board.first == wanted
    described = Scoreboard([("valid", 1), ("total", 3)])
    described.compare(expected, seen, "cycle", lambda row: port_values([("x", 3)], expected[row]))
    assert described.first == wanted | {"where": "cycle 1 (x=0x0)"}
    board.fault("late")
    assert board.mismatches == 3


def test_scoreboard_counts_missing_and_surplus_words():
    board = Scoreboard([("total", 1)])
    board.compare(np.zeros((4, 1), np.uint8), np.zeros((1, 1), np.uint8), "result")
    assert board.mismatches == 3
    assert board.first is not None
    assert (board.first["expected"], board.first["got"]) == ("4", "1")
