import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

from lab.database.safetensors import decode_tensors, decode_values, encode_tensors


def make_tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "conv1.weight": torch.randn(4, 3, 2, 2, generator=generator),
        "norm1.num_batches_tracked": torch.tensor(2**40, dtype=torch.int64),
        "double": torch.tensor([1 / 3, -0.0, float("inf"), 5e-324], dtype=torch.float64),
        "bytes": torch.arange(256).to(torch.uint8),
        "empty": torch.empty(0, 3),
        "transposed": torch.arange(6.0).view(2, 3).T,
    }


def test_tensors_come_back_bit_for_bit() -> None:
    tensors = make_tensors()
    decoded = decode_tensors(encode_tensors(tensors))
    assert decoded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert decoded[name].dtype == tensor.dtype
        assert decoded[name].shape == tensor.shape
        assert decoded[name].contiguous().numpy().tobytes() == tensor.contiguous().numpy().tobytes()


def test_no_tensors_are_a_file_too() -> None:
    assert decode_tensors(encode_tensors({}, values={"a": 1})) == {}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"learning_rate": 0.1 + 0.2, "schedule": {"best": float("inf"), "num_bad_epochs": 1}},
        {"text": 'λ "quoted" \\ and\nlines', "none": None, "list": [1, 2.5, True]},
    ],
)
def test_values_come_back_as_they_were(values: dict[str, Any]) -> None:
    data = encode_tensors(make_tensors(), values=values)
    assert decode_values(data) == values
    assert torch.equal(decode_tensors(data)["conv1.weight"], make_tensors()["conv1.weight"])


def test_a_file_without_values_holds_the_tensors_and_nothing_else() -> None:
    tensors = make_tensors()
    data = encode_tensors(tensors)
    header_size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + header_size])
    assert header.keys() == tensors.keys()
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    assert len(data) == 8 + header_size + num_bytes


def test_every_truncation_is_told() -> None:
    data = encode_tensors({"weight": torch.arange(8.0)}, values={"a": 1})
    for length in range(len(data)):
        with pytest.raises(ValueError, match="the checkpoint is damaged"):
            decode_tensors(data[:length])


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=64))
def test_other_bytes_are_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="the checkpoint is damaged"):
        decode_tensors(data)
