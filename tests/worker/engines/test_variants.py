import importlib.util
import logging
from pathlib import Path

import pytest
import torch

from tests.conftest import CACHE_DIR
from tests.worker.bench import CPU, make_backend
from tests.worker.engines.cases import make_config
from worker.engines.compilation import EngineUnavailableError, count_lanes
from worker.engines.stacked import StackedEngine
from worker.engines.variants import Backend, set_up_backend
from worker.engines.vector import VectorEngine

# Made of a name alone: nothing here touches a device.
GPU = Backend(device=torch.device("cuda"), num_threads=8, cache_dir=CACHE_DIR, variant="stacked")


class TestSetUp:
    def test_a_processor_is_given_the_engine_that_is_compiled_for_it(self) -> None:
        assert set_up_backend(CPU, cache_dir=CACHE_DIR).variant == f"vector-{count_lanes()}"

    def test_without_a_compiler_pytorch_trains_and_a_warning_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        with caplog.at_level(logging.WARNING):
            backend = set_up_backend(CPU, cache_dir=tmp_path)
        assert backend.variant == "stacked"
        assert "Training by PyTorch's operators, which is slower: the compiler's package" in caplog.text


class TestEngines:
    def test_are_those_of_the_variant(self) -> None:
        backend, config = make_backend(), make_config("batch")
        assert isinstance(backend.build_engine("stacked", [config, config]), StackedEngine)
        assert isinstance(backend.build_engine(f"vector-{count_lanes()}", [config]), VectorEngine)

    def test_that_cannot_be_had_here_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        backend = Backend(device=CPU, num_threads=1, cache_dir=tmp_path, variant="stacked")
        with pytest.raises(EngineUnavailableError):
            backend.build_engine("vector-4", [make_config("batch")])

    def test_of_a_processor_is_not_to_be_had_on_a_gpu(self) -> None:
        with pytest.raises(EngineUnavailableError, match="begun on a CPU, by vector-16, and only a CPU"):
            GPU.build_engine("vector-16", [make_config("batch")])


class TestSize:
    def test_a_processor_trains_a_run_in_each_thread(self) -> None:
        backend = make_backend(num_threads=3)
        assert (backend.bundle_size, backend.num_lanes) == (3, 3)
        assert not any(map(backend.is_fusing, ("stacked", "vector-8")))

    def test_a_gpu_trains_a_study_as_one(self) -> None:
        assert (GPU.bundle_size, GPU.num_lanes) == (24, 1)
        assert GPU.is_fusing("stacked")
