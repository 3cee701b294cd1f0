import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from video_recommender.sources.metadata import VideoInfo
from video_recommender.sources.web_options import WebCategory, WebFilters, WebOptions, is_web_url, list_web_sources
from video_recommender.sources.web_videos import filter_error

PAGE = "https://videos.example/cat"


def listed(**category):
    return list_web_sources("pets", WebCategory(**category))


def test_searches_urls_and_a_file_of_urls_can_be_mixed(tmp_path):
    file = tmp_path / "urls.txt"
    file.write_text(f"# pets\n\n  {PAGE}/2  \nytsearch5:dogs\n")

    found = listed(sources=("ytsearch50:cats", f"{PAGE}/1", f"{PAGE}/2"), urls_file=file)

    assert found == ["ytsearch50:cats", f"{PAGE}/1", f"{PAGE}/2", "ytsearch5:dogs"]


@pytest.mark.parametrize(
    ("source", "listed_source"),
    [
        ("ytsearch:cats", "ytsearchall:cats"),
        ("gvsearch7:cats", "gvsearch7:cats"),
    ],
)
def test_a_search_without_a_number_is_unlimited(source, listed_source):
    assert listed(sources=(source,)) == [listed_source]


@pytest.mark.parametrize(
    "source",
    [
        "foosearch:cats",
        "http://[",
        "file:///etc/passwd",
        "ftp://videos.example/cat.mp4",
        "/etc/passwd",
        "cats",
        "ytsearch5:",
        "https://",
        "data:,x",
    ],
)
def test_an_invalid_source_is_named(source):
    with pytest.raises(ValueError, match="of the category pets is neither a search") as refused:
        listed(sources=(source,))

    assert repr(source) in str(refused.value)


def test_the_password_of_an_invalid_source_is_not_revealed():
    with pytest.raises(ValueError, match="neither a search") as refused:
        listed(sources=("ftp://me:s3cret@videos.example/cat.mp4",))

    assert "s3cret" not in str(refused.value)


def test_a_category_without_sources_is_named():
    with pytest.raises(ValueError, match="The category pets has no source"):
        listed()


def test_a_missing_url_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"urls\.txt of the category pets cannot be read"):
        listed(urls_file=tmp_path / "urls.txt")


def test_only_http_and_https_are_allowed():
    assert is_web_url(PAGE)
    assert is_web_url("HTTP://videos.example")
    assert not is_web_url("ftp://videos.example/cat.mp4")


@pytest.mark.parametrize(
    ("filters", "fields", "reason"),
    [
        ({"min_seconds": 10}, {"duration": 9}, "lasts 9 s, less than 10"),
        ({"max_seconds": 60}, {"duration": 61.5}, r"lasts 61\.5 s, more than 60"),
        ({"licences": ("CC BY",)}, {"url": PAGE, "license": "All rights reserved"}, "licence is All rights"),
        ({"licences": ("CC BY",)}, {"formats": []}, "licence is unknown"),
        ({"age_limit": 16}, {"age_limit": 18}, "age restriction is 18 years"),
        ({"uploaded_after": "2020-01-31"}, {"upload_date": "20200131"}, "uploaded on 2020-01-31"),
        ({"uploaded_after": "2020-01-31"}, {"timestamp": 86400}, "uploaded on 1970-01-02"),
        ({"min_height": 200}, {"formats": [{"width": 144, "height": 256}]}, "144 lines, fewer than 200"),
        ({"min_height": 200}, {"formats": [{"height": 144}, {"height": None}, {}]}, "144 lines, fewer than 200"),
    ],
)
def test_a_filtered_video_has_a_reason(filters, fields, reason):
    error = filter_error(VideoInfo(fields), WebFilters(**filters))

    assert error.status == "filtered"
    assert re.search(reason, error.reason)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"_type": "url", "url": PAGE},
        {"duration": 10, "license": "CC BY", "age_limit": 16, "upload_date": "20200201", "formats": [{"height": 200}]},
    ],
)
def test_videos_with_unknown_properties_are_not_filtered(fields):
    filters = WebFilters(
        min_seconds=10,
        max_seconds=10,
        licences=("CC BY",),
        age_limit=16,
        uploaded_after=date(2020, 1, 31),
        min_height=200,
    )

    assert filter_error(VideoInfo(fields), filters) is None


@pytest.mark.parametrize("fields", [{"is_live": True}, {"live_status": "is_live"}, {"live_status": "is_upcoming"}])
def test_current_and_future_broadcasts_are_live(fields):
    assert filter_error(VideoInfo(fields), WebFilters()).status == "live"
    assert filter_error(VideoInfo({"live_status": "was_live"}), WebFilters()) is None


def test_the_youtube_environment_has_a_target_of_100_videos_of_music_pets_and_cars():
    written = yaml.safe_load((Path(__file__).parents[2] / "conf/youtube/parameters_ingestion.yml").read_text())

    options = WebOptions.model_validate(written["ingestion"]["web"])

    assert written["ingestion"]["source"] == "web"
    assert {category: options.target_of(category) for category in options.categories} == {
        "music": 100,
        "pets": 100,
        "cars": 100,
    }
    for category, wanted in options.categories.items():
        assert len(list_web_sources(category, wanted)) >= 2
