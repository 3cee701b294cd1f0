"""The tables that pass between pipelines. The catalog names them; each is checked whenever it is saved or loaded."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Index, Series

ABOUT_ONE = 1.000001
"""Upper bound of what cannot exceed 1 but for the rounding of sums."""


class _Table(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = True


class _PartitionTable(_Table):
    """One of thousands: its columns have the right types already, and to convert them takes as long as the checks."""

    class Config:
        strict = True
        coerce = False


class _RowPerVideo(pa.DataFrameModel):
    """A matrix: which columns it has depends on the network or the corpus."""

    video_id: Index[str] = pa.Field(unique=True, check_name=True)


class _StageManifest(_Table):
    video_id: Series[str] = pa.Field(unique=True)
    status: Series[str]
    error: Series[str]
    frames: Series[int] = pa.Field(ge=0)
    fingerprint: Series[str]


class VideoManifest(_Table):
    """One row per video file that the source gave, whether it can be used or not."""

    video_id: Series[str] = pa.Field(unique=True, str_matches=r"^[^/]+/[^/]+$")
    category: Series[str] = pa.Field(nullable=True)
    """Empty for videos that have none: they are predicted, never trained on."""
    status: Series[str]
    error: Series[str]
    duration_s: Series[float] = pa.Field(nullable=True, ge=0)
    fps: Series[float] = pa.Field(nullable=True, ge=0)
    width: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    height: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    sha256: Series[str] = pa.Field(nullable=True)
    source: Series[str]
    """Where it came from: the file's path, its URL, or the recipe's name."""
    title: Series[str]
    group: Series[str]
    """What must not straddle a split: videos of one group share a photo, a source or an uploader."""
    photos: Series[str]
    """The photos that a rendered clip shows, comma-separated; empty for other sources."""
    uploader: Series[str] = pa.Field(nullable=True)
    """This and what follows is what a site tells of a video that it publishes; empty for other sources."""
    upload_date: Series[pa.DateTime] = pa.Field(nullable=True)
    licence: Series[str] = pa.Field(nullable=True)
    webpage_url: Series[str] = pa.Field(nullable=True)
    view_count: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0)
    tags: Series[str] = pa.Field(nullable=True)
    """Comma-separated."""
    thumbnail: Series[str] = pa.Field(nullable=True)
    """URL of a picture of it."""


class DownloadReport(_Table):
    """One row per category that is downloaded: how far it has come."""

    category: Series[str] = pa.Field(unique=True)
    target: Series[int] = pa.Field(ge=1)
    usable: Series[int] = pa.Field(ge=0)
    result: Series[str] = pa.Field(isin=["target reached", "sources exhausted"])
    not_usable: Series[str]
    """How many could not be used and why, such as `2 filtered, 1 unavailable`."""


class FrameHashes(_PartitionTable):
    """One row per frame of one video that is not blank: its perceptual hash, whole and with its edges cut off."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True)
    time_s: Series[float] = pa.Field(ge=0)
    zoom_100: Series[np.uint64]
    """The hash of all of it; of the other columns, that of so many hundredths of width and height at the centre."""
    zoom_95: Series[np.uint64]
    zoom_90: Series[np.uint64]
    zoom_85: Series[np.uint64]
    zoom_80: Series[np.uint64]


class NearDuplicates(_Table):
    """One row per video that repeats another one: a copy in another size or encoding, a crop or a part of it."""

    video_id: Series[str] = pa.Field(unique=True)
    repeats: Series[str]
    """The video that it repeats, which is none of these itself."""
    matched_share: Series[float] = pa.Field(ge=0, le=1)
    """How much of the video is found in the other one."""
    offset_s: Series[float]
    """Where in the other one it begins, in seconds."""


class Corpus(_Table):
    """One row per usable video: which of them count, and which belong together."""

    video_id: Series[str] = pa.Field(unique=True)
    category: Series[str] = pa.Field(nullable=True)
    group: Series[str]
    """What must not straddle a split: as in the manifest, but a video and its copies are always of one group."""
    title: Series[str]
    repeats: Series[str] = pa.Field(nullable=True)
    """The video of which this is a near duplicate."""
    is_used: Series[bool]
    """Near duplicates that are kept out are neither trained on nor recommended."""


class FrameManifest(_StageManifest):
    """One row per usable video: what became of its frames."""

    shots: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    """How many shots the video has; this and what follows is empty where frames are taken at a fixed rate."""
    shot_numbers: Series[str]
    """The shot of each frame, from 1, comma-separated."""
    times_s: Series[str]
    """When each frame was taken, in seconds after the first picture, comma-separated."""


class DetectionManifest(_StageManifest):
    """One row per video with frames: what became of its detections."""


class Detections(_PartitionTable):
    """One row per frame of one video: the most probable object in it."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True)
    class_name: Series[str]
    confidence: Series[np.float32] = pa.Field(ge=0, le=1)


class SegmentationManifest(_StageManifest):
    """One row per video with frames: what became of its segmentation, and in how many frames it looked for objects."""


class Segmentations(_Table):
    """One row per object and frame of one video: what it is, where, and how much of the picture it covers."""

    frame: Series[np.int64] = pa.Field(ge=1)
    object: Series[np.int64] = pa.Field(ge=1)
    """The object's number within the frame, from 1, the most certain first."""
    class_name: Series[str]
    confidence: Series[np.float32] = pa.Field(ge=0, le=1)
    area_pct: Series[np.float32] = pa.Field(ge=0, le=100)
    """Hundredths of the picture that the object's mask covers."""
    x_min: Series[np.int64] = pa.Field(ge=0)
    """This and what follows is its box, in pixels; the last row and column of pixels lie before y_max and x_max."""
    y_min: Series[np.int64] = pa.Field(ge=0)
    x_max: Series[np.int64] = pa.Field(ge=1)
    y_max: Series[np.int64] = pa.Field(ge=1)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["frame", "object"]


class SeenClasses(_Table):
    """One row per class that a segmenter has seen in one video, be it doubtfully."""

    class_name: Series[str] = pa.Field(unique=True)
    probability: Series[float] = pa.Field(ge=0, le=1)
    """The score of the most certain object of the class, its mean over the frames that were looked at."""
    area_pct: Series[float] = pa.Field(ge=0, le=100)
    """Hundredths of the picture that its objects cover, the mean over these frames."""


class ClassProbabilities(_PartitionTable):
    """One row per object that one video may show: its mean probability over the frames."""

    class_name: Series[str] = pa.Field(unique=True)
    probability: Series[float] = pa.Field(ge=0, le=1)


class MeanEmbedding(_PartitionTable):
    """One row per feature of the network: its mean over the frames of one video."""

    value: Series[np.float32]


class VideoEmbeddings(_RowPerVideo):
    """One row per video, a column per feature of the network: its mean over the video's frames."""


class ClassEmbeddings(pa.DataFrameModel):
    """One row per class of the network, a column per feature: the class's weights in the last layer."""

    class_name: Index[str] = pa.Field(unique=True, check_name=True)


class ClassEvidence(_Table):
    """One row per video and object: the object's mean probability over the video's frames (long form, sparse)."""

    video_id: Series[pd.CategoricalDtype]
    """Categorical, as the next one: there are hundreds of rows per video, and each name is kept once."""
    class_name: Series[pd.CategoricalDtype]
    probability: Series[float] = pa.Field(ge=0, le=1)


class SkippedImages(_Table):
    """One row per image that cannot be learnt from."""

    image: Series[str] = pa.Field(unique=True)
    """Its path, or the video that it is from."""
    status: Series[str]
    error: Series[str]


class TrainingImagePredictions(_Table):
    """One row per training image: what it is taken for by a head that has learnt nothing of its group."""

    image: Series[str] = pa.Field(unique=True)
    class_name: Series[str]
    predicted_class: Series[str]
    probability: Series[float] = pa.Field(ge=0, le=1)
    """That of the predicted class, calibrated."""
    probability_of_class: Series[float] = pa.Field(ge=0, le=1)
    """That of the class which the image is said to show; a small one may mean a wrong label."""
    fold: Series[int] = pa.Field(ge=1)


class VideoFeatures(_RowPerVideo):
    """One row per video, a column per object: the object's importance in the video."""

    @pa.dataframe_check
    @classmethod
    def importances_are_finite_and_not_negative(cls, table: pd.DataFrame) -> bool:
        """Every importance is a finite number from 0."""
        values = table.to_numpy()
        return not values.size or bool(values.min() >= 0 and values.max() < float("inf"))


class ObjectCounts(_RowPerVideo):
    """One row per video that shows something, a column per object: how many of the video's frames show it."""


class VideoPoints(_RowPerVideo):
    """One row per video, a column per axis: its point in object space, of unit length."""


class SpaceMap(_RowPerVideo):
    """One row per video: where it lies on a map of object space. Only who lies near whom means something."""

    x: Series[np.float32]
    y: Series[np.float32]

    class Config:
        strict = True


class CategoryPredictions(_Table):
    """One row per video: the category that the classifier names, out of fold where the truth is known."""

    video_id: Series[str] = pa.Field(unique=True)
    category: Series[str] = pa.Field(nullable=True)
    predicted_category: Series[str]
    probability: Series[float] = pa.Field(ge=0, le=1)
    fold: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)


class Recommendations(_Table):
    """Ten rows per video (fewer in a smaller corpus): its nearest videos."""

    video_id: Series[str]
    rank: Series[int] = pa.Field(ge=1)
    recommended_video_id: Series[str]
    similarity: Series[float] = pa.Field(ge=-ABOUT_ONE, le=ABOUT_ONE)
    shared_objects: Series[str]
    """The objects that made the two alike, most first, comma-separated."""

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["video_id", "rank"]


class RecommendationReport(_Table):
    """One row per recommender and choice of candidates: how good its lists are."""

    system: Series[str] = pa.Field(
        isin=["object_space", "embeddings", "probabilities", "raw_counts", "titles", "random"]
    )
    candidates: Series[str] = pa.Field(isin=["all", "other_groups"])
    """`other_groups`: without videos that share a photo, a source or an uploader with the one at hand."""
    neighbours: Series[int] = pa.Field(ge=1)
    """How many videos are recommended: the k of precision@k."""
    videos: Series[int] = pa.Field(ge=0)
    """How many videos could be judged: those with another of their category among the candidates."""
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ABOUT_ONE)
    map: Series[float] = pa.Field(nullable=True, ge=0, le=ABOUT_ONE)
    intra_list_diversity: Series[float] = pa.Field(nullable=True, ge=0, le=2)
    catalogue_coverage: Series[float] = pa.Field(nullable=True, ge=0, le=1)


class ImportanceReport(_Table):
    """One row per formula of importance and choice of candidates: how good the recommendations would be with it."""

    detector: Series[str]
    importance: Series[str]
    candidates: Series[str] = pa.Field(isin=["all", "other_groups"])
    neighbours: Series[int] = pa.Field(ge=1)
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ABOUT_ONE)


class CategoryReport(_Table):
    """One row per category: how well it is named, empty where that could not be measured."""

    category: Series[str] = pa.Field(unique=True)
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    recall: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    f1: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    videos: Series[int] = pa.Field(ge=1)


class Ads(_Table):
    """One row per ad: how probably it is watched before a video of its category, and what it earns then."""

    ad_id: Series[str] = pa.Field(unique=True)
    category: Series[str]
    kind: Series[str] = pa.Field(isin=["long", "short"])
    seconds: Series[float] = pa.Field(gt=0, lt=float("inf"))
    watch_probability: Series[float] = pa.Field(ge=0, le=1)
    reward: Series[float] = pa.Field(ge=0, lt=float("inf"))
    """In a currency of your own; nothing is earned where it is not watched."""

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["category", "kind"]


class AdObservations(_RowPerVideo):
    """One row per video, a column per number that an agent sees before the first ad of a session that begins there."""


class AdRecommendations(_Table):
    """One row per video: the ad to show to a viewer who comes for it."""

    video_id: Series[str] = pa.Field(unique=True)
    ad_id: Series[str]
    expected_reward: Series[float] = pa.Field(ge=0)
    """What the ad earns on average before this video."""


class AdLearningCurve(_Table):
    """One row per look at an agent while it learns: what it has earned so far, and what it would earn now."""

    agent: Series[str]
    steps: Series[np.int64] = pa.Field(ge=0)
    """How many ads it has shown."""
    sessions: Series[np.int64] = pa.Field(ge=0)
    """How many sessions came to their end meanwhile."""
    earned: Series[float]
    """In all these, while it also tried what did not seem best."""
    revenue_per_session: Series[float]
    """What it would earn from here on with what it knows: a mean over sessions, with its standard error."""
    standard_error: Series[float] = pa.Field(ge=0)
    regret: Series[float] = pa.Field(nullable=True)
    """How much less it has earned so far than the optimum earns in as many sessions; empty where that is not known."""


class AdPolicyReport(_Table):
    """One row per policy and choice of videos: what it earns per session, with 95 % intervals over runs."""

    policy: Series[str]
    videos: Series[str] = pa.Field(isin=["all", "unseen"])
    """`unseen`: the sessions run over videos of which agents, for this row, have learnt nothing."""
    runs: Series[int] = pa.Field(ge=2)
    sessions: Series[int] = pa.Field(ge=1)
    """Per run."""
    revenue_per_session: Series[float] = pa.Field(ge=0)
    revenue_low: Series[float]
    revenue_high: Series[float]
    share_of_optimum: Series[float] = pa.Field(nullable=True, ge=0)
    """Of what is earned in the same runs by whoever knows the viewers; see `OptimalPolicy`."""
    share_low: Series[float] = pa.Field(nullable=True)
    share_high: Series[float] = pa.Field(nullable=True)
    share_of_bound: Series[float] = pa.Field(nullable=True, ge=0)
    """Of what nobody can exceed; see `bracket_optimum`."""
    watch_rate: Series[float] = pa.Field(ge=0, le=1)
    videos_per_session: Series[float] = pa.Field(ge=1)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["policy", "videos"]


class AdChoices(_Table):
    """One row per category and ad that is shown before its videos: how often, and what comes of it."""

    category: Series[str]
    ad_id: Series[str]
    share: Series[float] = pa.Field(ge=0, le=1)
    """Of all ads that the agent shows before videos of the category."""
    optimal_share: Series[float] = pa.Field(ge=0, le=1)
    """The same for the optimum."""
    watch_rate: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    """Of the times that the agent shows it; empty where it never does."""
    revenue_per_showing: Series[float] = pa.Field(nullable=True, ge=0)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["category", "ad_id"]


class AdSessionLog(_Table):
    """One row per ad that was shown: what a platform has to write down, so that other policies can be judged by it."""

    session: Series[np.int64] = pa.Field(ge=1)
    step: Series[np.int64] = pa.Field(ge=1)
    """The number of the ad within its session."""
    video_id: Series[str]
    """The video that followed."""
    ad_id: Series[str]
    propensity: Series[float] = pa.Field(gt=0, le=ABOUT_ONE)
    """How probable it was that this ad would be shown."""
    watched: Series[bool]
    reward: Series[float] = pa.Field(ge=0)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["session", "step"]


class OffPolicyReport(_Table):
    """One row per policy, estimator and assumption: what the policy would earn per session, told from a log."""

    policy: Series[str]
    estimator: Series[str] = pa.Field(isin=["ips", "snips", "doubly_robust"])
    consequences: Series[str] = pa.Field(isin=["none", "session", "state"])
    """What an ad is assumed to do to the rest of its session."""
    value: Series[float] = pa.Field(nullable=True)
    """Empty where the policy would have shown nothing of what was logged."""
    value_low: Series[float] = pa.Field(nullable=True)
    value_high: Series[float] = pa.Field(nullable=True)
    gain: Series[float] = pa.Field(nullable=True)
    """How much more that is than what the logged policy earned."""
    gain_low: Series[float] = pa.Field(nullable=True)
    gain_high: Series[float] = pa.Field(nullable=True)
    sessions: Series[int] = pa.Field(ge=1)
    effective_sessions: Series[float] = pa.Field(ge=0)
    """How many sessions that weigh alike would tell as much."""
    is_reliable: Series[bool]
    """Whether these are enough for the intervals to hold."""

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["policy", "estimator", "consequences"]
