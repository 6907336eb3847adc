"""Read the layer statistics that were recorded over runs' first epochs."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import LayerStatistic
from lab.runs.epochs import LayerStatistics


def read_layer_statistics(session: Session, run_ids: Sequence[int]) -> dict[int, list[LayerStatistics]]:
    """Each run's statistics by step and layer; an empty list of a run that has none."""
    statistics: dict[int, list[LayerStatistics]] = {run_id: [] for run_id in run_ids}
    columns = LayerStatistic.__table__.columns
    query = (
        sa.select(*columns)
        .where(LayerStatistic.run_id.in_(run_ids))
        .order_by(LayerStatistic.run_id, LayerStatistic.step, LayerStatistic.layer)
    )
    names = [column.key for column in columns][1:]
    for run_id, *values in session.execute(query):
        statistics[run_id].append(LayerStatistics(**dict(zip(names, values, strict=True))))
    return statistics
