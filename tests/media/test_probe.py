import hashlib
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from skimage import data

from video_recommender.media.decoding import probe_video
from video_recommender.media.video import VideoError, VideoFile


def write_clip(path, codec="libx264", pixel_format="yuv420p", *, size=(160, 120), rotation=0, aspect=1):
    width, height = size
    image = np.resize(data.coffee()[:height, :width], (height, width, 3))
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        for _ in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return VideoFile(path)


def write_sound(path, codec, with_cover=False):
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1) if with_cover else None
        if cover is not None:
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(data.coffee()[:64, :64]), format="rgb24")
            container.mux(cover.encode(frame.reformat(format="yuvj420p")))
            container.mux(cover.encode())
        for start in range(0, 8000, 1000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return VideoFile(path)


def status_of(video):
    with pytest.raises(VideoError) as raised:
        probe_video(video)
    assert video.path.name in raised.value.message
    assert ":" in raised.value.message
    return raised.value.status


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("clip.mp4", "libx264", "yuv420p"),
        ("clip.mov", "mpeg4", "yuv420p"),
        ("clip.mkv", "libx264", "yuv444p"),
        ("clip.webm", "libvpx-vp9", "yuv420p"),
        ("clip.avi", "mjpeg", "yuvj420p"),
        ("clip.gif", "gif", "rgb8"),
        ("clip.mpg", "mpeg2video", "yuv420p"),
        ("clip.flv", "flv1", "yuv420p"),
    ],
)
def test_the_properties_of_a_clip_are_measured(tmp_path, name, codec, pixel_format):
    video = write_clip(tmp_path / name, codec, pixel_format)

    properties = probe_video(video)

    assert (properties.width, properties.height) == (160, 120)
    assert properties.duration_s == pytest.approx(2, abs=0.25)
    assert properties.fps == pytest.approx(25, rel=0.05)
    assert properties.sha256 == hashlib.sha256(video.path.read_bytes()).hexdigest()


def test_width_and_height_are_those_of_the_rotated_frame(tmp_path):
    properties = probe_video(write_clip(tmp_path / "clip.mp4", rotation=90))

    assert (properties.width, properties.height) == (120, 160)


def test_width_is_in_square_pixels(tmp_path):
    properties = probe_video(write_clip(tmp_path / "clip.mp4", aspect=Fraction(4, 3)))

    assert (properties.width, properties.height) == (213, 120)


def test_odd_sizes_are_exact(tmp_path):
    properties = probe_video(write_clip(tmp_path / "clip.mp4", pixel_format="yuv444p", size=(321, 241)))

    assert (properties.width, properties.height) == (321, 241)


def test_duration_is_measured_if_the_header_does_not_state_it(tmp_path):
    with (tmp_path / "live.webm").open("wb") as file:  # a live recording does not write its duration
        written = write_clip(tmp_path / "clip.webm", "libvpx").path
        with av.open(written) as source, av.open(file, "w", format="webm", options={"live": "1"}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)

    properties = probe_video(VideoFile(tmp_path / "live.webm"))

    assert properties.duration_s == pytest.approx(2, abs=0.1)
    assert properties.fps == pytest.approx(25, rel=0.05)


def test_a_truncated_clip_can_be_probed(tmp_path):
    video = write_clip(tmp_path / "clip.mkv")
    video.path.write_bytes(video.path.read_bytes()[:-500])

    assert probe_video(video).width == 160


def test_an_empty_file_is_empty(tmp_path):
    (tmp_path / "clip.mp4").touch()

    assert status_of(VideoFile(tmp_path / "clip.mp4")) == "empty"


def test_a_text_file_is_unreadable(tmp_path):
    (tmp_path / "clip.mp4").write_text("not a video at all\n" * 100)

    assert status_of(VideoFile(tmp_path / "clip.mp4")) == "unreadable"


def test_a_playlist_named_like_a_video_opens_no_other_file(tmp_path):
    write_clip(tmp_path / "secret.ts", "mpeg2video")
    (tmp_path / "clip.mp4").write_text("#EXTM3U\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n")

    assert status_of(VideoFile(tmp_path / "clip.mp4")) == "unreadable"


def test_a_clip_without_its_index_is_unreadable(tmp_path):
    video = write_clip(tmp_path / "clip.mp4")
    video.path.write_bytes(video.path.read_bytes()[:1000])

    assert status_of(video) == "unreadable"


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_an_audio_file_is_audio_only(tmp_path, codec):
    assert status_of(write_sound(tmp_path / "clip.mp4", codec)) == "audio_only"


def test_an_audio_file_with_cover_art_is_audio_only(tmp_path):
    assert status_of(write_sound(tmp_path / "clip.mp4", "aac", with_cover=True)) == "audio_only"


def test_a_wave_file_named_mp4_is_audio_only(tmp_path):
    with wave.open(str(tmp_path / "clip.mp4"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))

    assert status_of(VideoFile(tmp_path / "clip.mp4")) == "audio_only"


def test_a_broken_link_is_missing(tmp_path):
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "gone.mp4")

    assert status_of(VideoFile(tmp_path / "clip.mp4")) == "missing"
