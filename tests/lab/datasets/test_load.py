import functools
import gzip
import hashlib
import http.server
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lab.datasets.load import (
    DATASETS,
    Dataset,
    choose_default_dataset,
    ensure_dataset,
    find_dataset,
    is_present,
    load_dataset,
)
from lab.errors import DatasetUnavailableError, InvalidConfigError

NOWHERE = "http://127.0.0.1:1/"
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without reporting each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's output free of it."""


class HangingHandler(http.server.BaseHTTPRequestHandler):
    """Is there when asked, and never sends a file."""

    is_over = threading.Event()
    num_given_up = 0

    def do_HEAD(self) -> None:
        """Say that the address is right."""
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        """Have whoever asks for a file wait as long as it likes, but not the test."""
        if not self.is_over.wait(20):
            type(self).num_given_up += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's output free of it."""


@contextmanager
def serve(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of the test's own; its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A download server of the test's own: the folder it serves and its address."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    with serve(handler) as address:
        yield folder, address


@pytest.fixture
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set can be downloaded: nothing listens where they are looked for."""
    monkeypatch.setenv("no_proxy", "*")
    for info in DATASETS.values():
        if info.torchvision_class:
            monkeypatch.setattr(f"torchvision.datasets.{info.torchvision_class}.mirrors", [NOWHERE])


class TestDigits:
    def test_shapes_types_and_sizes_are_those_announced(self, digits: Dataset) -> None:
        info = DATASETS["digits"]
        assert digits.info == info
        for part, size in ((digits.train, info.train_size), (digits.test, info.test_size)):
            assert len(part) == size
            assert part.images.shape == (size, 28, 28)
            assert part.images.dtype == torch.uint8
            assert part.labels.shape == (size,)
            assert part.labels.dtype == torch.int64
            assert set(part.labels.tolist()) == set(range(10))
        assert info.train_size + info.test_size == 1_797

    def test_pictures_are_light_on_a_black_border_of_four(self, digits: Dataset) -> None:
        for part in (digits.train, digits.test):
            border = part.images.clone()
            border[:, 4:24, 4:24] = 0
            assert not border.any()
            assert part.images.max() == 255
            # Ink is the smaller part of a picture.
            assert part.images.float().mean() < 255 / 3

    def test_pictures_are_the_originals_enlarged_in_their_order(self, digits: Dataset) -> None:
        bunch = load_digits()
        images = torch.cat((digits.train.images, digits.test.images)).double()
        labels = torch.cat((digits.train.labels, digits.test.labels))
        assert labels.tolist() == bunch.target.tolist()
        # Every original pixel covers 2.5 enlarged ones; the middle one of each five is between two of them.
        for picture, original in zip(images[::100], bunch.images[::100], strict=True):
            enlarged = np.kron(original, np.ones((5, 5))).reshape(20, 2, 20, 2).mean(axis=(1, 3))
            assert np.corrcoef(picture[4:24, 4:24].numpy().ravel(), enlarged.ravel())[0, 1] > 0.95

    def test_moving_keeps_pictures_labels_and_name(self, digits: Dataset) -> None:
        moved = digits.to(torch.device("cpu"))
        assert moved.info == digits.info
        assert torch.equal(moved.test.images, digits.test.images)
        assert torch.equal(moved.train.labels, digits.train.labels)

    def test_are_always_present(self, tmp_path: Path) -> None:
        assert is_present(DATASETS["digits"], data_dir=tmp_path)


def test_mnist_is_read_as_it_is(mnist_dir: Path) -> None:
    mnist = load_dataset("mnist", data_dir=mnist_dir)
    assert mnist.train.images.shape == (60_000, 28, 28)
    assert mnist.test.images.shape == (10_000, 28, 28)
    assert mnist.train.images.dtype == torch.uint8
    assert mnist.train.labels.dtype == torch.int64
    assert mnist.train.labels[:4].tolist() == [5, 0, 4, 1]
    assert mnist.test.labels[:4].tolist() == [7, 2, 1, 0]
    mean = mnist.train.images.double().mean() / 255
    assert float(mean) == pytest.approx(0.1307, abs=1e-4)


class TestNames:
    def test_every_set_has_ten_classes_and_knows_its_name(self) -> None:
        for name, info in DATASETS.items():
            assert info.name == name
            assert find_dataset(name) is info
            assert len(set(info.class_names)) == 10

    def test_only_digits_can_be_read_as_digits(self) -> None:
        assert {name for name, info in DATASETS.items() if info.shows_digits} == {"mnist", "digits"}

    def test_unknown_one_is_refused_with_those_there_are(self, tmp_path: Path) -> None:
        sentence = "dataset is 'cifar10'; it must be one of mnist, digits, fashion_mnist, kmnist."
        with pytest.raises(InvalidConfigError) as error:
            load_dataset("cifar10", data_dir=tmp_path)
        assert str(error.value) == sentence


class TestDownload:
    @pytest.mark.usefixtures("no_mirror")
    def test_unreachable_set_is_named_with_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetUnavailableError) as error:
            load_dataset("kmnist", data_dir=tmp_path / "data")
        sentence = str(error.value)
        assert sentence.startswith("The data set kmnist is not in LAB_DATA_DIR and could not be downloaded")
        assert "Put its files into the folder KMNIST/raw there" in sentence
        assert '"dataset": "digits"' in sentence
        assert not (tmp_path / "data").exists()

    def test_server_without_the_files_is_told_too(
        self, tmp_path: Path, mirror: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", [mirror[1]])
        with pytest.raises(DatasetUnavailableError, match="kmnist"):
            ensure_dataset(DATASETS["kmnist"], data_dir=tmp_path / "data")

    def test_server_that_never_sends_a_file_is_not_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr("lab.datasets.load.DOWNLOAD_TIMEOUT_SECONDS", 0.1)
        with serve(HangingHandler) as address:
            monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", [address])
            try:
                with pytest.raises(DatasetUnavailableError, match="kmnist"):
                    ensure_dataset(DATASETS["kmnist"], data_dir=tmp_path / "data")
            finally:
                HangingHandler.is_over.set()
        assert HangingHandler.num_given_up == 0
        # What else the process reads is given its time again.
        assert socket.getdefaulttimeout() is None

    def test_files_are_fetched_once(
        self, tmp_path: Path, mirror: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, address = mirror
        monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", [NOWHERE, address])
        monkeypatch.setattr("torchvision.datasets.KMNIST.resources", write_tiny_set(folder))
        info, data_dir = DATASETS["kmnist"], tmp_path / "data"
        assert not is_present(info, data_dir=data_dir)
        dataset = load_dataset("kmnist", data_dir=data_dir)
        assert dataset.train.labels.tolist() == [0, 1, 2]
        assert dataset.test.images.shape == (2, 28, 28)
        assert is_present(info, data_dir=data_dir)
        monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", [NOWHERE])
        assert len(load_dataset("kmnist", data_dir=data_dir).test) == 2

    def test_a_missing_file_of_four_is_not_present(self, tmp_path: Path) -> None:
        raw = tmp_path / "KMNIST" / "raw"
        raw.mkdir(parents=True)
        for name in IDX_NAMES[:3]:
            (raw / name).touch()
        assert not is_present(DATASETS["kmnist"], data_dir=tmp_path)
        (raw / IDX_NAMES[3]).touch()
        assert is_present(DATASETS["kmnist"], data_dir=tmp_path)


class TestDefault:
    @pytest.mark.usefixtures("no_mirror")
    def test_is_digits_where_mnist_cannot_be_had(self, tmp_path: Path) -> None:
        assert choose_default_dataset("auto", data_dir=tmp_path) == "digits"

    @pytest.mark.usefixtures("no_mirror")
    def test_is_mnist_where_its_files_are(self, tmp_path: Path) -> None:
        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in IDX_NAMES:
            (raw / name).touch()
        assert choose_default_dataset("auto", data_dir=tmp_path) == "mnist"

    @pytest.mark.usefixtures("no_mirror")
    @pytest.mark.parametrize("name", DATASETS)
    def test_is_what_the_setting_says_even_where_it_cannot_be_had(self, name: str, tmp_path: Path) -> None:
        assert choose_default_dataset(name, data_dir=tmp_path) == name


def write_tiny_set(folder: Path) -> list[tuple[str, str]]:
    """Three training and two test pictures as gzipped IDX files; their names and checksums."""
    resources = []
    for name in IDX_NAMES:
        count = 3 if name.startswith("train") else 2
        if "images" in name:
            body = struct.pack(">IIII", 2051, count, 28, 28) + bytes(count * 28 * 28)
        else:
            body = struct.pack(">II", 2049, count) + bytes(range(count))
        packed = gzip.compress(body, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    return resources
