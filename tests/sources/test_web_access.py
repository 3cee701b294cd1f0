from pathlib import Path

import pytest

from video_recommender.sources.web_options import WebAccess

COOKIES = """\
# Netscape HTTP Cookie File
.videos.example	TRUE	/	TRUE	0	SESSION	abcdef123
.videos.example	TRUE	/	TRUE	0	lang	en
"""
ACCESS = WebAccess(Path("partial"), cookies=COOKIES, proxy="http://me:s%40cret@proxy.example:8080")


def test_the_proxy_and_its_password_are_hidden():
    text = ACCESS.redact("http://me:s%40cret@proxy.example:8080 refused s@cret, also s%40cret")

    assert text == "[hidden] refused [hidden], also [hidden]"


def test_cookies_are_hidden_but_for_those_that_are_no_secrets():
    assert ACCESS.redact("SESSION=abcdef123; lang=en") == "SESSION=[hidden]; lang=en"


def test_a_short_user_of_the_proxy_garbles_no_sentence():
    text = "source: some-channel has a game; me@proxy.example and me:s@cret refused me"

    assert ACCESS.redact(text) == ("source: some-channel has a game; [hidden]@proxy.example and [hidden] refused me")


def test_a_cookie_is_hidden_in_a_url_too():
    access = WebAccess(Path("partial"), cookies=COOKIES.replace("abcdef123", "abc/def=="))

    assert access.redact("https://videos.example/?sid=abc%2Fdef%3D%3D") == "https://videos.example/?sid=[hidden]"


def test_cookies_in_another_format_are_refused():
    with pytest.raises(ValueError, match="line 2 does not have the seven fields of a cookie"):
        WebAccess(Path("partial"), cookies="# HTTP Cookie File\nSESSION=abcdef123\n")


def test_users_and_passwords_in_any_url_are_hidden():
    assert ACCESS.redact("see https://you:pass@videos.example/a@b") == "see https://videos.example/a@b"


def test_nothing_is_hidden_where_there_is_no_secret():
    assert WebAccess(Path("partial")).redact("a plain text") == "a plain text"


def test_secrets_do_not_show_when_it_is_printed():
    assert "cret" not in repr(ACCESS)
    assert "abcdef123" not in repr(ACCESS)


def test_who_writes_cookies_writes_into_no_file_of_the_users():
    file = ACCESS.cookie_file()

    assert file is not None
    assert file.read() == COOKIES
    assert WebAccess(Path("partial")).cookie_file() is None
