"""Tests of downloads with yt-dlp from a local server that simulates errors of real servers."""

import logging
import os
import subprocess
import sys
import time

import pytest
from web_downloads import FAST, fast_start, feed, linked_data, of_site, seconds_of, stream_of_pieces
from web_server import Web, broken_off, endless, first, page, redirect, refusal, slow, video

from video_recommender.media.video import VideoError
from video_recommender.sources import ytdlp_client
from video_recommender.sources.web_options import WebAccess, WebCategory, WebFilters, WebOptions
from video_recommender.sources.web_videos import WebDownloader


def test_a_file_is_downloaded_unchanged(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])

    downloads.run(web.url("/cat.mp4"))

    assert list(downloads.contents.values()) == [clips[0]]
    assert downloads.only().properties["category"] == "pets"
    assert downloads.only().properties["source"] == web.url("/cat.mp4")
    assert downloads.partial_files() == []


def test_a_redirect_is_followed(web, clips, downloads):
    web.answers |= {"/old": redirect("/new.mp4"), "/new.mp4": video(clips[0])}

    assert list(downloads.run(web.url("/old")).contents.values()) == [clips[0]]


def test_every_video_of_a_page_is_downloaded(web, clips, downloads):
    tags = '<video src="/a.mp4"></video><video><source src="/b.mp4" type="video/mp4"></video>'
    web.answers |= {
        "/page": page(f"<html><title>Pets</title><body>{tags}</body></html>"),
        "/a.mp4": video(clips[0]),
        "/b.mp4": video(clips[1]),
    }

    assert list(downloads.run(web.url("/page")).contents.values()) == clips[:2]


def test_pages_with_the_same_name_are_different_sources(web, clips, downloads):
    for folder, clip in zip(("/a", "/b"), clips, strict=False):
        web.answers[f"{folder}/page"] = page('<html><video src="cat.mp4"></video><video src="dog.mp4"></video></html>')
        web.answers[f"{folder}/cat.mp4"] = video(clip)

    downloads.run(web.url("/a/page"), web.url("/b/page"))

    assert list(downloads.contents.values()) == clips[:2]


def test_every_video_of_a_feed_is_downloaded_under_its_title(web, clips, downloads):
    web.answers["/feed"] = feed(*[(f"Cat {n}", web.url(f"/{n}.mp4")) for n in range(3)])
    web.answers |= {f"/{n}.mp4": video(clips[n]) for n in range(3)}

    downloads.run(web.url("/feed"))

    assert list(downloads.contents.values()) == clips[:3]
    assert downloads.titles() == ["Cat 0", "Cat 1", "Cat 2"]


def test_each_video_of_a_feed_has_its_own_page(web, clips, downloads):
    web.answers["/feed"] = feed(("One", web.url("/one")), ("Two", web.url("/two.mp4")))
    web.answers |= {"/one": linked_data(web.url("/1.mp4")), "/1.mp4": video(clips[0]), "/two.mp4": video(clips[1])}

    downloads.run(web.url("/feed"))

    pages = [state.properties["webpage_url"] for state in downloads.states.values()]
    assert pages == [web.url("/one"), web.url("/two.mp4")]


def test_the_record_of_an_unreachable_list_is_deleted_once_it_can_be_read(web, clips, downloads):
    web.answers["/one.mp4"] = video(clips[0])
    web.answers["/feed"] = refusal(503)
    assert downloads.run(web.url("/feed")).statuses() == ["unreachable"]
    web.answers["/feed"] = feed(("One", web.url("/one.mp4")))

    assert downloads.run(web.url("/feed")).statuses() == ["ok"]


def test_the_metadata_of_a_page_is_stored(web, clips, downloads):
    fields = {"author": {"name": "Ana"}, "uploadDate": "2024-05-31", "interactionCount": "42", "keywords": "cats,dogs"}
    web.answers |= {
        "/cat": linked_data(web.url("/cat.mp4"), thumbnailUrl=web.url("/cat.jpg"), **fields),
        "/cat.mp4": video(clips[0]),
    }

    details = downloads.run(web.url("/cat")).only().properties

    assert details["title"] == "Cats"
    assert details["uploader"] == "Ana"
    assert details["upload_date"] == "2024-05-31"
    assert details["view_count"] == 42
    assert details["tags"] == "cats,dogs"
    assert details["webpage_url"] == web.url("/cat")
    assert details["thumbnail"] == web.url("/cat.jpg")


def test_videos_of_one_uploader_are_one_group(web, clips, downloads):
    for n, author in enumerate(["Ana", "Bea", "Ana"]):
        web.answers[f"/{n}"] = linked_data(web.url(f"/{n}.mp4"), author={"name": author})
        web.answers[f"/{n}.mp4"] = video(clips[n])

    downloads.run(*(web.url(f"/{n}") for n in range(3)))

    groups = [state.properties["group"] for state in downloads.states.values()]
    assert groups[0] == groups[2] != groups[1]


def test_an_untrusted_title_gives_a_valid_file_name_inside_the_folder(web, clips, downloads):
    hostile = ["../../etc/x", "two\nlines\x1b[31m", "é" * 300, "/absolute", "con", "%(id)s $(id) `id`", "..", ""]
    web.answers["/feed"] = feed(*[(title.replace("\x1b", ""), web.url(f"/{n}.mp4")) for n, title in enumerate(hostile)])
    web.answers |= {f"/{n}.mp4": video(clips[n % 6] + bytes(n)) for n in range(len(hostile))}

    downloads.run(web.url("/feed"))

    assert len(downloads.contents) == len(hostile)
    for video_id in downloads.contents:
        folder, slug = video_id.split("/")
        assert folder == "pets"
        assert slug.isascii()
        assert slug.replace("-", "").isalnum()
        assert len(slug) <= 80
    assert "\n" not in "".join(downloads.titles())
    assert {file.name for file in downloads.access.partial_folder.parent.iterdir()} == {"partial"}


def test_a_deleted_video_is_requested_again_only_with_retry_failed(web, clips, downloads):
    downloads.run(web.url("/gone.mp4"))

    record = downloads.only()
    assert record.status == "unavailable"
    assert web.url("/gone.mp4") in record.error
    assert "404" in record.error
    assert "retry_failed=true" in record.error
    assert web.times_asked()["/gone.mp4"] == 1
    downloads.run(web.url("/gone.mp4"))
    assert web.times_asked()["/gone.mp4"] == 1

    web.answers["/gone.mp4"] = video(clips[0])
    downloads.run(web.url("/gone.mp4"), retry_failed=True)

    assert downloads.statuses() == ["ok"]


def test_retry_after_is_honoured(web, clips, downloads):
    web.answers["/cat.mp4"] = first(refusal(429, Retry_After=1), then=video(clips[0]))
    start = time.monotonic()

    downloads.run(web.url("/cat.mp4"))

    assert downloads.statuses() == ["ok"]
    assert time.monotonic() - start >= 1


def test_a_long_retry_after_postpones_the_video_to_the_next_run(web, clips, downloads):
    web.answers["/cat.mp4"] = first(refusal(429, Retry_After=3600), then=video(clips[0]))

    downloads.run(web.url("/cat.mp4"))

    assert downloads.only().status == "rate_limited"
    assert web.times_asked()["/cat.mp4"] == 1
    assert downloads.run(web.url("/cat.mp4")).statuses() == ["ok"]


def test_transient_server_errors_are_retried(web, clips, downloads):
    web.answers["/cat.mp4"] = first(refusal(503), refusal(500), then=video(clips[0]))

    assert downloads.run(web.url("/cat.mp4")).statuses() == ["ok"]


def test_an_interrupted_transfer_is_resumed(web, clips, downloads):
    clip = max(clips, key=len)
    complete = broken_off(clip, len(clip))
    web.answers["/cat.mp4"] = first(complete, broken_off(clip, 2500), broken_off(clip, 2500), then=video(clip))

    downloads.run(web.url("/cat.mp4"))

    assert list(downloads.contents.values()) == [clip]
    resumed = [request.first_byte for request in web.asked if request.first_byte]
    assert len(resumed) == 2
    assert 0 < resumed[0] < resumed[1]


def test_a_repeatedly_interrupted_transfer_is_resumed_in_the_next_run(web, clips, downloads):
    clip = max(clips, key=len)
    web.answers["/cat.mp4"] = broken_off(clip, 1500)

    downloads.run(web.url("/cat.mp4"))

    assert downloads.only().status == "incomplete"
    assert len(downloads.partial_files()) == 1
    web.answers["/cat.mp4"] = video(clip)
    assert list(downloads.run(web.url("/cat.mp4")).contents.values()) == [clip]
    assert downloads.statuses() == ["ok"]
    assert downloads.partial_files() == []


def test_fragments_of_a_stream_are_joined_and_failed_fragments_retried(web, long_clip, downloads, tmp_path):
    web.answers |= stream_of_pieces(long_clip, tmp_path / "stream")
    web.answers["/1.ts"] = first(refusal(503), refusal(404), then=web.answers["/1.ts"])

    downloads.run(web.url("/cat.m3u8"))

    assert downloads.statuses() == ["ok"]
    assert seconds_of(*downloads.contents.values(), downloads) == pytest.approx(12, abs=0.5)
    assert web.times_asked()["/1.ts"] == 3


def test_a_file_truncated_by_its_content_length_is_incomplete(web, long_clip, downloads):
    whole = fast_start(long_clip, downloads.access.partial_folder.parent)

    def promise_half(handler, request):
        handler.start(200, Content_Type="video/mp4", Content_Length=len(whole) // 2)
        handler.wfile.write(whole)

    web.answers["/cat.mp4"] = promise_half

    downloads.run(web.url("/cat.mp4"))

    assert downloads.statuses() == ["incomplete"]
    assert downloads.contents == {}


def test_half_a_file_is_not_usable(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0][: len(clips[0]) // 2])

    downloads.run(web.url("/cat.mp4"))

    assert downloads.statuses() in (["unreadable"], ["incomplete"])
    assert downloads.contents == {}


def test_a_silently_truncated_file_is_downloaded_again(web, long_clip, downloads):
    whole = fast_start(long_clip, downloads.access.partial_folder.parent)
    cut = video(whole[: len(whole) // 2])
    web.answers["/cat.mp4"] = first(cut, cut, then=video(whole))  # once to detect the type, once to download

    downloads.run(web.url("/cat.mp4"))

    assert list(downloads.contents.values()) == [whole]


def test_a_slow_transfer_within_the_time_limit_succeeds(web, clips, downloads):
    web.answers["/cat.mp4"] = slow(clips[0], seconds=1.5)

    assert downloads.run(web.url("/cat.mp4")).statuses() == ["ok"]


def test_a_transfer_above_the_time_limit_times_out(web, clips, downloads):
    web.answers["/cat.mp4"] = slow(clips[0] * 20, seconds=8, pieces=80)
    short_timeout = FAST.model_copy(update={"video_timeout_s": 0.5, "retries": 0})

    assert downloads.run(web.url("/cat.mp4"), rate_limits=short_timeout).statuses() == ["timed_out"]


def test_a_server_without_a_response_is_unreachable(web, downloads, monkeypatch):
    web.answers["/cat.mp4"] = lambda *_: time.sleep(1.5)
    monkeypatch.setattr(ytdlp_client, "SOCKET_TIMEOUT_S", 0.3)

    assert downloads.run(web.url("/cat.mp4"), rate_limits=FAST.model_copy(update={"retries": 0})).statuses() == [
        "unreachable"
    ]


@pytest.mark.parametrize("content_type", ["video/mp4", "text/html"])
def test_a_page_that_is_named_like_a_video_is_not_usable(web, downloads, content_type):
    web.answers["/cat.mp4"] = page("<html><body>Buy now</body></html>", content_type)

    downloads.run(web.url("/cat.mp4"))

    assert downloads.statuses() in (["unreadable"], ["unsupported"])
    assert downloads.partial_files() == []


def test_a_huge_file_is_rejected_as_soon_as_its_size_is_known(web, clips, downloads):
    web.answers["/cat.mp4"] = broken_off(bytes(50_000_000), after=200_000)

    downloads.run(web.url("/cat.mp4"))

    assert downloads.only().status == "too_large"
    assert "max_megabytes" in downloads.only().error
    assert downloads.partial_files() == []


def test_a_file_of_unknown_size_is_skipped_when_it_exceeds_the_limit(web, clips, downloads):
    web.answers["/cat.mp4"] = endless(clips[0] * 10)

    assert downloads.run(web.url("/cat.mp4")).statuses() == ["too_large"]


def test_a_file_that_was_too_large_is_requested_again_with_a_higher_limit(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])

    assert downloads.run(web.url("/cat.mp4"), max_megabytes=0.001).statuses() == ["too_large"]
    assert downloads.run(web.url("/cat.mp4")).statuses() == ["ok"]


def test_only_the_first_seconds_of_a_long_file_are_stored(web, long_clip, downloads):
    web.answers["/cat.mp4"] = video(long_clip)

    downloads.run(web.url("/cat.mp4"), seconds=4)

    assert seconds_of(*downloads.contents.values(), downloads) == pytest.approx(4, abs=0.3)


def test_only_the_first_seconds_of_a_video_of_known_length_are_stored(web, long_clip, downloads):
    web.answers |= {"/cat": linked_data(web.url("/cat.mp4"), duration="PT12S"), "/cat.mp4": video(long_clip)}

    downloads.run(web.url("/cat"), seconds=4)

    (content,) = downloads.contents.values()
    assert seconds_of(content, downloads) == pytest.approx(4, abs=0.3)
    assert len(content) < len(long_clip) / 2


def test_the_smallest_sufficient_format_is_downloaded(web, clips, downloads):
    forms = [
        ("144", {"height": 144, "vcodec": "avc1", "acodec": "none"}),
        ("240-webm", {"height": 240, "vcodec": "vp9", "acodec": "none", "ext": "webm"}),
        ("240", {"height": 240, "vcodec": "avc1", "acodec": "none"}),
        ("240-with-sound", {"height": 240, "vcodec": "avc1", "acodec": "mp4a"}),
        ("360", {"height": 360, "vcodec": "avc1", "acodec": "none"}),
        ("720", {"height": 720, "vcodec": "avc1", "acodec": "none"}),
        ("sound", {"vcodec": "none", "acodec": "mp4a"}),
    ]
    web.answers |= {f"/{name}": video(clips[0]) for name, _ in forms}

    def fetched(*names, **options):
        formats = [
            {"format_id": name, "url": web.url(f"/{name}"), "ext": "mp4", **form}
            for name, form in forms
            if name in names
        ]
        found = of_site(web, formats)
        web.asked.clear()
        with WebDownloader(WebOptions(rate_limits=FAST, **options), downloads.access, 1) as downloader:
            downloader.download(found)
            downloader.delete_partial_files(found)
        return web.asked[0].path

    assert fetched(*dict(forms)) == "/240"
    assert fetched("240-with-sound", "360") == "/360"
    assert fetched("144", "360", "720", height=300) == "/360"
    assert fetched("144", "720", "sound") == "/144"
    assert fetched("240-with-sound", "720") == "/240-with-sound"
    with pytest.raises(VideoError, match=r"increase ingestion\.web\.max_height") as raised:
        fetched("720", "sound")
    assert raised.value.status == "no_format"


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(144, 256), (240, 426), (360, 640), (720, 1280)], "/240x426"),
        ([(256, 144), (426, 240), (640, 360), (1280, 720)], "/426x240"),
        ([(360, 640), (576, 1024)], "/360x640"),
    ],
)
def test_the_format_of_an_upright_video_is_chosen_by_its_width(web, clips, downloads, sizes, chosen):
    web.answers |= {f"/{width}x{height}": video(clips[0]) for width, height in sizes}
    formats = [
        {"format_id": f"{width}", "url": web.url(f"/{width}x{height}"), "ext": "mp4", "width": width, "height": height}
        for width, height in sizes
    ]

    with WebDownloader(WebOptions(rate_limits=FAST), downloads.access, 1) as downloader:
        downloader.download(of_site(web, formats))

    assert [request.path for request in web.asked] == [chosen]


def test_the_bandwidth_limit_is_respected(web, clips, downloads):
    clip = max(clips, key=len)
    web.answers["/cat.mp4"] = video(clip)
    start = time.monotonic()

    downloads.run(web.url("/cat.mp4"), rate_limits=FAST.model_copy(update={"bytes_per_second": len(clip)}))

    assert downloads.statuses() == ["ok"]
    assert time.monotonic() - start >= 0.7


def test_there_is_a_pause_before_each_video(web, clips, downloads):
    web.answers |= {f"/{n}.mp4": video(clips[n]) for n in range(2)}
    start = time.monotonic()

    downloads.run(
        *(web.url(f"/{n}.mp4") for n in range(2)),
        rate_limits=FAST.model_copy(update={"sleep_between_videos_s": (0.4, 0.5)}),
    )

    assert time.monotonic() - start >= 0.8


def test_filtered_videos_are_recorded_and_not_downloaded(web, downloads):
    web.answers["/cat"] = linked_data(web.url("/cat.mp4"), duration="PT12S", uploadDate="2001-01-01")
    web.answers["/cat.mp4"] = video(b"")

    downloads.run(web.url("/cat"), filters=WebFilters(uploaded_after="2010-01-01"))

    assert downloads.only().status == "filtered"
    assert "it was uploaded on 2001-01-01" in downloads.only().error


def test_downloads_stop_at_the_target_of_each_category(web, clips, downloads):
    web.answers |= {f"/{n}.mp4": video(clip) for n, clip in enumerate(clips)}
    del web.answers["/1.mp4"]
    pets, cars = (tuple(web.url(f"/{n}.mp4") for n in numbers) for numbers in ((0, 1, 2, 3), (4, 5)))
    categories = {"pets": WebCategory(sources=pets, target=2), "cars": WebCategory(sources=cars, target=1)}

    downloads.run(categories=categories)

    assert [(name.split("-")[0], record.status) for name, record in downloads.states.items()] == [
        ("pets/0", "ok"),
        ("pets/1", "unavailable"),
        ("pets/2", "ok"),
        ("cars/4", "ok"),
    ]
    asked = len(web.asked)
    downloads.run(categories=categories)
    assert len(web.asked) == asked


def test_a_higher_target_continues_after_the_previous_downloads(web, clips, downloads):
    web.answers["/feed"] = feed(*[(f"Cat {n}", web.url(f"/{n}.mp4")) for n in range(6)])
    web.answers |= {f"/{n}.mp4": video(clips[n]) for n in range(6)}

    downloads.run(web.url("/feed"), target=2)
    downloads.run(web.url("/feed"), target=4)

    assert downloads.titles() == ["Cat 0", "Cat 1", "Cat 2", "Cat 3"]
    assert web.times_asked()["/0.mp4"] == 2
    assert "/4.mp4" not in web.times_asked()


def test_a_video_of_two_categories_is_downloaded_once_for_the_first(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])
    wanted = WebCategory(sources=(web.url("/cat.mp4"),))

    downloads.run(categories={"pets": wanted, "cats": wanted})

    assert [state.properties["category"] for state in downloads.states.values()] == ["pets"]


def test_a_file_with_the_same_bytes_is_a_duplicate(web, clips, downloads):
    web.answers |= {"/a.mp4": video(clips[0]), "/b.mp4": video(clips[0])}

    downloads.run(web.url("/a.mp4"), web.url("/b.mp4"))

    assert downloads.statuses() == ["ok", "duplicate"]


def test_a_failed_video_does_not_stop_its_category(web, clips, downloads):
    web.answers |= {"/a.mp4": video(clips[0]), "/b.mp4": refusal(500), "/c.mp4": video(clips[1])}

    downloads.run(*(web.url(f"/{name}.mp4") for name in "abc"))

    assert downloads.statuses() == ["ok", "unreachable", "ok"]


def test_a_network_failure_stops_the_run_and_keeps_previous_downloads(web, clips, downloads):
    web.answers["/0.mp4"] = video(clips[0])
    downloads.run(web.url("/0.mp4"))
    web.stop()

    with pytest.raises(ConnectionError, match=r"No remaining site can be reached .* 1 downloaded videos are kept"):
        downloads.run(*(web.url(f"/{n}.mp4") for n in range(9)))

    assert downloads.statuses() == ["ok", "unreachable", "unreachable", "unreachable"]


def test_unreachable_searches_stop_the_run(downloads, tmp_path):
    with Web() as gone:
        downloads.access = WebAccess(tmp_path / "partial", proxy=gone.url(""))

    with pytest.raises(
        ConnectionError, match=r"No remaining site can be reached \(ytsearchall:cats: .*check the connection"
    ):
        downloads.run("ytsearch:dogs", "ytsearch:birds", "ytsearch:cats")

    assert downloads.statuses() == ["unreachable"] * 3


def test_an_unreachable_site_does_not_stop_requests_to_other_sites(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])
    with Web() as gone:
        dead = [gone.url(f"/{n}.mp4") for n in range(4)]

    downloads.run(*dead, web.url("/cat.mp4"), rate_limits=FAST.model_copy(update={"retries": 0}))

    assert downloads.statuses() == ["unreachable"] * 3 + ["ok"], "requests to the site stop after three videos"


def test_a_rate_limit_of_the_only_site_stops_the_run(web, downloads):
    web.answers |= {f"/{n}.mp4": refusal(429) for n in range(9)}

    with pytest.raises(ConnectionError, match="limits the request rate: wait an hour"):
        downloads.run(*(web.url(f"/{n}.mp4") for n in range(9)))


def test_file_urls_of_pages_are_not_followed(web, downloads, tmp_path, clips):
    (tmp_path / "secret.mp4").write_bytes(clips[0])
    web.answers |= {
        "/page": page(f'<html><video src="file://{tmp_path}/secret.mp4"></video></html>'),
        "/redirect.mp4": redirect(f"file://{tmp_path}/secret.mp4"),
        "/feed": feed(("Cat", f"file://{tmp_path}/secret.mp4")),
    }

    downloads.run(web.url("/page"), web.url("/redirect.mp4"), web.url("/feed"))

    assert downloads.contents == {}
    assert "ok" not in downloads.statuses()


def test_cookies_are_sent_and_not_revealed(web, clips, downloads, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tSESSION\ts3cret-cookie\n"
    downloads.access = WebAccess(tmp_path / "partial", cookies=cookies)
    web.answers |= {"/cat": linked_data(web.url("/cat.mp4"), duration="PT12S"), "/cat.mp4": video(clips[0])}

    downloads.run(web.url("/cat"), web.url("/gone.mp4"), seconds=1)

    assert "s3cret-cookie" in web.asked[0].headers["Cookie"]
    assert "s3cret" not in repr(downloads.states)
    assert "s3cret" not in caplog.text


def test_the_proxy_is_used_and_its_password_is_not_revealed(web, clips, downloads, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    web.answers["http://videos.invalid/cat.mp4"] = video(clips[0])
    proxy = web.url("").replace("://", "://me:s3cret@")
    downloads.access = WebAccess(tmp_path / "partial", proxy=proxy)

    downloads.run("http://videos.invalid/cat.mp4")
    web.stop()
    downloads.run("http://videos.invalid/dog.mp4")

    assert downloads.statuses() == ["ok", "unreachable"]
    assert "Proxy-Authorization" in web.asked[0].headers
    assert "s3cret" not in repr(downloads.states)
    assert "s3cret" not in caplog.text


def test_proxies_from_environment_variables_are_ignored(web, clips, downloads, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    web.answers["/cat.mp4"] = video(clips[0])

    assert downloads.run(web.url("/cat.mp4")).statuses() == ["ok"]


def test_a_password_in_a_source_is_not_revealed(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])

    downloads.run(web.url("/cat.mp4").replace("://", "://me:s3cret@"))

    assert downloads.statuses() == ["ok"]
    assert "s3cret" not in repr(downloads.states)


def test_plugins_and_configuration_files_of_yt_dlp_are_ignored(tmp_path):
    plugin = tmp_path / "home" / "yt-dlp" / "plugins" / "evil" / "yt_dlp_plugins" / "extractor"
    plugin.mkdir(parents=True)
    (plugin / "evil.py").write_text("print('a plugin was loaded')")
    (tmp_path / "home" / "yt-dlp" / "config").write_text("--print 'a configuration was read'")
    start = """
from pathlib import Path
from video_recommender.sources.web_videos import WebDownloader
from video_recommender.sources.web_options import WebOptions
from video_recommender.sources import ytdlp_client
from video_recommender.sources.web_options import WebAccess
with WebDownloader(WebOptions(), WebAccess(Path("partial")), seed=1):
    print("started")
"""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "home")}

    def output_of(code):
        started = [sys.executable, "-c", code]
        return subprocess.run(
            started, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    outputs = [output_of(code) for code in (start, "import yt_dlp; yt_dlp.YoutubeDL()")]

    assert outputs == ["started\n", "a plugin was loaded\n"], "the second is yt-dlp with its default settings"


def test_no_categories_raise_an_error(downloads):
    with pytest.raises(ValueError, match="There are no categories"):
        downloads.run(categories={})
