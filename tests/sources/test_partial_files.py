import av
import pytest

from video_recommender.media.decoding import probe_video
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.sources.web_videos import check_complete, is_longer_than, truncate_video


@pytest.fixture
def video(tmp_path, long_clip):
    (tmp_path / "video").write_bytes(long_clip)
    return VideoFile(tmp_path / "video")


def rewrapped(video, container, **options):
    """Copy the frames to another container."""
    target = video.path.with_name(f"{container}.video")
    with av.open(video.path) as given, av.open(target, "w", format=container, options=options) as written:
        stream = written.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    return VideoFile(target)


def test_a_whole_file_is_complete(video):
    check_complete(video, 30.0)
    check_complete(video, 30.0, published_s=12.4)
    check_complete(video, 10.0, published_s=600.0)


def test_a_truncated_file_is_incomplete(video):
    broken = rewrapped(video, "mp4", movflags="faststart")
    content = broken.path.read_bytes()
    broken.path.write_bytes(content[: len(content) // 2])

    with pytest.raises(VideoError, match=r"ends after \d\.\d of 12\.0 s") as raised:
        check_complete(broken, 30.0)

    assert raised.value.status == "incomplete"


def test_a_file_that_is_shorter_than_its_site_states_is_incomplete(video):
    with pytest.raises(VideoError, match=r"ends after 12\.0 of 30\.0 s") as raised:
        check_complete(video, 30.0, published_s=120.0)

    assert raised.value.status == "incomplete"


def test_only_the_wanted_part_of_a_file_must_be_complete(video):
    broken = rewrapped(video, "mp4", movflags="faststart")
    content = broken.path.read_bytes()
    broken.path.write_bytes(content[: len(content) // 2])

    assert is_longer_than(broken, 3.0)
    assert not is_longer_than(broken, 11.0)
    check_complete(broken, 3.0, published_s=12.0)


def test_a_long_video_is_truncated(video):
    before = video.path.read_bytes()

    beginning = truncate_video(video, 5.0)

    assert probe_video(beginning).duration_s == pytest.approx(5.0, abs=0.3)
    assert video.path.read_bytes() == before


def test_a_truncated_video_has_the_same_frames(video):
    def images(file):
        with av.open(file.path) as container:
            return [image.to_ndarray() for image in container.decode(video=0)][:40]

    kept = images(truncate_video(video, 5.0))

    assert len(kept) == 40
    assert all((one == other).all() for one, other in zip(kept, images(video), strict=True))


def test_a_short_video_is_not_truncated(video):
    assert truncate_video(video, 12.0) == video
    assert truncate_video(video, 11.5) == video


def test_a_file_that_is_not_a_video_raises_an_error(tmp_path):
    (tmp_path / "page").write_text("<html>")

    with pytest.raises(VideoError):
        check_complete(VideoFile(tmp_path / "page"), 30.0)
