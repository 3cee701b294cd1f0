"""Secrets for the web (cookies, proxy), their redaction, and the folder of partial files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

REDACTED: Final = "[hidden]"
MIN_SECRET_LENGTH: Final = 6
"""Shorter cookie values, such as `1` and `en`, are no secrets, and redacting them would garble messages. Shorter users
and passwords are redacted only where they stand together or before an @."""

_COOKIE_HEADER: Final = re.compile("#( Netscape)? HTTP Cookie File")
_COOKIE: Final = re.compile(
    r"(#HttpOnly_)?(\.[^\t]*\tTRUE|[^.\t][^\t]*\tFALSE)\t[^\t]*\t[^\t]*\t([0-9]+(\.[0-9]+)?)?\t[^\t]*\t[^\t]*"
)
"""Domain, whether it has sub-domains, path, whether HTTPS only, expiry in seconds, name, value."""
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class WebAccess:
    """How the web is accessed.

    Attributes:
        partial_folder: folder of incomplete downloads.
        cookies: text of a Netscape cookie file; may be empty.
        proxy: URL of a proxy, perhaps with user and password; may be empty.

    Raises:
        ValueError: if the cookies are not in Netscape format: yt-dlp would print the lines that it cannot read.
    """

    partial_folder: Path
    cookies: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        lines = self.cookies.splitlines()
        if lines and not _COOKIE_HEADER.match(lines[0]):
            raise ValueError("its first line is not '# Netscape HTTP Cookie File'")
        for number, line in enumerate(lines, start=1):
            is_comment = not line.strip() or (line.startswith("#") and not line.startswith("#HttpOnly_"))
            if not is_comment and not _COOKIE.fullmatch(line):
                raise ValueError(f"line {number} does not have the seven fields of a cookie, separated by tabs")

    def cookie_file(self) -> StringIO | None:
        """Return the cookies as a file in memory, so that updates never reach the user's file."""
        return StringIO(self.cookies) if self.cookies else None

    def redact(self, text: str) -> str:
        """Remove the proxy, the cookies, and users and passwords in URLs from a text."""
        return strip_credentials(self._secrets.sub(REDACTED, text))

    @cached_property
    def _secrets(self) -> re.Pattern[str]:
        secrets = {*_proxy_secrets(self.proxy), *map(re.escape, _cookie_values(self.cookies))}
        return re.compile("|".join(sorted(secrets, key=len, reverse=True)) or r"(?!)")


def strip_credentials(text: str) -> str:
    """Remove users and passwords from the URLs in a text."""
    return _USER_IN_URL.sub("", text)


def _proxy_secrets(proxy: str) -> Iterator[str]:
    if not proxy:
        return
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    user, password = parts.username or "", parts.password or ""
    yield from map(re.escape, (proxy, parts.netloc))
    for name, word in ((user, password), (unquote(user), unquote(password))):
        if word:
            yield re.escape(f"{name}:{word}")
        if name:
            yield rf"(?<!\w){re.escape(name)}(?=@)"
        yield from (rf"(?<!\w){re.escape(one)}(?!\w)" for one in (name, word) if len(one) >= MIN_SECRET_LENGTH)


def _cookie_values(cookies: str) -> Iterator[str]:
    rows = (line.split("\t") for line in cookies.splitlines())
    for value in (row[6] for row in rows if len(row) == 7 and len(row[6]) >= MIN_SECRET_LENGTH):
        yield from (value, quote(value, safe=""), unquote(value))
