"""Looks at an experiment in words."""

from lab.experiments.looks import sum_levels
from lab.runs.records import ExperimentRecord
from lab.wording import join_words


def describe_looks(experiment: ExperimentRecord) -> str | None:
    """Say with how many seeds it was looked at before, what is planned and at which level; None if once."""
    looks, taken = experiment.looks, experiment.looks_taken
    if len(looks) < 2:
        return None
    planned = [str(look.num_seeds) for look in looks if look.is_planned]
    earlier = [str(look.num_seeds) for look in taken[:-1]]
    sentences = []
    if planned:
        sentences.append(f"Looks were planned with {join_words(planned)} seeds, until every pair is settled.")
    if earlier:
        sentences.append(f"Looked at before with {join_words(earlier)} seeds.")
    together = 100 * sum_levels(looks)
    sentences.append(
        f"This look is judged at {100 * experiment.level:.2f} %; over all looks the chance of any false "
        f"difference is at most {together:.2f} %."
    )
    if planned and not experiment.is_settling and len(looks) > len(taken):
        sentences.append("No more seeds are added, so that the looks left are not taken.")
    return " ".join(sentences)
