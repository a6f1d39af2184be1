"""Codebooks from YAML files: exact numbers, rounding onto a format, errors that name the line."""

from fractions import Fraction

import numpy as np
import pytest

from hw.formats import CodebookFormat, parse
from sweeps.codebooks import parse_or_read, read_codebook


@pytest.fixture
def book(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_values_are_exact_and_in_code_order(book):
    path = book("name: mine\nvalues: [-1, -0.5, 0, 0.5, 1, 3/8, 25e-2, 1e1]\n")
    format = read_codebook(path)
    values = [-1, -0.5, 0, 0.5, 1, 0.375, 0.25, 10]
    assert format == CodebookFormat("mine", tuple(map(Fraction, values)))
    assert format.values() == values
    assert parse(format.name) == format
    assert parse_or_read(str(path)) == format


def test_values_round_onto_a_format(book):
    texts = "-0.6961928009986877, -0.1, 0, 0.1, 0.07958029955625534"
    format = read_codebook(book(f"values: [{texts}]\nround_to: fp32\n"))
    singles = [Fraction(float(np.float32(text.strip()))) for text in texts.split(",")]
    assert list(format.entries) == singles
    # Never through float64: half an ulp of binary32 above 1, and a little.
    text = "1.00000005960464477539062500000000001"
    format = read_codebook(book(f"values: [0, {text}]\nround_to: fp32\n"))
    assert format.entries[1] == 1 + Fraction(1, 1 << 23)


def test_a_published_table_read_from_a_file_is_the_named_one(book):
    texts = (
        "[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,\n"
        " -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,\n"
        " 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,\n"
        " 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]"
    )
    found = read_codebook(book(f"values: {texts}\nround_to: fp32\n"))
    assert found.entries == parse("nf4").entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("values: [0, 1,\n  0.1]\n", "mine.yaml:2: values[2] must be dyadic"),
        ("values: [0, 1,\n  1.0]\n", "mine.yaml:2: values[2] must differ from values[1]: both are"),
        ("values: [0, one]\n", "mine.yaml:1: values[1] must be a number, not 'one'"),
        ("values: [0, .nan]\n", "mine.yaml:1: values[1] must be a number, not .nan"),
        ("values: [0, 1/0]\n", "mine.yaml:1: values[1] must be a number, not '1/0'"),
        ("values: [0, [1]]\n", "mine.yaml:1: values[1] must be a number, not a list"),
        ("values: [0]\n", "mine.yaml:1: values is no codebook: a codebook has 2..65536 values"),
        ("values: []\n", "mine.yaml:1: values must be a list of numbers, not an empty one"),
        ("values: 3\n", "mine.yaml:1: values must be a list of numbers, not 3"),
        ("name: n1\nvalues: [0, 1]\n", "mine.yaml:1: name is no name: the label of a codebook"),
        ("name: 3\nvalues: [0, 1]\n", "mine.yaml:1: name must be a name, not 3"),
        ("values: [0, 1]\nround_to: fp23\n", "mine.yaml:2: round_to must be the name of a format"),
        ("values: [0, 1]\nround_to: mxfp4\n", "mine.yaml:2: round_to must be the name of a form"),
        (
            "values: [0, 1]\nround: fp32\n",
            "mine.yaml:2: round is no key here; did you mean 'round_t",
        ),
        ("name: mine\n", "mine.yaml:1: the file lacks the key 'values'"),
        ("values: [0, 0.0001, 0.0002]\nround_to: int8\n", "values[1] must differ from values[0]"),
        ("", "mine.yaml: the file is empty"),
        ("values: [0, 1", "not YAML"),
    ],
)
def test_bad_files(book, text, message):
    with pytest.raises(ValueError) as caught:
        read_codebook(book(text))
    assert message in str(caught.value)


def test_text_that_is_not_utf_8_and_files_that_are_not_there(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8 text at byte 0"):
        read_codebook(tmp_path / "mine.yaml")
    with pytest.raises(FileNotFoundError):
        parse_or_read(str(tmp_path / "none.yml"))
