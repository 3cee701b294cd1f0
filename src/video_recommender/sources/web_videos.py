"""Find the videos of searches, lists, pages and links, and download them one by one."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import av
from slugify import slugify

from video_recommender.media.decoding import VideoProperties, open_video, probe_video
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.sources.metadata import VideoInfo, VideoMetadata, one_line, plain_url, sanitize_metadata, url_key
from video_recommender.sources.web_errors import Deadline, RetryPolicy, WebError, classify_error
from video_recommender.sources.web_options import WebAccess, WebFilters, WebOptions, is_web_url
from video_recommender.sources.ytdlp_client import YtdlpClient

MAX_DEPTH: Final = 5  # channels have tabs with playlists of videos; deeper nesting is a cycle
# Fields that describe a link instead of the linked video
_LINK_FIELDS = {"_type", "url", "ie_key", "id", "extractor", "extractor_key", "smaller_side", "format_digest"}
MARGIN_S: Final = 1.0  # files within this margin are not truncated, because a cut is between two frames
MIN_COMPLETE_SHARE: Final = 0.9  # below this share of its stated duration, a file is incomplete
# Size at the first check and growth factor until the next check, which limit the total bytes that all checks read
FIRST_CHECK_BYTES: Final = 100_000
CHECK_GROWTH: Final = 1.25
_MP4_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
_BOXES_BEFORE_INDEX: Final = frozenset({b"ftyp", b"styp", b"free", b"skip", b"wide", b"uuid", b"pdin"})


@dataclass(frozen=True)
class WebVideo:
    """A video, or a link to one, before it is downloaded."""

    key: str  # digest that identifies the video
    url: str  # URL of the video, or the search if the search itself failed
    info: VideoInfo
    requested_key: str  # key of the link to the video
    name: str = ""
    link: "WebVideo | None" = None  # link to request again if the media URL has expired
    lists: tuple[str, ...] = ()  # keys of the lists that contain the video
    remaining_s: float | None = None  # remaining time for the video, seconds
    error: WebError | None = None  # why the video cannot be downloaded, if known

    @property
    def slug(self) -> str:
        """Short unique ASCII file name."""
        return f"{slugify(self.name, max_length=60, word_boundary=True) or 'untitled'}-{self.key[:8]}"


VideoFilter = Callable[[WebVideo], bool]  # selects videos and links that need no request


@dataclass(frozen=True)
class DownloadedVideo:
    """A downloaded video in the folder of partial files, with its published metadata and measured properties."""

    file: VideoFile
    group: str
    metadata: VideoMetadata
    properties: VideoProperties


class EnoughDownloaded(Exception):  # noqa: N818 - ends a transfer, not an error
    """Raised if a partial file contains the requested part of a video. `fields` is the info dictionary of the video."""

    def __init__(self, file: VideoFile, fields: Mapping[str, Any]) -> None:
        super().__init__(file)
        self.file = file
        self.fields = fields


class TransferMonitor:
    """Checks a partially downloaded file until it contains the first `seconds` of the video."""

    def __init__(self, seconds: float, max_megabytes: float) -> None:
        self._seconds = seconds
        self._max_megabytes = max_megabytes
        self._next_check: float = FIRST_CHECK_BYTES

    def update(self, progress: Mapping[str, Any]) -> None:
        """Check the file if it has grown enough since the last check (hook of yt-dlp).

        Raises `EnoughDownloaded` if the file contains the requested part, and a `VideoError` if it is too large.
        """
        if progress["status"] != "downloading":
            return
        size, limit = progress.get("downloaded_bytes") or 0, self._max_megabytes * 1e6
        is_too_large = size > limit
        if size < self._next_check and not is_too_large:
            return
        self._next_check = CHECK_GROWTH * size
        file = VideoFile(Path(progress["tmpfilename"]))
        try:
            if is_longer_than(file, self._seconds + MARGIN_S):
                raise EnoughDownloaded(file, progress["info_dict"])
        except VideoError:
            total = progress.get("total_bytes") or progress.get("total_bytes_estimate") or 0
            is_too_large |= total > limit and not _starts_with_index(file.path)
        if is_too_large:
            raise VideoError("too_large", f"it is larger than {self._max_megabytes:g} MB")


class WebDownloader:
    """Context manager that finds and downloads videos one by one.

    Searches are lazy: pages are requested only when their videos are consumed.
    """

    def __init__(self, options: WebOptions, access: WebAccess, seed: int) -> None:
        self._options = options
        self._access = access
        self._deadline = Deadline(options.rate_limits.video_timeout_s)
        self._retry = RetryPolicy(options.rate_limits.retries, access, self._deadline, seed)

    def __enter__(self) -> Self:
        self._access.partial_folder.mkdir(parents=True, exist_ok=True)
        self._client = YtdlpClient(self._options, self._access, self._retry, self._on_progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def find(self, source: str, is_skipped: VideoFilter) -> Iterator[WebVideo]:
        """Find the videos of a URL or a search, except for skipped videos. Unusable videos have an `error`."""
        yield from self._follow(self._link(VideoInfo({}), url_key(source), source), is_skipped, depth=0)

    def download(self, video: WebVideo) -> DownloadedVideo:
        """Download the first seconds of a video. Call `delete_partial_files` when the file is no longer needed.

        Raises a `VideoError` if the download fails, and an `OSError` if the disk is full or read-only.
        """
        try:
            if video.error:
                raise video.error
            self._deadline.start(video.remaining_s)
            return self._retry.call(lambda previous: self._attempt(video, previous))
        except WebError as error:
            if not error.retry:
                self.delete_partial_files(video)
            raise error.to_video_error(self.public_url(video.url)) from error

    def delete_partial_files(self, video: WebVideo) -> None:
        """Delete the partial files of one video."""
        for file in self._access.partial_folder.glob(f"{video.key}*"):
            file.unlink()

    def delete_other_partial_files(self, keys: Iterable[str]) -> None:
        """Delete all partial files, including files of previous runs, except for videos with the given keys."""
        kept = set(keys)
        for file in self._access.partial_folder.iterdir():
            if file.name.split("-")[0] not in kept:
                file.unlink()

    def public_url(self, url: str) -> str:
        """Remove secrets from a URL."""
        return one_line(self._access.redact(plain_url(url)))

    def _on_progress(self, progress: Mapping[str, Any]) -> None:
        self._monitor.update(progress)

    def _attempt(self, video: WebVideo, previous: WebError | None) -> DownloadedVideo:
        if previous and previous.status == "failed":
            video = self._refresh(video)
        self._monitor = TransferMonitor(self._options.seconds, self._options.max_megabytes)
        request = {**deepcopy(dict(video.info.fields)), "partial_name": video.key}
        try:
            fields = self._client.process_ie_result(request, download=True)
            file = _downloaded_file(fields)
        except EnoughDownloaded as enough:
            fields, file = enough.fields, enough.file
        try:
            truncated = truncate_video(file, self._options.seconds)
            check_complete(truncated, self._options.seconds, video.info.fields.get("duration"))
        except VideoError:
            self.delete_partial_files(video)  # otherwise yt-dlp would treat it as a finished download
            raise
        info = VideoInfo(self._sanitize(fields))
        return DownloadedVideo(truncated, info.group or video.key, info.metadata, probe_video(truncated))

    def _refresh(self, video: WebVideo) -> WebVideo:
        """Request the page of a video again, because media URLs expire. Return a missing video unchanged."""
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
            return WebError("unsupported", f"it is nested in more than {MAX_DEPTH} lists or links")
        if depth > 0 and not is_web_url(link.url):
            return WebError("invalid_url", "its URL is neither http nor https")
        return filter_error(link.info, self._options.filters)

    def _extract(self, link: WebVideo) -> VideoInfo:
        site = link.info.fields.get("ie_key")
        fields = self._client.extract_info(link.url, download=False, process=False, ie_key=site)
        if not fields:
            raise VideoError("unsupported", "no video was found")
        return VideoInfo({**self._sanitize(fields), **_overriding_fields(link.info)})

    def _expand(self, info: VideoInfo, link: WebVideo, is_skipped: VideoFilter, depth: int) -> Iterator[WebVideo]:
        if info.is_link:
            linked = replace(self._link(info, info.key, str(info.fields.get("url") or "")), lists=link.lists)
            yield from self._follow(linked, is_skipped, depth + 1)
        elif info.is_list:
            yield from self._expand_list(info, link, is_skipped, depth)
        else:
            name = self._access.redact(info.name(link.url))
            video = replace(link, key=info.key, info=info, name=name, link=link.link or link)
            if not is_skipped(video):
                yield replace(video, error=filter_error(info, self._options.filters))

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

    def _link(self, info: VideoInfo, key: str, url: str) -> WebVideo:
        return WebVideo(key, url, info, key, self._access.redact(info.name(url)))

    def _sanitize(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return sanitize_metadata(fields, self._access.redact)


def check_complete(video: VideoFile, seconds: float, published_s: float | None = None) -> None:
    """Raise a `VideoError` (`incomplete`) unless a file contains the first seconds of a video or a whole shorter video.

    `published_s` is the duration on the site. The header of a truncated file can state a shorter duration.
    """
    with open_video(video) as opened:
        stated_s = None if opened.may_be_spliced else opened.stated_duration_s  # an estimate in spliced streams
        length_s, _ = opened.measure()
    expected_s = min(seconds, max(stated_s or 0.0, published_s or 0.0))
    if length_s < MIN_COMPLETE_SHARE * expected_s - MARGIN_S / 2:
        raise VideoError("incomplete", f"the file ends after {length_s:.1f} of {expected_s:.1f} s")


def is_longer_than(video: VideoFile, seconds: float) -> bool:
    """Return whether a file has more seconds of video. Raises a `VideoError` if a partial file has no index."""
    with open_video(video) as opened:
        first_s = float("inf")
        for start_s, end_s in opened.spans():
            first_s = min(first_s, start_s)
            if end_s - first_s > seconds:
                return True
    return False


def truncate_video(video: VideoFile, seconds: float) -> VideoFile:
    """Copy the first seconds of a video to a new file without sound or re-encoding. Short videos are not copied."""
    if not is_longer_than(video, seconds + MARGIN_S):
        return video
    target = video.path.with_name(f"{video.path.name}.truncated")
    with open_video(video) as opened:
        container = "mp4" if opened.stream.codec_context.name in _MP4_CODECS else "matroska"
        with av.open(target, "w", format=container) as output:
            stream = output.add_stream_from_template(opened.stream)
            first_s: float | None = None
            for packet in opened.continuous_packets():
                if packet.dts is None:
                    continue
                time_s = float(packet.dts * packet.time_base)
                first_s = time_s if first_s is None else first_s
                if time_s - first_s >= seconds:
                    break
                packet.stream = stream
                output.mux(packet)
    return VideoFile(target)


def filter_error(info: VideoInfo, filters: WebFilters) -> WebError | None:
    """Return why a video is excluded (see `WebFilters`), or None if it is not excluded."""
    if info.is_live:
        return WebError("live", "it is a broadcast that has not ended")
    reason = next(_filter_reasons(info, filters), None)
    return WebError("filtered", reason) if reason else None


def _filter_reasons(info: VideoInfo, filters: WebFilters) -> Iterator[str]:
    duration_s, licence, age = (info.fields.get(name) for name in ("duration", "license", "age_limit"))
    if duration_s is not None and duration_s < filters.min_seconds:
        yield f"it lasts {duration_s:g} s, less than {filters.min_seconds:g} s"
    if duration_s is not None and filters.max_seconds is not None and duration_s > filters.max_seconds:
        yield f"it lasts {duration_s:g} s, more than {filters.max_seconds:g} s"
    if filters.licences and licence not in filters.licences and (licence or info.is_complete):
        yield f"its licence is {licence or 'unknown'}"
    if filters.age_limit is not None and (age or 0) > filters.age_limit:
        yield f"its age restriction is {age} years"
    if filters.uploaded_after and info.upload_date and info.upload_date <= filters.uploaded_after:
        yield f"it was uploaded on {info.upload_date}"
    if info.max_lines is not None and info.max_lines < filters.min_height:
        yield f"it has {info.max_lines} lines, fewer than {filters.min_height}"


def _inherited_fields(parent: VideoInfo, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a list that apply to an entry. The page URL does not apply to links."""
    names = {"extractor", "extractor_key"} | (set() if VideoInfo(entry).is_link else {"webpage_url"})
    return {name: parent.fields[name] for name in names if name in parent.fields}


def _overriding_fields(link: VideoInfo) -> dict[str, Any]:
    """Return the fields of a page that override those of its embedded video, as in yt-dlp."""
    if link.fields.get("_type") != "url_transparent":
        return {}
    return {name: value for name, value in link.fields.items() if value is not None and name not in _LINK_FIELDS}


def _downloaded_file(fields: Mapping[str, Any]) -> VideoFile:
    for download in fields.get("requested_downloads") or ():
        if download.get("filepath") and Path(download["filepath"]).exists():
            return VideoFile(Path(download["filepath"]))
    raise VideoError("failed", "yt-dlp downloaded no file")


def _starts_with_index(file: Path) -> bool:
    """Return whether the index of a partial MP4 file comes before its frames (ISO/IEC 14496-12, 4.2)."""
    with file.open("rb") as content:
        while len(header := content.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            if kind not in _BOXES_BEFORE_INDEX:
                return bool(kind == b"moov")
            content.seek(max(size, 8) - 8, 1)
    return False
