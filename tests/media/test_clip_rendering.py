import io
import pickle
from collections import defaultdict
from fractions import Fraction
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from shutil import copy

import av
import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from video_recommender.media.clip_rendering import ClipRecipe, Framing, PhotoShot, render_clip
from video_recommender.media.frames import Photo
from video_recommender.sources.photos import DEFAULT_STYLE, ClipOptions, plan_clips

BUNDLED = Path(str(files("skimage") / "data"))
CENTRED = Framing(zoom=1, right=0, down=0, roll=0)


def bundled_photo(name: str, category: str, folder: Path = BUNDLED) -> Photo:
    return Photo(category=category, name=name, scene=Path(name).stem, digest=name, path=folder / name)


def bundled_photos(folder: Path = BUNDLED) -> list[Photo]:
    names = {
        "things": ["chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png", "coins.png"],
        "textures": ["brick.png", "grass.png", "gravel.png", "moon.png", "ihc.png", "retina.jpg", "cell.png"],
    }
    return [bundled_photo(name, category, folder) for category, listed in names.items() for name in listed]


def still(photo: Photo, **changes: object) -> ClipRecipe:
    values = {
        "video_id": "things/clip-001",
        "category": "things",
        "pool": 1,
        "seed": 0,
        "width": 320,
        "height": 240,
        "fps": Fraction(10),
        "shots": (PhotoShot(photo=photo, frames=10, start=CENTRED, end=CENTRED, mirrored=False),),
        "brightness": (1.0, 1.0),
        "noise": 0.0,
        "crf": 12,
    }
    return ClipRecipe(**(values | changes))


def decoded(clip: bytes) -> np.ndarray:
    with av.open(io.BytesIO(clip)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def recipes() -> list[ClipRecipe]:
    return plan_clips(bundled_photos(), ClipOptions(clips_per_category=20), seed=1)


def test_every_category_has_its_clips_numbered_from_one(recipes: list[ClipRecipe]) -> None:
    assert [recipe.video_id for recipe in recipes] == [
        f"{category}/clip-{number:03d}" for category in ("textures", "things") for number in range(1, 21)
    ]


def test_clips_of_different_groups_never_share_a_photo(recipes: list[ClipRecipe]) -> None:
    shown = defaultdict(set)
    for recipe in recipes:
        shown[recipe.group].update(recipe.photos.split(","))

    assert sorted(shown) == [
        f"{category}/pool-{number}" for category in ("textures", "things") for number in range(1, 6)
    ]
    assert all(one.isdisjoint(other) for one, other in combinations(shown.values(), 2))


def test_more_clips_do_not_change_the_first_ones(recipes: list[ClipRecipe]) -> None:
    more = {recipe.video_id: recipe for recipe in plan_clips(bundled_photos(), ClipOptions(), seed=1)}

    assert len(more) == 200
    assert all(more[recipe.video_id] == recipe for recipe in recipes)


def test_another_category_does_not_change_the_clips_of_a_category(recipes: list[ClipRecipe]) -> None:
    things = [photo for photo in bundled_photos() if photo.category == "things"]

    assert plan_clips(things, ClipOptions(clips_per_category=20), seed=1) == recipes[20:]


def test_clips_vary_within_the_options(recipes: list[ClipRecipe]) -> None:
    assert all(5 <= recipe.frames / recipe.fps <= 8.05 for recipe in recipes)
    assert {len(recipe.shots) for recipe in recipes} == {1, 2, 3, 4}
    assert {(recipe.width, recipe.height) for recipe in recipes} == set(DEFAULT_STYLE.sizes)
    assert {recipe.fps for recipe in recipes} == set(DEFAULT_STYLE.frame_rates)
    assert all(24 <= recipe.crf <= 40 and 0 <= recipe.noise <= 6 for recipe in recipes)


def test_the_title_of_a_clip_names_its_scenes() -> None:
    cup, cat = bundled_photo("coffee.png", "things"), bundled_photo("chelsea.png", "things")
    shots = tuple(
        PhotoShot(photo=photo, frames=5, start=CENTRED, end=CENTRED, mirrored=False) for photo in (cup, cat, cup)
    )

    recipe = still(cup, shots=shots)

    assert recipe.title == "coffee, chelsea"
    assert recipe.photos == "coffee.png,chelsea.png"
    assert recipe.frames == 15


def test_digest_depends_on_the_recipe_and_not_on_the_photo_paths(recipes: list[ClipRecipe]) -> None:
    elsewhere = plan_clips(bundled_photos(Path("elsewhere")), ClipOptions(clips_per_category=20), seed=1)

    assert [recipe.digest for recipe in elsewhere] == [recipe.digest for recipe in recipes]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)


def test_digest_depends_on_the_content_of_the_photos() -> None:
    cat = bundled_photo("chelsea.png", "things")

    assert still(cat).digest != still(cat.model_copy(update={"digest": "another cat"})).digest


def test_a_rendered_clip_is_the_h264_video_that_its_recipe_describes(recipes: list[ClipRecipe]) -> None:
    for recipe in recipes[:3]:
        with av.open(io.BytesIO(render_clip(recipe))) as container:
            stream = container.streams.video[0]
            frames = sum(1 for _ in container.decode(stream))

        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (recipe.width, recipe.height, recipe.fps)
        assert frames == recipe.frames


def test_a_pickled_recipe_is_rendered_to_the_same_bytes(recipes: list[ClipRecipe]) -> None:
    recipe = recipes[25]

    assert render_clip(pickle.loads(pickle.dumps(recipe))) == render_clip(recipe)


def test_a_still_camera_shows_the_unchanged_photo() -> None:
    astronaut = bundled_photo("astronaut.png", "things")

    frames = decoded(render_clip(still(astronaut, width=256, height=256)))

    photo = cv2.resize(astronaut.decode(512, 512), (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(frames[5].astype(int) - photo).mean() < 5


def test_a_mirrored_shot_is_flipped_left_to_right() -> None:
    astronaut = bundled_photo("astronaut.png", "things")
    shot = PhotoShot(photo=astronaut, frames=10, start=CENTRED, end=CENTRED, mirrored=True)

    mirrored = decoded(render_clip(still(astronaut, shots=(shot,))))
    plain = decoded(render_clip(still(astronaut)))

    assert np.abs(mirrored[5][:, ::-1].astype(int) - plain[5]).mean() < 4


def test_a_zoom_changes_frames_gradually_and_a_cut_abruptly() -> None:
    cat, cup = bundled_photo("chelsea.png", "things"), bundled_photo("coffee.png", "things")
    closer = Framing(zoom=0.6, right=0.1, down=0, roll=2)
    shots = (
        PhotoShot(photo=cat, frames=10, start=CENTRED, end=closer, mirrored=False),
        PhotoShot(photo=cup, frames=10, start=CENTRED, end=CENTRED, mirrored=False),
    )

    frames = decoded(render_clip(still(cat, shots=shots))).astype(int)

    changes = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    assert changes.argmax() == 9
    assert changes[1:8].min() > 1 > changes[11:].max()


def test_brightness_and_noise_are_applied_to_the_frames() -> None:
    moon = bundled_photo("moon.png", "textures")

    plain = decoded(render_clip(still(moon))).astype(float)
    darkening = decoded(render_clip(still(moon, brightness=(1.0, 0.5)))).astype(float)
    noisy = decoded(render_clip(still(moon, noise=8.0))).astype(float)

    assert darkening[-1].mean() == pytest.approx(plain[-1].mean() / 2, rel=0.05)
    assert darkening[0].mean() == pytest.approx(plain[0].mean(), rel=0.02)
    assert noisy[5].std() > plain[5].std()
    assert np.abs(noisy[5] - noisy[6]).mean() > 3 > np.abs(plain[5] - plain[6]).mean()


def test_more_compression_makes_a_smaller_file() -> None:
    cat = bundled_photo("chelsea.png", "things")

    assert len(render_clip(still(cat, crf=40))) < len(render_clip(still(cat, crf=20))) / 2


def test_categories_with_equal_slugs_raise_an_error() -> None:
    photos = [bundled_photo(name, category) for category in ("pets", "Pets") for name in ("coffee.png", "coins.png")]

    with pytest.raises(ValueError, match="Categories 'Pets' and 'pets' have the same slug"):
        plan_clips(photos, ClipOptions(), seed=1)


def test_a_category_with_spaces_and_accents_gets_an_ascii_video_id(tmp_path: Path) -> None:
    photos = [bundled_photo(name, "Meine Kätzchen") for name in ("coffee.png", "coins.png")]

    recipe = plan_clips(photos, ClipOptions(clips_per_category=1), seed=1)[0]

    assert (recipe.video_id, recipe.category) == ("meine-katzchen/clip-001", "Meine Kätzchen")


def test_a_small_photo_fills_the_frame(tmp_path: Path) -> None:
    copy(BUNDLED / "microaneurysms.png", tmp_path / "small.png")

    frames = decoded(render_clip(still(bundled_photo("small.png", "things", tmp_path), width=640, height=360)))

    assert frames.shape == (10, 360, 640, 3)


@pytest.mark.parametrize(
    "wrong",
    [{"seconds": (8, 5)}, {"seconds": (0, 5)}, {"clips_per_category": 0}, {"fps": 30}],
)
def test_invalid_clip_options_raise_an_error(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        ClipOptions(**wrong)
