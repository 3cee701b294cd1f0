from fractions import Fraction
from itertools import accumulate

import av
import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from video_recommender.media.decoding import TimedFrame, open_video
from video_recommender.media.sampling import (
    PreprocessingOptions,
    Shot,
    ShotOptions,
    find_shots,
    sample_frames,
    select_at_times,
)
from video_recommender.media.video import VideoError, VideoFile

PHOTOS = {"cat": data.chelsea(), "cup": data.coffee(), "woman": data.astronaut()}
SHOTS = PreprocessingOptions(size=64, sampling="shots")


def write_video(folder, *shots, rate=20, stamps_ms=None):
    """Write a video that pans over photos; each shot is the name of a photo and a number of frames."""
    stamps = iter(stamps_ms or ())
    with av.open(folder / "video.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        if stamps_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for name, count in shots:
            photo = (resize(PHOTOS[name], (120, 160 + count)) * 255).astype(np.uint8)
            for step in range(count):
                image = av.VideoFrame.from_ndarray(np.ascontiguousarray(photo[:, step : step + 160]), format="rgb24")
                if stamps_ms:
                    image.pts, image.time_base = next(stamps), Fraction(1, 1000)
                container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    return VideoFile(folder / "video.mp4")


def shots_of(video, **options):
    with open_video(video) as opened:
        return find_shots(opened, ShotOptions(**options))


@pytest.mark.parametrize("detector", ["adaptive", "content"])
def test_shots_start_and_end_at_cuts(tmp_path, detector):
    video = write_video(tmp_path, ("cat", 30), ("cup", 20), ("woman", 40))

    shots = shots_of(video, detector=detector)

    assert [shot.number for shot in shots] == [1, 2, 3]
    assert [shot.start_s for shot in shots] == pytest.approx([0, 1.5, 2.5])
    assert [shot.end_s for shot in shots] == pytest.approx([1.5, 2.5, 4.5])


def test_a_video_without_a_cut_is_one_shot(tmp_path):
    (shot,) = shots_of(write_video(tmp_path, ("cat", 40)))

    assert (shot.number, shot.start_s, shot.end_s) == (1, 0.0, pytest.approx(2.0))


def test_a_video_of_one_frame_is_one_shot(tmp_path):
    sampled = sample_frames(write_video(tmp_path, ("cat", 1)), SHOTS)

    assert (sampled.shots, sampled.shot_numbers, len(sampled.frames)) == (1, (1,), 1)


def test_cuts_have_correct_times_if_the_frame_rate_varies(tmp_path):
    steps = [100] * 15 + [20] * 40 + [50] * 30
    stamps = [0, *accumulate(steps)]
    video = write_video(tmp_path, ("cat", 15), ("cup", 40), ("woman", 30), stamps_ms=stamps)

    assert [shot.start_s for shot in shots_of(video)] == pytest.approx([0, 1.5, 2.3], abs=0.002)


def test_shots_below_the_minimum_length_are_merged(tmp_path):
    video = write_video(tmp_path, ("cat", 30), ("cup", 6), ("woman", 30))

    assert len(shots_of(video, min_seconds=0.2)) == 3
    assert len(shots_of(video, min_seconds=1.0)) == 2


def test_a_high_threshold_finds_no_cuts(tmp_path):
    assert len(shots_of(write_video(tmp_path, ("cat", 30), ("cup", 30)), detector="content", threshold=250)) == 1


def test_sample_times_are_evenly_spaced_inside_a_shot():
    assert list(Shot(2, 1.0, 3.0).sample_times(1)) == [2.0]
    assert list(Shot(2, 1.0, 3.0).sample_times(4)) == [1.25, 1.75, 2.25, 2.75]


def test_each_frame_comes_from_its_shot(tmp_path):
    video = write_video(tmp_path, ("cat", 30), ("cup", 20), ("woman", 40))
    options = SHOTS.model_copy(update={"shots": ShotOptions(frames_per_shot=2), "fit": "squash"})

    sampled = sample_frames(video, options)

    assert sampled.shot_numbers == (1, 1, 2, 2, 3, 3)
    assert sampled.times_s == pytest.approx((0.375, 1.125, 1.75, 2.25, 3.0, 4.0))
    for frame, name in zip(sampled.frames.images(), ["cat", "cat", "cup", "cup", "woman", "woman"], strict=True):
        differences = {
            photo: np.abs(frame.mean((0, 1)) - resize(image, (64, 64)).mean((0, 1)) * 255).sum()
            for photo, image in PHOTOS.items()
        }
        assert min(differences, key=differences.get) == name


def test_sampling_is_deterministic(tmp_path):
    video = write_video(tmp_path, ("cat", 30), ("cup", 20))

    assert sample_frames(video, SHOTS) == sample_frames(video, SHOTS)


def test_max_frames_takes_the_first_frames(tmp_path):
    sampled = sample_frames(write_video(tmp_path, ("cat", 30), ("cup", 20)), SHOTS.model_copy(update={"max_frames": 1}))

    assert (sampled.shots, sampled.shot_numbers, len(sampled.frames)) == (2, (1,), 1)


def test_shots_before_a_damaged_end_are_kept(tmp_path):
    video = write_video(tmp_path, ("cat", 40), ("cup", 40), ("woman", 40))
    moving = tmp_path / "video.ts"
    with av.open(video.path) as given, av.open(moving, "w") as written:
        stream = written.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    content = moving.read_bytes()
    moving.write_bytes(content[: len(content) * 6 // 10])

    assert sample_frames(VideoFile(moving), SHOTS).shots in {1, 2}


def test_a_file_that_is_not_a_video_is_unreadable(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")

    with pytest.raises(VideoError) as raised:
        sample_frames(VideoFile(tmp_path / "page.mp4"), SHOTS)

    assert raised.value.status == "unreadable"


def test_the_displayed_frame_is_selected():
    shown = [TimedFrame(5.0, 6.0, "a"), TimedFrame(6.0, 6.5, "b"), TimedFrame(6.5, 8.0, "c")]

    assert list(select_at_times(shown, [0.0, 0.5, 1.0, 1.4, 2.0, 9.0])) == ["a", "a", "b", "b", "c", "c"]


def test_options_of_the_other_sampling_mode_do_not_change_the_digest():
    def digest(**options):
        return PreprocessingOptions(**options).digest

    few = ShotOptions(frames_per_shot=3)
    assert digest(shots=few) == digest()
    assert digest(frames_per_second=1) != digest()
    assert digest(sampling="shots", frames_per_second=1) == digest(sampling="shots")
    assert digest(sampling="shots", shots=few) != digest(sampling="shots")
