"""Sessions side by side that never run dry: where a viewer has left, another one arrives."""

import numpy as np

from video_recommender.advertising.viewer_model import Sessions, ShownAds, ViewerModel


def with_arrivals(model: ViewerModel, shown: ShownAds, rng: np.random.Generator) -> Sessions:
    """Put new viewers in the place of those whose session is over.

    Args:
        model: the viewers.
        shown: what came of the ads that were shown last.
        rng: draws who arrives.

    Returns:
        As many sessions as before, each just before an ad.
    """
    arrived = model.start_sessions(int(shown.is_over.sum()), rng)
    return shown.sessions.replaced(shown.is_over, arrived)
