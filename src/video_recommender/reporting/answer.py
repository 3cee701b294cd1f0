"""What is told of a video that is not in the corpus."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, PositiveInt


class InferenceOptions(BaseModel):
    """Which video to answer for, and how much to tell (parameters_inference.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: Path | None = None
    neighbours: PositiveInt = 10
    shared_objects: PositiveInt = 3


class SeenObject(BaseModel):
    """An object that the video shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    importance: float
    frames: int


class CategoryProbability(BaseModel):
    """How probable it is that the video belongs to a category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    probability: float


class NearVideo(BaseModel):
    """A video of the corpus that is like this one, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int
    video_id: str
    similarity: float
    shared_objects: str


class AdForVideo(BaseModel):
    """The ad to show to a viewer who comes for the video, and why.

    Attributes:
        ad_id: its name.
        category: what it is for.
        kind: `long` or `short`.
        seconds: its length.
        watch_probability: how probably it is watched, by what is believed of the video's category.
        expected_reward: what it earns on average.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ad_id: str
    category: str
    kind: str
    seconds: float
    watch_probability: float
    expected_reward: float


class VideoAnswer(BaseModel):
    """The objects, the category, the neighbours and the ad of one video.

    Attributes:
        video: the file.
        objects: most important first.
        categories: most probable first.
        neighbours: nearest first.
        ad: None where advertising has not run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    objects: tuple[SeenObject, ...]
    categories: tuple[CategoryProbability, ...]
    neighbours: tuple[NearVideo, ...]
    ad: AdForVideo | None = None

    def in_words(self) -> str:
        """The answer as a few lines of text for the console."""
        objects = ", ".join(f"{seen.name} ({seen.importance:.0%})" for seen in self.objects)
        categories = ", ".join(f"{guess.category} ({guess.probability:.0%})" for guess in self.categories)
        neighbours = [
            f"  {near.rank:>2}. {near.video_id}, similarity {near.similarity:.2f}: {near.shared_objects or 'no object'}"
            for near in self.neighbours
        ]
        lines = [self.video, f"shows {objects}", f"category {categories}", "most alike", *neighbours]
        if self.ad is not None:
            length, watched = f"{self.ad.kind}, {self.ad.seconds:g} s", f"{self.ad.watch_probability:.0%}"
            lines.append(
                f"ad {self.ad.ad_id} ({length}): {watched} of viewers of such a video watch it, "
                f"which earns {self.ad.expected_reward:.2f} on average"
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, JsonValue]:
        """The answer in the form that the catalog keeps."""
        return self.model_dump(mode="json")
