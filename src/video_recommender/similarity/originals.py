"""Decide, of videos that show the same, which is the original, and keep them all in one group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from video_recommender.similarity.duplicate_search import Repetition

LENGTH_STEP_S = 0.5
"""Videos whose lengths differ by less are equally long: a copy at another rate may gain or lose a picture."""


@dataclass(frozen=True)
class Copy:
    """A video that repeats another one.

    Attributes:
        original: row number of the video that it repeats.
        matched_share: how much of the shorter of the two is found in the other.
        offset_s: when in the original it begins, in seconds.
    """

    original: int
    matched_share: float
    offset_s: float


def name_originals(repetitions: Sequence[Repetition], ranks: Sequence[int]) -> Mapping[int, Copy]:
    """Tell which videos repeat which others.

    A video that comes first keeps its place; each later one that repeats a video that has kept its place is a copy of
    the most similar of these. So no original is itself a copy.

    Args:
        repetitions: pairs of videos that show the same.
        ranks: for each video, its place in the order in which they are looked at: the best comes first.

    Returns:
        The copies by their row number.
    """
    partners: dict[int, dict[int, Copy]] = {}
    for found in repetitions:
        partners.setdefault(found.narrow, {})[found.wide] = Copy(found.wide, found.matched_share, found.offset_s)
        partners.setdefault(found.wide, {})[found.narrow] = Copy(found.narrow, found.matched_share, -found.offset_s)
    copies: dict[int, Copy] = {}
    kept: set[int] = set()
    for video in sorted(partners, key=lambda video: ranks[video]):
        originals = [copy for other, copy in partners[video].items() if other in kept]
        if originals:
            copies[video] = max(originals, key=lambda copy: (copy.matched_share, -ranks[copy.original]))
        else:
            kept.add(video)
    return copies


def rank_videos(described: pd.DataFrame) -> Sequence[int]:
    """Order videos: the longer before the shorter, then the larger before the smaller, then by name.

    Args:
        described: columns `duration_s`, `width`, `height` and `video_id`, in any order.

    Returns:
        The place of each row in that order, from 0.
    """
    length = -(described["duration_s"].fillna(0) / LENGTH_STEP_S).round()
    pixels = -(described["width"] * described["height"]).fillna(0).astype(float)
    order = np.lexsort((described["video_id"].to_numpy(str), pixels.to_numpy(), length.to_numpy()))
    ranks: list[int] = np.argsort(order).tolist()
    return ranks


def merge_groups(groups: pd.Series, repeats: pd.Series) -> pd.Series:
    """Make one group of those that hold a video and its copies.

    Args:
        groups: str, by `video_id` (index).
        repeats: str, by `video_id` (index): the video that it repeats; empty for others.

    Returns:
        The groups; those that are merged bear the name of the first of them in alphabetical order.
    """
    copies = repeats.dropna()
    numbers, names = groups.factorize(sort=True)
    of_copies, of_originals = (numbers[groups.index.get_indexer(videos)] for videos in (copies.index, pd.Index(copies)))
    links = coo_array((np.ones(len(copies)), (of_copies, of_originals)), shape=(len(names), len(names)))
    parts = connected_components(links, directed=False)[1]
    first = pd.Series(names).groupby(parts).transform("first").to_numpy()
    return pd.Series(first[numbers], index=groups.index, name=groups.name)
