"""Gymnasium environments of the simulated viewers, and viewers of a generated corpus.

>>> import gymnasium
>>> import video_recommender.advertising.environment
>>> env = gymnasium.make("video_recommender/AdPlacement-v0", render_mode="ansi")
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, SupportsFloat, TypeAlias, cast

import gymnasium
import numpy as np
import pandas as pd
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.advertising.ads import AD_COLUMNS, AdInventory, IntArray, check_ads
from video_recommender.advertising.viewers import Sessions, StepResult, ViewerModel, ViewerOptions
from video_recommender.schemas import Ads

ENV_ID = "video_recommender/AdPlacement-v0"
Observation: TypeAlias = NDArray[np.float32]
Info: TypeAlias = dict[str, Any]

SCENARIOS: Final[Mapping[str, ViewerOptions]] = {
    "assignment": ViewerOptions(),
    "annoyance": ViewerOptions(annoyance_long=0.2, annoyance_repeat=0.3),
    "tastes": ViewerOptions(tastes=True),
}
"""Options of each scenario. In `assignment`, an ad affects only its own reward. In `annoyance`, long and repeated ads
make viewers leave. In `tastes`, each viewer has a favourite category that the agent cannot observe."""

NEIGHBOURS, AXES = 10, 32
SPREAD = 0.6  # expected distance of videos from the centre of their category, before normalisation


def assignment_ads() -> DataFrame[Ads]:
    """Return the ads of the assignment. The two ads for car races have the same expected reward, 0.8."""
    rows = [
        ("cats-long", "cats", "long", 30, 0.3, 3),
        ("cats-short", "cats", "short", 10, 0.7, 1),
        ("car-races-long", "car races", "long", 30, 0.4, 2),
        ("car-races-short", "car races", "short", 10, 0.8, 1),
        ("concerts-long", "concerts", "long", 30, 0.5, 2),
        ("concerts-short", "concerts", "short", 10, 0.9, 1),
    ]
    return check_ads(pd.DataFrame(rows, columns=AD_COLUMNS))


def example_viewers(
    ads: AdInventory | None = None,
    options: ViewerOptions | None = None,
    videos_per_category: int = 30,
    seed: int | np.random.Generator = 0,
) -> ViewerModel:
    """Generate a corpus and its viewers, by default with the ads of `assignment_ads` and with default options.

    The videos of each category are a cluster of unit vectors. Nearest neighbours by cosine are recommended.
    """
    ads, rng = ads or AdInventory.from_table(assignment_ads()), np.random.default_rng(seed)
    names = ads.category_names
    category = np.repeat(np.arange(len(names)), videos_per_category)
    centres = rng.normal(size=(len(names), AXES))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    points = centres[category] + rng.normal(scale=SPREAD / np.sqrt(AXES), size=(len(category), AXES))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cosines = points @ points.T
    np.fill_diagonal(cosines, -np.inf)
    neighbours = np.argsort(-cosines, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(category) - 1)]
    return ViewerModel(
        video_ids=tuple(f"{names[kind]}/{number}" for number, kind in enumerate(category)),
        video_category=category,
        category_names=names,
        video_features=points.astype(np.float32),
        neighbours=neighbours,
        similarity=np.take_along_axis(cosines, neighbours, axis=1).clip(min=0),
        ads=ads,
        options=options or ViewerOptions(),
    )


class AdPlacementEnv(gymnasium.Env[Observation, np.int64]):
    """The session of one viewer, in which an ad is shown before each video.

    For observations, see `ViewerModel.observe`. An action is the index of an ad in `model.ads`. The reward is the ad's
    reward if the ad is watched, else 0. A session is terminated if the viewer leaves or no unseen video is recommended,
    and truncated after `max_videos` videos. The info has `video` and, after a step, `ad` and `watched`. The default
    `model` is `example_viewers()`. The render mode `ansi` returns one line of text per ad.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}  # type: ignore[misc]

    def __init__(self, model: ViewerModel | None = None, render_mode: Literal["ansi"] | None = None) -> None:
        if render_mode not in {None, "ansi"}:
            raise ValueError(f"Unknown render mode {render_mode}: choose ansi")
        self.model = model or example_viewers()
        self.render_mode = render_mode
        self.observation_space = _observation_space(self.model)
        self.action_space = Discrete(len(self.model.ads))
        self._sessions: Sessions | None = None
        self._lines: list[str] = []

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start at the video `options["video"]` or a random video. Raises a `ValueError` if the video is unknown."""
        super().reset(seed=seed)
        first = (options or {}).get("video")
        if first is not None and first not in self.model.video_ids:
            raise ValueError(f"Unknown video {first}: choose one of model.video_ids")
        videos = None if first is None else np.array([self.model.video_ids.index(first)])
        self._sessions = self.model.start_sessions(1, self.np_random, videos)
        self._lines = [f"A viewer opens {self._video(self._sessions)}."]
        return self.model.observe(self._sessions)[0], {"video": self._video(self._sessions)}

    def step(self, action: np.int64) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Show the ad with the index `action`. Raises a `ValueError` if the index is invalid."""
        if self._sessions is None:
            raise gymnasium.error.ResetNeeded("No session was started: call reset() first")
        if not self.action_space.contains(action):
            raise ValueError(f"Unknown ad {action}: choose an index from 0 to {len(self.model.ads) - 1}")
        result = self.model.show_ads(self._sessions, np.array([action], np.int64), self.np_random)
        self._lines.append(self._describe(int(action), result))
        self._sessions = result.sessions
        ad, watched = self.model.ads.ad_ids[int(action)], bool(result.watched[0])
        info = {"video": self._video(result.sessions), "ad": ad, "watched": watched}
        observation = self.model.observe(result.sessions)[0]
        return observation, float(result.reward[0]), bool(result.terminated[0]), bool(result.truncated[0]), info

    def render(self) -> str | None:
        """Return the session so far as text, one line per ad, or None without a render mode."""
        return "\n".join(self._lines) if self.render_mode == "ansi" else None

    def _describe(self, ad: int, result: StepResult) -> str:
        ads = self.model.ads
        outcome = f"watched, +{result.reward[0]:.2f}" if result.watched[0] else "skipped"
        number = result.sessions.shown.sum()
        line = f"{number}. {ads.ad_ids[ad]} ({ads.kinds[ad]}, {ads.seconds[ad]:g} s): {outcome}. "
        if result.truncated[0]:
            return f"{line}The viewer has seen {self.model.options.max_videos} videos: the session is truncated."
        if result.terminated[0]:
            return f"{line}The viewer leaves after the video."
        return f"{line}The viewer continues with {self._video(result.sessions)}."

    def _video(self, sessions: Sessions) -> str:
        return self.model.video_ids[int(sessions.video[0])]


class AdPlacementVectorEnv(VectorEnv[Observation, IntArray, NDArray[Any]]):
    """`num_envs` parallel sessions, as arrays whose first axis is the session; see `AdPlacementEnv`.

    A session that is over is replaced in the same step (`AutoresetMode.SAME_STEP`). Where `info["_final_obs"]` is true,
    `info["final_obs"]` has the last observation of the old session, and the observation belongs to the new session.
    """

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # type: ignore[misc]

    def __init__(self, model: ViewerModel | None = None, num_envs: int = 1) -> None:
        self.model = model or example_viewers()
        self.num_envs = num_envs
        self.single_observation_space = _observation_space(self.model)
        self.single_action_space = Discrete(len(self.model.ads))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._sessions: Sessions | None = None

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start all sessions with one shared random generator. Raises a `TypeError` if `seed` is a list."""
        if isinstance(seed, list):
            raise TypeError("All sessions share one random generator: pass one seed instead of a list")
        super().reset(seed=seed)
        self._sessions = self.model.start_sessions(self.num_envs, self.np_random)
        return self.model.observe(self._sessions), {}

    def step(self, actions: IntArray) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Show one ad in each session; `actions` has the index of each ad, shape (num_envs,)."""
        if self._sessions is None:
            raise gymnasium.error.ResetNeeded("No sessions were started: call reset() first")
        ads = np.asarray(actions, np.int64)
        if ads.shape != (self.num_envs,) or ads.min() < 0 or ads.max() >= len(self.model.ads):
            raise ValueError(f"Invalid ads: pass {self.num_envs} indices from 0 to {len(self.model.ads) - 1}")
        result = self.model.show_ads(self._sessions, ads, self.np_random)
        over = result.is_over
        info: Info = {}
        self._sessions = result.sessions
        if over.any():
            final = np.where(over[:, np.newaxis], self.model.observe(result.sessions), np.float32(0))
            info = {"final_obs": final, "_final_obs": over}
            self._sessions = self.model.replace_finished(result, self.np_random)
        return self.model.observe(self._sessions), result.reward, result.terminated, result.truncated, info


def _observation_space(model: ViewerModel) -> gymnasium.Space[Observation]:
    others = 1 + 3 * len(model.ads)
    low = np.concatenate([model.video_features.min(axis=0), np.zeros(others, np.float32)])
    high = np.concatenate([model.video_features.max(axis=0), np.ones(others, np.float32)])
    space: Any = Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)  # Box is typed as float64
    return cast("gymnasium.Space[Observation]", space)


gymnasium.register(
    ENV_ID, entry_point=f"{__name__}:AdPlacementEnv", vector_entry_point=f"{__name__}:AdPlacementVectorEnv"
)
