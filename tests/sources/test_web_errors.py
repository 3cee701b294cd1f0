import errno
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from pathlib import Path

import pytest
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, ProxyError, TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError

from video_recommender.media.video import VideoError
from video_recommender.sources.web_errors import classify_error
from video_recommender.sources.web_options import WebAccess

PAGE = "https://videos.example/cat"
OPEN = WebAccess(Path("partial"))


def refused(status, **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPError(Response(BytesIO(), PAGE, fields, status=status))


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (refused(404), "unavailable", False),
        (refused(410), "unavailable", False),
        (refused(403), "failed", True),
        (refused(429), "rate_limited", True),
        (refused(503), "unreachable", True),
        (TransportError("Connection refused"), "unreachable", True),
        (ProxyError("Cannot connect to proxy"), "unreachable", True),
        (IncompleteRead(10, 90), "incomplete", True),
        (DownloadError("[download] Got error: 10 bytes read, 90 more expected"), "incomplete", True),
        (DownloadError("[download] Got error: timed out"), "unreachable", True),
        (ExtractorError("Private video", expected=True), "unavailable", False),
        (
            ExtractorError("Your session has been rate-limited by YouTube for up to an hour", expected=True),
            "rate_limited",
            True,
        ),
        (ExtractorError("Sign in to confirm you’re not a bot", expected=True), "rate_limited", True),
        (ExtractorError("Requested format is not available", expected=True), "no_format", False),
        (ExtractorError("Unable to extract title"), "failed", True),
        (GeoRestrictedError("Not in your country"), "unavailable", False),
        (UnsupportedError(PAGE), "unsupported", False),
        (VideoError("too_large", "it is larger than 5 MB"), "too_large", False),
        (KeyError("videoId"), "failed", True),
    ],
)
def test_an_error_has_a_status_and_may_be_transient(error, status, retry):
    classified = classify_error(error, OPEN)

    assert (classified.status, classified.retry) == (status, retry)


def test_the_cause_of_an_error_decides_its_status():
    cause = refused(429, Retry_After="7")
    wrapped = ExtractorError("Unable to download webpage", cause=cause)
    error = classify_error(DownloadError("ERROR: [generic] Unable", (type(wrapped), wrapped, None)), OPEN)

    assert (error.status, error.retry_after_s) == ("rate_limited", 7.0)


def test_retry_after_may_be_a_date():
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    assert classify_error(refused(503, Retry_After=then), OPEN).retry_after_s == pytest.approx(90, abs=10)


@pytest.mark.parametrize("header", ["", "soon", "-1", "²"])
def test_an_invalid_retry_after_is_ignored(header):
    assert classify_error(refused(429, Retry_After=header), OPEN).retry_after_s is None


def test_the_reason_contains_only_the_message_of_the_extractor():
    error = ExtractorError("Video unavailable. This video is private", video_id="abc", ie="youtube", expected=True)

    assert classify_error(DownloadError(f"ERROR: {error}", (type(error), error, None)), OPEN).reason == (
        "Video unavailable. This video is private"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransportError(), "TransportError"),
        (VideoError("too_large", ""), "VideoError"),
        (ExtractorError("", cause=refused(404)), "HTTP Error 404: Not Found"),
        (KeyError(), "KeyError"),
    ],
)
def test_there_is_always_a_reason(error, reason):
    assert classify_error(error, OPEN).reason == reason


def test_the_reason_contains_no_secret():
    access = WebAccess(Path("partial"), proxy="http://me:s3cret@proxy.example:8080")

    reason = classify_error(ProxyError("Cannot connect to http://me:s3cret@proxy.example:8080"), access).reason

    assert reason == "Cannot connect to [hidden]"


def test_an_unexpected_error_is_logged_with_its_traceback_and_without_secrets(caplog):
    access = WebAccess(Path("partial"), proxy="http://me:s3cret@proxy.example:8080")

    try:
        {}["http://me:s3cret@proxy.example:8080"]
    except KeyError as error:
        classify_error(error, access)

    assert "Traceback" in caplog.text
    assert "test_web_errors.py" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Permission denied", "cat.video")],
)
def test_a_full_or_read_only_disk_raises_the_original_error(error):
    with pytest.raises(OSError, match=r"No space left|Permission denied"):
        classify_error(DownloadError("unable to write data", (OSError, error, None)), OPEN)


def test_a_connection_that_a_firewall_denies_is_unreachable():
    denied = TransportError("Operation not permitted", cause=PermissionError(errno.EPERM, "Operation not permitted"))

    assert classify_error(denied, OPEN).status == "unreachable"
