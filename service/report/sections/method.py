"""Method: training, measuring, comparing; and the worked appendix."""

from collections.abc import Sequence

from lab.experiments.configs import RunConfig
from lab.wording import join_words
from service.appendix.document import TITLE, write_markdown
from service.appendix.page import write_body
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import work_out
from service.comparison.compare import METHOD
from service.report.blocks import Block, Bullets, Heading, Ready, Section, Table
from service.report.data import Material

TRAINING = (
    "Optimizer: stochastic gradient descent with momentum, without weight decay: the penalty is in the loss. "
    "λ2·Σw² there is the same as a weight decay of 2·λ2.",
    "A seed fixes the initial weights, the order of the images and their distortions, whatever the "
    "configuration, so that configurations pair up by seed.",
    "Accuracy and loss are measured after each epoch in eval mode; the loss is the mean cross-entropy in "
    "nats, without the penalty.",
    "The final figure is that of the last epoch: no epoch is picked on the test set.",
)
DISTORTIONS = {
    "rotation_degrees": "rotated by up to {}°",
    "translation_pixels": "shifted by up to {} pixels in each direction",
    "scaling_percent": "scaled by up to {} %",
}
TEST_STEERS = (
    "The learning rate falls when the test loss stops falling, as in the study, so the test set is not "
    "untouched."
)
STEERING = {
    "plateau": "The learning rate falls when the loss on images held out from the training set stops "
    "falling; the test set steers nothing.",
    "onecycle": "The learning rate rises and falls in one cycle that is fixed beforehand (Smith & Topin "
    "2019); no figure steers it.",
    "constant": "The learning rate stays as it is; no figure steers it.",
}
MOST_LOSSES = 20


def write_method(material: Material) -> Section:
    """Training, measurement and statistics in sentences, and each configuration's loss."""
    experiment = material.experiment
    configs = [configuration.config for configuration in experiment.configurations]
    lines = [*TRAINING, _describe_distortions(configs), *_describe_steering(configs)]
    blocks: list[Block] = [Heading("Training and measuring"), Bullets(lines)]
    losses = [(config.label, write_loss(config)) for config in configs[:MOST_LOSSES]]
    headings = ("configuration", "loss")
    caption = "Σ is over the convolution weights, or, where said, over all parameters, γ and β too."
    blocks.append(Heading("Loss"))
    blocks.append(Table(headings=headings, rows=losses, caption=caption, text_columns=headings))
    if len(configs) > 1:
        rows = [(name.replace("_", " "), words) for name, words in METHOD.items()]
        headings = ("what", "how")
        blocks += [Heading("Comparing"), Table(headings=headings, rows=rows, text_columns=headings)]
    return Section("method", "Method", blocks)


def write_loss(config: RunConfig) -> str:
    """Write the loss that training minimizes: “L = cross-entropy + 0.0001·Σ|w|”."""
    terms = ["cross-entropy"]
    terms += [f"{config.l1:g}·Σ|w|"] if config.l1 else []
    terms += [f"{config.l2:g}·Σw²"] if config.l2 else []
    over = ", over all parameters" if len(terms) > 1 and config.penalize == "all" else ""
    return f"L = {' + '.join(terms)}{over}"


def _describe_distortions(configs: Sequence[RunConfig]) -> str:
    """Say how training images are distorted, with every value there is."""
    parts = []
    for name, words in DISTORTIONS.items():
        values = sorted({getattr(config, name) for config in configs})
        if any(values):
            parts.append(words.format(" or ".join(f"{value:g}" for value in values)))
    how = (
        f"Training images are {join_words(parts)}, at random"
        if parts
        else "Training images are not distorted"
    )
    return f"{how}; test images are not."


def _describe_steering(configs: Sequence[RunConfig]) -> list[str]:
    """Say what steers the learning rate under each schedule there is."""
    lines = []
    schedules = dict.fromkeys((config.schedule, config.schedule_metric) for config in configs)
    for schedule, metric in schedules:
        words = TEST_STEERS if (schedule, metric) == ("plateau", "test") else STEERING[schedule]
        lines.append(words if len(schedules) == 1 else f"Schedule {schedule}: {words}")
    return list(dict.fromkeys(lines))


def write_appendix() -> Section:
    """The study's appendix: normalization statistics worked out by hand, exactly."""
    appendix = work_out(STUDY_SAMPLE)
    text = write_markdown(appendix, title=None, level=2).strip()
    return Section("appendix", f"Appendix: {TITLE}", [Ready(html=write_body(appendix), markdown=text)])
