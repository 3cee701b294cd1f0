"""Find the videos behind searches, lists, pages and links."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from slugify import slugify

from video_recommender.media.video import VideoError
from video_recommender.sources.metadata import VideoInfo, sanitize_metadata, url_key
from video_recommender.sources.web_errors import RetryPolicy, WebError, classify_error
from video_recommender.sources.web_options import WebAccess, WebFilters, is_web_url
from video_recommender.sources.ytdlp_client import Deadline, YtdlpClient

MAX_DEPTH: Final = 5  # Channels have tabs, which have playlists, which have videos; deeper lists are cycles

_LINK_FIELDS: Final = frozenset(
    {"_type", "url", "ie_key", "id", "extractor", "extractor_key", "smaller_side", "format_digest"}
)
"""Fields that describe a link and not the video behind it."""


@dataclass(frozen=True)
class WebVideo:
    """A video, or a link to one, before it is downloaded.

    Attributes:
        key: digest that identifies it.
        url: its URL; a search, if that itself failed.
        requested_key: key of the link that led to it.
        link: what to request again when the media URL has expired; None for such a link itself.
        lists: keys of the lists that contain it.
        remaining_s: time that is left for it, in seconds.
        error: why it cannot be downloaded, if that is known already.
    """

    key: str
    url: str
    info: VideoInfo
    requested_key: str
    name: str = ""
    link: "WebVideo | None" = None
    lists: tuple[str, ...] = ()
    remaining_s: float | None = None
    error: WebError | None = None

    @property
    def slug(self) -> str:
        """Unique, short ASCII name for files."""
        return f"{slugify(self.name, max_length=60, word_boundary=True) or 'untitled'}-{self.key[:8]}"


VideoFilter = Callable[[WebVideo], bool]  # Selects videos, and links to videos, that need no request


class WebSearch:
    """Searches sites lazily: no further page is requested than the videos that are consumed need."""

    def __init__(
        self, client: YtdlpClient, deadline: Deadline, retry: RetryPolicy, filters: WebFilters, access: WebAccess
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._retry = retry
        self._filters = filters
        self._access = access

    def find(self, source: str, is_skipped: VideoFilter) -> Iterator[WebVideo]:
        """Find the videos of a search, list, page or file.

        Args:
            source: URL, or search in yt-dlp's notation.
            is_skipped: selects videos that are not requested and not returned.

        Yields:
            Videos; those that cannot be read or do not fulfil the filters have an `error`.

        Raises:
            OSError: if the disk is full or may not be written to.
        """
        info, key = VideoInfo({}), url_key(source)
        yield from self._follow(WebVideo(key, source, info, key, self._name(info, source)), is_skipped, depth=0)

    def refresh(self, video: WebVideo) -> WebVideo:
        """Request the page of a video again, because media URLs expire.

        Returns:
            The video with current URLs; unchanged if its page does not show it any more.
        """
        if video.link is None:
            return video
        remaining_s = self._deadline.remaining_s
        found = self._expand(self._extract(video.link), video.link, lambda _: False, MAX_DEPTH)
        refreshed = next((other for other in found if other.key == video.key and not other.error), video)
        self._deadline.start(remaining_s)
        return refreshed

    def _follow(self, link: WebVideo, is_skipped: VideoFilter, depth: int) -> Iterator[WebVideo]:
        if is_skipped(link):
            return
        if error := self._link_error(link, depth):
            yield replace(link, error=error)
            return
        self._deadline.start()
        try:
            info = self._retry.call(lambda _: self._extract(link))
        except WebError as error:
            yield replace(link, error=error)
        else:
            yield from self._expand(info, replace(link, remaining_s=self._deadline.remaining_s), is_skipped, depth)

    def _link_error(self, link: WebVideo, depth: int) -> WebError | None:
        if depth > MAX_DEPTH:
            return WebError("unsupported", "it is nested in too many lists")
        if depth > 0 and not is_web_url(link.url):
            return WebError("invalid_url", "it is neither an http nor an https URL")
        return filter_error(link.info, self._filters)

    def _extract(self, link: WebVideo) -> VideoInfo:
        fields = self._client.extract_info(
            link.url, download=False, process=False, ie_key=link.info.fields.get("ie_key")
        )
        if not fields:
            raise VideoError("unsupported", "there is no video")
        return VideoInfo({**self._sanitize(fields), **_overriding_fields(link.info)})

    def _expand(self, info: VideoInfo, link: WebVideo, is_skipped: VideoFilter, depth: int) -> Iterator[WebVideo]:
        if info.is_link:
            linked = WebVideo(info.key, info.url, info, info.key, self._name(info, info.url), lists=link.lists)
            yield from self._follow(linked, is_skipped, depth + 1)
        elif info.is_list:
            yield from self._expand_list(info, link, is_skipped, depth)
        else:
            name = self._name(info, link.url)
            video = replace(link, key=info.key, info=info, name=name, link=link.link or link)
            if not is_skipped(video):
                yield replace(video, error=filter_error(info, self._filters))

    def _expand_list(self, info: VideoInfo, link: WebVideo, is_skipped: VideoFilter, depth: int) -> Iterator[WebVideo]:
        entries = iter(info.fields.get("entries") or ())
        parent = replace(link, link=link.link or link, lists=(*link.lists, link.key), remaining_s=None)
        while True:
            self._deadline.start()
            try:
                entry = next(entries)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 - extractors raise any exception on an unexpected page
                yield replace(link, error=classify_error(error, self._access))
                return
            if isinstance(entry, Mapping):
                child = VideoInfo({**_inherited_fields(info, entry), **self._sanitize(entry)})
                yield from self._expand(child, replace(parent, requested_key=child.key), is_skipped, depth + 1)

    def _sanitize(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return sanitize_metadata(fields, self._access.redact)

    def _name(self, info: VideoInfo, url: str) -> str:
        return self._access.redact(info.name(url))


def filter_error(info: VideoInfo, filters: WebFilters) -> WebError | None:
    """Return why a video is excluded, or None; unknown properties exclude no video."""
    if info.is_live:
        return WebError("live", "it can be downloaded only after the broadcast")
    reason = next(_filter_reasons(info, filters), None)
    return WebError("filtered", reason) if reason else None


def _filter_reasons(info: VideoInfo, filters: WebFilters) -> Iterator[str]:
    duration_s, licence, age = info.duration_s, info.fields.get("license"), info.fields.get("age_limit") or 0
    if duration_s is not None and duration_s < filters.min_seconds:
        yield f"it lasts {duration_s:g} s, less than {filters.min_seconds:g}"
    if duration_s is not None and filters.max_seconds is not None and duration_s > filters.max_seconds:
        yield f"it lasts {duration_s:g} s, more than {filters.max_seconds:g}"
    if filters.licences and licence not in filters.licences and (licence or info.is_complete):
        yield f"its licence is {licence or 'unknown'}"
    if filters.viewer_age is not None and age > filters.viewer_age:
        yield f"it is for viewers from {age} years on"
    if filters.uploaded_after and info.upload_date and info.upload_date <= filters.uploaded_after:
        yield f"it was uploaded on {info.upload_date}"
    if info.max_lines is not None and info.max_lines < filters.min_height:
        yield f"it has {info.max_lines} lines, less than {filters.min_height}"


def _inherited_fields(parent: VideoInfo, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a list that its entries lack; linked entries have a page of their own."""
    names = {"extractor", "extractor_key"} | (set() if VideoInfo(entry).is_link else {"webpage_url"})
    return {name: parent.fields[name] for name in names if name in parent.fields}


def _overriding_fields(link: VideoInfo) -> dict[str, Any]:
    """Return the fields of a page that override those of the video that it embeds (yt-dlp's rule)."""
    if link.fields.get("_type") != "url_transparent":
        return {}
    return {name: value for name, value in link.fields.items() if value is not None and name not in _LINK_FIELDS}
