"""Tell how far each category of downloaded videos has come."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.partitions import PartitionRecord
from video_recommender.schemas import DownloadReport
from video_recommender.sources.web_options import YoutubeOptions

REACHED: Final = "target reached"
EXHAUSTED: Final = "sources exhausted"


def report_downloads(records: Mapping[str, PartitionRecord], options: YoutubeOptions) -> DataFrame[DownloadReport]:
    """Count, for each category, what was asked for and what became of it.

    Args:
        records: by `video_id`, what was downloaded, and what could not be.
        options: see `YoutubeOptions`.

    Returns:
        A row per category that is asked for, in that order.
    """
    statuses = [(record.details.get("category"), record.status) for record in records.values()]
    rows = []
    for category in options.categories:
        counts = Counter(status for of_category, status in statuses if of_category == category)
        usable, target = counts.pop("ok", 0), options.target_of(category)
        rows.append(
            {
                "category": category,
                "target": target,
                "usable": usable,
                "result": REACHED if usable >= target else EXHAUSTED,
                "not_usable": ", ".join(f"{counts[status]} {status}" for status in sorted(counts)),
            }
        )
    return DownloadReport.validate(pd.DataFrame(rows, columns=list(DownloadReport.to_schema().columns)))
