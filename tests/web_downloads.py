"""Downloads as in a run, and content for the server of `web_server`."""

import json
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from web_server import page, video

from video_recommender.sources.metadata import VideoInfo, sanitize_metadata
from video_recommender.sources.web_download import download_categories
from video_recommender.sources.web_options import RateLimits, WebAccess, WebCategory, WebFilters, WebOptions
from video_recommender.sources.web_videos import WebVideo

FAST = RateLimits(retries=2, sleep_between_videos_s=(0, 0), video_timeout_s=30)
MEDIA_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".mpd": "application/dash+xml",
    ".m4s": "video/mp4",
}
ANY = WebFilters(min_seconds=0, min_height=16)


class Downloads:
    """Downloads videos and keeps the states and contents, like a run and its catalog."""

    def __init__(self, folder):
        self.access = WebAccess(folder / "partial")
        self.states = {}
        self.contents = {}
        self.seed = 1

    def run(self, *sources, target=100, **options):
        categories = options.pop("categories", {"pets": WebCategory(sources=sources, target=target)})
        chosen = WebOptions(
            **{"filters": ANY, "rate_limits": FAST, "max_megabytes": 1, **options}, categories=categories
        )
        for update in download_categories(chosen, self.access, dict(self.states), self.seed):
            self.keep(update)
        return self

    def keep(self, update):
        for video_id, partition in update.items():
            if partition is None:
                del self.states[video_id]
                continue
            self.states[video_id] = partition.state
            if partition.value:
                self.contents[video_id] = Path(partition.value.target).read_bytes()

    def statuses(self):
        return [state.status for state in self.states.values()]

    def only(self):
        (state,) = self.states.values()
        return state

    def titles(self):
        return [state.properties["title"] for state in self.states.values() if state.is_ok]

    def partial_files(self):
        return list(self.access.partial_folder.iterdir())


def linked_data(url, **fields):
    """Return a page that describes one video according to https://schema.org/VideoObject."""
    described = {"@context": "https://schema.org", "@type": "VideoObject", "contentUrl": url, "name": "Cats", **fields}
    return page(f'<html><script type="application/ld+json">{json.dumps(described)}</script></html>')


def feed(*items):
    listed = "".join(
        f'<item><title><![CDATA[{title}]]></title><enclosure url="{url}" type="video/mp4"/></item>'
        for title, url in items
    )
    return page(
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Pets</title>{listed}</channel></rss>', "text/xml"
    )


def of_site(web, formats, **fields):
    """Return a video of a site that provides identifiers and formats."""
    fields = {"id": "1", "title": "Cat", "extractor": "site", "extractor_key": "Site", "formats": formats, **fields}
    return WebVideo("site1", web.url("/"), VideoInfo(sanitize_metadata(fields, str)), "site1")


def stream_of_pieces(content, folder, piece_s=4, kind="hls"):
    """Return the responses of a server with a video in segments of a few seconds and its playlist: HLS or DASH."""
    folder.mkdir()
    (folder / "given.mp4").write_bytes(content)
    of_hls = {"hls_time": str(piece_s), "hls_list_size": "0", "hls_flags": "split_by_time"}
    of_hls["hls_segment_filename"] = str(folder / "%d.ts")
    options = of_hls if kind == "hls" else {"seg_duration": str(piece_s)}
    playlist = folder / ("cat.m3u8" if kind == "hls" else "cat.mpd")
    with av.open(folder / "given.mp4") as given, av.open(playlist, "w", format=kind, options=options) as written:
        stream = written.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    (folder / "given.mp4").unlink()
    return {f"/{file.name}": video(file.read_bytes(), MEDIA_TYPES[file.suffix]) for file in folder.iterdir()}


def fast_start(content, folder):
    """Return the same video with its index at the start, so that a part of it can be decoded."""
    (folder / "given.mp4").write_bytes(content)
    with (
        av.open(folder / "given.mp4") as given,
        av.open(folder / "fast.mp4", "w", options={"movflags": "faststart"}) as written,
    ):
        stream = written.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    return (folder / "fast.mp4").read_bytes()


def seconds_of(content, downloads):
    file = downloads.access.partial_folder.parent / "content.mp4"
    file.write_bytes(content)
    with av.open(file) as container:
        return float(Fraction(container.duration, av.time_base))


def noise(seconds):
    """Return an MP4 file of random noise, about 150 kB per second, with its index at the end."""
    drawn = np.random.default_rng(1)
    content = BytesIO()
    with av.open(content, "w", format="mp4") as written:
        quick = {"preset": "ultrafast", "crf": "15", "g": "10"}
        stream = written.add_stream("libx264", rate=10, width=160, height=120, pix_fmt="yuv420p", options=quick)
        for _ in range(10 * seconds):
            image = drawn.integers(0, 255, (120, 160, 3), np.uint8)
            written.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        written.mux(stream.encode())
    return content.getvalue()
