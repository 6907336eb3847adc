"""One network on a CPU, by a library compiled for it: 4, 8 or 16 images side by side in each register.

The library, in ``native``, runs without the interpreter's lock, so that several work at once in threads. Its
results depend on the number of images in a register, and not on the number of threads.
"""

import ctypes
import weakref
from pathlib import Path

import torch
from torch import Tensor

from lab.experiments.architecture import IMAGE_SIZE, NUM_CLASSES, ROWS
from lab.experiments.configs import RunConfig
from worker.engines.compilation import load_library
from worker.engines.dropout import Dropped
from worker.engines.interface import BATCH_NORM_MOMENTUM, NORMALIZATION_EPS, Batch
from worker.engines.weights import Layout, Weights, lay_out, list_running

_KINDS = {"none": 0, "batch": 1, "group": 2, "instance": 2, "layer": 3}
_POOLS = {None: 0, "max": 1, "average": 2}
_POINTER = ctypes.c_void_p


class _Row(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int32)
        for name in (
            "in_channels",
            "out_channels",
            "kernel_size",
            "padding",
            "is_block",
            "pool",
            "pool_size",
            "num_groups",
            "weight",
            "gamma",
            "beta",
            "running",
        )
    )


class VectorEngine:
    """Works on the network of one run, in batches of at most its batch size."""

    def __init__(self, config: RunConfig, *, num_lanes: int, max_threads: int, cache_dir: Path) -> None:
        """Make room for the network.

        Raises:
            EngineUnavailableError: the library cannot be had here.
            MemoryError: there is no room.
        """
        self._library = _open_library(num_lanes, cache_dir=cache_dir)
        layout = lay_out(config)
        rows = _describe_rows(config, layout)
        self._network = self._library.lab_create(
            rows,
            len(rows),
            _KINDS[config.normalization],
            IMAGE_SIZE,
            layout.size,
            config.batch_size,
            max_threads,
            NORMALIZATION_EPS,
        )
        if not self._network:
            raise MemoryError("there is no room for a network's activations")
        weakref.finalize(self, self._library.lab_destroy, self._network)
        self._num_threads = max_threads

    def use_threads(self, num_threads: int) -> None:
        """Work with this many threads from here on."""
        # PyTorch's work around the library is small, and its threads would spin on the cores for a
        # while after each operation.
        torch.set_num_threads(1)
        self._num_threads = num_threads

    def differentiate(self, weights: Weights, batch: Batch) -> Tensor:
        """See ``Engine``."""
        images, labels = batch.images[0].contiguous(), batch.labels[0].contiguous()
        gradient = torch.empty_like(weights.parameters)
        dropped = batch.dropped[0] if batch.dropped else None
        positions, counts = _point_at_dropped(dropped)
        self._library.lab_differentiate(
            self._network,
            images.data_ptr(),
            labels.data_ptr(),
            len(labels),
            weights.parameters.data_ptr(),
            gradient.data_ptr(),
            weights.running_mean.data_ptr(),
            weights.running_var.data_ptr(),
            BATCH_NORM_MOMENTUM,
            dropped.keep_scale if dropped else 1.0,
            positions,
            counts,
            self._num_threads,
        )
        weights.num_batches += 1
        return gradient

    def predict(self, weights: Weights, images: Tensor) -> Tensor:
        """See ``Engine``."""
        log_probabilities = torch.empty(1, len(images), NUM_CLASSES)
        images = images.contiguous()
        self._library.lab_predict(
            self._network,
            images.data_ptr(),
            len(images),
            weights.parameters.data_ptr(),
            weights.running_mean.data_ptr(),
            weights.running_var.data_ptr(),
            log_probabilities.data_ptr(),
            self._num_threads,
        )
        return log_probabilities


def _open_library(num_lanes: int, *, cache_dir: Path) -> ctypes.CDLL:
    library = load_library(num_lanes, cache_dir=cache_dir)
    library.lab_create.restype = _POINTER
    library.lab_create.argtypes = [_POINTER, *[ctypes.c_int] * 6, ctypes.c_float]
    library.lab_destroy.restype = None
    library.lab_destroy.argtypes = [_POINTER]
    library.lab_differentiate.restype = None
    library.lab_differentiate.argtypes = [
        *[_POINTER] * 3,
        ctypes.c_int,
        *[_POINTER] * 4,
        *[ctypes.c_float] * 2,
        *[_POINTER] * 2,
        ctypes.c_int,
    ]
    library.lab_predict.restype = None
    library.lab_predict.argtypes = [*[_POINTER] * 2, ctypes.c_int, *[_POINTER] * 4, ctypes.c_int]
    return library


def _describe_rows(config: RunConfig, layout: Layout) -> ctypes.Array[_Row]:
    running = dict(list_running())
    remaining_groups = iter(config.num_groups)
    offsets = layout.offsets
    rows = []
    for row in ROWS:
        is_instance = config.normalization == "instance"
        num_groups = next(remaining_groups, 1) if row.is_block else 1
        rows.append(
            _Row(
                in_channels=row.in_channels,
                out_channels=row.out_channels,
                kernel_size=row.kernel_size,
                padding=row.padding,
                is_block=row.is_block,
                pool=_POOLS[row.pool],
                pool_size=row.pool_size,
                num_groups=row.out_channels if is_instance else num_groups,
                weight=offsets[f"conv{row.number}.weight"],
                gamma=offsets.get(f"norm{row.number}.weight", -1),
                beta=offsets.get(f"norm{row.number}.bias", -1),
                running=running[row.number].start if row.is_block else 0,
            )
        )
    return (_Row * len(rows))(*rows)


def _point_at_dropped(
    dropped: Dropped | None,
) -> tuple[ctypes.Array[ctypes.c_void_p] | None, ctypes.Array[ctypes.c_int64] | None]:
    """The positions' addresses and numbers, one a row of the network; rows that are no block drop nothing."""
    if dropped is None:
        return None, None
    of_blocks = iter(dropped.positions)
    of_rows = [next(of_blocks) if row.is_block else None for row in ROWS]
    addresses = (_POINTER * len(ROWS))(*(None if p is None else p.data_ptr() for p in of_rows))
    counts = (ctypes.c_int64 * len(ROWS))(*(0 if p is None else len(p) for p in of_rows))
    return addresses, counts
