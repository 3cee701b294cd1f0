from pathlib import Path

import av
import numpy as np
import pytest

from video_recommender.media import sampling
from video_recommender.media.decoding import open_video
from video_recommender.media.sampling import FrameSkipper
from video_recommender.media.video import VideoFile

RATE, FRAMES, GROUP = 30, 180, 30


def write_video(path: Path, **options: str) -> VideoFile:
    """Write six seconds of H.264: a slow pan, with one group of images per second."""
    base = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(path, "w") as container:
        settings = {"crf": "20", "g": str(GROUP), "sc_threshold": "0", **options}
        stream = container.add_stream("libx264", rate=RATE, options=settings)
        stream.width, stream.height = 64, 48
        for number in range(FRAMES):
            image = av.VideoFrame.from_ndarray(np.roll(base, number // 4, axis=1), format="rgb24")
            container.mux(stream.encode(image.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return VideoFile(path)


def decoded_times(video: VideoFile, rate: float) -> list[float]:
    """Return the times of the frames that are decoded at a sampling rate, in seconds after the first."""
    with open_video(video) as opened:
        skipper = FrameSkipper(opened, rate)
        times = []
        for image in opened.decode(skipper.is_skippable, skipper.drop_group_tails):
            skipper.first_s = image.time if skipper.first_s is None else skipper.first_s
            times.append(image.time)
    return [time - times[0] for time in times]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_only_the_frames_before_a_sample_are_decoded_in_each_group(tmp_path: Path, name: str) -> None:
    video = write_video(tmp_path / name, bf="0")

    times = decoded_times(video, rate=2 / 5)

    # Samples are at 0, 2.5 and 5 s. The first group is decoded before its start is known, the last one completely.
    groups = [round(time * RATE) // GROUP for time in times]
    assert {group: groups.count(group) for group in groups} == {0: 30, 2: 16, 5: 30}


def test_groups_that_the_next_group_refers_to_are_decoded_completely(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", **{"x264-params": "intra-refresh=1:bframes=0:scenecut=0"})

    assert len(decoded_times(video, rate=1 / 3)) == FRAMES


def test_a_group_that_exceeds_the_buffer_is_decoded_completely(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sampling, "MAX_BUFFERED_PACKETS", 10)
    video = write_video(tmp_path / "clip.mp4", bf="0")

    times = decoded_times(video, rate=1 / 3)

    groups = [round(time * RATE) // GROUP for time in times]
    assert all(groups.count(group) >= 20 for group in range(5))
