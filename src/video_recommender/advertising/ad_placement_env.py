"""The viewers as Gymnasium environments, so that any agent can learn from them.

>>> import gymnasium
>>> import video_recommender.advertising.ad_placement_env
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

from video_recommender.advertising.example_viewers import example_viewers
from video_recommender.advertising.sessions import Sessions, ShownAds
from video_recommender.advertising.viewer_model import IntArray, ViewerModel

ENV_ID = "video_recommender/AdPlacement-v0"
Observation: TypeAlias = NDArray[np.float32]
Info: TypeAlias = dict[str, Any]


class AdPlacementEnv(gymnasium.Env[Observation, np.int64]):
    """One viewer's session: an ad is chosen before each video.

    Observation: see `ViewerModel.observe`. Action: the number of the ad, as in `model.ads`. Reward: what the ad earns
    if it is watched, else 0. Terminated: the viewer has left, or has nowhere to go. Truncated: `max_videos` were seen.
    Info: `video`, and after a step `ad` and `watched`.

    Args:
        model: the viewers; None: those of the assignment's example.
        render_mode: `ansi` tells the session so far as a story.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}  # type: ignore[misc]

    def __init__(self, model: ViewerModel | None = None, render_mode: Literal["ansi"] | None = None) -> None:
        if render_mode not in {None, "ansi"}:
            raise ValueError(f"There is no render mode {render_mode}: choose ansi")
        self.model = model or example_viewers()
        self.render_mode = render_mode
        self.observation_space = _observation_space(self.model)
        self.action_space = Discrete(len(self.model.ads))
        self._sessions: Sessions | None = None
        self._story: list[str] = []

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Observation, Info]:
        """Let a viewer arrive.

        Args:
            seed: where chance begins; None: it goes on.
            options: `video`: the name of the first video; left out, any.

        Returns:
            The observation before the first ad, and `video`.

        Raises:
            ValueError: if there is no such video.
        """
        super().reset(seed=seed)
        first = (options or {}).get("video")
        if first is not None and first not in self.model.video_ids:
            raise ValueError(f"There is no video {first}: choose one of model.video_ids")
        videos = None if first is None else np.array([self.model.video_ids.index(first)])
        self._sessions = self.model.start_sessions(1, self.np_random, videos)
        self._story = [f"A viewer comes for {self._video(self._sessions)}."]
        return self.model.observe(self._sessions)[0], {"video": self._video(self._sessions)}

    def step(self, action: np.int64) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Show an ad.

        Args:
            action: its number.

        Returns:
            Observation, reward, terminated, truncated and info.

        Raises:
            ValueError: if there is no such ad.
            gymnasium.error.ResetNeeded: if no viewer has arrived yet.
        """
        if self._sessions is None:
            raise gymnasium.error.ResetNeeded("No viewer has arrived yet: call reset() first")
        if not self.action_space.contains(action):
            raise ValueError(f"There is no ad {action}: choose a whole number from 0 to {len(self.model.ads) - 1}")
        shown = self.model.show_ads(self._sessions, np.array([action], np.int64), self.np_random)
        self._story.append(self._told(int(action), shown))
        self._sessions = shown.sessions
        info = {
            "video": self._video(shown.sessions),
            "ad": self.model.ads.ad_ids[int(action)],
            "watched": bool(shown.watched[0]),
        }
        observation = self.model.observe(shown.sessions)[0]
        return observation, float(shown.reward[0]), bool(shown.ended[0]), bool(shown.truncated[0]), info

    def render(self) -> str | None:
        """Tell the session so far, a line per ad; None without a render mode."""
        return "\n".join(self._story) if self.render_mode == "ansi" else None

    def _told(self, ad: int, shown: ShownAds) -> str:
        ads = self.model.ads
        outcome = f"watched, +{shown.reward[0]:.2f}" if shown.watched[0] else "skipped"
        told = f"{shown.sessions.shown.sum()}. {ads.ad_ids[ad]} ({ads.kinds[ad]}, {ads.seconds[ad]:g} s): {outcome}. "
        if shown.truncated[0]:
            return f"{told}The viewer has seen {self.model.options.max_videos} videos: here the simulation stops."
        if shown.ended[0]:
            return f"{told}The viewer leaves after the video."
        return f"{told}Then on to {self._video(shown.sessions)}."

    def _video(self, sessions: Sessions) -> str:
        return self.model.video_ids[int(sessions.video[0])]


class AdPlacementVectorEnv(VectorEnv[Observation, IntArray, NDArray[Any]]):
    """Many sessions side by side, by arrays: hundreds of thousands of steps a second.

    A session that is over makes room for a new one in the same step (`AutoresetMode.SAME_STEP`): the observation is
    that of the new one, and `info["final_obs"]` holds the last one of the old; zeros where `info["_final_obs"]` is
    false.

    Args:
        model: the viewers; None: those of the assignment's example.
        num_envs: how many sessions.
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
        """Let all viewers arrive.

        Args:
            seed: one for all sessions, whose chance has one source; None: it goes on.
            options: none are known.

        Returns:
            Observations, shape (num_envs, observed), and no info.

        Raises:
            TypeError: if there is a seed per session.
        """
        if isinstance(seed, list):
            raise TypeError("All sessions draw from one source: give one seed instead of a list")
        super().reset(seed=seed)
        self._sessions = self.model.start_sessions(self.num_envs, self.np_random)
        return self.model.observe(self._sessions), {}

    def step(self, actions: IntArray) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Show an ad in each session.

        Args:
            actions: numbers of the ads, shape (num_envs,).

        Returns:
            Observations, rewards, terminated, truncated, each with first axis (num_envs,), and info.

        Raises:
            ValueError: if there is no such ad, or not one for each session.
            gymnasium.error.ResetNeeded: if no viewers have arrived yet.
        """
        if self._sessions is None:
            raise gymnasium.error.ResetNeeded("No viewers have arrived yet: call reset() first")
        ads = np.asarray(actions, np.int64)
        if ads.shape != (self.num_envs,) or ads.min() < 0 or ads.max() >= len(self.model.ads):
            raise ValueError(f"Choose an ad from 0 to {len(self.model.ads) - 1} for each of {self.num_envs} sessions")
        shown = self.model.show_ads(self._sessions, ads, self.np_random)
        over = shown.is_over
        info: Info = {}
        self._sessions = shown.sessions
        if over.any():
            final = np.where(over[:, np.newaxis], self.model.observe(shown.sessions), np.float32(0))
            info = {"final_obs": final, "_final_obs": over}
            fresh = self.model.start_sessions(int(over.sum()), self.np_random)
            self._sessions = shown.sessions.replaced(over, fresh)
        return self.model.observe(self._sessions), shown.reward, shown.ended, shown.truncated, info


def _observation_space(model: ViewerModel) -> gymnasium.Space[Observation]:
    others = 1 + 3 * len(model.ads)
    low = np.concatenate([model.video_features.min(axis=0), np.zeros(others, np.float32)])
    high = np.concatenate([model.video_features.max(axis=0), np.ones(others, np.float32)])
    space: Any = Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)  # as float, by its types
    return cast("gymnasium.Space[Observation]", space)


gymnasium.register(
    ENV_ID,
    entry_point=f"{__name__}:AdPlacementEnv",
    vector_entry_point=f"{__name__}:AdPlacementVectorEnv",
)
