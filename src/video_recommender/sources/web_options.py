"""Options of the web source (categories, filters, rate limits) and its secrets (cookies, proxy)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from io import StringIO
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

PROTOCOLS: Final = ("http", "https")  # other protocols could read local files or bypass the proxy and limits
# Statuses of videos that are excluded before the download and from the manifest
EXCLUDED_STATUSES: Final = frozenset({"filtered", "live"})
# A search in yt-dlp's notation, such as `ytsearch50:cats`
_SEARCH: Final = re.compile(r"(?P<site>[a-z0-9]+search(date)?)(?P<count>[0-9]*|all):(?P<words>.*\S.*)")

REDACTED: Final = "[hidden]"
# Shorter cookie values, such as `1` and `en`, are not secrets, and redacting them would garble messages. Shorter user
# names and passwords are redacted only in pairs or before an @.
MIN_SECRET_LENGTH: Final = 6
_COOKIE_HEADER: Final = re.compile("#( Netscape)? HTTP Cookie File")
# Domain, include sub-domains, path, HTTPS only, expiry (Unix time), name, value
_COOKIE: Final = re.compile(
    r"(#HttpOnly_)?(\.[^\t]*\tTRUE|[^.\t][^\t]*\tFALSE)\t[^\t]*\t[^\t]*\t([0-9]+(\.[0-9]+)?)?\t[^\t]*\t[^\t]*"
)
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+@")


def _parse_date(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


class WebCategory(BaseModel, extra="forbid", frozen=True):
    """Sources of one category, from the options and from a text file with one source per line."""

    sources: tuple[str, ...] = ()
    urls_file: Path | None = None
    target: PositiveInt | None = None


class WebFilters(BaseModel, extra="forbid", frozen=True):
    """Filters of videos. A video with an unknown property passes the filter, unless the property is the licence."""

    min_seconds: NonNegativeFloat = 5.0
    max_seconds: PositiveFloat | None = 1200.0
    licences: tuple[str, ...] = ()
    age_limit: NonNegativeInt | None = None
    uploaded_after: Annotated[date | None, BeforeValidator(_parse_date)] = None
    min_height: PositiveInt = 144


class RateLimits(BaseModel, extra="forbid", frozen=True):
    """Limits that prevent sites from blocking the downloads."""

    retries: NonNegativeInt = 4
    sleep_between_videos_s: tuple[NonNegativeFloat, NonNegativeFloat] = (10.0, 20.0)
    bytes_per_second: PositiveInt | None = None
    video_timeout_s: PositiveFloat = 600.0


class WebOptions(BaseModel, extra="forbid", frozen=True):
    """Options for downloading web videos with yt-dlp (parameters_ingestion.yml)."""

    categories: Mapping[str, WebCategory] = Field(default_factory=dict)
    target: PositiveInt = 100
    seconds: PositiveFloat = 30.0
    height: PositiveInt = 240
    max_height: PositiveInt = 360
    max_megabytes: PositiveFloat = 200.0
    retry_failed: bool = False
    filters: WebFilters = WebFilters()
    rate_limits: RateLimits = RateLimits()

    def target_of(self, category: str) -> int:
        """Return the target number of usable videos of a category."""
        return self.categories[category].target or self.target


def list_web_sources(name: str, category: WebCategory) -> list[str]:
    """List the distinct URLs and searches of a category. Raises a `ValueError` if there are none or one is invalid."""
    sources = [*category.sources, *(_read_sources(name, category.urls_file) if category.urls_file else ())]
    if not sources:
        raise ValueError(f"The category {name} has no source: add sources to ingestion.web.categories.{name}")
    return list(dict.fromkeys(_parse_source(name, source.strip()) for source in sources))


def is_web_url(url: str) -> bool:
    """Return whether a URL uses HTTP or HTTPS."""
    parts = parse_url(url)
    return parts.scheme.lower() in PROTOCOLS and bool(parts.hostname)


def is_search(source: str) -> bool:
    """Return whether a source is a search."""
    return bool(_SEARCH.fullmatch(source))


def site_of(source: str) -> str:
    """Return the server of a URL, or the prefix of a search, because only yt-dlp knows the server of a search."""
    search = _SEARCH.fullmatch(source)
    return search["site"] if search else parse_url(source).netloc.rpartition("@")[2].lower()


def parse_url(url: str) -> SplitResult:
    """Parse a URL. The parts of an invalid URL, such as `http://[`, are empty."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _parse_source(category: str, source: str) -> str:
    search = _SEARCH.fullmatch(source)
    if search and _is_known_search(search["site"]):
        return f"{search['site']}{search['count'] or 'all'}:{search['words']}"
    if is_web_url(source):
        return source
    raise ValueError(
        f"The source {strip_credentials(source)!r} of the category {category} is neither a search such as "
        "ytsearch50:cats nor a URL that begins with http:// or https://: correct it"
    )


@cache
def _is_known_search(prefix: str) -> bool:
    from yt_dlp.extractor import gen_extractor_classes  # imported here because the other sources do not need yt-dlp

    sites = (site for site in gen_extractor_classes() if site.ie_key() != "Generic")
    return any(site.suitable(f"{prefix}1:x") for site in sites)


def _read_sources(category: str, file: Path) -> Iterator[str]:
    try:
        lines = file.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The URL file {file} of the category {category} cannot be read ({error}): "
            "use a text file with one source per line"
        ) from error
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))


@dataclass(frozen=True)
class WebAccess:
    """Settings of web access: folder of partial downloads, content of a Netscape cookie file, and URL of a proxy.

    Other cookie formats raise a `ValueError`, because yt-dlp would print the lines that it cannot read.
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
                raise ValueError(f"line {number} does not have the seven tab-separated fields of a cookie")

    def cookie_file(self) -> StringIO | None:
        """Return the cookies as a file in memory, so that the user's file is never modified."""
        return StringIO(self.cookies) if self.cookies else None

    def redact(self, text: str) -> str:
        """Remove the proxy, the cookies, and credentials in URLs from a text."""
        return strip_credentials(self._secrets.sub(REDACTED, text))

    @cached_property
    def _secrets(self) -> re.Pattern[str]:
        secrets = {*_proxy_secrets(self.proxy), *map(re.escape, _cookie_values(self.cookies))}
        return re.compile("|".join(sorted(secrets, key=len, reverse=True)) or r"(?!)")


def strip_credentials(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
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
