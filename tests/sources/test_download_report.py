from video_recommender.sources.download_report import report_downloads
from video_recommender.sources.web_options import WebCategory, WebOptions
from video_recommender.storage.partitions import PartitionRecord

OPTIONS = WebOptions(
    categories={"pets": WebCategory(), "cars": WebCategory(target=1), "music": WebCategory()}, target=2
)


def records(*of_category):
    return {
        f"{category}/{n}": PartitionRecord("choice", status, details={"category": category})
        for n, (category, status) in enumerate(of_category)
    }


def test_each_category_has_its_target_and_its_unusable_videos():
    pets = [("pets", status) for status in ("ok", "filtered", "unavailable", "filtered")]

    report = report_downloads(records(*pets, ("cars", "ok"), ("boats", "ok")), OPTIONS).set_index("category")

    assert report["usable"].to_dict() == {"pets": 1, "cars": 1, "music": 0}
    assert report["target"].to_dict() == {"pets": 2, "cars": 1, "music": 2}
    assert report["result"].tolist() == ["sources exhausted", "target reached", "sources exhausted"]
    assert report["not_usable"].tolist() == ["2 filtered, 1 unavailable", "", ""]


def test_without_categories_the_report_is_empty():
    assert report_downloads(records(("pets", "ok")), WebOptions()).empty
