import pytest

from video_recommender.sources.metadata import MAX_TEXT_LENGTH, VideoInfo, VideoMetadata, one_line

FIELDS = {
    "title": "Cats",
    "uploader": "Ana",
    "upload_date": "20240531",
    "license": "CC BY",
    "webpage_url": "https://videos.example/cats",
    "view_count": 42,
    "tags": ["cats", "small, soft"],
    "thumbnail": "https://videos.example/cats.jpg",
}


def test_published_metadata_is_extracted():
    assert VideoInfo(FIELDS).metadata == VideoMetadata(
        title="Cats",
        uploader="Ana",
        upload_date="2024-05-31",
        licence="CC BY",
        webpage_url="https://videos.example/cats",
        view_count=42,
        tags="cats,small soft",
        thumbnail="https://videos.example/cats.jpg",
    )


def test_unpublished_metadata_is_missing():
    assert VideoInfo({}).metadata == VideoMetadata()


def test_channel_and_timestamp_replace_a_missing_uploader_and_upload_date():
    metadata = VideoInfo({"channel": "Cats & Co", "timestamp": 86400 * 365}).metadata

    assert (metadata.uploader, metadata.upload_date) == ("Cats & Co", "1971-01-01")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("two\nlines\r\n\tand more ", "two lines and more"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred [0m"),
        ("right\u202eto\u2069left", "right to left"),
        ("half a pair \ud83d", "half a pair ?"),
        ("é" * 10_000, "é" * MAX_TEXT_LENGTH),
    ],
)
def test_untrusted_text_becomes_one_line(written, shown):
    assert one_line(written) == shown
