"""Tests that only the first seconds of a long video are downloaded, with the limits of every request."""

import os
import struct
import time
from collections import Counter

import av
import pytest
from web_downloads import FAST, fast_start, linked_data, of_site, seconds_of, stream_of_pieces
from web_server import SocksProxy, Web, broken_off, counted, page, refusal, video

from video_recommender.media.video import VideoError
from video_recommender.sources.web_options import WebAccess, WebOptions
from video_recommender.sources.web_videos import TransferMonitor, WebDownloader

ONCE = FAST.model_copy(update={"retries": 0})


@pytest.fixture
def streamable(large_clip, tmp_path):
    """Return the large clip with its index at the start."""
    return fast_start(large_clip, tmp_path)


def publish(web, content_url, duration="PT12S"):
    """Serve a page that publishes the duration of its video."""
    web.answers["/cat"] = linked_data(content_url, duration=duration)


def test_only_the_first_seconds_of_a_video_of_known_length_are_transferred(web, streamable, downloads):
    sent = Counter()
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = counted(streamable, sent)

    downloads.run(web.url("/cat"), seconds=3, max_megabytes=10)

    assert downloads.statuses() == ["ok"]
    assert seconds_of(*downloads.contents.values(), downloads) == pytest.approx(3, abs=0.3)
    assert sent["/cat.mp4"] < 0.6 * len(streamable)
    assert downloads.partial_files() == []


def test_only_the_first_seconds_of_a_video_of_unknown_length_are_transferred(web, streamable, downloads):
    sent = Counter()
    web.answers["/cat"] = counted(streamable, sent)

    downloads.run(web.url("/cat"), seconds=2, max_megabytes=10)

    assert seconds_of(*downloads.contents.values(), downloads) == pytest.approx(2, abs=0.3)
    assert sent["/cat"] < 0.6 * len(streamable)


def test_a_long_file_with_its_index_at_the_end_is_downloaded_completely(web, large_clip, downloads):
    web.answers["/cat.mp4"] = video(large_clip)

    downloads.run(web.url("/cat.mp4"), seconds=3, max_megabytes=10)

    assert seconds_of(*downloads.contents.values(), downloads) == pytest.approx(3, abs=0.3)


def test_a_large_file_is_usable_if_its_first_seconds_are_small_enough(web, streamable, downloads):
    web.answers["/cat.mp4"] = video(streamable)

    downloads.run(web.url("/cat.mp4"), seconds=2, max_megabytes=1)

    assert downloads.statuses() == ["ok"]


def test_a_large_file_with_its_index_at_the_end_is_rejected_immediately(web, large_clip, downloads):
    sent = Counter()
    web.answers["/cat"] = counted(large_clip, sent)

    downloads.run(web.url("/cat"), seconds=2, max_megabytes=1)

    assert downloads.statuses() == ["too_large"]
    assert sent["/cat"] < 600_000


def test_a_large_file_is_not_rejected_before_its_index_is_complete(tmp_path):
    partial = tmp_path / "cat.part"
    partial.write_bytes(struct.pack(">I4s8xI4s", 16, b"ftyp", 1_000_000, b"moov") + bytes(200_000))
    progress = {
        "status": "downloading",
        "downloaded_bytes": 200_000,
        "total_bytes": 9_000_000,
        "tmpfilename": str(partial),
        "info_dict": {},
    }

    TransferMonitor(seconds=3, max_megabytes=1).update(progress)

    partial.write_bytes(struct.pack(">I4s8xI4s", 16, b"ftyp", 8_000_000, b"mdat") + bytes(200_000))
    with pytest.raises(VideoError, match="larger than 1 MB"):
        TransferMonitor(seconds=3, max_megabytes=1).update(progress)


@pytest.mark.parametrize(("kind", "playlist"), [("hls", "/cat.m3u8"), ("dash", "/cat.mpd")])
def test_only_the_first_fragments_of_a_stream_are_downloaded(web, large_clip, downloads, tmp_path, kind, playlist):
    web.answers |= stream_of_pieces(large_clip, tmp_path / "stream", piece_s=1, kind=kind)

    downloads.run(web.url(playlist), seconds=3, max_megabytes=10)

    assert downloads.statuses() == ["ok"]
    assert seconds_of(*downloads.contents.values(), downloads) == pytest.approx(3, abs=0.3)
    pieces = [path for path in web.times_asked() if path.endswith((".ts", ".m4s"))]
    assert len(pieces) <= 9
    assert downloads.partial_files() == []


@pytest.mark.parametrize("seconds", [8, 30])
def test_a_stream_with_timestamp_jumps_is_as_long_as_its_fragments(web, large_clip, downloads, tmp_path, seconds):
    web.answers |= stream_of_pieces(large_clip, tmp_path / "stream", piece_s=1)
    part = "".join(f"#EXTINF:1.0,\n/{n}.ts\n" for n in range(3))
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
    spliced = head + "#EXT-X-DISCONTINUITY\n".join([part] * 4) + "#EXT-X-ENDLIST\n"
    web.answers["/cat.m3u8"] = page(spliced, "application/vnd.apple.mpegurl")

    downloads.run(web.url("/cat.m3u8"), seconds=seconds, max_megabytes=10)

    assert downloads.statuses() == ["ok"]
    (content,) = downloads.contents.values()
    (tmp_path / "content").write_bytes(content)
    with av.open(tmp_path / "content") as container:
        assert len(list(container.decode(video=0))) == pytest.approx(10 * min(seconds, 12), abs=1)


def test_a_transfer_that_ends_early_is_incomplete(web, streamable, downloads):
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = broken_off(streamable, len(streamable) // 4)

    downloads.run(web.url("/cat"), seconds=9, max_megabytes=10, rate_limits=ONCE)

    assert downloads.statuses() == ["incomplete"]
    assert downloads.contents == {}


def test_a_video_that_is_shorter_than_its_page_states_is_incomplete(web, long_clip, downloads):
    publish(web, web.url("/cat.mp4"), duration="PT60S")
    web.answers["/cat.mp4"] = video(long_clip)

    assert downloads.run(web.url("/cat"), rate_limits=ONCE).statuses() == ["incomplete"]


def test_a_stream_with_a_missing_fragment_is_unavailable(web, long_clip, downloads, tmp_path):
    web.answers |= stream_of_pieces(long_clip, tmp_path / "stream")
    del web.answers["/1.ts"]

    downloads.run(web.url("/cat.m3u8"), seconds=7.5)

    assert downloads.statuses() == ["unavailable"]
    assert downloads.contents == {}


def test_a_partial_download_is_not_resumed_in_another_format(web, large_clip, long_clip, downloads, tmp_path):
    small, large = fast_start(long_clip, tmp_path), fast_start(large_clip, tmp_path)
    web.answers |= {"/240": broken_off(large, len(small) // 2), "/144": video(small)}
    formats = [
        {"format_id": lines, "url": web.url(f"/{lines}"), "ext": "mp4", "height": int(lines), "vcodec": "avc1"}
        for lines in ("240", "144")
    ]
    found = of_site(web, formats, duration=12)
    with WebDownloader(WebOptions(rate_limits=ONCE), downloads.access, 1) as downloader, pytest.raises(VideoError):
        downloader.download(found)
    assert len(downloads.partial_files()) == 1

    with WebDownloader(WebOptions(rate_limits=ONCE, height=144), downloads.access, 1) as downloader:
        downloaded = downloader.download(found)

    assert downloaded.file.path.read_bytes() == small


def test_a_partial_download_is_resumed_in_the_next_run(web, streamable, downloads):
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = broken_off(streamable, len(streamable) // 4)
    downloads.run(web.url("/cat"), seconds=9, max_megabytes=10, rate_limits=ONCE)
    web.answers["/cat.mp4"] = video(streamable)

    downloads.run(web.url("/cat"), seconds=9, max_megabytes=10)

    assert downloads.statuses() == ["ok"]
    assert web.asked[-1].first_byte > 100_000


def test_a_long_video_is_downloaded_through_the_proxy(web, streamable, downloads):
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = video(streamable)

    with SocksProxy() as proxy:
        downloads.access = WebAccess(downloads.access.partial_folder, proxy=proxy.url)
        downloads.run(web.url("/cat"), seconds=3, max_megabytes=10)

    assert downloads.statuses() == ["ok"]
    assert len(proxy.ports) == len(web.asked)


def test_the_proxy_of_the_environment_is_not_used_for_a_long_video(web, streamable, downloads, monkeypatch):
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = video(streamable)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    with Web() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url(""))
        downloads.run(web.url("/cat"), seconds=3, max_megabytes=10)

    assert downloads.statuses() == ["ok"]
    assert proxy.asked == []


def test_no_program_is_started_for_streams_and_no_cookie_is_revealed(web, large_clip, downloads, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tSESSION\ts3cret-cookie\n"
    downloads.access = WebAccess(tmp_path / "partial", cookies=cookies)
    web.answers |= stream_of_pieces(large_clip, tmp_path / "stream", piece_s=1)
    piece = f"#EXTINF:1.0,\n{web.url('/0.ts')}\n"
    key = f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{web.url("/key")}"\n'
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
    web.answers |= {
        "/locked.m3u8": page(f"{head}{key}{piece}#EXT-X-ENDLIST\n", "application/vnd.apple.mpegurl"),
        "/live.m3u8": page(f"{head}{piece}", "application/vnd.apple.mpegurl"),
    }

    downloads.run(*(web.url(f"/{name}.m3u8") for name in ("cat", "locked", "live")), seconds=3, max_megabytes=10)

    assert downloads.statuses() == ["ok", "unsupported", "live"]
    assert not (tmp_path / "started").exists()
    assert "s3cret" not in repr(downloads.states)


@pytest.mark.parametrize(
    ("answer", "status"),
    [(refusal(404), "unavailable"), (refusal(429, Retry_After=100), "rate_limited"), (refusal(503), "unreachable")],
)
def test_a_failed_request_for_a_long_video_has_the_correct_status(web, downloads, answer, status):
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = answer

    downloads.run(web.url("/cat"), seconds=3, rate_limits=ONCE)

    assert downloads.statuses() == [status]


def test_retry_after_is_honoured_between_the_fragments_of_a_stream(web, long_clip, downloads, tmp_path):
    web.answers |= stream_of_pieces(long_clip, tmp_path / "stream")
    web.answers["/1.ts"] = refusal(429, Retry_After=3600)

    downloads.run(web.url("/cat.m3u8"))

    assert downloads.statuses() == ["rate_limited"]
    assert web.times_asked()["/1.ts"] == 1


def test_the_bandwidth_limit_applies_to_long_videos(web, streamable, downloads):
    publish(web, web.url("/cat.mp4"))
    web.answers["/cat.mp4"] = video(streamable)
    start = time.monotonic()

    downloads.run(
        web.url("/cat"),
        seconds=2,
        max_megabytes=10,
        rate_limits=FAST.model_copy(update={"bytes_per_second": 1_000_000}),
    )

    assert downloads.statuses() == ["ok"]
    assert time.monotonic() - start >= 0.4
