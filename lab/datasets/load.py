"""The data sets, each as uint8 tensors of 28×28 pictures, light on a dark ground.

``digits`` is embedded in scikit-learn and always there; the others are torchvision's, downloaded once.
"""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lab.datasets.coarse_digits import enlarge
from lab.errors import DatasetUnavailableError, InvalidConfigError

DIGIT_NAMES = tuple(str(digit) for digit in range(10))
DOWNLOAD_PROBE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """A data set's properties, known before its files are read."""

    name: str
    title: str
    train_size: int
    test_size: int
    class_names: tuple[str, ...] = DIGIT_NAMES
    torchvision_class: str | None = None

    @property
    def shows_digits(self) -> bool:
        """True if the classes are the ten digits."""
        return self.class_names == DIGIT_NAMES


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="mnist", title="MNIST", train_size=60_000, test_size=10_000, torchvision_class="MNIST"
        ),
        # scikit-learn's copy of the UCI handwritten digits: 1,797 pictures of 8×8 pixels.
        DatasetInfo(name="digits", title="scikit-learn digits", train_size=1_437, test_size=360),
        DatasetInfo(
            name="fashion_mnist",
            title="Fashion-MNIST",
            train_size=60_000,
            test_size=10_000,
            torchvision_class="FashionMNIST",
            class_names=(
                "T-shirt",
                "trousers",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ),
        ),
        DatasetInfo(
            name="kmnist",
            title="Kuzushiji-MNIST",
            train_size=60_000,
            test_size=10_000,
            torchvision_class="KMNIST",
            class_names=("お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"),
        ),
    )
}


@dataclass(frozen=True)
class ImageSet:
    """Pictures (N, 28, 28) uint8 and their classes (N,) int64, on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "ImageSet":
        """The same pictures on ``device``."""
        return ImageSet(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One data set, whole, in memory."""

    info: DatasetInfo
    train: ImageSet
    test: ImageSet

    def to(self, device: torch.device) -> "Dataset":
        """The same data set on ``device``."""
        return Dataset(info=self.info, train=self.train.to(device), test=self.test.to(device))


def find_dataset(name: str) -> DatasetInfo:
    """Find the data set called ``name``.

    Raises:
        InvalidConfigError: there is none of that name.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise InvalidConfigError(f"dataset is {name!r}; it must be one of {', '.join(DATASETS)}.") from None


def is_present(info: DatasetInfo, *, data_dir: Path) -> bool:
    """Return whether the data set can be read without a download."""
    if info.torchvision_class is None:
        return True
    raw = data_dir / info.torchvision_class / "raw"
    return all((raw / f"{stem}-ubyte").is_file() for stem in _IDX_STEMS)


# For each response of the server, not for the whole download.
DOWNLOAD_TIMEOUT_SECONDS = 30.0
_IDX_STEMS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def ensure_dataset(info: DatasetInfo, *, data_dir: Path) -> None:
    """Download the data set's files into ``data_dir`` unless they are there.

    Raises:
        DatasetUnavailableError: they are not there and cannot be downloaded.
    """
    if is_present(info, data_dir=data_dir):
        return
    from filelock import FileLock
    from torchvision import datasets

    source = getattr(datasets, str(info.torchvision_class))
    try:
        if not any(_answers(mirror) for mirror in source.mirrors):
            raise OSError("none of its download addresses answers")
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / ".download.lock"), _socket_timeout(DOWNLOAD_TIMEOUT_SECONDS):
            source(data_dir, download=True)
    except (OSError, RuntimeError) as error:
        raise DatasetUnavailableError(
            f"The data set {info.name} is not in LAB_DATA_DIR and could not be downloaded ({error}). Put its "
            f'files into the folder {info.torchvision_class}/raw there, or use "dataset": "digits", which is '
            "always available."
        ) from error


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    # The only way to give torchvision's download a timeout.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def choose_default_dataset(setting: str, *, data_dir: Path) -> str:
    """Choose the data set of an experiment that names none: ``setting``, or, for auto, mnist if available."""
    if setting != "auto":
        return setting
    try:
        ensure_dataset(DATASETS["mnist"], data_dir=data_dir)
    except DatasetUnavailableError:
        return "digits"
    return "mnist"


def load_dataset(name: str, *, data_dir: Path) -> Dataset:
    """Read a data set into memory, on the CPU.

    Raises:
        DatasetUnavailableError: its files are not there and cannot be downloaded.
    """
    info = find_dataset(name)
    if info.torchvision_class is None:
        return _load_digits(info)
    ensure_dataset(info, data_dir=data_dir)
    from torchvision import datasets

    source = getattr(datasets, info.torchvision_class)
    train, test = (source(data_dir, train=is_train, download=False) for is_train in (True, False))
    return Dataset(
        info=info,
        train=ImageSet(train.data.contiguous(), train.targets.long()),
        test=ImageSet(test.data.contiguous(), test.targets.long()),
    )


def _load_digits(info: DatasetInfo) -> Dataset:
    """8×8 pictures of 17 grey levels, scaled to 20×20 and centred in 28×28 as MNIST's digits are.

    The last 360 are the test set: scikit-learn keeps the order of the writers, so these are other hands.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = enlarge(torch.from_numpy(bunch.images).float() * (255 / 16))
    labels = torch.from_numpy(bunch.target).long()
    split = info.train_size
    return Dataset(
        info=info,
        train=ImageSet(images[:split].contiguous(), labels[:split]),
        test=ImageSet(images[split:].contiguous(), labels[split:]),
    )


def _answers(mirror: str) -> bool:
    request = urllib.request.Request(mirror, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=DOWNLOAD_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # the server is there; a folder need not be listable
    except (OSError, ValueError):
        return False
    return True
