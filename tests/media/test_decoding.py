from fractions import Fraction

import av
import numpy as np
import pytest
from skimage import data

from video_recommender.media.decoding import Orientation, open_video
from video_recommender.media.video import VideoError, VideoFile

PICTURE = np.ascontiguousarray(data.coffee()[:120, :160])


def write_streams(path, *sizes, default=0, images=12, codec="mpeg4", options=None):
    """Write one video stream per size; `default` is the position of the default stream."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=12, options=options or {}) for _ in sizes]
        for number, (stream, (width, height)) in enumerate(zip(streams, sizes, strict=True)):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = av.stream.Disposition.default if number == default else 0
        frame = av.VideoFrame.from_ndarray(PICTURE, format="rgb24")
        for stream in streams:
            for number in range(images):
                image = frame.reformat(stream.width, stream.height, "yuv420p")
                image.pts, image.time_base = number, Fraction(1, 12)
                container.mux(stream.encode(image))
            container.mux(stream.encode())
    return VideoFile(path)


def opened_status(video):
    with pytest.raises(VideoError) as raised, open_video(video):
        pass
    return raised.value.status


@pytest.mark.parametrize(("status", "retry"), [("missing", True), ("damaged", True), ("unreadable", False)])
def test_only_transient_problems_are_retried(status, retry):
    assert VideoError(status, "").retry is retry


def test_the_widest_of_several_video_streams_is_selected(tmp_path):
    video = write_streams(tmp_path / "clip.mkv", (64, 48), (160, 120), (96, 64), default=None)

    with open_video(video) as opened:
        assert opened.stream.width == 160


def test_the_default_stream_is_selected_instead_of_a_wider_one(tmp_path):
    video = write_streams(tmp_path / "clip.mkv", (160, 120), (64, 48), default=1)

    with open_video(video) as opened:
        assert opened.stream.width == 64


def test_a_folder_is_unreadable(tmp_path):
    (tmp_path / "clip.mp4").mkdir()

    assert opened_status(VideoFile(tmp_path / "clip.mp4")) == "unreadable"


def test_a_subtitle_file_is_unreadable(tmp_path):
    (tmp_path / "clip.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")

    assert opened_status(VideoFile(tmp_path / "clip.srt")) == "unreadable"


def test_a_path_that_looks_like_a_url_is_read_as_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    written = write_streams(tmp_path / "clip.mkv", (160, 120)).path
    written.rename(tmp_path / "http:" / "clip.mkv")

    with open_video(VideoFile((tmp_path / "http:" / "clip.mkv").relative_to(tmp_path))) as opened:
        assert len(list(opened.decode())) == 12


def test_the_file_is_closed_after_an_error(tmp_path):
    video = write_streams(tmp_path / "clip.mkv", (160, 120))

    with pytest.raises(ArithmeticError), open_video(video) as opened:
        raise ArithmeticError

    with pytest.raises((AssertionError, ValueError, av.FFmpegError)):
        next(opened.container.demux(video=0))


def test_pixels_are_square_if_the_file_states_no_aspect_ratio(tmp_path):
    with open_video(write_streams(tmp_path / "clip.mkv", (160, 120), codec="ffv1")) as opened:
        assert opened.stream.sample_aspect_ratio is None
        assert opened.pixel_aspect == 1


def test_skippable_reference_frames_are_decoded(tmp_path):
    video = write_streams(tmp_path / "clip.mkv", (160, 120), options={"bf": "2", "g": "12"}, images=24)

    with open_video(video) as opened:
        whole = list(opened.decode())
    with open_video(video) as opened:
        types = {image.pict_type for image in opened.decode(is_skippable=lambda packet: True)}
    with open_video(video) as opened:
        wanted = list(opened.decode(is_skippable=lambda packet: not packet.is_keyframe))

    assert len(whole) == 24
    assert types <= {av.video.frame.PictureType.I, av.video.frame.PictureType.P}
    assert len(wanted) < 24


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (0, Orientation()),
        (90, Orientation(transposed=True, flipped=True)),
        (180, Orientation(mirrored=True, flipped=True)),
        (-90, Orientation(transposed=True, mirrored=True)),
        (30, Orientation()),
    ],
)
def test_orientation_is_read_from_the_display_matrix(tmp_path, rotation, expected):
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.set_display_rotation(rotation)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(PICTURE, format="rgb24")))
        container.mux(stream.encode())

    with open_video(VideoFile(tmp_path / "clip.mp4")) as opened:
        assert Orientation.of(next(opened.decode())) == expected
