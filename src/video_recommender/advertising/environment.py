"""The simulated viewers as Gymnasium environments, for training agents of other libraries.

>>> import gymnasium
>>> import video_recommender.advertising.environment
>>> env = gymnasium.make("video_recommender/AdPlacement-v0", render_mode="ansi")
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, SupportsFloat, TypeAlias, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from video_recommender.advertising.ads import IntArray
from video_recommender.advertising.example_viewers import example_viewers
from video_recommender.advertising.viewers import Sessions, StepResult, ViewerModel

ENV_ID = "video_recommender/AdPlacement-v0"
Observation: TypeAlias = NDArray[np.float32]
Info: TypeAlias = dict[str, Any]


class AdPlacementEnv(gymnasium.Env[Observation, np.int64]):
    """One viewer's session: an ad is shown before each video.

    Observation: see `ViewerModel.observe`. Action: index of the ad in `model.ads`. Reward: what the ad earns if it is
    watched, else 0. Terminated: the viewer has left, or no unseen video is recommended. Truncated: `max_videos` were
    seen. Info: `video`, and after a step `ad` and `watched`.

    Args:
        model: the viewers; by default those of the assignment's example.
        render_mode: `ansi` describes the session in words.
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
        """Start a session at `options["video"]`, or at a random video.

        Raises:
            ValueError: if the first video is unknown.
        """
        super().reset(seed=seed)
        first = (options or {}).get("video")
        if first is not None and first not in self.model.video_ids:
            raise ValueError(f"Unknown video {first}: choose one of model.video_ids")
        videos = None if first is None else np.array([self.model.video_ids.index(first)])
        self._sessions = self.model.start_sessions(1, self.np_random, videos)
        self._lines = [f"A viewer opens {self._video(self._sessions)}."]
        return self.model.observe(self._sessions)[0], {"video": self._video(self._sessions)}

    def step(self, action: np.int64) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Show an ad.

        Raises:
            ValueError: if the action is not the index of an ad.
            gymnasium.error.ResetNeeded: if no session was started.
        """
        if self._sessions is None:
            raise gymnasium.error.ResetNeeded("No session was started: call reset() first")
        if not self.action_space.contains(action):
            raise ValueError(f"Unknown ad {action}: choose a whole number from 0 to {len(self.model.ads) - 1}")
        result = self.model.show_ads(self._sessions, np.array([action], np.int64), self.np_random)
        self._lines.append(self._describe(int(action), result))
        self._sessions = result.sessions
        info = {
            "video": self._video(result.sessions),
            "ad": self.model.ads.ad_ids[int(action)],
            "watched": bool(result.watched[0]),
        }
        observation = self.model.observe(result.sessions)[0]
        return observation, float(result.reward[0]), bool(result.terminated[0]), bool(result.truncated[0]), info

    def render(self) -> str | None:
        """Describe the session so far, a line per ad; None without a render mode."""
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
    """Many sessions at once in NumPy arrays: hundreds of thousands of steps a second.

    A session that is over is replaced in the same step (`AutoresetMode.SAME_STEP`): the observation is that of the new
    session, and `info["final_obs"]` has the last one of the old session if `info["_final_obs"]` is true.

    Args:
        model: the viewers; by default those of the assignment's example.
        num_envs: number of sessions.
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
        """Start all sessions.

        Raises:
            TypeError: if there is a seed per session.
        """
        if isinstance(seed, list):
            raise TypeError("All sessions share one random generator: pass one seed instead of a list")
        super().reset(seed=seed)
        self._sessions = self.model.start_sessions(self.num_envs, self.np_random)
        return self.model.observe(self._sessions), {}

    def step(self, actions: IntArray) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Show one ad in each session.

        Raises:
            ValueError: if the actions are not one valid ad index per session.
            gymnasium.error.ResetNeeded: if no sessions were started.
        """
        if self._sessions is None:
            raise gymnasium.error.ResetNeeded("No sessions were started: call reset() first")
        ads = np.asarray(actions, np.int64)
        if ads.shape != (self.num_envs,) or ads.min() < 0 or ads.max() >= len(self.model.ads):
            raise ValueError(f"Choose an ad from 0 to {len(self.model.ads) - 1} for each of {self.num_envs} sessions")
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
    ENV_ID,
    entry_point=f"{__name__}:AdPlacementEnv",
    vector_entry_point=f"{__name__}:AdPlacementVectorEnv",
)
