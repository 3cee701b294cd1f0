"""Download videos until each category has its target number of usable videos."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from video_recommender.media.video import VideoError, VideoLink
from video_recommender.sources.listing import UNLABELLED, unique_slugs
from video_recommender.sources.web_errors import OPTION_STATUSES, RETRIED_STATUSES, UNREACHABLE_STATUSES, CircuitBreaker
from video_recommender.sources.web_options import WebAccess, WebOptions, list_web_sources
from video_recommender.sources.web_videos import WebDownloader, WebVideo
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import Partition, PartitionState, Update

MAX_NAME_LENGTH = 32  # characters of a video's name in the progress bar


def download_categories(
    options: WebOptions, access: WebAccess, states: Mapping[str, PartitionState], seed: int
) -> Iterator[Update]:
    """Download videos one by one until every category reaches its target or its sources are exhausted.

    Raises:
        ValueError: if there are no categories, or a source is invalid.
        ConnectionError: if no remaining site can be reached.
        OSError: if the disk is full or read-only.
    """
    if not options.categories:
        raise ValueError("There are no categories: add them to ingestion.web.categories, or use --env=youtube")
    sources = {name: list_web_sources(name, category) for name, category in options.categories.items()}
    folders = unique_slugs({name: name for name in sources}, reserved=frozenset({UNLABELLED}))
    archive = _Archive(options, states)
    plan = [(category, source) for category, listed in sources.items() for source in listed]
    breaker = CircuitBreaker()
    with WebDownloader(options, access, seed) as downloader, _progress() as progress:
        bars = {name: progress.add_task(name, total=options.target_of(name), now="", start=False) for name in sources}
        for position, (category, source) in enumerate(plan):
            progress.start_task(bars[category])
            found = downloader.find(source, lambda video: archive.is_done(video.key) or breaker.is_open(video.url))
            while archive.is_below_target(category) and not breaker.is_open(source) and (video := next(found, None)):
                progress.update(bars[category], completed=archive.usable[category], now=video.slug[:MAX_NAME_LENGTH])
                outcome = _download(category, video, downloader, archive)
                yield archive.add(f"{folders[category]}/{video.slug}", outcome, video.lists)
                status = outcome.state.status
                breaker.record(video.url, source, status)
                remaining = (other for name, other in plan[position:] if archive.is_below_target(name))
                if status in UNREACHABLE_STATUSES and breaker.is_open_for_all(remaining):
                    raise ConnectionError(_connection_message(outcome.state, archive.usable.total()))
                if outcome.state.is_ok:
                    downloader.delete_partial_files(video)
            progress.update(bars[category], completed=archive.usable[category], now="")
        downloader.delete_other_partial_files(archive.keys_to_retry())


class _Archive:
    """Outcomes of this and previous runs, which prevent repeated downloads."""

    def __init__(self, options: WebOptions, states: Mapping[str, PartitionState]) -> None:
        self._options = options
        # Digest of the options that `OPTION_STATUSES` depend on
        self.options_digest = fingerprint(options.filters, options.max_height, options.max_megabytes)
        self.usable: Counter[str] = Counter()
        self._states: dict[str, PartitionState] = {}
        self._ids: dict[str, str] = {}
        for video_id, state in states.items():
            self._index(video_id, state)

    def is_done(self, key: str) -> bool:
        """Return whether the video with this key needs no more requests."""
        state = self._states.get(self._ids.get(key, ""))
        if state is None or state.status in RETRIED_STATUSES:
            return False
        is_current = state.status not in OPTION_STATUSES or state.fingerprint == self.options_digest
        return state.is_ok or (is_current and not self._options.retry_failed)

    def is_below_target(self, category: str) -> bool:
        return self.usable[category] < self._options.target_of(category)

    def find_duplicate(self, sha256: str) -> str:
        """Return the `video_id` of a download with the same content, or an empty string."""
        return self._ids.get(f"sha256 {sha256}", "")

    def keys_to_retry(self) -> list[str]:
        return [str(state.properties["key"]) for state in self._states.values() if state.status in RETRIED_STATUSES]

    def add(self, video_id: str, outcome: Partition[VideoLink], lists: Sequence[str]) -> Update:
        """Add an outcome and return the updates to save.

        The updates also delete records of the video under other names, and records of lists that failed before.
        """
        same = {self._ids.get(key) for key in (str(outcome.state.properties["requested_key"]), *lists)}
        outdated = [previous for previous in same if previous in self._states and previous != video_id]
        for previous in outdated:
            del self._states[previous]
        self._index(video_id, outcome.state)
        return {**dict.fromkeys(outdated), video_id: outcome}

    def _index(self, video_id: str, state: PartitionState) -> None:
        if "key" not in state.properties:  # the run was stopped while it saved this video
            return
        self._states[video_id] = state
        self._ids[str(state.properties["key"])] = self._ids[str(state.properties["requested_key"])] = video_id
        if state.is_ok:
            self._ids[f"sha256 {state.properties['sha256']}"] = video_id
            self.usable[str(state.properties["category"])] += 1


def _download(category: str, video: WebVideo, downloader: WebDownloader, archive: _Archive) -> Partition[VideoLink]:
    url = downloader.public_url(video.url)
    details = {"category": category, "key": video.key, "requested_key": video.requested_key, "source": url}
    try:
        downloaded = downloader.download(video)
        if same := archive.find_duplicate(downloaded.properties.sha256):
            downloader.delete_partial_files(video)
            raise VideoError("duplicate", f"{url}: it has the same bytes as {same}")
    except VideoError as error:
        details |= {**vars(video.info.metadata), "group": video.key}
        return Partition(PartitionState(archive.options_digest, error.status, error.message, properties=details))
    details |= {**vars(downloaded.metadata), "group": downloaded.group, "sha256": downloaded.properties.sha256}
    link = VideoLink(downloaded.file.path, copy=True, digest=downloaded.properties.sha256)
    return Partition(PartitionState(archive.options_digest, properties=details), link)


def _connection_message(state: PartitionState, kept: int) -> str:
    is_limited = state.status == "rate_limited"
    remedy = "the site limits the request rate: wait an hour" if is_limited else "check the connection"
    reason = state.error.split("; ")[0]
    return f"No remaining site can be reached ({reason}); {remedy}, then run again. {kept} downloaded videos are kept"


def _progress() -> Progress:
    return Progress(
        TextColumn("Downloading {task.description:<16}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}", markup=False),
    )
