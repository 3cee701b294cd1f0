import cv2
import numpy as np
import pytest
import skimage.data

from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.video import VideoError


def jpeg_of(image):
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.fixture(scope="module")
def photos():
    return [cv2.resize(image, (64, 48)) for image in (skimage.data.chelsea(), skimage.data.coffee())]


def test_frames_are_decoded_as_rgb_in_numerical_order(tmp_path, photos):
    for number in (2, 10, 1):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg_of(photos[number == 10]))

    frames = FrameFolder(tmp_path).decode()

    assert [file.name for file in FrameFolder(tmp_path).files] == ["1.jpg", "2.jpg", "10.jpg"]
    assert frames.shape == (3, 48, 64, 3)
    assert frames.dtype == np.uint8
    for frame, photo in zip(frames, [photos[0], photos[0], photos[1]], strict=True):
        assert np.abs(frame.astype(int) - photo).mean() < 10


def test_files_that_are_not_frames_are_ignored(tmp_path, photos):
    for name in ("1.jpg", "1 (copy).jpg", "thumbnail.jpg", ".2.jpg", "3.png"):
        (tmp_path / name).write_bytes(jpeg_of(photos[0]))

    assert [file.name for file in FrameFolder(tmp_path).files] == ["1.jpg"]


def test_frames_in_memory_and_on_disk_decode_to_the_same_array(tmp_path, photos):
    encoded = EncodedFrames(tuple(jpeg_of(photo) for photo in photos))
    for number, jpeg in enumerate(encoded.jpegs, start=1):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg)

    assert len(encoded) == 2
    np.testing.assert_array_equal(FrameFolder(tmp_path).decode(), encoded.decode())


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_an_unreadable_frame_is_named(tmp_path, content):
    (tmp_path / "1.jpg").write_bytes(content)

    with pytest.raises(VideoError, match=r"1\.jpg is not a readable image") as caught:
        FrameFolder(tmp_path).decode()
    assert caught.value.status == "damaged"


def test_decoding_no_frames_raises_an_error(tmp_path):
    with pytest.raises(VideoError, match="contains no frames"):
        FrameFolder(tmp_path).decode()
    with pytest.raises(VideoError, match="no frames"):
        EncodedFrames(()).decode()
