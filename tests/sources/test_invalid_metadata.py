import os
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from web_downloads import linked_data
from web_server import page, video
from yt_dlp.extractor.common import InfoExtractor

from video_recommender.schemas import VideoManifest
from video_recommender.sources.metadata import sanitize_metadata
from video_recommender.sources.web_options import WebAccess, WebFilters
from video_recommender.sources.web_videos import WebDownloader


class OddSite(InfoExtractor):
    """A site whose extractor returns arbitrary fields."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/odd(?P<id>\d+)"
    fields: dict = {}  # noqa: RUF012

    def _real_extract(self, url):
        number = self._match_id(url)
        self._request_webpage(url, number)
        media = {"id": number, "title": "Odd", "url": url.replace("odd", "file"), "ext": "mp4"}
        return {**media, **self.fields}


@pytest.fixture
def odd_site(monkeypatch, web, clips):
    """Register the site with yt-dlp."""
    begin = WebDownloader.__enter__

    def begin_with_odd_site(downloader):
        begin(downloader)
        site, extractor = downloader._client, OddSite()
        site._ies = {"OddSite": extractor, **site._ies}
        site._ies_instances["OddSite"] = extractor
        extractor.set_downloader(site)
        return downloader

    monkeypatch.setattr(WebDownloader, "__enter__", begin_with_odd_site)
    web.answers |= {"/odd1": page("odd"), "/file1": video(clips[0])}
    return OddSite


def manifest_of(downloads):
    rows = [
        {**state.properties, "video_id": video_id, "status": state.status, "error": state.error, "photos": ""}
        for video_id, state in downloads.states.items()
    ]
    return VideoManifest.validate(pd.DataFrame(rows, columns=list(VideoManifest.to_schema().columns)))


@pytest.mark.parametrize(
    "fields",
    [
        {"interactionCount": "-5"},
        {"interactionCount": "99999999999999999999999"},
        {"uploadDate": "1600-01-01"},
        {"uploadDate": "2999-01-01"},
        {"uploadDate": "0001-01-01"},
        {"duration": "PT-5S"},
        {"name": "x" * 5000},
    ],
)
def test_invalid_metadata_does_not_invalidate_the_manifest(web, clips, downloads, fields):
    web.answers |= {"/cat": linked_data(web.url("/cat.mp4"), **fields), "/cat.mp4": video(clips[0])}

    downloads.run(web.url("/cat"))

    assert manifest_of(downloads)["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    "fields",
    [
        {"duration": "2"},
        {"duration": float("nan")},
        {"upload_date": "2024"},
        {"upload_date": 20240531},
        {"timestamp": 1e20},
        {"timestamp": "soon"},
        {"tags": 5},
        {"tags": [None, "cat"]},
        {"age_limit": "18+"},
        {"title": None},
        {"title": ["Cat"]},
        {"view_count": True},
        {"view_count": 1e23},
        {"thumbnail": 5},
        {"webpage_url": 7},
        {"webpage_url": "http://["},
        {"license": ["CC"]},
        {"uploader": {"name": "Ana"}, "channel_id": 7},
        {"formats": 7, "url": "http://["},
        {"url": None, "formats": [None]},
    ],
)
def test_a_video_with_invalid_metadata_does_not_stop_the_run(web, downloads, odd_site, monkeypatch, fields):
    monkeypatch.setattr(odd_site, "fields", fields)
    strict = WebFilters(min_seconds=0, min_height=16, age_limit=16, uploaded_after="2001-01-01")

    downloads.run(web.url("/odd1"), filters=strict)

    assert len(manifest_of(downloads)) == 1


def test_numbers_in_text_form_are_parsed(web, downloads, odd_site, monkeypatch):
    formats = [{"url": web.url("/file1"), "ext": "mp4", "width": "320", "height": "240"}]
    monkeypatch.setattr(odd_site, "fields", {"formats": formats, "view_count": "42"})

    downloads.run(web.url("/odd1"))

    assert downloads.statuses() == ["ok"]
    assert downloads.only().properties["view_count"] == 42


def test_invalid_entries_of_a_list_are_skipped(web, clips, downloads, odd_site, monkeypatch):
    entries = [{"_type": "url", "url": web.url(f"/{n}.mp4"), "ie_key": "Generic"} for n in range(2)]
    monkeypatch.setattr(odd_site, "fields", {"_type": "playlist", "entries": [entries[0], None, "odd", entries[1]]})
    web.answers |= {f"/{n}.mp4": video(clips[n]) for n in range(2)}

    downloads.run(web.url("/odd1"))

    assert list(downloads.contents.values()) == clips[:2]


def test_an_invalid_link_does_not_stop_a_list(web, clips, downloads, odd_site, monkeypatch):
    links = ["http://[", "", web.url("/cat.mp4")]
    monkeypatch.setattr(
        odd_site, "fields", {"_type": "playlist", "entries": [{"_type": "url", "url": url} for url in links]}
    )
    web.answers["/cat.mp4"] = video(clips[0])

    assert downloads.run(web.url("/odd1")).statuses() == ["invalid_url", "invalid_url", "ok"]


def test_the_page_is_requested_again_if_the_media_url_has_expired(web, clips, downloads, odd_site, monkeypatch):
    def addressed(site, url):
        site._request_webpage(url, "1")
        times = web.times_asked()["/odd1"]
        return {"id": "1", "title": "Odd", "url": web.url(f"/address{times}"), "ext": "mp4"}

    monkeypatch.setattr(odd_site, "_real_extract", addressed)
    web.answers |= {"/address1": lambda handler, _: handler.start(403, Content_Length=0), "/address2": video(clips[0])}

    assert downloads.run(web.url("/odd1")).statuses() == ["ok"]


def test_a_cookie_that_a_site_repeats_is_not_revealed(web, clips, downloads):
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tSESSION\ts3cret-cookie\n"
    downloads.access = WebAccess(downloads.access.partial_folder, cookies=cookies)

    def repeat(handler, request):
        cookie = request.headers["Cookie"].split("=")[1]
        fields = {"author": {"name": cookie}, "keywords": cookie, "thumbnailUrl": web.url(f"/{cookie}.jpg")}
        linked_data(web.url(f"/{cookie}.mp4?session={cookie}"), name=f"Hello {cookie}", **fields)(handler, request)

    web.answers |= {"/cat": repeat, "/s3cret-cookie.mp4": video(clips[0])}
    web.answers["/page"] = lambda handler, request: page(
        f'<html><video src="/{request.headers["Cookie"].split("=")[1]}.mp4"></video></html>'
    )(handler, request)

    downloads.run(web.url("/cat"), web.url("/page"))

    assert downloads.statuses()[0] == "ok"
    assert "s3cret" not in repr(downloads.states)


def test_valid_metadata_is_kept():
    today = datetime.now(UTC)
    fields = {"title": "Cat", "duration": 12, "upload_date": f"{today:%Y%m%d}", "tags": ["a"], "id": "1", "other": [1]}

    assert fields.items() <= sanitize_metadata(fields, str).items()
    assert "upload_date" not in sanitize_metadata({"upload_date": f"{today + timedelta(days=3):%Y%m%d}"}, str)


def test_a_video_that_is_a_section_of_another_one_is_downloaded_without_ffmpeg(
    web, clips, downloads, odd_site, monkeypatch, tmp_path
):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(odd_site, "fields", {"section_start": 0, "section_end": 1})

    assert downloads.run(web.url("/odd1")).statuses() == ["ok"]
    assert not (tmp_path / "started").exists()


def test_the_smaller_side_of_an_upright_video_counts():
    formats = sanitize_metadata({"formats": [{"width": 360, "height": 640}, {"height": 240}, {}]}, str)["formats"]

    assert [form["smaller_side"] for form in formats] == [360, 240, None]


def test_each_format_has_a_different_digest():
    formats = [{"format_id": "1"}, {"format_id": "2"}, {"format_id": "1", "height": 240}, {"format_id": "1"}]

    digests = [form["format_digest"] for form in sanitize_metadata({"formats": formats}, str)["formats"]]

    assert len(set(digests[:3])) == 3
    assert digests[0] == digests[3]
