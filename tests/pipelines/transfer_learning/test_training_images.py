from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from video_recommender.incremental.partitions import RECORDS
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.video import VideoError
from video_recommender.networks.training_images import (
    ChosenFrames,
    check_classes,
    group_folders,
    list_image_folder,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    places = ("cats/1.png", "cats/two cats/1.png", "cats/two cats/late/1.png", "dogs/1.png", "dogs/two cats/2.png")
    for shade, place in enumerate(places):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        picture = np.full((20, 60, 3), 40 * shade, np.uint8)
        picture[:, 20:40] = (0, 0, 255)
        cv2.imwrite(str(tmp_path / place), picture)
    return tmp_path


def test_each_class_of_a_folder_gives_its_images_with_what_they_belong_to(folder: Path) -> None:
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


def test_the_centre_of_a_wide_image_is_learnt_from(folder: Path) -> None:
    ((red, green, blue),) = list_image_folder(folder, size=8)[0].task.read().decode().reshape(1, -1, 3).mean(axis=1)

    assert red > 240
    assert max(green, blue) < 15


def test_an_image_that_is_none_says_so(folder: Path) -> None:
    (folder / "cats" / "broken.jpg").write_bytes(b"no picture")

    listed = {Path(source.source).name: source for source in list_image_folder(folder, size=8)}

    with pytest.raises(VideoError, match=r"broken\.jpg is not a readable picture"):
        listed["broken.jpg"].task.read()


def test_the_projects_own_images_are_not_read_where_they_would_be_overwritten(folder: Path) -> None:
    (folder / RECORDS).mkdir()

    with pytest.raises(ValueError, match="copy its sub-folders into a folder of your own"):
        list_image_folder(folder, size=8)


def test_groups_of_videos_bear_the_name_of_a_folder_so_that_a_copy_of_the_images_keeps_them() -> None:
    assert group_folders(["animals/pool-1", "Ana's channel"]) == {
        "animals/pool-1": "animals-pool-1",
        "Ana's channel": "ana-s-channel",
    }


def test_chosen_frames_are_copied_byte_by_byte(tmp_path: Path) -> None:
    jpegs = [cv2.imencode(".jpg", np.full((8, 8, 3), 60 * number, np.uint8))[1].tobytes() for number in range(4)]
    for number, jpeg in enumerate(jpegs, start=1):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg)

    assert ChosenFrames(FrameFolder(tmp_path), (2, 4)).read() == EncodedFrames((jpegs[1], jpegs[3]))
    with pytest.raises(VideoError, match="lacks frame 9"):
        ChosenFrames(FrameFolder(tmp_path), (2, 9)).read()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "there is no class: give a folder with two sub-folders"),
        (["cats"] * 20, "there is 1 class: give a folder with two sub-folders"),
        (["cats"] * 20 + ["dogs"] * 3, "'dogs' has 3 images, but at least 10 are needed: add images"),
    ],
)
def test_too_little_to_learn_from_is_said_before_anything_is_learnt(classes: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_classes(pd.Series(classes, dtype="str"), least_images=10)
