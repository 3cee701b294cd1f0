"""Photos as a source: list photos, split them into disjoint pools, and plan the clips rendered from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final, Protocol

import numpy as np
from pydantic import AfterValidator, BaseModel, PositiveFloat, PositiveInt
from slugify import slugify

from video_recommender.media.clip_rendering import ClipRecipe, Framing, PhotoShot
from video_recommender.media.frames import Photo
from video_recommender.storage.digests import fingerprint, fingerprint_bytes

PHOTO_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Maximum offset of a shot from the photo's focus, relative to the crop size, which keeps the subject in view
MAX_OFFSET: Final = 0.2
# Maximum rotation of a shot, similar to a hand-held camera; more would show reflections beyond the photo's edge
MAX_ROLL_DEGREES: Final = 4


class PhotoLibrary(Protocol):
    """A collection of photos that may require a download."""

    def fetch(self) -> list[Photo]:
        """Return the photos, and download missing photos first."""


def _ascending(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"{list(span)} must be in ascending order: swap the values")
    return span


class ClipOptions(BaseModel, extra="forbid", frozen=True):
    """Options of the clips that are rendered from photos (parameters_ingestion.yml)."""

    clips_per_category: PositiveInt = 100
    seconds: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ascending)] = (5.0, 8.0)


@dataclass(frozen=True)
class ClipStyle:
    """Ranges from which the properties of clips are drawn. The defaults resemble the variety of a video site."""

    pools: int = 5  # disjoint pools of photos per category; each clip uses one pool
    # Width and height, pixels, even
    sizes: tuple[tuple[int, int], ...] = ((320, 240), (426, 240), (240, 426), (360, 360), (480, 270), (640, 360))
    frame_rates: tuple[Fraction, ...] = tuple(Fraction(rate) for rate in ("12", "15", "24", "25", "30000/1001", "30"))
    shots: tuple[int, int] = (1, 4)
    zoom: tuple[float, float] = (0.6, 1.0)
    brightness: tuple[float, float] = (0.6, 1.3)
    noise: tuple[float, float] = (0.0, 6.0)  # standard deviation of the sensor noise, grey levels (0 to 255)
    crf: tuple[int, int] = (24, 40)  # constant rate factor of x264: 18 looks lossless, 40 has strong artefacts


DEFAULT_STYLE: Final = ClipStyle()


def list_photo_folder(folder: Path) -> list[Photo]:
    """List the photos in `<category>/<photo>` and `<category>/<scene>/<photo>`, sorted by path.

    A photo without a scene folder is a separate scene. Byte-identical photos of one category are listed once. A
    `ValueError` is raised if they are in two categories.
    """
    if not folder.is_dir():
        raise ValueError(f"The photo folder {folder} does not exist: create it with one sub-folder per category")
    files = sorted(file for file in folder.glob("*/**/*") if file.suffix.lower() in PHOTO_SUFFIXES and file.is_file())
    photos = {(photo.category, photo.digest): photo for photo in (_photo(folder, file) for file in reversed(files))}
    if not photos:
        raise ValueError(f"{folder} contains no photos: add one sub-folder per category with .jpg or .png files")
    listed = list(reversed(photos.values()))
    by_digest = {photo.digest: photo for photo in listed}
    for photo in listed:
        if photo is not by_digest[photo.digest]:
            other = by_digest[photo.digest].path
            raise ValueError(f"{photo.path} and {other} are the same photo in two categories: remove one of them")
    return listed


def split_into_pools(photos: Sequence[Photo], pools: int, rng: np.random.Generator) -> list[list[Photo]]:
    """Split one category's photos into disjoint pools of similar size, without splitting a scene.

    With fewer scenes than `pools`, each scene is a pool. Fewer than two scenes raise a `ValueError`.
    """
    by_scene = sorted(photos, key=lambda photo: (photo.scene, photo.name, photo.digest))
    scenes = [tuple(scene) for _, scene in groupby(by_scene, key=lambda photo: photo.scene)]
    category = by_scene[0].category if by_scene else ""
    if len(scenes) < 2:
        need = "but needs at least 2, because groups of clips share no photos: add photos or remove the category"
        raise ValueError(f"Category {category!r} has photos of {len(scenes)} scene, {need}")
    split: list[list[Photo]] = [[] for _ in range(min(pools, len(scenes)))]
    shuffled = [scenes[index] for index in rng.permutation(len(scenes))]
    for scene in sorted(shuffled, key=len, reverse=True):
        min(split, key=len).extend(scene)
    return split


def plan_clips(
    photos: Iterable[Photo], options: ClipOptions, seed: int, style: ClipStyle = DEFAULT_STYLE
) -> list[ClipRecipe]:
    """Draw the recipes of all clips at random, without reading the photos.

    A clip depends only on the seed, its number and the photos of its category. Consecutive clips use different pools.
    Categories with fewer than two scenes or with equal slugs raise a `ValueError`.
    """
    recipes: dict[str, ClipRecipe] = {}
    by_category = sorted(photos, key=lambda photo: photo.category)
    for category, members in groupby(by_category, key=lambda photo: photo.category):
        pools = split_into_pools(list(members), style.pools, _rng(seed, category))
        for number in range(1, options.clips_per_category + 1):
            recipe = _plan_clip(number, pools, options, style, _rng(seed, category, number))
            if recipe.video_id in recipes:
                other = recipes[recipe.video_id].category
                raise ValueError(f"Categories {other!r} and {category!r} have the same slug: rename one of them")
            recipes[recipe.video_id] = recipe
    return list(recipes.values())


def _plan_clip(
    number: int, pools: Sequence[Sequence[Photo]], options: ClipOptions, style: ClipStyle, rng: np.random.Generator
) -> ClipRecipe:
    pool = (number - 1) % len(pools)
    photos = pools[pool]
    width, height = style.sizes[rng.integers(len(style.sizes))]
    fps = style.frame_rates[rng.integers(len(style.frame_rates))]
    frames = max(1, round(rng.uniform(*options.seconds) * fps))
    lengths = _shot_lengths(frames, int(rng.integers(style.shots[0], style.shots[1] + 1)), rng)
    order = rng.permutation(len(photos))
    return ClipRecipe(
        video_id=f"{slugify(photos[0].category) or 'category'}/clip-{number:03d}",
        category=photos[0].category,
        pool=pool + 1,
        seed=int(rng.integers(2**32)),
        width=width,
        height=height,
        fps=fps,
        shots=tuple(
            PhotoShot(
                photo=photos[order[index % len(order)]],
                frames=length,
                start=_framing(style, rng),
                end=_framing(style, rng),
                mirrored=bool(rng.random() < 0.5),
            )
            for index, length in enumerate(lengths)
        ),
        brightness=(rng.uniform(*style.brightness), rng.uniform(*style.brightness)),
        noise=rng.uniform(*style.noise),
        crf=int(rng.integers(style.crf[0], style.crf[1] + 1)),
    )


def _shot_lengths(frames: int, shots: int, rng: np.random.Generator) -> list[int]:
    """Draw the lengths of a clip's shots in frames. The longest shot is about three times the shortest or less."""
    ends = np.cumsum(rng.uniform(1, 3, shots))
    edges = np.round(ends / ends[-1] * frames).astype(int)
    return [length for length in np.diff(edges, prepend=0).tolist() if length]


def _framing(style: ClipStyle, rng: np.random.Generator) -> Framing:
    right, down = rng.uniform(-MAX_OFFSET, MAX_OFFSET, 2)
    zoom = rng.uniform(*style.zoom)
    return Framing(zoom=zoom, right=right, down=down, roll=rng.uniform(-MAX_ROLL_DEGREES, MAX_ROLL_DEGREES))


def _rng(*parts: str | int) -> np.random.Generator:
    return np.random.default_rng(int(fingerprint(*parts), 16))


def _photo(folder: Path, file: Path) -> Photo:
    category, *scene, name = file.relative_to(folder).parts
    digest = fingerprint_bytes(file.read_bytes())
    return Photo(category=category, name=name, scene="/".join(scene) or file.stem, digest=digest, path=file)
