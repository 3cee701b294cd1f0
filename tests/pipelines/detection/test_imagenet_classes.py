from video_recommender.networks.imagenet_classes import imagenet_class_names


def test_thousand_classes_have_names_that_differ_in_more_than_their_case() -> None:
    names = imagenet_class_names()

    assert len(names) == 1000
    assert len({name.casefold() for name in names}) == 1000


def test_names_can_be_listed_with_commas_between_them() -> None:
    assert not [name for name in imagenet_class_names() if "," in name or name != name.strip() or not name]


def test_names_stand_at_their_imagenet_index() -> None:
    names = imagenet_class_names()

    assert {index: names[index] for index in (0, 134, 207, 285, 388, 517, 638, 639, 817, 967, 999)} == {
        0: "tench",
        134: "crane (bird)",
        207: "golden retriever",
        285: "Egyptian cat",
        388: "giant panda",
        517: "crane (machine)",
        638: "maillot",
        639: "tank suit",
        817: "sports car",
        967: "espresso",
        999: "toilet tissue",
    }
