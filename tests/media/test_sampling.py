import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data
from skimage.transform import resize

from video_recommender.media.decoding import TimedFrame
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.sampling import (
    TOLERANCE_S,
    PreprocessingOptions,
    sample_frames,
    samples_before,
    select_at_rate,
)
from video_recommender.media.video import VideoError, VideoFile

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
WIDE = PreprocessingOptions(size=64, fit="squash")


def photo(width, height):
    return (resize(data.chelsea(), (height, width), anti_aliasing=True) * 255).astype(np.uint8)


def numbered(count, width=96, height=64):
    """Return frames whose brightness encodes their number, up to 58."""
    return [np.full((height, width, 3), 20 + 4 * number % 236, np.uint8) for number in range(count)]


def number_of(frame):
    return round((float(frame.mean()) - 20) / 4)


def write_video(
    path,
    images,
    codec="libx264",
    pixel_format="yuv420p",
    *,
    rate=24,
    stamps=None,
    rotation=None,
    pixel_aspect=None,
    options=None,
):
    """Encode frames; `stamps` are timestamps in milliseconds."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"crf": "8", **(options or {})})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixel_format
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None:
            stream.set_display_rotation(*rotation)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return VideoFile(path)


def packets_of(video):
    with av.open(video.path) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def overwrite(video, packets):
    content = bytearray(video.path.read_bytes())
    for packet in packets:
        content[packet.pos : packet.pos + packet.size] = bytes([255]) * packet.size
    video.path.write_bytes(content)


def corners(frame):
    near, far = 10, frame.shape[0] - 10
    return [
        ("red", "green", "blue")[int(frame[y, x].argmax())]
        for y, x in ((near, near), (near, far), (far, near), (far, far))
    ]


def test_three_frames_per_second_are_sampled(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(48), rate=24)

    frames = sample_frames(video, WIDE).frames.decode()

    assert [number_of(frame) for frame in frames] == [0, 8, 16, 24, 32, 40]


def test_frames_are_square_jpegs_of_the_configured_size(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(24))

    frames = sample_frames(video, PreprocessingOptions(size=50)).frames

    assert frames.decode().shape == (3, 50, 50, 3)
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in frames.jpegs)


def test_frames_are_sampled_by_time_if_the_frame_rate_varies(tmp_path):
    stamps = [0, 100, 900, 950, 1000, 2000, 2010]
    video = write_video(tmp_path / "clip.mkv", numbered(7), stamps=stamps)

    frames = sample_frames(video, PreprocessingOptions(size=64, frames_per_second=2)).frames.decode()

    assert [number_of(frame) for frame in frames] == [0, 1, 4, 4, 5]


def test_a_video_that_starts_late_is_sampled_from_its_first_frame(tmp_path):
    stamps = [5000 + 40 * number for number in range(25)]
    video = write_video(tmp_path / "clip.mkv", numbered(25), rate=25, stamps=stamps)

    frames = sample_frames(video, WIDE).frames.decode()

    assert [number_of(frame) for frame in frames] == [0, 8, 16]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("clip.mp4", "libx264", "yuv420p"),
        ("clip.mp4", "libx264", "yuv444p"),
        ("clip.mp4", "libx264", "yuv420p10le"),
        ("clip.mp4", "libx264", "gray"),
        ("clip.mov", "mpeg4", "yuv420p"),
        ("clip.webm", "libvpx", "yuv420p"),
        ("clip.webm", "libvpx-vp9", "yuva420p"),
        ("clip.mkv", "libx264", "yuv422p"),
        ("clip.mkv", "ffv1", "bgra"),
        ("clip.avi", "mjpeg", "yuvj420p"),
        ("clip.avi", "libx264", "yuv420p"),
        ("clip.ts", "libx264", "yuv420p"),
        ("clip.mpg", "mpeg2video", "yuv420p"),
        ("clip.gif", "gif", "rgb8"),
    ],
)
def test_every_container_and_pixel_format_gives_the_same_frames(tmp_path, name, codec, pixel_format):
    rate = 25 if name != "clip.gif" else 20
    image = photo(160, 120)
    video = write_video(tmp_path / name, [image] * (2 * rate), codec, pixel_format, rate=rate, options={"b": "4M"})

    frames = sample_frames(video, PreprocessingOptions(size=120)).frames.decode()

    expected = image[:, 20:140].astype(float)
    if pixel_format == "gray":
        expected = np.repeat(expected @ [[0.299], [0.587], [0.114]], 3, axis=2)
    assert len(frames) == 6
    assert np.abs(frames[3] - expected).mean() < (15 if codec == "gif" else 8)


@pytest.mark.parametrize(("width", "height"), [(321, 241), (33, 17), (17, 401), (2, 2)])
@pytest.mark.parametrize("fit", ["crop", "letterbox", "squash"])
def test_frames_of_odd_size_become_square(tmp_path, width, height, fit):
    video = write_video(tmp_path / "clip.mp4", [photo(width, height)] * 10, pixel_format="yuv444p", rate=10)

    frames = sample_frames(video, PreprocessingOptions(fit=fit)).frames.decode()

    assert frames.shape == (3, 224, 224, 3)
    assert frames[0].max() > 20


def test_a_frame_of_odd_size_with_subsampled_chroma_becomes_square(tmp_path):
    images = [photo(321, 241)] * 5
    video = write_video(tmp_path / "clip.webm", images, codec="libvpx", rate=10)

    frames = sample_frames(video, PreprocessingOptions(size=241)).frames.decode()

    assert np.abs(frames[0] - images[0][:, 40:281].astype(float)).mean() < 10


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        ((0,), ["green", "red", "blue", "blue"]),
        ((90,), ["red", "blue", "green", "blue"]),
        ((-90,), ["blue", "green", "blue", "red"]),
        ((180,), ["blue", "blue", "red", "green"]),
        ((0, True), ["red", "green", "blue", "blue"]),
        ((0, False, True), ["blue", "blue", "green", "red"]),
        ((90, True), ["blue", "red", "blue", "green"]),
    ],
)
def test_frames_are_rotated_and_mirrored_by_the_display_matrix(tmp_path, rotation, expected):
    image = np.empty((48, 64, 3), np.uint8)
    image[:24], image[24:], image[:24, :32] = RED, BLUE, GREEN
    video = write_video(tmp_path / "clip.mp4", [image] * 5, rate=10, rotation=rotation)

    frames = sample_frames(video, WIDE).frames.decode()

    assert corners(frames[0]) == expected


def test_fit_crops_squashes_or_pads_the_frame(tmp_path):
    image = np.empty((64, 192, 3), np.uint8)
    image[:, :64], image[:, 64:128], image[:, 128:] = RED, GREEN, BLUE
    video = write_video(tmp_path / "clip.mp4", [image] * 5, rate=10)

    cropped, squashed, boxed = (
        sample_frames(video, PreprocessingOptions(size=96, fit=fit)).frames.decode()[0]
        for fit in ("crop", "squash", "letterbox")
    )

    assert corners(cropped) == ["green"] * 4
    assert corners(squashed) == ["red", "blue", "red", "blue"]
    assert boxed[:28].max() < 20
    assert boxed[-28:].max() < 20
    assert [int(boxed[48, x].argmax()) for x in (10, 48, 86)] == [0, 1, 2]


def test_the_pixel_aspect_ratio_is_applied(tmp_path):
    image = np.empty((64, 64, 3), np.uint8)
    image[:, :16], image[:, 16:48], image[:, 48:] = RED, GREEN, BLUE
    video = write_video(tmp_path / "clip.mp4", [image] * 5, rate=10, pixel_aspect=Fraction(2))

    frame = sample_frames(video, PreprocessingOptions(size=64)).frames.decode()[0]

    assert corners(frame) == ["green"] * 4


def test_frames_before_a_damaged_end_are_kept(tmp_path):
    video = write_video(tmp_path / "clip.mkv", numbered(96), options={"g": "12"})
    whole = sample_frames(video, WIDE).frames
    cut = packets_of(video)[60].pos
    video.path.write_bytes(video.path.read_bytes()[: cut + 9])

    broken = sample_frames(video, WIDE).frames

    assert 7 <= len(broken) <= 8
    assert broken.jpegs[:7] == whole.jpegs[:7]


def test_only_damaged_frames_are_lost(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(96), options={"g": "12"})
    whole = sample_frames(video, WIDE).frames
    overwrite(video, packets_of(video)[36:44])

    damaged = sample_frames(video, WIDE).frames

    assert len(damaged) == len(whole) == 12
    assert damaged.jpegs[:4] == whole.jpegs[:4]
    assert damaged.jpegs[6:] == whole.jpegs[6:]


def test_a_spliced_broadcast_stream_is_sampled_without_a_gap(tmp_path):
    first = write_video(tmp_path / "first.ts", numbered(25), rate=25)
    stamps = [90_000_000 + 40 * number for number in range(25)]
    second = write_video(tmp_path / "second.ts", numbered(50)[25:], stamps=stamps)
    spliced = VideoFile(tmp_path / "spliced.ts")
    spliced.path.write_bytes(first.path.read_bytes() + second.path.read_bytes())

    frames = sample_frames(spliced, WIDE).frames.decode()

    assert [number_of(frame) for frame in frames] == [0, 8, 16, 25, 33, 41]


def test_a_video_of_one_frame_gives_one_sample(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(1))

    assert len(sample_frames(video, WIDE).frames) == 1


def test_a_frame_is_repeated_for_each_sample_that_shows_it(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(2), rate=1)

    frames = sample_frames(video, WIDE).frames

    assert len(frames) == 6
    assert len(set(frames.jpegs)) == 2


def test_max_frames_takes_the_first_frames(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(48))

    frames = sample_frames(video, WIDE.model_copy(update={"max_frames": 2})).frames

    assert frames == EncodedFrames(sample_frames(video, WIDE).frames.jpegs[:2])


@pytest.mark.parametrize(
    "encoder",
    [
        {"bf": "0"},
        {"bf": "8", "x264-params": "b-adapt=0:b-pyramid=normal"},
        {"bf": "3", "x264-params": "b-adapt=0:b-pyramid=none:open-gop=1:keyint=10"},
        {"preset": "veryslow"},
        {"x264-params": "intra-refresh=1:bframes=3:b-adapt=0"},
        {"flags": "+ildct+ilme"},
        {"tune": "zerolatency"},
        {"g": "7", "bf": "2"},
        {"g": "1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("rate", [0.8, 3, 7.3])
def test_skipping_frames_does_not_change_the_samples(tmp_path, encoder, rate):
    base = photo(160, 120)
    images = [np.roll(base, (number, 2 * number), axis=(0, 1)) for number in range(60)]
    video = write_video(tmp_path / "clip.mkv", images, rate=30, options={"crf": "30", **encoder})

    frames = sample_frames(
        video, PreprocessingOptions(size=120, frames_per_second=rate, jpeg_quality=95)
    ).frames.decode()

    with av.open(video.path) as container:
        every = [(image.time, image.to_ndarray(format="rgb24")[:, 20:140]) for image in container.decode(video=0)]
    expected = [
        [image for time, image in every if time <= sample / rate + TOLERANCE_S][-1]
        for sample in range(math.ceil(2 * rate))
    ]
    assert len(frames) == len(expected)
    assert np.abs(frames.astype(int) - np.stack(expected)).mean(axis=(1, 2, 3)).max() < 3


def test_a_file_without_decodable_frames_is_unreadable(tmp_path):
    video = write_video(tmp_path / "clip.mp4", numbered(5))
    overwrite(video, packets_of(video))

    with pytest.raises(VideoError, match=r"clip\.mp4 has no frame that can be decoded") as raised:
        sample_frames(video, WIDE)

    assert raised.value.status == "unreadable"


def test_a_missing_file_has_the_status_missing():
    with pytest.raises(VideoError) as raised:
        sample_frames(VideoFile(Path("nowhere.mp4")), WIDE)

    assert raised.value.status == "missing"


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"frames_per_second": 0}, {"fit": "stretch"}, {"jpeg_quality": 101}, {"max_frames": 0}]
)
def test_an_invalid_option_raises_an_error(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PreprocessingOptions(**wrong)


times = st.lists(st.integers(0, 20_000), min_size=1, max_size=60, unique=True).map(sorted)
rates = st.floats(0.1, 60)


def shown_at(stamps):
    return [TimedFrame(stamp / 1000, stamp / 1000, stamp) for stamp in stamps]


@given(times, rates)
def test_the_displayed_frame_is_selected(stamps, rate):
    picked = [stamp for stamp, count in select_at_rate(shown_at(stamps), rate) for _ in range(count)]

    for sample, stamp in enumerate(picked):
        on_time = (stamps[0] / 1000 + sample / rate + TOLERANCE_S) * 1000
        assert stamp <= on_time + 1e-6
        assert all(other <= stamp or other >= on_time - 1e-6 for other in stamps)


@given(times, rates)
def test_samples_cover_the_whole_video(stamps, rate):
    picked = [stamp for stamp, count in select_at_rate(shown_at(stamps), rate) for _ in range(count)]

    length_s = (stamps[-1] - stamps[0]) / 1000
    assert picked[0] == stamps[0] or stamps[1] - stamps[0] <= TOLERANCE_S * 1000
    assert abs(len(picked) - (math.floor(length_s * rate) + 1)) <= math.ceil(2 * TOLERANCE_S * rate)


@given(times, rates)
def test_skipping_all_but_the_latest_frame_before_each_sample_does_not_change_the_selection(stamps, rate):
    latest = {samples_before((stamp - stamps[0]) / 1000, rate): stamp for stamp in stamps}
    enough = sorted({stamps[0], *latest.values()})

    assert list(select_at_rate(shown_at(enough), rate)) == list(select_at_rate(shown_at(stamps), rate))


def test_no_frames_give_no_samples():
    assert list(select_at_rate([], 3)) == []
