"""Method: training, measuring, comparing; and the worked appendix."""

from service.appendix.document import TITLE, write_markdown
from service.appendix.page import write_body
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import work_out
from service.comparison.compare import METHOD
from service.report.blocks import Block, Bullets, Heading, Ready, Section, Table
from service.report.data import Material

TRAINING = (
    "Optimizer: stochastic gradient descent with momentum, without weight decay: the penalty is in the loss.",
    "Training images are rotated at random by up to the angle given, then normalized; test images are not "
    "rotated.",
    "A seed fixes the initial weights, the order of the images and their rotations, whatever the "
    "configuration, so that configurations pair up by seed.",
    "Accuracy and loss are measured after each epoch in eval mode; the loss is the mean cross-entropy in "
    "nats, without the penalty.",
    "The final figure is that of the last epoch: no epoch is picked on the test set.",
)


def write_method(material: Material) -> Section:
    """Training, measurement and statistics in sentences."""
    configs = [run.config for run in material.experiment.runs]
    lines = list(TRAINING)
    if any(config.schedule == "plateau" and config.schedule_metric == "test" for config in configs):
        lines.append(
            "The learning rate falls when the test loss stops falling, as in the study, so the test set is "
            "not untouched."
        )
    elif any(config.validation_size for config in configs):
        lines.append(
            "Images held out from the training set steer the learning rate; the test set steers nothing."
        )
    blocks: list[Block] = [Heading("Training and measuring"), Bullets(lines)]
    if len(material.experiment.configurations) > 1:
        rows = [(name.replace("_", " "), words) for name, words in METHOD.items()]
        headings = ("what", "how")
        blocks += [Heading("Comparing"), Table(headings=headings, rows=rows, text_columns=headings)]
    return Section("method", "Method", blocks)


def write_appendix() -> Section:
    """The study's appendix: normalization statistics worked out by hand, exactly."""
    appendix = work_out(STUDY_SAMPLE)
    text = write_markdown(appendix, title=None, level=2).strip()
    return Section("appendix", f"Appendix: {TITLE}", [Ready(html=write_body(appendix), markdown=text)])
