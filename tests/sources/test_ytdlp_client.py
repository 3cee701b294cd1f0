"""Tests of the time limit, size limit and protocol of every page, playlist and fragment."""

import gzip
import socket
import time

import pytest
from web_downloads import FAST, fast_start, linked_data
from web_server import dripping, endless, page, redirect, refusal, slow, video

from video_recommender.sources import ytdlp_client

BRIEF = FAST.model_copy(update={"video_timeout_s": 0.5})


@pytest.fixture
def ftp_server():
    """Listen on a port to which no request may connect."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def was_connected_to(listening):
    try:
        listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_a_slow_page_times_out(web, downloads):
    web.answers["/cat"] = dripping(b"<p>x</p>")
    start = time.monotonic()

    downloads.run(web.url("/cat"), rate_limits=BRIEF)

    assert downloads.statuses() == ["timed_out"]
    assert time.monotonic() - start < 1.5


def test_slow_response_headers_time_out(web, downloads):
    def dripping_head(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X")
            time.sleep(0.05)

    web.answers["/cat"] = dripping_head
    start = time.monotonic()

    downloads.run(web.url("/cat"), rate_limits=BRIEF)

    assert downloads.statuses() == ["timed_out"]
    assert time.monotonic() - start < 1.5


def test_a_slow_playlist_times_out(web, downloads):
    web.answers["/cat.m3u8"] = dripping(b"#EXTM3U\n", "application/vnd.apple.mpegurl")
    start = time.monotonic()

    downloads.run(web.url("/cat.m3u8"), rate_limits=BRIEF)

    assert downloads.statuses() == ["timed_out"]
    assert time.monotonic() - start < 1.5


def test_all_attempts_at_a_video_share_one_time_limit(web, clips, downloads):
    web.answers["/cat.mp4"] = slow(clips[0] * 20, seconds=30, pieces=300)
    start = time.monotonic()

    downloads.run(web.url("/cat.mp4"), rate_limits=BRIEF.model_copy(update={"retries": 4}))

    assert downloads.statuses() == ["timed_out"]
    assert time.monotonic() - start < 1.5


def test_a_slow_long_video_times_out(web, large_clip, downloads, tmp_path):
    web.answers["/cat"] = linked_data(web.url("/cat.mp4"), duration="PT12S")
    web.answers["/cat.mp4"] = slow(fast_start(large_clip, tmp_path), seconds=9, pieces=90)
    start = time.monotonic()

    downloads.run(web.url("/cat"), seconds=3, max_megabytes=10, rate_limits=BRIEF)

    assert downloads.statuses() == ["timed_out"]
    assert time.monotonic() - start < 1.5


def test_a_pause_does_not_exceed_the_remaining_time(web, downloads):
    web.answers["/cat.mp4"] = refusal(429, Retry_After=2)
    start = time.monotonic()

    downloads.run(web.url("/cat.mp4"), rate_limits=BRIEF)

    assert downloads.statuses() == ["rate_limited"]
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_page_above_the_size_limit_is_rejected(web, downloads, monkeypatch, is_compressed):
    monkeypatch.setattr(ytdlp_client, "MAX_PAGE_BYTES", 3_000_000)
    html = b"<html><body>" + b"<p>cat</p>" * 100_000

    def compressed(handler, _):
        handler.start(200, Content_Type="text/html", Content_Encoding="gzip")
        handler.wfile.write(gzip.compress(html * 20))

    web.answers["/cat"] = compressed if is_compressed else endless(html, "text/html")

    downloads.run(web.url("/cat"), rate_limits=FAST.model_copy(update={"retries": 0}))

    assert downloads.statuses() == ["unsupported"]
    assert "a page or playlist is larger than 3 MB" in downloads.only().error


def test_a_compressed_page_is_decompressed(web, clips, downloads):
    def compressed(handler, _):
        html = gzip.compress(b'<html><title>Cat</title><video src="/cat.mp4"></video>' + b"<p>cat</p>" * 100_000)
        handler.start(200, Content_Type="text/html", Content_Encoding="gzip", Content_Length=len(html))
        handler.wfile.write(html)

    web.answers |= {"/cat": compressed, "/cat.mp4": video(clips[0])}

    assert downloads.run(web.url("/cat")).statuses() == ["ok"]


def test_a_stream_with_an_ftp_url_is_not_requested(web, downloads, ftp_server):
    piece = f"ftp://127.0.0.1:{ftp_server.getsockname()[1]}/0.ts"
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n"
    web.answers["/cat.m3u8"] = page(f"{head}#EXTINF:4.0,\n{piece}\n#EXT-X-ENDLIST\n", "application/vnd.apple.mpegurl")

    downloads.run(web.url("/cat.m3u8"))

    assert downloads.statuses() == ["invalid_url"]
    assert not was_connected_to(ftp_server)


def test_a_redirect_to_an_ftp_url_is_not_followed(web, downloads, ftp_server):
    web.answers["/cat.mp4"] = redirect(f"ftp://127.0.0.1:{ftp_server.getsockname()[1]}/cat.mp4")

    downloads.run(web.url("/cat.mp4"))

    assert downloads.contents == {}
    assert not was_connected_to(ftp_server)
