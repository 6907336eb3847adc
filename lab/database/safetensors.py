"""Encode tensors as safetensors and back: never pickle, so a file cannot contain code."""

import json
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

_METADATA_KEY = "state"


def encode_tensors(tensors: dict[str, Tensor], *, values: dict[str, Any] | None = None) -> bytes:
    """Encode ``tensors`` as a safetensors file, with plain JSON ``values`` in its header if given."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return save(contiguous, metadata={_METADATA_KEY: json.dumps(values)} if values is not None else None)


def decode_tensors(data: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        ValueError: the bytes are not a whole safetensors file.
    """
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(f"the checkpoint is damaged: {error}") from error


def decode_values(data: bytes) -> dict[str, Any]:
    """The JSON values in the header of a file that ``encode_tensors`` wrote with some."""
    header_size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + header_size])
    values: dict[str, Any] = json.loads(header["__metadata__"][_METADATA_KEY])
    return values
