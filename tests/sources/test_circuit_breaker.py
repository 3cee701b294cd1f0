import pytest
from web_downloads import ANY, FAST, feed
from web_server import Web, page, refusal, video

from video_recommender.sources.web_errors import CircuitBreaker
from video_recommender.sources.web_options import WebCategory

ONCE = FAST.model_copy(update={"retries": 0})
FIRST, SECOND = "https://first.example/cat", "https://second.example/cat"


def recorded(*outcomes):
    breaker = CircuitBreaker()
    for url, status in outcomes:
        breaker.record(url, url, status)
    return breaker


def test_requests_to_a_site_stop_after_three_failures_in_a_row():
    assert not recorded(*[(FIRST, "unreachable")] * 2).is_open(FIRST)
    assert recorded(*[(FIRST, "unreachable")] * 3).is_open(FIRST)
    assert not recorded(*[(FIRST, "unreachable")] * 3).is_open(SECOND)


@pytest.mark.parametrize("status", ["ok", "unavailable", "too_large", "incomplete"])
def test_a_response_of_a_site_resets_its_count(status):
    assert not recorded(*[(FIRST, "unreachable")] * 2, (FIRST, status), (FIRST, "unreachable")).is_open(FIRST)


@pytest.mark.parametrize("status", ["filtered", "invalid_url", "live"])
def test_videos_without_a_request_do_not_count(status):
    assert recorded(*[(FIRST, "rate_limited"), (FIRST, status)] * 3).is_open(FIRST)


def test_responses_of_another_site_do_not_reset_the_count():
    breaker = recorded(*[(FIRST, "unreachable"), (SECOND, "ok")] * 3)

    assert breaker.is_open(FIRST)
    assert not breaker.is_open_for_all([FIRST, SECOND])
    assert breaker.is_open_for_all([FIRST])


def test_all_requests_stop_if_several_sites_in_a_row_are_unreachable():
    breaker = recorded((FIRST, "unreachable"), (SECOND, "unreachable"), ("https://third.example", "unreachable"))

    assert breaker.is_open_for_all(["https://fourth.example"])


def test_a_search_belongs_to_the_site_of_its_results():
    breaker = CircuitBreaker()
    for _ in range(3):
        breaker.record(FIRST, "ytsearchall:cats", "rate_limited")

    assert breaker.is_open("ytsearchall:dogs")
    assert not breaker.is_open("gvsearch5:dogs")


def test_the_run_stops_if_no_other_site_has_sources(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])
    with Web() as banned:
        banned.answers |= {f"/{n}.mp4": refusal(429) for n in range(9)}

        with pytest.raises(
            ConnectionError, match=r"limits the request rate: wait an hour.* 1 downloaded videos are kept"
        ):
            downloads.run(web.url("/cat.mp4"), *(banned.url(f"/{n}.mp4") for n in range(9)), rate_limits=ONCE)

        assert len(banned.asked) == 3


def test_excluded_videos_do_not_reset_the_count(web, downloads):
    items = "".join(
        f"<item><title>{n}</title><enclosure url='{web.url(f'/{n}.mp4')}' type='video/mp4'/>"
        f"<itunes:duration>{9999 if n % 2 else 10}</itunes:duration></item>"
        for n in range(18)
    )
    podcast = 'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    channel = f'<rss version="2.0" {podcast}><channel><title>Pets</title>{items}</channel></rss>'
    web.answers["/feed"] = page(f'<?xml version="1.0"?>{channel}', "text/xml")
    web.answers |= {f"/{n}.mp4": refusal(429) for n in range(18)}

    with pytest.raises(ConnectionError, match="limits the request rate"):
        downloads.run(web.url("/feed"), filters=ANY.model_copy(update={"max_seconds": 100.0}), rate_limits=ONCE)

    assert downloads.statuses().count("rate_limited") == 3


def test_other_sites_still_get_requests_after_one_blocks_them(web, clips, downloads):
    web.answers["/cat.mp4"] = video(clips[0])
    with Web() as banned:
        banned.answers["/feed"] = feed(*[(f"Cat {n}", banned.url(f"/{n}.mp4")) for n in range(9)])
        banned.answers |= {f"/{n}.mp4": refusal(429) for n in range(9)}
        categories = {
            "pets": WebCategory(sources=(banned.url("/feed"),)),
            "cars": WebCategory(sources=(banned.url("/feed"), web.url("/cat.mp4"))),
        }

        downloads.run(categories=categories, rate_limits=ONCE)

        assert downloads.statuses() == ["rate_limited"] * 3 + ["ok"]
        assert banned.times_asked()["/feed"] <= 2, "once to detect the type, once to read"
