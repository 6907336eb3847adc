"""Damage picture files at random and prepare them: ``python -m tests.pictures.fuzz --count 100000``.

Each must be prepared or refused with one of the project's own errors.
"""

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import Image

from lab.errors import LabError
from service.predict.decoding import FORMATS
from service.predict.preparation import prepare_picture
from tests.pictures.hand import encode
from tests.pictures.strokes import draw_glyph


def make_files() -> list[bytes]:
    """Small files of every format and many modes."""
    ink = draw_glyph("5", height=60, pen=6, generator=np.random.default_rng(0))
    gray = Image.fromarray(np.pad((255 * (1 - ink)).astype(np.uint8), 12, constant_values=255))
    files = [encode(gray, file_format) for file_format in FORMATS]
    files += [encode(gray.convert(mode)) for mode in ("1", "P", "RGB", "RGBA", "LA")]
    files += [
        encode(gray.convert("RGB"), "JPEG", progressive=True),
        encode(gray.convert("CMYK"), "TIFF"),
        encode(gray.convert("RGB"), "TIFF", compression="tiff_lzw"),
        encode(gray.convert("RGB"), "TIFF", compression="jpeg"),
        encode(gray.convert("F"), "TIFF"),
        encode(gray, "GIF", save_all=True, append_images=[gray.rotate(90)]),
        encode(gray.convert("RGB"), "WEBP", lossless=True),
        encode(Image.fromarray(np.asarray(gray).astype(np.uint16) * 16)),
    ]
    return files


def damage(files: list[bytes], generator: np.random.Generator) -> Iterator[bytes]:
    """Yield files with bytes changed, cut out, repeated or cut off, without end."""
    while True:
        data = bytearray(files[int(generator.integers(len(files)))])
        for _ in range(int(generator.integers(1, 4))):
            # Headers are short: a third of the damage goes there.
            reach = min(64, len(data)) if generator.random() < 0.3 else len(data)
            place = int(generator.integers(reach))
            kind = int(generator.integers(5))
            if kind == 0:
                data[place] = int(generator.integers(256))
            elif kind == 1:
                data[place] ^= 1 << int(generator.integers(8))
            elif kind == 2:
                data[place : place + 4] = b"\xff\xff\xff\x7f"
            elif kind == 3:
                del data[place : place + int(generator.integers(1, 16))]
            else:
                data[place:place] = data[place : place + int(generator.integers(1, 16))]
            if not data:
                break
        if generator.random() < 0.1:
            del data[int(generator.integers(len(data) + 1)) :]
        yield bytes(data)


def main() -> None:
    """Print how many were prepared and refused, and the slowest; an error that is not ours ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    damaged = damage(make_files(), np.random.default_rng(arguments.seed))
    for _, data in zip(range(arguments.count), damaged, strict=False):
        start = time.process_time()
        outcome = "refused"
        with suppress(LabError):
            prepare_picture(data)
            outcome = "prepared"
        slowest = max(slowest, time.process_time() - start)
        outcomes[outcome] += 1
    print(f"{dict(outcomes)}; the slowest took {1000 * slowest:.0f} ms of CPU")  # noqa: T201


if __name__ == "__main__":
    main()
