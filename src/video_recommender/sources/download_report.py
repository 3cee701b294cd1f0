"""Report of the downloads per category."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.schemas import DownloadReport
from video_recommender.sources.web_options import WebOptions
from video_recommender.storage.partitions import PartitionState

REACHED: Final = "target reached"
EXHAUSTED: Final = "sources exhausted"


def report_downloads(states: Mapping[str, PartitionState], options: WebOptions) -> DataFrame[DownloadReport]:
    """Count usable and unusable videos of each category.

    Args:
        states: outcomes of all downloads, by `video_id`.
        options: categories and targets.
    """
    outcomes = Counter((state.properties.get("category"), state.status) for state in states.values())
    rows = []
    for category in options.categories:
        counts = {status: count for (name, status), count in sorted(outcomes.items(), key=str) if name == category}
        usable, target = counts.pop("ok", 0), options.target_of(category)
        rows.append(
            {
                "category": category,
                "target": target,
                "usable": usable,
                "result": REACHED if usable >= target else EXHAUSTED,
                "not_usable": ", ".join(f"{count} {status}" for status, count in counts.items()),
            }
        )
    return DownloadReport.validate(pd.DataFrame(rows, columns=list(DownloadReport.to_schema().columns)))
