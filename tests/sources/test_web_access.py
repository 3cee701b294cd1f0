from pathlib import Path

import pytest

from video_recommender.sources.web_options import WebAccess

COOKIES = """\
# Netscape HTTP Cookie File
.videos.example	TRUE	/	TRUE	0	SESSION	abcdef123
.videos.example	TRUE	/	TRUE	0	lang	en
"""
ACCESS = WebAccess(Path("partial"), cookies=COOKIES, proxy="http://me:s%40cret@proxy.example:8080")


def test_the_proxy_and_its_password_are_redacted():
    text = ACCESS.redact("http://me:s%40cret@proxy.example:8080 refused s@cret, also s%40cret")

    assert text == "[hidden] refused [hidden], also [hidden]"


def test_only_cookies_of_six_or_more_characters_are_redacted():
    assert ACCESS.redact("SESSION=abcdef123; lang=en") == "SESSION=[hidden]; lang=en"


def test_a_short_proxy_user_is_redacted_only_in_credentials():
    text = "source: some-channel has a game; me@proxy.example and me:s@cret refused me"

    assert ACCESS.redact(text) == ("source: some-channel has a game; [hidden]@proxy.example and [hidden] refused me")


def test_a_url_encoded_cookie_is_redacted():
    access = WebAccess(Path("partial"), cookies=COOKIES.replace("abcdef123", "abc/def=="))

    assert access.redact("https://videos.example/?sid=abc%2Fdef%3D%3D") == "https://videos.example/?sid=[hidden]"


def test_cookies_in_another_format_raise_an_error():
    with pytest.raises(ValueError, match="line 2 does not have the seven tab-separated fields"):
        WebAccess(Path("partial"), cookies="# HTTP Cookie File\nSESSION=abcdef123\n")


def test_credentials_in_urls_are_redacted():
    assert ACCESS.redact("see https://you:pass@videos.example/a@b") == "see https://videos.example/a@b"


def test_text_without_secrets_is_unchanged():
    assert WebAccess(Path("partial")).redact("a plain text") == "a plain text"


def test_the_repr_contains_no_secrets():
    assert "cret" not in repr(ACCESS)
    assert "abcdef123" not in repr(ACCESS)


def test_the_cookie_file_is_in_memory():
    file = ACCESS.cookie_file()

    assert file is not None
    assert file.read() == COOKIES
    assert WebAccess(Path("partial")).cookie_file() is None
