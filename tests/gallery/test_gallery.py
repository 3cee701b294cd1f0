"""What the gallery knows of a corpus."""

from dataclasses import replace

import pytest

from video_recommender.gallery.project_data import UnavailableError
from video_recommender.gallery.video_index import NO_CATEGORY, Query

VIDEO = "fruit/clip-00"
BROKEN = "views/broken"


def card(gallery, video_id=VIDEO):
    return gallery.index().get(video_id)


def test_categories_come_with_how_many_videos_they_have(gallery) -> None:
    assert gallery.index().categories() == {"fruit": 12, "views": 13}


def test_a_category_is_filtered_for(gallery) -> None:
    found = gallery.index().find(Query(category="fruit"))

    assert found.videos == 12
    assert {shown.category for shown in found.cards} == {"fruit"}


def test_videos_without_a_category_can_be_asked_for(gallery, store, made) -> None:
    store.save("video_manifest", made["video_manifest"].assign(category=None))

    assert gallery.index().find(Query(category=NO_CATEGORY)).videos == 25


def test_an_object_is_found_by_a_part_of_its_name_in_any_case(gallery) -> None:
    found = gallery.index().find(Query(text=" TOMA "))

    assert {shown.video_id for shown in found.cards} == {f"fruit/clip-{number:02}" for number in range(12)}


def test_what_nothing_shows_is_not_found(gallery) -> None:
    assert gallery.index().find(Query(text="zebra")).cards == ()


def test_pages_beyond_the_last_show_the_last(gallery) -> None:
    assert gallery.index().find(Query(page=99)).page == 1


def test_a_video_that_cannot_be_used_says_why(gallery) -> None:
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
    ("lost", "part", "pipeline"),
    [
        ("detections", "timeline", "detection"),
        ("category_predictions", "category", "classification"),
        ("category_classifier", "category", "classification"),
        ("recommendations", "neighbours", "recommendation"),
        ("viewer_model", "ads", "advertising"),
        ("ad_policy", "ads", "advertising"),
    ],
)
def test_what_was_not_made_yet_names_the_command_and_the_rest_is_there(gallery, store, lost, part, pipeline) -> None:
    store.lose(lost)

    details = gallery.details(card(gallery))

    assert getattr(details, part).notice.command == f"kedro run --pipelines={pipeline}"
    others = {"timeline", "category", "neighbours", "ads"} - {part}
    assert all(getattr(details, other).notice is None for other in others)


def test_a_broken_file_is_named_with_the_way_out(gallery, store) -> None:
    store.spoil("recommendations")

    notice = gallery.details(card(gallery)).neighbours.notice

    assert str(store.path("recommendations")) in notice.message
    assert notice.command == "kedro run --pipelines=recommendation"


def test_what_a_run_makes_meanwhile_is_seen(gallery, store, made) -> None:
    store.lose("recommendations")
    assert gallery.details(card(gallery)).neighbours.notice
    store.save("recommendations", made["recommendations"])

    assert gallery.details(card(gallery)).neighbours.content


def test_without_a_manifest_there_is_nothing_to_look_at(gallery, store) -> None:
    store.lose("video_manifest")

    with pytest.raises(UnavailableError) as refused:
        gallery.index()

    assert refused.value.notice.command == "kedro run"


def test_an_empty_corpus_says_so(gallery, store, made) -> None:
    store.save("video_manifest", made["video_manifest"].iloc[:0])

    with pytest.raises(UnavailableError, match="empty"):
        gallery.index()


def test_without_features_the_grid_is_there_and_says_what_it_lacks(gallery, store) -> None:
    store.lose("video_features")

    assert len(gallery.index()) == 25
    assert [notice.command for notice in gallery.notices()] == ["kedro run --pipelines=feature_engineering"]


def test_a_video_of_which_nothing_is_known_yet_is_no_error(gallery) -> None:
    details = gallery.details(card(gallery, BROKEN))

    assert all(part.notice for part in (details.timeline, details.category, details.neighbours, details.ads))


def test_a_thumbnail_is_made_once(gallery, thumbnails) -> None:
    first = gallery.thumbnail(card(gallery))
    (kept,) = thumbnails.iterdir()
    kept.write_bytes(b"kept")

    assert first.startswith(b"\xff\xd8")
    assert gallery.thumbnail(card(gallery)) == b"kept"


def test_a_thumbnail_of_other_content_replaces_the_old_one(gallery, thumbnails) -> None:
    gallery.thumbnail(card(gallery))
    (old,) = thumbnails.iterdir()
    gallery.thumbnail(replace(card(gallery), thumbnail="another"))

    assert [file.name != old.name for file in thumbnails.iterdir()] == [True]


def test_a_video_without_a_file_has_no_thumbnail(gallery) -> None:
    assert gallery.thumbnail(card(gallery, BROKEN)) is None


def test_a_folder_that_cannot_be_written_to_costs_no_picture(gallery, thumbnails) -> None:
    thumbnails.write_text("in the way")

    assert gallery.thumbnail(card(gallery)).startswith(b"\xff\xd8")
