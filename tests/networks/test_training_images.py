from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.video import VideoError
from video_recommender.networks.training_images import (
    SelectedFrames,
    augment,
    balance_classes,
    check_classes,
    group_folders,
    list_image_folder,
    select_distinct_frames,
)
from video_recommender.storage.partitions import STATE_FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = ("cats/1.png", "cats/two cats/1.png", "cats/two cats/late/1.png", "dogs/1.png", "dogs/two cats/2.png")
    for shade, name in enumerate(files):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((20, 60, 3), 40 * shade, np.uint8)
        image[:, 20:40] = (0, 0, 255)
        cv2.imwrite(str(tmp_path / name), image)
    return tmp_path


def test_images_of_a_folder_have_the_class_and_group_of_their_subfolders(folder: Path) -> None:
    listed = list_image_folder(folder, size=8)

    assert [(source.class_name, source.group) for source in listed] == [
        ("cats", "cats-1-png"),
        ("cats", "two-cats"),
        ("cats", "two-cats"),
        ("dogs", "dogs-1-png"),
        ("dogs", "two-cats"),
    ]
    assert len({source.key for source in listed}) == 5
    assert all(source.key.split("/")[:2] == [source.class_name, source.group] for source in listed)


def test_a_wide_image_is_cropped_to_its_centre(folder: Path) -> None:
    ((red, green, blue),) = list_image_folder(folder, size=8)[0].reader.read().decode().reshape(1, -1, 3).mean(axis=1)

    assert red > 240
    assert max(green, blue) < 15


def test_an_unreadable_image_is_reported_by_name(folder: Path) -> None:
    (folder / "cats" / "broken.jpg").write_bytes(b"not an image")

    listed = {Path(source.source).name: source for source in list_image_folder(folder, size=8)}

    with pytest.raises(VideoError, match=r"broken\.jpg is not a readable"):
        listed["broken.jpg"].reader.read()


def test_the_image_folder_of_the_project_is_rejected(folder: Path) -> None:
    (folder / STATE_FOLDER).mkdir()

    with pytest.raises(ValueError, match="copy its sub-folders to another folder"):
        list_image_folder(folder, size=8)


def test_groups_of_videos_have_valid_folder_names() -> None:
    corpus = pd.DataFrame({"video_id": ["animals/1", "sports/2"], "group": ["animals/pool-1", "Ana's channel"]})

    assert group_folders(corpus).to_dict() == {"animals/1": "animals-pool-1", "sports/2": "ana-s-channel"}


def test_selected_frames_are_copied_unchanged(tmp_path: Path) -> None:
    jpegs = [cv2.imencode(".jpg", np.full((8, 8, 3), 60 * number, np.uint8))[1].tobytes() for number in range(4)]
    for number, jpeg in enumerate(jpegs, start=1):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg)

    assert SelectedFrames(FrameFolder(tmp_path), (2, 4)).read() == EncodedFrames((jpegs[1], jpegs[3]))
    with pytest.raises(VideoError, match="Frame 9 is missing"):
        SelectedFrames(FrameFolder(tmp_path), (2, 9)).read()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], r"two classes \(found: 0\): use a folder with a sub-folder"),
        (["cats"] * 20, r"two classes \(found: 1\): use a folder with a sub-folder"),
        (["cats"] * 20 + ["dogs"] * 3, "'dogs' has 3 images, but at least 10 are required: add images"),
    ],
)
def test_too_few_classes_or_images_are_reported(classes: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_classes(pd.Series(classes, dtype="str"), min_images=10)


FRAMES = np.arange(1, 6, dtype=np.int64)


def hashes(*bits: int) -> np.ndarray:
    """Hashes with this number of low bits set: the distance of two hashes is the difference of their numbers."""
    return np.array([2**count - 1 for count in bits], dtype=np.uint64)


def test_near_duplicate_frames_are_selected_once() -> None:
    assert select_distinct_frames(FRAMES, hashes(0, 1, 2, 40, 41), max_frames=5) == [3, 5]


def test_selected_frames_differ_as_much_as_possible() -> None:
    assert select_distinct_frames(FRAMES, hashes(0, 15, 30, 45, 63), max_frames=3) == [3, 5, 1]


def test_a_video_without_hashed_frames_has_no_training_images() -> None:
    assert select_distinct_frames(FRAMES[:0], hashes(), max_frames=3) == []


def test_large_classes_are_limited_by_the_smallest() -> None:
    selected = {f"many/{number}": [2, 1, 3] for number in range(9)} | {"few/1": [4, 5]}
    classes = pd.Series({video_id: video_id.split("/")[0] for video_id in selected})

    kept = balance_classes(selected, classes)

    assert kept.pop("few/1") == [4, 5]
    assert list(kept.values()) == [[2]] * 6


def test_augmentation_depends_on_content_position_and_seed() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    twice = np.stack([images[0], images[0]])

    def views(frames: np.ndarray, seed: int = 1) -> list[np.ndarray]:
        return [view for _, view in augment(frames, seed)]

    assert np.array_equal(views(images)[:2], views(images[:2]))
    assert not np.array_equal(*views(twice))
    assert not np.array_equal(views(images), views(images, seed=2))
    assert all(np.array_equal(image, first) for image, (first, _) in zip(images, augment(images, 1), strict=True))


def test_different_images_are_augmented_differently() -> None:
    image = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)

    (_, view), (_, view_of_mirrored) = (next(augment(frames, 1)) for frames in (image, image[:, ::-1]))

    assert not np.array_equal(view[::-1], view_of_mirrored)
