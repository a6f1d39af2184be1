"""Floor 4. Tensors of codes in safetensors files, by the safetensors library (an extra).

Formats that safetensors knows (fp32, fp16, bfloat16, e4m3fn, e5m2, their fnuz kinds, integers of
8 to 64 bits) are written as that type, all others as unsigned integers, one code each. The metadata
entry ``macloom.formats`` is a JSON object from tensor to format name (a single entry, as the
library writes several in any order); a scale other than 1 is a float64 tensor ``NAME.scale``. Files
of others are read too: their types say the format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.errors import MissingTool
from hw.formats import Format, parse_element
from hw.formats.dtypes import DTYPES, from_dtype, to_dtype
from sim.golden.convert import code_type
from sweeps.files import write_whole
from sweeps.tensors import SCALE, Coded, Tensor, check_names

METADATA = "macloom.formats"
_TYPES = {
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
"""Type in the file → name of the element type, which the library takes for writing."""


def save_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors of single codes as a safetensors file, whole or not at all.

    Raises
    ------
    hw.errors.MissingTool
        If the library is not installed.
    ValueError, OSError
        As `sweeps.tensors.save_npz`, and for tensors of blocks.

    """
    check_names(tensors)
    library = _library()
    kept: list[NDArray[Any]] = []  # the library reads their memory
    specs = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, Coded):
            raise ValueError(f"{name}: {tensor.format} has blocks, which only .npz files hold")
        specs[name] = _spec(library, kept, _stored_type(tensor.format), tensor.codes)
        if tensor.is_scaled:
            specs[name + SCALE] = _spec(library, kept, "float64", tensor.scale)
    formats = {name: tensor.format.name for name, tensor in tensors.items()}
    metadata = {METADATA: json.dumps(formats, sort_keys=True)}
    write_whole(path, bytes(library.serialize(specs, metadata)))


def load_safetensors(path: Path) -> dict[str, Coded]:
    """Return the tensors of a safetensors file, by name.

    Raises
    ------
    hw.errors.MissingTool
        If the library is not installed.
    ValueError
        If it is no such file, or a tensor has a type without a format (float64, bool, …).
    OSError
        If it cannot be read.

    """
    library = _library()
    content = path.read_bytes()
    try:
        found = dict(library.deserialize(content))
    except library.SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file: {error}") from None
    formats = _formats(path, content)
    scales = {name + SCALE for name in formats} & set(found)
    return {
        name: _tensor(path, name, entry, formats.get(name), found.get(name + SCALE))
        for name, entry in found.items()
        if name not in scales
    }


def _tensor(
    path: Path, name: str, entry: dict[str, Any], format_name: str | None, scale: Any
) -> Coded:
    try:
        format = _format(entry["dtype"]) if format_name is None else parse_element(format_name)
        words = np.dtype(code_type(format)).newbyteorder("<")
        codes = np.frombuffer(entry["data"], words).reshape(entry["shape"])
        scales = np.array(1.0)
        if format_name is not None and scale is not None:
            scales = np.frombuffer(scale["data"], "<f8").reshape(scale["shape"])
        return Coded(codes, format, scales)
    except ValueError as error:
        raise ValueError(f"{path}: {name}: {error}") from None


def _format(file_type: str) -> Format:
    if file_type not in _TYPES:
        raise ValueError(f"the type {file_type} has no format (types: {', '.join(_TYPES)})")
    return from_dtype(_TYPES[file_type])


def _stored_type(format: Format) -> str:
    if format.name in DTYPES.values() and to_dtype(format) in _TYPES.values():
        return to_dtype(format)
    return code_type(format).name


def _spec(library: Any, kept: list[NDArray[Any]], dtype: str, array: NDArray[Any]) -> Any:
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    kept.append(plain)
    shape = list(array.shape)
    return library.TensorSpec(
        dtype=dtype, shape=shape, data_ptr=plain.ctypes.data, data_len=plain.nbytes
    )


def _formats(path: Path, content: bytes) -> dict[str, str]:
    """Return the format names in the metadata: the header is JSON behind its length."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    try:
        formats = json.loads(metadata.get(METADATA, "{}"))
    except json.JSONDecodeError:
        formats = None
    if not isinstance(formats, dict):
        raise ValueError(f"{path}: the metadata {METADATA} is no JSON object")
    return {str(name): str(format) for name, format in formats.items()}


def _library() -> Any:
    try:
        import safetensors
    except ImportError:
        raise MissingTool("safetensors", "pip install 'macloom[safetensors]'") from None
    return safetensors
