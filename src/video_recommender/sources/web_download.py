"""Download category by category until each has as many usable videos as it is to have."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from video_recommender.incremental.partitions import Partition, PartitionRecord, PartitionUpdates
from video_recommender.media.video import VideoError, VideoLink
from video_recommender.sources.circuit_breaker import Outage
from video_recommender.sources.folder import UNLABELLED, unique_slugs
from video_recommender.sources.metadata import Publication
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_downloader import WebDownloader
from video_recommender.sources.web_errors import BY_CHOICE, OUT_OF_REACH, PASSING
from video_recommender.sources.web_options import YoutubeOptions, list_sources
from video_recommender.sources.web_video import WebVideo
from video_recommender.storage.digests import fingerprint

LONGEST_NAME: Final = 32
"""How much of a video's name the progress bar shows, in characters."""

logger = logging.getLogger(__name__)


def download_categories(
    options: YoutubeOptions, access: WebAccess, records: Mapping[str, PartitionRecord], seed: int
) -> Iterator[PartitionUpdates]:
    """Ask for video after video until every category has its target of usable ones or its sources are exhausted.

    Args:
        options: see `YoutubeOptions`.
        access: see `WebAccess`.
        records: by `video_id`, what earlier runs have downloaded, and what they could not: the archive that tells what
            need not be asked for again.
        seed: what the waiting times are drawn from.

    Yields:
        One video at a time, a copy of its file or why there is none, so that a stopped run loses one at most.

    Raises:
        ValueError: if no category is named, or a source is none.
        ConnectionError: if one video after another is out of reach; what was downloaded before is kept.
        OSError: if the disk is full or may not be written to.
    """
    if not options.categories:
        raise ValueError("No category is named: write some under ingestion.youtube.categories, or use --env=youtube")
    sources = {name: list_sources(name, wanted, options.protocols) for name, wanted in options.categories.items()}
    folders = unique_slugs({name: name for name in sources}, reserved=frozenset({UNLABELLED}))
    archive = _Archive(options, records)
    plan = [(category, source) for category, listed in sources.items() for source in listed]
    outage = Outage(options.manners.failures_in_a_row)
    with WebDownloader(options, access, seed) as downloader, _progress() as progress:
        bars = {name: progress.add_task(name, total=options.target_of(name), now="", start=False) for name in sources}
        for n, (category, source) in enumerate(plan):
            progress.start_task(bars[category])
            found = downloader.find(source, lambda video: archive.is_settled(video.key) or outage.is_shut(video.url))
            while archive.lacks(category) and not outage.is_shut(source) and (video := next(found, None)):
                progress.update(bars[category], completed=archive.usable[category], now=video.slug[:LONGEST_NAME])
                made = _download(category, video, downloader, archive)
                yield archive.enter(f"{folders[category]}/{video.slug}", made, video.lists)
                outage.note(video.url, source, made.record.status)
                left = (other for other_category, other in plan[n:] if archive.lacks(other_category))
                if made.record.status in OUT_OF_REACH and outage.is_total(left):
                    raise ConnectionError(_nothing_can_be_reached(made.record, archive.usable.total()))
                if made.record.is_ok:
                    downloader.forget(video)
            progress.update(bars[category], completed=archive.usable[category], now="")
        downloader.forget_all_but(archive.keys_to_ask_again())


class _Archive:
    """What was asked for, in this run and in earlier ones: no video is downloaded twice."""

    def __init__(self, options: YoutubeOptions, records: Mapping[str, PartitionRecord]) -> None:
        self._options = options
        self.choice = _choice_fingerprint(options)
        self.usable: Counter[str] = Counter()
        self._records: dict[str, PartitionRecord] = {}
        self._ids: dict[str, str] = {}
        for video_id, record in records.items():
            self._add(video_id, record)

    def is_settled(self, key: str) -> bool:
        """Whether this video need not be asked for again."""
        record = self._records.get(self._ids.get(key, ""))
        if record is None or record.status in PASSING:
            return False
        is_still_unwanted = record.status not in BY_CHOICE or record.fingerprint == self.choice
        return record.is_ok or (is_still_unwanted and not self._options.ask_again)

    def lacks(self, category: str) -> bool:
        """Whether the category has not got as many videos as it is to have."""
        return self.usable[category] < self._options.target_of(category)

    def holds(self, sha256: str) -> str:
        """Name the video that has the same bytes; empty if there is none."""
        return self._ids.get(f"sha256 {sha256}", "")

    def keys_to_ask_again(self) -> list[str]:
        """The videos whose partial files are worth keeping."""
        return [str(record.details["key"]) for record in self._records.values() if record.status in PASSING]

    def enter(self, video_id: str, made: Partition[VideoLink], lists: Sequence[str]) -> PartitionUpdates:
        """Note what became of a video.

        Args:
            video_id: its name.
            made: what became of it.
            lists: the keys of the lists that it was found in.

        Returns:
            What to save; an earlier record of the same video under another name is deleted, and so is one of a list
            that could not be read then.
        """
        of_same = {self._ids.get(key) for key in (str(made.record.details["asked"]), *lists)}
        outdated = [earlier for earlier in of_same if earlier in self._records and earlier != video_id]
        for earlier in outdated:
            del self._records[earlier]
        self._add(video_id, made.record)
        return {**dict.fromkeys(outdated), video_id: made}

    def _add(self, video_id: str, record: PartitionRecord) -> None:
        if "key" not in record.details:  # the run was stopped while it saved this
            return
        self._records[video_id] = record
        self._ids[str(record.details["key"])] = self._ids[str(record.details["asked"])] = video_id
        if record.is_ok:
            self._ids[f"sha256 {record.details['sha256']}"] = video_id
            self.usable[str(record.details["category"])] += 1


def _choice_fingerprint(options: YoutubeOptions) -> str:
    """Digest the parameters that decide which videos are wanted."""
    return fingerprint(options.filters, options.max_height, options.max_megabytes, options.protocols)


def _download(category: str, video: WebVideo, downloader: WebDownloader, archive: _Archive) -> Partition[VideoLink]:
    known = {"category": category, "key": video.key, "asked": video.asked, "source": downloader.shown(video.url)}
    try:
        fetched = downloader.fetch(video)
        if same := archive.holds(fetched.properties.sha256):
            downloader.forget(video)
            raise VideoError("duplicate", f"{known['source']}: it has the same bytes as {same}")
    except VideoError as error:
        told = {**vars(Publication.of(video.told)), "group": video.key}
        return Partition(PartitionRecord(archive.choice, error.status, error.message, {**told, **known}))
    told = {**vars(fetched.publication), "group": fetched.group, "sha256": fetched.properties.sha256}
    return Partition(
        PartitionRecord(archive.choice, details={**told, **known}), VideoLink(fetched.file.path, copy=True)
    )


def _nothing_can_be_reached(record: PartitionRecord, kept: int) -> str:
    way_out = (
        "the site wants fewer requests: wait an hour, then run again"
        if record.status == "rate_limited"
        else "check the connection, then run again"
    )
    reason = record.error.split("; ")[0]
    return f"Nothing can be reached any more ({reason}); {way_out}. {kept} downloaded videos are kept"


def _progress() -> Progress:
    return Progress(
        TextColumn("Downloading {task.description:<16}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}", markup=False),
    )
