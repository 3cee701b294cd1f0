"""What a video's page tells."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from video_recommender.gallery.project_data import Problem
from video_recommender.gallery.timeline import Timeline
from video_recommender.gallery.video_index import VideoCard

T = TypeVar("T")


@dataclass(frozen=True)
class Shown(Generic[T]):
    """A part of a page, or why it is not there.

    Attributes:
        content: None where there is a problem.
        problem: None where all is well.
    """

    content: T | None = None
    problem: Problem | None = None


@dataclass(frozen=True)
class CategoryGuess:
    """How probably a video is of a category."""

    category: str
    probability: float


@dataclass(frozen=True)
class CategoryAnswer:
    """What a video is taken for.

    Attributes:
        guesses: most probable first.
        held_out: what a classifier says that has not seen the video; None where none was asked.
        true_category: the video's own; empty where it has none or is new.
    """

    guesses: tuple[CategoryGuess, ...]
    held_out: CategoryGuess | None = None
    true_category: str = ""


@dataclass(frozen=True)
class Neighbour:
    """A video that is like another one, and why.

    Attributes:
        rank: from 1.
        card: the video.
        similarity: cosine in object space.
        shared_objects: comma-separated, most important first.
    """

    rank: int
    card: VideoCard
    similarity: float
    shared_objects: str


@dataclass(frozen=True)
class AdPromise:
    """What an ad is expected to bring before a video.

    Attributes:
        ad_id: its name.
        category: what it is for.
        kind: `long` or `short`.
        seconds: its length.
        watch_probability: how probably it is watched there.
        reward: what it earns if it is.
        expected_reward: what it earns on average.
        session_value: what the agent believes it to earn with all that follows in the session; None if not known.
    """

    ad_id: str
    category: str
    kind: str
    seconds: float
    watch_probability: float
    reward: float
    expected_reward: float
    session_value: float | None = None


@dataclass(frozen=True)
class AdAnswer:
    """The ad that the agent chose, and the others that it might have chosen.

    Attributes:
        chosen: the ad.
        others: what else could have been shown, best first; empty where that is not known.
    """

    chosen: AdPromise
    others: tuple[AdPromise, ...]


@dataclass(frozen=True)
class VideoDetails:
    """All that is known of a video of the corpus."""

    card: VideoCard
    timeline: Shown[Timeline]
    category: Shown[CategoryAnswer]
    neighbours: Shown[tuple[Neighbour, ...]]
    ad: Shown[AdAnswer]


@dataclass(frozen=True)
class NewVideoDetails:
    """All that is told of a video that is not in the corpus.

    Attributes:
        objects: what it shows, most important first.
        timeline: which objects are seen when.
        category: what it is taken for.
        neighbours: nearest first.
        ad: the ad to show, if advertising has run.
    """

    objects: tuple[str, ...]
    timeline: Timeline
    category: CategoryAnswer
    neighbours: tuple[Neighbour, ...]
    ad: Shown[AdAnswer]
