"""Errors that cross process borders stay themselves."""

import pickle

from hw.errors import MissingTool


def test_a_missing_tool_survives_pickling():
    error = pickle.loads(pickle.dumps(MissingTool("g++", "apt install g++")))
    assert isinstance(error, MissingTool)
    assert str(error) == "g++ is not installed; install it with: apt install g++"
    assert (error.tool, error.install) == ("g++", "apt install g++")
