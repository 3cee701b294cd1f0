"""Draw images of the documentation from the results of the demo; requires Chromium.

Run `kedro run` first, then `python docs/scripts/pictures.py`.
"""

import base64
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from PIL import Image, ImageChops
from sklearn.manifold import TSNE

from video_recommender.datasets import FrameFolderDataset
from video_recommender.networks.object_masks import draw_objects

DATA = Path(sys.argv[1] if len(sys.argv) > 1 else "data")
IMAGES = Path(__file__).parents[1] / "images"
STYLE = """
<style>
body { font: 15px "DejaVu Sans"; margin: 12px; background: white; color: #222; }
.row { display: flex; gap: 6px; margin-bottom: 6px; align-items: center; }
.name { width: 110px; font-weight: bold; }
figure { margin: 0; width: 132px; } figure img { width: 132px; display: block; border-radius: 3px; }
figcaption { font-size: 12px; line-height: 1.3; padding: 3px 0 5px; min-height: 32px; }
.query img { outline: 4px solid #ff6e40; }
</style>
"""


def draw_all() -> None:
    """Draw all images."""
    IMAGES.mkdir(exist_ok=True)
    draw_corpus()
    draw_detections("animals/clip-001")
    draw_neighbours("animals/clip-001")
    draw_segmentation(["interiors/clip-098", "animals/clip-039"])
    draw_object_space()
    for name, width, height in [
        ("confusion_matrix", 640, 600),
        ("recommendation_comparison", 900, 640),
        ("learning_curves", 900, 640),
        ("ad_learning_figure", 900, 640),
        ("ad_choice_figure", 900, 640),
    ]:
        plot = DATA / "08_reporting" / f"{name}.json"
        if plot.exists():
            drawn = pio.from_json(plot.read_text(), skip_invalid=True)
            screenshot(figure_page(drawn), name, (width, height), has_frames=False)


def draw_corpus() -> None:
    """Draw the first frames of six videos per category."""
    rows = ""
    for folder in sorted(path for path in (DATA / "02_intermediate/frames").iterdir() if path.is_dir()):
        if folder.name.startswith("."):
            continue
        videos = sorted(path for path in folder.iterdir() if path.is_dir())[:6]
        rows += f"<div class=row><div class=name>{folder.name}</div>{''.join(map(captioned, map(first, videos)))}</div>"
    screenshot(STYLE + rows, "corpus", (990, 590))


def draw_detections(video_id: str) -> None:
    """Draw every second frame of a video with its detection."""
    detections = pd.read_parquet(DATA / f"03_primary/detections/{video_id}.parquet").iloc[::2].head(12)
    figures = [
        captioned(
            DATA / f"02_intermediate/frames/{video_id}/{row.frame}.jpg",
            f"frame {row.frame}<br>{row.class_name}, {row.confidence:.2f}",
        )
        for row in detections.itertuples()
    ]
    screenshot(STYLE + in_rows(figures), "detections", (860, 400))


def draw_neighbours(video_id: str) -> None:
    """Draw a video and its ten recommendations."""
    recommendations = pd.read_parquet(DATA / "07_model_output/recommendations.parquet").query("video_id == @video_id")
    figures = [captioned(first(DATA / f"02_intermediate/frames/{video_id}"), f"<b>{video_id}</b>", "query")] + [
        captioned(
            first(DATA / f"02_intermediate/frames/{row.recommended_video_id}"),
            f"{row.rank}. {row.recommended_video_id}<br>{row.similarity:.2f}",
        )
        for row in recommendations.itertuples()
    ]
    screenshot(STYLE + in_rows(figures), "neighbours", (860, 400))


def draw_segmentation(video_ids: list[str]) -> None:
    """Draw the segmented objects in some frames of videos."""
    segmenter = pickle.loads((DATA / "02_intermediate/object_segmenter.pickle").read_bytes())
    strips = []
    for video_id in video_ids:
        frames = FrameFolderDataset(filepath=str(DATA / f"02_intermediate/frames/{video_id}")).load()
        drawn = [draw_objects(frame.accepted(), 300) for frame in segmenter.segment(frames)][:3]
        strips.append(np.hstack(drawn))
    Image.fromarray(np.vstack(strips)).save(IMAGES / "segmentation.jpg", quality=82, optimize=True)


def draw_object_space() -> None:
    """Draw a t-SNE map of object space, with one clip per photo."""
    manifest = pd.read_parquet(DATA / "01_raw/video_manifest.parquet")
    single_photo = manifest[~manifest["photos"].str.contains(",")].drop_duplicates("photos")["video_id"]
    points = pd.read_parquet(DATA / "05_model_input/video_points.parquet").loc[single_photo]
    projected = TSNE(metric="cosine", perplexity=8, init="random", random_state=42).fit_transform(points.to_numpy())
    positions = (projected - projected.min(axis=0)) / np.ptp(projected, axis=0) * [880, 580]
    names = points.index.str.split("/").str[0]
    colours = dict(zip(sorted(set(names)), ["#2979ff", "#ff6e40", "#00a878", "#9c27b0"], strict=False))
    page = "".join(
        f'<div style="position: absolute; left: {left + 20:.0f}px; top: {top + 50:.0f}px">'
        + image_tag(first(DATA / f"02_intermediate/frames/{video_id}"), f"width: 56px; border: 5px solid {colour}")
        + "</div>"
        for video_id, colour, (left, top) in zip(points.index, names.map(colours), positions, strict=True)
    )
    legend = "".join(f'<b style="color: {colour}; margin-right: 2em">■ {name}</b>' for name, colour in colours.items())
    screenshot(STYLE + legend + page, "object_space", (980, 790))


def first(frames: Path) -> Path:
    """Return the path of the first frame of a video."""
    return frames / "1.jpg"


def captioned(image: Path, caption: str = "", css_class: str = "") -> str:
    """Return the HTML of an image with a caption."""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure class="{css_class}">{image_tag(image)}{below}</figure>'


def image_tag(image: Path, style: str = "") -> str:
    """Return the HTML of an embedded image."""
    encoded = base64.b64encode(image.read_bytes()).decode()
    return f'<img style="{style}" src="data:image/jpeg;base64,{encoded}">'


def in_rows(figures: Iterable[str], per_row: int = 6) -> str:
    """Return the HTML of figures in rows."""
    listed = list(figures)
    rows = [listed[start : start + per_row] for start in range(0, len(listed), per_row)]
    return "".join(f"<div class=row>{''.join(row)}</div>" for row in rows)


def figure_page(figure: go.Figure) -> str:
    """Return a page with one plot."""
    figure.update_layout(width=None, height=None, autosize=True, template="plotly_white", updatemenus=[])
    page: str = figure.to_html(config={"displayModeBar": False, "responsive": True}, default_height="96vh")
    return page


def screenshot(page: str, name: str, size: tuple[int, int], *, has_frames: bool = True) -> None:
    """Save a screenshot of a page in the folder of images."""
    with tempfile.TemporaryDirectory() as folder:
        html, png = Path(folder) / "page.html", Path(folder) / "page.png"
        html.write_text(f"<!doctype html><meta charset=utf-8>{page}")
        command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=8000"]
        window = f"--window-size={size[0]},{size[1]}"
        subprocess.run(
            [*command, window, f"--screenshot={png}", html.as_uri()], check=True, capture_output=True, timeout=120
        )
        image = without_margins(Image.open(png).convert("RGB"))
        if has_frames:
            image.save(IMAGES / f"{name}.jpg", quality=82, optimize=True)
        else:
            image.quantize(128).save(IMAGES / f"{name}.png", optimize=True)


def without_margins(image: Image.Image, keep: int = 12) -> Image.Image:
    """Crop white margins, except for `keep` pixels."""
    white = Image.new("RGB", image.size, "white")
    left, top, right, bottom = ImageChops.difference(image, white).getbbox() or (0, 0, *image.size)
    inside = (max(0, left - keep), max(0, top - keep), right + keep, bottom + keep)
    return image.crop((*inside[:2], min(inside[2], image.width), min(inside[3], image.height)))


if __name__ == "__main__":
    draw_all()
