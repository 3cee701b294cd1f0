"""Short clips of photos as a camera would film them: pans, zooms, cuts, changing light, noise and compression."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from io import BytesIO
from itertools import groupby
from typing import Annotated, TypeVar

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from slugify import slugify

from video_recommender.media.frames import Picture
from video_recommender.sources.photos import Photo, PhotoPool, deal_into_pools
from video_recommender.storage.digests import fingerprint

VERSION = 1
"""Raised when the same recipe would give another clip than before, so that it is rendered again."""

OVERSAMPLING = 1.5
"""Pixels of a photo per pixel of a clip that shows all of it: enough for a zoom, few enough not to alias."""

MOST_OFF_CENTRE = 0.2
"""How far a shot looks past the photo's focus, in crops: enough to pan, while the subject stays in the picture."""

MOST_ROLL_DEGREES = 4
"""How far a shot is tilted: as a hand does it, so that what the tilt shows beyond the photo's edge stays narrow."""

T = TypeVar("T", int, float)
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""A picture's luma Y and its chroma U and V at half the size, uint8 (ITU-R BT.601)."""


ZEROS = (16, 128, 128)
"""Where Y, U and V have their zero (ITU-R BT.601)."""

INTERPOLATION = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

NOISE_MARGIN = 64
"""The noise is drawn once per clip, this much larger than a frame, and each frame sees another window of it."""


def _ordered(span: tuple[T, T]) -> tuple[T, T]:
    if span[0] > span[1]:
        raise ValueError(f"{list(span)} must go from small to large")
    return span


def _even(sizes: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if any(side % 2 for size in sizes for side in size):
        raise ValueError("Width and height must be even, as H.264 with 4:2:0 colour asks")
    return sizes


def _rate(rate: Fraction) -> Fraction:
    return rate.limit_denominator(1001)


FrameRate = Annotated[Fraction, Field(gt=0), AfterValidator(_rate)]
Share = Annotated[float, Field(gt=0, le=1)]
RateFactor = Annotated[int, Field(ge=0, le=51)]


class ClipOptions(BaseModel):
    """What clips are made of photos (parameters_ingestion.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips_per_category: PositiveInt = 100
    pools: Annotated[int, Field(ge=2)] = 5
    """Into how many disjoint pools a category's photos are dealt; a clip draws from one."""
    seconds: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ordered)] = (5.0, 8.0)
    sizes: Annotated[tuple[tuple[PositiveInt, PositiveInt], ...], Field(min_length=1), AfterValidator(_even)] = (
        (320, 240),
        (426, 240),
        (240, 426),
        (360, 360),
        (480, 270),
        (640, 360),
    )
    """Widths and heights, pixels."""
    frame_rates: Annotated[tuple[FrameRate, ...], Field(min_length=1)] = tuple(
        Fraction(rate) for rate in ("12", "15", "24", "25", "30000/1001", "30")
    )
    shots: Annotated[tuple[PositiveInt, PositiveInt], AfterValidator(_ordered)] = (1, 4)
    zoom: Annotated[tuple[Share, Share], AfterValidator(_ordered)] = (0.6, 1.0)
    """How much of the photo a shot frames: 1 is the largest crop that has the clip's shape."""
    brightness: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ordered)] = (0.6, 1.3)
    """Factor on the light, at the clip's start and at its end."""
    noise: Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_ordered)] = (0.0, 6.0)
    """Standard deviation of the sensor's noise, grey levels of 255."""
    crf: Annotated[tuple[RateFactor, RateFactor], AfterValidator(_ordered)] = (24, 40)
    """Constant rate factor of x264: 18 looks like the original, 40 falls apart."""


class Framing(BaseModel):
    """Where the camera looks at one moment.

    Attributes:
        zoom: size of the crop, 1 is the largest one of the clip's shape.
        right: how far its centre lies to the right of the photo's focus, in widths of the crop.
        down: how far below, in heights of the crop.
        roll: the camera's tilt, degrees.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    zoom: float
    right: float
    down: float
    roll: float


class Shot(BaseModel):
    """One photo, filmed without a cut.

    Attributes:
        photo: what is filmed.
        frames: for how long.
        start: first framing.
        end: last framing.
        mirrored: whether left and right are swapped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    photo: Photo
    frames: int
    start: Framing
    end: Framing
    mirrored: bool


class ClipRecipe(BaseModel):
    """All that it takes to render one clip, the same bytes each time.

    Attributes:
        video_id: `<category>/clip-<number>`.
        category: what its photos show.
        pool: which of the category's pools its photos are from, from 1.
        seed: of the noise.
        width: pixels, even.
        height: pixels, even.
        fps: frames per second.
        shots: one after the other.
        brightness: factor on the light at the start and at the end.
        noise: standard deviation, grey levels of 255.
        crf: constant rate factor of x264.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video_id: str
    category: str
    pool: int
    seed: int
    width: int
    height: int
    fps: Fraction
    shots: tuple[Shot, ...]
    brightness: tuple[float, float]
    noise: float
    crf: int

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return sum(shot.frames for shot in self.shots)

    @property
    def group(self) -> str:
        """What must not straddle a split: clips of one group may share photos, clips of two never do."""
        return f"{self.category}/pool-{self.pool}"

    @property
    def title(self) -> str:
        """For people, such as `puppy, bear`: what it shows, as an uploader would name it, not its category."""
        return ", ".join(dict.fromkeys(shot.photo.scene for shot in self.shots))

    @property
    def photos(self) -> str:
        """File names of the photos it shows, each once, comma-separated."""
        return ",".join(dict.fromkeys(shot.photo.name for shot in self.shots))

    @property
    def fingerprint(self) -> str:
        """Digest of the recipe, the photos' content and the renderer; the same wherever the photos lie."""
        where = {"shots": {"__all__": {"photo": {"path", "member"}}}}
        return fingerprint(VERSION, self.model_dump(mode="json", exclude=where))


def plan_clips(photos: Iterable[Photo], options: ClipOptions, seed: int) -> list[ClipRecipe]:
    """Decide what each clip shows and how, without looking at a pixel.

    Args:
        photos: of all categories.
        options: see `ClipOptions`.
        seed: decides all that is random; clip 7 stays as it is when more clips are asked for.

    Returns:
        The recipes by category and number; a category's pools take turns.

    Raises:
        ValueError: if a category has photos of fewer than two scenes, or two categories have the same safe name.
    """
    recipes: dict[str, ClipRecipe] = {}
    in_order = sorted(photos, key=lambda photo: photo.category)
    for category, members in groupby(in_order, key=lambda photo: photo.category):
        pools = deal_into_pools(list(members), options.pools, _random(seed, category))
        for number in range(1, options.clips_per_category + 1):
            recipe = _plan_clip(number, pools[(number - 1) % len(pools)], options, _random(seed, category, number))
            if recipe.video_id in recipes:
                other = recipes[recipe.video_id].category
                raise ValueError(f"Categories {other!r} and {category!r} are too much alike: rename one of them")
            recipes[recipe.video_id] = recipe
    return list(recipes.values())


def render_clip(recipe: ClipRecipe) -> bytes:
    """Render one clip.

    Args:
        recipe: see `ClipRecipe`.

    Returns:
        An mp4 file: H.264 (x264, one thread, so that the bytes are the same each time), yuv420p, no sound.

    Raises:
        VideoError: if a photo cannot be read.
    """
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(
            "libx264", rate=recipe.fps, options={"preset": "ultrafast", "crf": str(recipe.crf)}
        )
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
        stream.codec_context.thread_count = 1
        for planes in _film(recipe):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    return file.getvalue()


def _random(*parts: str | int) -> np.random.Generator:
    return np.random.default_rng(int(fingerprint(*parts), 16))


def _plan_clip(number: int, pool: PhotoPool, options: ClipOptions, rng: np.random.Generator) -> ClipRecipe:
    width, height = options.sizes[rng.integers(len(options.sizes))]
    fps = options.frame_rates[rng.integers(len(options.frame_rates))]
    frames = max(1, round(rng.uniform(*options.seconds) * fps))
    lengths = _cut(frames, int(rng.integers(options.shots[0], options.shots[1] + 1)), rng)
    order = rng.permutation(len(pool.photos))
    return ClipRecipe(
        video_id=f"{slugify(pool.category) or 'category'}/clip-{number:03d}",
        category=pool.category,
        pool=pool.number,
        seed=int(rng.integers(2**32)),
        width=width,
        height=height,
        fps=fps,
        shots=tuple(
            Shot(
                photo=pool.photos[order[index % len(order)]],
                frames=length,
                start=_frame(options, rng),
                end=_frame(options, rng),
                mirrored=bool(rng.random() < 0.5),
            )
            for index, length in enumerate(lengths)
        ),
        brightness=(rng.uniform(*options.brightness), rng.uniform(*options.brightness)),
        noise=rng.uniform(*options.noise),
        crf=int(rng.integers(options.crf[0], options.crf[1] + 1)),
    )


def _cut(frames: int, shots: int, rng: np.random.Generator) -> list[int]:
    """Cut a clip into shots of unequal length, the longest at most three times the shortest."""
    ends = np.cumsum(rng.uniform(1, 3, shots))
    edges = np.round(ends / ends[-1] * frames).astype(int)
    return [length for length in np.diff(edges, prepend=0).tolist() if length]


def _frame(options: ClipOptions, rng: np.random.Generator) -> Framing:
    right, down = rng.uniform(-MOST_OFF_CENTRE, MOST_OFF_CENTRE, 2)
    zoom = rng.uniform(*options.zoom)
    return Framing(zoom=zoom, right=right, down=down, roll=rng.uniform(-MOST_ROLL_DEGREES, MOST_ROLL_DEGREES))


def _film(recipe: ClipRecipe) -> Iterator[NDArray[np.uint8]]:
    """Film the shots: per frame the planes Y, U and V (ITU-R BT.601), uint8, shape (height * 3 / 2, width)."""
    width, height = size = (recipe.width, recipe.height)
    brighter, darker = _noise(recipe)
    windows = np.random.default_rng(recipe.seed).integers(0, NOISE_MARGIN, (recipe.frames, 2))
    gains = np.geomspace(*recipe.brightness, recipe.frames)
    photos = {shot.photo: _planes(_fit(shot.photo, size)) for shot in recipe.shots}
    cameras = ((photos[shot.photo], camera) for shot in recipe.shots for camera in _camera(shot, photos, size))
    for (photo, camera), gain, (top, left) in zip(cameras, gains, windows, strict=True):
        frame = np.empty((height * 3 // 2, width), np.uint8)
        for seen, plane, view, zero in zip(photo, _split(frame), _views(camera), ZEROS, strict=True):
            cv2.warpAffine(seen, view, plane.shape[::-1], plane, INTERPOLATION, cv2.BORDER_REFLECT_101)
            cv2.addWeighted(plane, gain, plane, 0, zero * (1 - gain), plane)
        luma, window = frame[:height], np.s_[top : top + height, left : left + width]
        cv2.add(luma, brighter[window], luma)
        cv2.subtract(luma, darker[window], luma)
        yield frame


def _planes(picture: Picture) -> Planes:
    """The planes Y, U and V of a picture, U and V at half its size, less an odd last row or column."""
    high, wide = (side // 2 * 2 for side in picture.shape[:2])
    return _split(cv2.cvtColor(picture[:high, :wide], cv2.COLOR_RGB2YUV_I420).astype(np.uint8, copy=False))


def _split(frame: NDArray[np.uint8]) -> Planes:
    """Views of the planes Y, U and V in a frame of shape (height * 3 / 2, width)."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    blue, red = frame[height:].reshape(2, height // 2, width // 2)
    return frame[:height], blue, red


def _views(camera: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """The camera's map for Y, and for U and V, whose pixels sit in the middle of four."""
    linear, shift = camera[:, :2], camera[:, 2]
    halved = np.column_stack([linear, (linear @ [0.5, 0.5] + shift - 0.5) / 2])
    return camera, halved, halved


def _noise(recipe: ClipRecipe) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shape = (recipe.height + NOISE_MARGIN, recipe.width + NOISE_MARGIN)
    grain = np.random.default_rng(recipe.seed).standard_normal(shape, np.float32) * recipe.noise
    return np.rint(grain.clip(0, 255)).astype(np.uint8), np.rint((-grain).clip(0, 255)).astype(np.uint8)


def _fit(photo: Photo, size: tuple[int, int]) -> Picture:
    """Scale a photo so that its largest crop of the clip's shape has `OVERSAMPLING` times the clip's size."""
    width, height = (round(OVERSAMPLING * side) for side in size)
    picture = photo.decode(width, height)
    scale = max(width / picture.shape[1], height / picture.shape[0])
    if scale >= 1:
        return picture
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _camera(shot: Shot, photos: Mapping[Photo, Planes], size: tuple[int, int]) -> NDArray[np.float64]:
    """Where the pixels of each frame come from: affine maps from frame to photo, shape (frames, 2, 3)."""
    luma = photos[shot.photo][0]
    high, wide = luma.shape
    width, height = size
    start, end = (
        np.array([np.log(framing.zoom), framing.right, framing.down, np.radians(framing.roll)])
        for framing in (shot.start, shot.end)
    )
    time = np.linspace(0, 1, shot.frames)
    eased = time**2 * (3 - 2 * time)
    zoom, right, down, roll = start[:, None] + (end - start)[:, None] * eased
    scale = np.exp(zoom) * min(wide / width, high / height)
    focus = _focus(luma)
    centre_x = np.clip(focus[0] + right * scale * width, scale * width / 2, wide - scale * width / 2)
    centre_y = np.clip(focus[1] + down * scale * height, scale * height / 2, high - scale * height / 2)
    mirror = -1 if shot.mirrored else 1
    cosine, sine = scale * np.cos(roll), scale * np.sin(roll)
    linear = np.array([[mirror * cosine, -sine], [mirror * sine, cosine]]).transpose(2, 0, 1)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.stack([centre_x, centre_y], axis=1) - 0.5 - linear @ middle
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def _focus(luma: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the detail is: the centre of mass of the gradient's energy, pixels (x, y)."""
    small = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA)
    energy = cv2.Sobel(small, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(small, cv2.CV_32F, 0, 1) ** 2 + 1e-3
    moments = cv2.moments(energy)
    right, down = ((moments[moment] / moments["m00"] + 0.5) / 64 for moment in ("m10", "m01"))
    return right * luma.shape[1], down * luma.shape[0]
