"""Queries of the gallery on a small corpus."""

from dataclasses import replace

import pytest

from video_recommender.gallery.project_data import UnavailableError
from video_recommender.gallery.video_index import NO_CATEGORY, Query

VIDEO = "fruit/clip-00"
BROKEN = "views/broken"


def card(gallery, video_id=VIDEO):
    return gallery.index().get(video_id)


def test_videos_are_counted_by_category(gallery) -> None:
    assert gallery.index().categories() == {"fruit": 12, "views": 13}


def test_videos_are_filtered_by_category(gallery) -> None:
    found = gallery.index().find(Query(category="fruit"))

    assert found.videos == 12
    assert {shown.category for shown in found.cards} == {"fruit"}


def test_videos_are_filtered_by_missing_category(gallery, store, made) -> None:
    store.save("video_manifest", made["video_manifest"].assign(category=None))

    assert gallery.index().find(Query(category=NO_CATEGORY)).videos == 25


def test_an_object_is_found_by_a_part_of_its_name_in_any_case(gallery) -> None:
    found = gallery.index().find(Query(text=" TOMA "))

    assert {shown.video_id for shown in found.cards} == {f"fruit/clip-{number:02}" for number in range(12)}


def test_an_object_in_no_video_has_no_results(gallery) -> None:
    assert gallery.index().find(Query(text="zebra")).cards == ()


def test_a_page_number_beyond_the_last_shows_the_last_page(gallery) -> None:
    assert gallery.index().find(Query(page=99)).page == 1


def test_an_unusable_video_has_an_error(gallery) -> None:
    assert card(gallery, BROKEN).error == "It is no video"


def test_a_video_has_all_results(gallery) -> None:
    details = gallery.details(card(gallery))

    assert [seen.name for seen in details.timeline.content.objects] == ["lime", "tomato"]
    assert details.category.content.probabilities[0].category == "fruit"
    assert details.category.content.held_out.probability == 0.75
    assert len(details.neighbours.content) == 10
    assert "tomato" in details.neighbours.content[0].shared_objects
    assert details.ads.content[0].ad_id == "car-races-long"
    assert details.ads.content[0].watch_probability == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("missing", "section", "pipeline"),
    [
        ("detections", "timeline", "detection"),
        ("category_predictions", "category", "classification"),
        ("category_classifier", "category", "classification"),
        ("recommendations", "neighbours", "recommendation"),
        ("viewer_model", "ads", "advertising"),
        ("ad_policy", "ads", "advertising"),
    ],
)
def test_a_section_without_data_names_the_command_that_creates_it(gallery, store, missing, section, pipeline) -> None:
    store.delete(missing)

    details = gallery.details(card(gallery))

    assert getattr(details, section).notice.command == f"kedro run --pipelines={pipeline}"
    others = {"timeline", "category", "neighbours", "ads"} - {section}
    assert all(getattr(details, other).notice is None for other in others)


def test_the_notice_names_an_unreadable_file(gallery, store) -> None:
    store.corrupt("recommendations")

    notice = gallery.details(card(gallery)).neighbours.notice

    assert str(store.path("recommendations")) in notice.message
    assert notice.command == "kedro run --pipelines=recommendation"


def test_new_results_appear_without_a_restart(gallery, store, made) -> None:
    store.delete("recommendations")
    assert gallery.details(card(gallery)).neighbours.notice
    store.save("recommendations", made["recommendations"])

    assert gallery.details(card(gallery)).neighbours.content


def test_without_a_manifest_there_is_no_index(gallery, store) -> None:
    store.delete("video_manifest")

    with pytest.raises(UnavailableError) as raised:
        gallery.index()

    assert raised.value.notice.command == "kedro run"


def test_an_empty_corpus_is_reported(gallery, store, made) -> None:
    store.save("video_manifest", made["video_manifest"].iloc[:0])

    with pytest.raises(UnavailableError, match="empty"):
        gallery.index()


def test_without_features_the_grid_has_a_notice(gallery, store) -> None:
    store.delete("video_features")

    assert len(gallery.index()) == 25
    assert [notice.command for notice in gallery.notices()] == ["kedro run --pipelines=feature_engineering"]


def test_a_video_without_results_has_a_notice_in_each_section(gallery) -> None:
    details = gallery.details(card(gallery, BROKEN))

    assert all(part.notice for part in (details.timeline, details.category, details.neighbours, details.ads))


def test_a_thumbnail_is_cached(gallery, thumbnails) -> None:
    first = gallery.thumbnail(card(gallery))
    (cached,) = thumbnails.iterdir()
    cached.write_bytes(b"cached")

    assert first.startswith(b"\xff\xd8")
    assert gallery.thumbnail(card(gallery)) == b"cached"


def test_a_new_version_of_a_thumbnail_replaces_the_previous_one(gallery, thumbnails) -> None:
    gallery.thumbnail(card(gallery))
    (old,) = thumbnails.iterdir()
    gallery.thumbnail(replace(card(gallery), thumbnail="another"))

    assert [file.name != old.name for file in thumbnails.iterdir()] == [True]


def test_a_video_without_a_file_has_no_thumbnail(gallery) -> None:
    assert gallery.thumbnail(card(gallery, BROKEN)) is None


def test_thumbnails_work_without_a_writable_cache(gallery, thumbnails) -> None:
    thumbnails.write_text("in the way")

    assert gallery.thumbnail(card(gallery)).startswith(b"\xff\xd8")
