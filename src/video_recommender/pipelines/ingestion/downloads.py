"""Download category by category until each has as many usable videos as it is to have."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from video_recommender.fingerprints import fingerprint
from video_recommender.partitions import Partition, PartitionRecord, PartitionUpdates
from video_recommender.pipelines.ingestion.folder import UNLABELLED, unique_slugs
from video_recommender.pipelines.ingestion.publication import Publication
from video_recommender.pipelines.ingestion.web_downloader import WebDownloader, WebVideo
from video_recommender.pipelines.ingestion.web_errors import BY_CHOICE, OUT_OF_REACH, PASSING
from video_recommender.pipelines.ingestion.web_sources import YoutubeOptions, list_sources, site_of
from video_recommender.video_file import VideoError, VideoLink
from video_recommender.web_access import WebAccess

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
    outage = _Outage({site_of(source) for listed in sources.values() for source in listed}, options)
    with WebDownloader(options, access, seed) as downloader, _progress() as progress:
        for category, listed in sources.items():
            bar = progress.add_task(category, total=options.target_of(category), now="")
            for video in _candidates(category, listed, downloader, archive):
                progress.update(bar, completed=archive.usable[category], now=video.slug[:LONGEST_NAME])
                made = _download(category, video, downloader, archive)
                yield archive.enter(f"{folders[category]}/{video.slug}", made)
                outage.note(video, made.record, kept=archive.usable.total())
                if made.record.is_ok:
                    downloader.forget(video)
            progress.update(bar, completed=archive.usable[category], now="")
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

    def enter(self, video_id: str, made: Partition[VideoLink]) -> PartitionUpdates:
        """Note what became of a video.

        Returns:
            What to save; an earlier record of the same video under another name is deleted.
        """
        asked = str(made.record.details["asked"])
        earlier = self._ids.get(asked, video_id)
        if earlier != video_id:
            del self._records[earlier]
        self._add(video_id, made.record)
        return {**({earlier: None} if earlier != video_id else {}), video_id: made}

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


def _candidates(
    category: str, sources: Sequence[str], downloader: WebDownloader, archive: _Archive
) -> Iterator[WebVideo]:
    for source in sources:
        found = downloader.find(source, archive.is_settled)
        while archive.lacks(category) and (video := next(found, None)):
            yield video


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


class _Outage:
    """Tells a network that is gone from a site that is: then the other sites are still worth asking."""

    def __init__(self, sites: set[str], options: YoutubeOptions) -> None:
        self._sites = sites - {""}
        self._limit = options.manners.failures_in_a_row
        self._failed: list[str] = []

    def note(self, video: WebVideo, record: PartitionRecord, kept: int) -> None:
        """Count the videos in a row that were out of reach.

        Raises:
            ConnectionError: if they are too many, and no other site is left to ask.
        """
        self._failed = [*self._failed, site_of(video.url)] if record.status in OUT_OF_REACH else []
        failed = set(self._failed)
        if len(self._failed) < self._limit or (len(failed) == 1 and not self._sites <= failed):
            return
        way_out = (
            "the site wants fewer requests: wait an hour, then run again"
            if record.status == "rate_limited"
            else "check the connection, then run again"
        )
        reason = record.error.split("; ")[0]
        raise ConnectionError(
            f"Nothing can be reached any more ({reason}); {way_out}. {kept} downloaded videos are kept"
        )


def _progress() -> Progress:
    return Progress(
        TextColumn("Downloading {task.description:<16}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}", markup=False),
    )
