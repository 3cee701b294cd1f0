"""How the web is reached: what is secret about it, and where files lie while they are being fetched."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

HIDDEN: Final = "[hidden]"
SHORTEST_SECRET: Final = 4
"""Shorter cookie values, such as `1` and `en`, are no secrets, and hiding them would garble every sentence."""

_USER_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class WebAccess:
    """What a downloader needs beside its options.

    Attributes:
        partial_folder: where files lie until they are whole.
        cookies: the text of a Netscape cookie file; empty for none. It is never shown.
        proxy: URL of a proxy, perhaps with a user and a password; empty for none. It is never shown.
    """

    partial_folder: Path
    cookies: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)

    def cookie_file(self) -> StringIO | None:
        """The cookies as a file of their own, so that whoever writes to it alters no file of the user's."""
        return StringIO(self.cookies) if self.cookies else None

    def without_secrets(self, text: str) -> str:
        """Hide in a text whatever must not be seen: the proxy, the cookies, and users and passwords in URLs."""
        for secret in self._secrets():
            text = text.replace(secret, HIDDEN)
        return without_users(text)

    def _secrets(self) -> list[str]:
        return sorted({*_proxy_secrets(self.proxy), *_cookie_values(self.cookies)}, key=len, reverse=True)


def without_users(text: str) -> str:
    """Take users and passwords out of the URLs in a text."""
    return _USER_IN_URL.sub("", text)


def _proxy_secrets(proxy: str) -> Iterator[str]:
    if proxy:
        yield proxy
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        yield parts.netloc
        for secret in filter(None, (parts.username, parts.password)):
            yield from (secret, unquote(secret))


def _cookie_values(cookies: str) -> Iterator[str]:
    rows = (line.rstrip("\r\n").split("\t") for line in cookies.splitlines())
    return (row[6] for row in rows if len(row) == 7 and len(row[6]) >= SHORTEST_SECRET)
