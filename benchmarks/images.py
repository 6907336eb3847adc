"""Coverage of a pair's interval for other seeds and other test images, by simulation; part of bench-verdicts.

Whether a run misclassifies an image is drawn with a logit that sums how hard the image is, how hard it is for
the configuration, how well the seed turned out, and how much worse the second configuration is. Each
experiment has new seeds and new images. Beside the interval stands the crossed bootstrap's (Owen 2007, The
pigeonhole bootstrap), which resamples both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.statistics.images import find_crossed_interval
from lab.statistics.summaries import find_margin

NUM_RESAMPLES = 500
HARDNESS_SD = 4.0


@dataclass(frozen=True, kw_only=True)
class ImageScenario:
    """Two configurations on a test set; all spreads are those of logits.

    ``image_sd``: how differently an image is hard for the two; ``seed_sd``: how differently seeds turn out.
    """

    name: str
    num_images: int
    logit: float
    shift: float
    image_sd: float
    seed_sd: float

    def find_truth(self) -> tuple[float, float]:
        """The first configuration's true error, and the true difference: the mean over seeds and images."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(200)
        spread = np.sqrt(HARDNESS_SD**2 + self.image_sd**2 + self.seed_sd**2)
        first, second = (
            float((weights * _squash(logit + spread * nodes)).sum() / weights.sum())
            for logit in (self.logit, self.logit + self.shift)
        )
        return first, second - first

    def draw(self, generator: np.random.Generator, num_seeds: int) -> NDArray[np.int8]:
        """Draw one experiment: the first is right minus the second is right, (seeds, images)."""
        hardness = HARDNESS_SD * generator.standard_normal(self.num_images)
        is_wrong = []
        for shift in (0.0, self.shift):
            image = self.image_sd * generator.standard_normal(self.num_images)
            seed = self.seed_sd * generator.standard_normal((num_seeds, 1))
            chance = _squash(self.logit + shift + hardness + image + seed)
            is_wrong.append(generator.random(chance.shape) < chance)
        return is_wrong[1].astype(np.int8) - is_wrong[0].astype(np.int8)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Shares of the experiments drawn whose interval holds the true difference."""

    images: float
    bootstrap: float
    seeds_alone: float


def make_image_scenarios() -> list[ImageScenario]:
    """Errors of 0.6 to 0.8 % on 10,000 images, as on MNIST, and of 3 to 4 % on 360, as on the digits."""
    return [
        ImageScenario(
            name=f"{place}{name}",
            num_images=num_images,
            logit=logit,
            shift=shift,
            image_sd=image_sd,
            seed_sd=seed_sd,
        )
        for place, num_images, logit, lead in (("", 10_000, -11.0, 0.12), ("digits_", 360, -8.0, 0.2))
        for name, shift, image_sd, seed_sd in (
            ("alike", 0.0, 0.0, 0.1),
            ("usual", lead, 1.0, 0.1),
            ("unequal_seeds", lead, 1.0, 0.4),
        )
    ]


def simulate_images(scenario: ImageScenario, *, num_seeds: int, num_experiments: int) -> Coverage:
    """Draw experiments, always the same, and count."""
    generator = np.random.default_rng(0)
    _, truth = scenario.find_truth()
    hits = np.zeros(3)
    for _ in range(num_experiments):
        drawn = scenario.draw(generator, num_seeds)
        images = find_crossed_interval(drawn)
        assert images is not None
        rates = drawn.mean(axis=1)
        half = find_margin(float(rates.std(ddof=1)), num_seeds)
        intervals = (images, _resample(drawn, generator), (rates.mean() - half, rates.mean() + half))
        hits += [low <= truth <= high for low, high in intervals]
    crossed, bootstrap, seeds_alone = (hits / num_experiments).tolist()
    return Coverage(images=crossed, bootstrap=bootstrap, seeds_alone=seeds_alone)


def _resample(differences: NDArray[np.int8], generator: np.random.Generator) -> tuple[float, float]:
    """The crossed bootstrap's 95 % percentile interval."""
    num_seeds, num_images = differences.shape
    unlike = differences[:, differences.any(axis=0)]
    # Images without any difference add nothing, however often they are drawn: they share a cell.
    shares = [*np.full(unlike.shape[1], 1 / num_images), 1 - unlike.shape[1] / num_images]
    images = generator.multinomial(num_images, shares, NUM_RESAMPLES)[:, :-1]
    seeds = generator.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), NUM_RESAMPLES)
    means = ((images @ unlike.T.astype(np.int64)) * seeds).sum(axis=1) / (num_seeds * num_images)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _squash(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))
