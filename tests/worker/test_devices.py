import pytest
import torch

from lab.errors import SettingsError
from worker.devices import choose_device, describe_device

CPU = torch.device("cpu")


class TestDevice:
    def test_cpu_is_the_cpu(self) -> None:
        assert choose_device("cpu") == CPU

    def test_auto_takes_cuda_where_there_is_one(self) -> None:
        expected = "cuda" if torch.cuda.is_available() else "cpu"
        assert choose_device("auto").type == expected

    def test_missing_device_is_refused_with_how_many_there_are(self) -> None:
        with pytest.raises(SettingsError, match=r"LAB_DEVICE is cuda:64, but this machine has \d+ CUDA"):
            choose_device("cuda:64")

    def test_description_tells_what_numbers_depend_on(self) -> None:
        words = describe_device(CPU, num_threads=3)
        assert "3 threads" in words
        assert f"PyTorch {torch.__version__}" in words
