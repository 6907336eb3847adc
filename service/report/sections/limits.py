"""Limitations, what to run next, and references."""

from collections import Counter

from lab.statistics.paired import MIN_SEEDS
from lab.wording import count_words
from service.report.blocks import Block, Bullets, Heading, Section
from service.report.data import Material
from service.report.sections.leads import is_for_these_images

REFERENCES = (
    "Agarwal, Schwarzer, Castro, Courville & Bellemare (2021). Deep reinforcement learning at the edge of "
    "the statistical precipice. NeurIPS. (Robust figures.)",
    "Ba, Kiros & Hinton (2016). Layer normalization. arXiv:1607.06450.",
    "Bouthillier et al. (2021). Accounting for variance in machine learning benchmarks. MLSys. (Seeds and "
    "images.)",
    "DeLong, DeLong & Clarke-Pearson (1988). Comparing the areas under two or more correlated ROC curves. "
    "Biometrics 44. (Misclassified images among others.)",
    "Ioffe & Szegedy (2015). Batch normalization: accelerating deep network training by reducing internal "
    "covariate shift. ICML.",
    "LeCun, Bottou, Bengio & Haffner (1998). Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86. (MNIST.)",
    "Romano & Wolf (2005). Exact and approximate stepdown methods for multiple hypothesis testing. JASA 100.",
    "Satterthwaite (1946). An approximate distribution of estimates of variance components. Biometrics "
    "Bulletin 2. (Other test images.)",
    "Smith & Topin (2019). Super-convergence: very fast training of neural networks using large learning "
    "rates. SPIE 11006. (One cycle.)",
    "Ulyanov, Vedaldi & Lempitsky (2016). Instance normalization: the missing ingredient for fast "
    "stylization. arXiv:1607.08022.",
    "Westfall & Young (1993). Resampling-based multiple testing. Wiley. (Max-T.)",
    "Wu & He (2018). Group normalization. ECCV.",
)


def write_limitations(material: Material) -> Section:
    """The limits of the conclusions, and which experiment would reach further."""
    info = material.dataset
    lines = [
        "One architecture: a convolutional network of a few thousand weights. Nothing here is about deeper "
        "or wider ones.",
        f"One data set, {info.title}, and one test set of {info.test_size:,} images. Verdicts are about "
        f"other seeds on these images.{_describe_other_images(material)}",
        "One recipe: where all configurations share a learning rate, it may suit one better than another.",
    ]
    if (num_seeds := len(material.seeds)) < MIN_SEEDS:
        lines.append(f"{count_words(num_seeds, 'seed')}: too few to conclude anything about differences.")
    else:
        lines.append(
            f"{num_seeds} seeds: what is not found may still be there, up to what the intervals exclude."
        )
    blocks: list[Block] = [Bullets(lines, is_caution=True)]
    if following := _suggest(material):
        blocks += [Heading("What to run next"), Bullets(following)]
    return Section("limitations", "Limitations", blocks)


def write_references() -> Section:
    """The sources of methods and layers."""
    return Section("references", "References", [Bullets(REFERENCES)])


def _describe_other_images(material: Material) -> str:
    """Say how many of the differences found remain with other test images; empty if none is found."""
    pairs = material.comparison.pairs if material.comparison else []
    found = [
        pair for pair in pairs if pair.outcome in ("a_better", "b_better") and pair.images_low is not None
    ]
    if not found:
        return ""
    number = sum(is_for_these_images(pair) for pair in found)
    return (
        f" With other images like these as well, the interval includes 0 for {number or 'none'} of "
        f"{count_words(len(found), 'difference')} found between pairs."
    )


def _suggest(material: Material) -> list[str]:
    """Suggest experiments that would answer what stays open."""
    if material.comparison is None or not material.comparison.pairs:
        return []
    pairs = material.comparison.pairs
    outcomes = Counter(pair.outcome for pair in pairs)
    lines = []
    if outcomes["cannot_conclude"]:
        lines.append(f"The same with {MIN_SEEDS} seeds or more, the fewest that can conclude.")
    if undecided := outcomes["no_difference_found"]:
        lines.append(
            f"More seeds for {count_words(undecided, 'pair')} without a verdict: half the detectable "
            "difference takes about four times as many."
        )
    if any(len(pair.differing) > 1 for pair in pairs) and material.comparison.factors is None:
        lines.append(
            "A grid of all combinations: nothing here was changed one at a time, so no difference can be put "
            "down to one factor."
        )
    if len({run.config.learning_rate for run in material.experiment.runs}) == 1:
        lines.append("The same with each configuration at a learning rate chosen for it on held-out images.")
    return lines
