import pickle
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from shutil import copy
from zipfile import ZipFile

import numpy as np
import pytest
import skimage.data

from video_recommender.media.frames import Photo
from video_recommender.media.video import VideoError
from video_recommender.sources.photos import list_photo_folder, split_into_pools

BUNDLED = Path(str(files("skimage") / "data"))


def listed_photo(name: str, scene: str) -> Photo:
    return Photo(category="animals", name=name, scene=scene, digest=name, path=Path(name))


def seeded() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    for place in ("pets/chelsea.png", "pets/same cat again.png", "drinks/my cup/coffee.png", "drinks/rocket.jpg"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    copy(BUNDLED / "chelsea.png", tmp_path / "pets/chelsea.png")
    copy(BUNDLED / "chelsea.png", tmp_path / "pets/same cat again.png")
    copy(BUNDLED / "coffee.png", tmp_path / "drinks/my cup/coffee.png")
    copy(BUNDLED / "rocket.jpg", tmp_path / "drinks/rocket.JPG")
    (tmp_path / "drinks/notes.txt").write_text("not a photo")
    return tmp_path


def test_photos_are_listed_with_their_scenes_and_without_copies(photo_folder: Path) -> None:
    photos = list_photo_folder(photo_folder)

    assert [(photo.category, photo.scene, photo.name) for photo in photos] == [
        ("drinks", "my cup", "coffee.png"),
        ("drinks", "rocket", "rocket.JPG"),
        ("pets", "chelsea", "chelsea.png"),
    ]


def test_a_photo_in_a_zip_file_is_decoded(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "photos.whl", "w") as archive:
        archive.write(BUNDLED / "chelsea.png", "cats/chelsea.png")
    zipped = Photo(
        category="animals",
        name="chelsea.png",
        scene="cat",
        digest="",
        path=tmp_path / "photos.whl",
        member="cats/chelsea.png",
    )

    assert np.array_equal(zipped.decode(451, 300), skimage.data.chelsea())


def test_a_pickled_photo_does_not_contain_its_pixels(photo_folder: Path) -> None:
    photo = list_photo_folder(photo_folder)[0]

    assert len(pickle.dumps(photo)) < 1000
    assert pickle.loads(pickle.dumps(photo)) == photo


def test_a_large_photo_is_decoded_at_the_smallest_sufficient_scale(photo_folder: Path) -> None:
    rocket = list_photo_folder(photo_folder)[1]

    assert rocket.decode(150, 100).shape == (107, 160, 3)
    assert rocket.decode(161, 100).shape == (214, 320, 3)
    assert rocket.decode(5000, 5000).shape == (427, 640, 3)


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_an_unreadable_photo_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.jpg").write_bytes(content)
    photo = Photo(category="pets", name="broken.jpg", scene="", digest="", path=tmp_path / "broken.jpg")

    with pytest.raises(VideoError, match=r"Photo broken\.jpg is not a readable image"):
        photo.decode(10, 10)


def test_a_missing_photo_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"Photo gone\.jpg cannot be read"):
        Photo(category="pets", name="gone.jpg", scene="", digest="", path=tmp_path / "gone.jpg").read()


def test_a_folder_without_photos_raises_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one sub-folder per category"):
        list_photo_folder(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        list_photo_folder(tmp_path / "missing")


def test_pools_share_no_scene_and_have_similar_sizes() -> None:
    photos = [listed_photo(f"{number}.jpg", f"scene {number // 2}") for number in range(24)]

    pools = split_into_pools(photos, 5, seeded())

    assert len(pools) == 5
    assert sorted(photo.name for pool in pools for photo in pool) == sorted(photo.name for photo in photos)
    for one, other in combinations(pools, 2):
        assert {photo.scene for photo in one}.isdisjoint(photo.scene for photo in other)
    assert {len(pool) for pool in pools} == {4, 6}


def test_pools_depend_on_the_seed_and_not_on_the_order_of_the_photos() -> None:
    photos = [listed_photo(f"{number}.jpg", f"scene {number}") for number in range(10)]

    pools = split_into_pools(photos, 5, seeded())

    assert split_into_pools(photos[::-1], 5, seeded()) == pools
    assert split_into_pools(photos, 5, np.random.default_rng(8)) != pools


def test_fewer_scenes_than_pools_give_one_pool_per_scene() -> None:
    pools = split_into_pools([listed_photo(f"{name}.jpg", name) for name in "abc"], 5, seeded())

    assert [len(pool) for pool in pools] == [1, 1, 1]


def test_a_category_with_one_scene_raises_an_error() -> None:
    with pytest.raises(ValueError, match="Category 'animals' has photos of 1 scene, but needs at least 2"):
        split_into_pools([listed_photo("a.jpg", "garden"), listed_photo("b.jpg", "garden")], 5, seeded())


def test_the_same_photo_in_two_categories_raises_an_error(photo_folder: Path) -> None:
    first = list_photo_folder(photo_folder)[0]
    (photo_folder / "another").mkdir()
    (photo_folder / "another/copy.png").write_bytes(first.read())

    with pytest.raises(ValueError, match="are the same photo in two categories"):
        list_photo_folder(photo_folder)
