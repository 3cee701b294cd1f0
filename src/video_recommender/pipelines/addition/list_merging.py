"""Put new videos into lists of recommendations that were made without them."""

import numpy as np
import pandas as pd


def merge_lists(lists: pd.DataFrame, rivals: pd.DataFrame, k: int) -> pd.DataFrame:
    """Let more candidates compete with those that are on the lists.

    The lists come out as if all had competed from the start: more similar videos first, of equals the one that comes
    first in the alphabet.

    Args:
        lists: `video_id`, `rank`, `recommended_video_id`, `similarity` and any others, ordered by the first two.
        rivals: the same of candidates that are on none of the lists; what they lack is empty. A video may be new.
        k: how many to keep on each list.

    Returns:
        As `lists`.
    """
    lists = lists[lists["rank"] <= k]
    weakest = lists.groupby("video_id", sort=False)["similarity"].agg(["min", "size"]).reindex(rivals["video_id"])
    is_better = rivals["similarity"].to_numpy() >= weakest["min"].to_numpy()
    is_short = ~(weakest["size"].to_numpy() >= k)
    rivals = rivals[is_better | is_short]
    has_rivals = lists["video_id"].isin(rivals["video_id"])
    rows = pd.concat([lists[has_rivals], rivals], ignore_index=True)
    rows = rows.sort_values(["video_id", "similarity", "recommended_video_id"], ascending=[True, False, True])
    rows["rank"] = rows.groupby("video_id", sort=False).cumcount() + 1
    merged = pd.concat([lists[~has_rivals], rows[rows["rank"] <= k]], ignore_index=True)
    names, order = merged["video_id"].factorize(sort=True)[0], merged["rank"].to_numpy()
    return merged.take(np.lexsort((order, names))).reset_index(drop=True)
