"""Measure how hard pictures are read, by kind: ``python -m tests.pictures.measure --count 40``."""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageFilter

from lab.datasets.load import DATASETS, is_present, load_dataset
from lab.errors import LabError
from service.predict.preparation import prepare_picture
from service.predict.schemas import PredictionOut
from tests.pictures.hand import Drawn, encode
from tests.pictures.kinds import KINDS, Kind, make_pictures
from tests.pictures.reader import read_picture

SURE = 0.9


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A picture and what was read of it; None if it was refused."""

    drawn: Drawn
    answer: PredictionOut | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """True if all its digits were read, or if what is no digit was called that."""
        if self.answer is None:
            return not self.drawn.digits
        if not self.drawn.digits:
            return not self.answer.is_digit
        return self.answer.digits == self.drawn.digits

    @property
    def is_given(self) -> bool:
        """True if there is an answer that is not called unsure."""
        return self.answer is not None and not self.answer.is_unsure

    @property
    def is_sure(self) -> bool:
        """True if the answer's confidence is above ``SURE``."""
        return self.answer is not None and self.answer.confidence > SURE


def measure_kind(kind: Kind, count: int, *, data_dir: Path, seed: int = 0) -> list[Outcome]:
    """Read ``count`` pictures of digits drawn from strokes and, where MNIST is, as many of MNIST's digits."""
    return [_measure(drawn, data_dir=data_dir) for drawn in _draw(kind, count, data_dir=data_dir, seed=seed)]


def _draw(kind: Kind, count: int, *, data_dir: Path, seed: int) -> Iterator[Drawn]:
    yield from make_pictures(kind, count, seed=seed)
    if kind.group != "other" and is_present(DATASETS["mnist"], data_dir=data_dir):
        test = load_dataset("mnist", data_dir=data_dir).test
        yield from make_pictures(
            kind, count, seed=seed + 1, images=test.images.numpy(), labels=test.labels.tolist()
        )


def _measure(drawn: Drawn, *, data_dir: Path) -> Outcome:
    answer = None
    start = time.process_time()
    with suppress(LabError):
        prepare_picture(drawn.data)
    seconds = time.process_time() - start
    with suppress(LabError):
        answer = read_picture(drawn.data, data_dir=data_dir)
    return Outcome(drawn=drawn, answer=answer, seconds=seconds)


def write_line(name: str, outcomes: Sequence[Outcome]) -> str:
    """A line of the table."""
    right = sum(one.is_right for one in outcomes)
    sure = [one for one in outcomes if one.is_sure]
    wrong = sum(not one.is_right for one in sure)
    unsure = sum(not one.is_given for one in outcomes)
    milliseconds = 1000 * statistics.median(one.seconds for one in outcomes)
    percent = 100 * right / len(outcomes)
    cells = [name, len(outcomes), f"{percent:.1f}", f"{wrong} of {len(sure)}", unsure, f"{milliseconds:.1f}"]
    return f"| {' | '.join(map(str, cells))} |"


def make_large_files() -> Iterator[tuple[str, bytes]]:
    """Photos as large as telephones take them, by name."""
    photo = Image.effect_noise((4032, 3024), 20).filter(ImageFilter.GaussianBlur(2)).convert("RGB")
    photo.paste((20, 20, 20), (1800, 800, 2000, 2200))
    for file_format in ("JPEG", "PNG", "WEBP"):
        yield f"{file_format} of 12 megapixels", encode(photo, file_format)
    yield "JPEG of 48 megapixels", encode(photo.resize((8064, 6048)), "JPEG")


def measure_large_file(data: bytes) -> float:
    """The median CPU time of preparing a file, in milliseconds."""
    times = []
    for _ in range(5):
        start = time.process_time()
        prepare_picture(data)
        times.append(1000 * (time.process_time() - start))
    return statistics.median(times)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    # Idle threads of PyTorch would be counted as time of preparation.
    torch.set_num_threads(1)
    print("| kind | pictures | right % | wrong of those above 0.9 | unsure | preparation, ms of CPU |")  # noqa: T201
    print("| --- | --- | --- | --- | --- | --- |")  # noqa: T201
    groups: dict[str, list[Outcome]] = {}
    for kind in KINDS:
        outcomes = measure_kind(kind, arguments.count, data_dir=arguments.data_dir, seed=arguments.seed)
        groups.setdefault(kind.group, []).extend(outcomes)
        print(write_line(kind.name, outcomes), flush=True)  # noqa: T201
    for name, outcomes in groups.items():
        print(write_line(f"**all: {name}**", outcomes))  # noqa: T201
    for name, data in make_large_files():
        print(f"| {name} | 1 | | | | {measure_large_file(data):.0f} |")  # noqa: T201


if __name__ == "__main__":
    main()
