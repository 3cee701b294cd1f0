"""How alike the titles of videos are: what one can recommend by without looking at a single frame."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from video_recommender.similarity.exact_search import BlockScores, Scores

WORD: Final = r"\b[^\W\d_]{2,}\b"
"""Two letters and more; numbers tell nothing."""

TIE_BREAK: Final = 1e-6
"""Most pairs of titles share no word. A draw decides between them: the alphabetical order would favour a category."""


def title_scores(titles: pd.Series, queries: NDArray[np.int64], seed: int) -> Scores:
    """Score by the cosine of the titles' words, weighted by tf-idf (Spärck Jones 1972).

    Where titles come from decides what this can tell: a site's are written by the uploader, a folder's are file names,
    and those of rendered clips name the photos that they show.

    Args:
        titles: one per video.
        queries: row numbers of the videos that are scored against all.
        seed: what decides between titles that are equally like another.

    Returns:
        See `Scores`.
    """
    vectors = _vectors(titles)
    random = np.random.default_rng(seed)

    def prepare(columns: slice) -> BlockScores:
        block = vectors[columns].T
        draw = TIE_BREAK * random.random(columns.stop - columns.start)
        return lambda rows: (vectors[queries[rows]] @ block).toarray() * (1 - TIE_BREAK) + draw

    return prepare


def _vectors(titles: pd.Series) -> csr_array:
    vectoriser = TfidfVectorizer(token_pattern=WORD, sublinear_tf=True)
    try:
        return csr_array(vectoriser.fit_transform(titles))
    except ValueError:  # there is not one word
        return csr_array((len(titles), 1))
