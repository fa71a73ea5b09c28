"""Measuring the page: its arithmetic on known times, and a short crowd on a page of tiny models."""

import json
from pathlib import Path
from random import Random

import pytest

from toolkit.experiments import page_benchmark
from toolkit.experiments.page_benchmark import Action, Log, RefusedError, Response, Server, Visitor
from toolkit.experiments.timing import report


def test_of_a_hundred_times_the_95th_percentile_is_exceeded_by_few() -> None:
    found = page_benchmark.spread([float(value) for value in range(100)])
    assert (found["count"], found["median"], found["most"]) == (100, 49.5, 99.0) and 94 < found["p95"] < 95
    assert page_benchmark.spread([]) == {"count": 0}
    assert page_benchmark.latencies("scrub", [0.01] * 99 + [9.0])["kept"] is True
    assert page_benchmark.latencies("scrub", [0.06] * 3)["kept"] is False


def test_memory_growth_is_by_minute_in_the_second_half() -> None:
    found = page_benchmark.growth([(float(at), 100 + max(0, at - 60) / 60) for at in range(0, 121, 10)])
    assert found["mb_a_minute"] == pytest.approx(1) and found["most_mb"] == 101


def test_who_waited_long_without_a_word_is_counted() -> None:
    responses = [
        Response(ranks=[3, 0], started=4.0, took=5.0), Response(started=2.0, took=3.0), Response(ranks=[0], started=0.1)
    ]  # fmt: skip
    found = page_benchmark.summary([Log(done=[("grow", each) for each in responses], errors=["no"])])
    assert (found["waited_long"], found["waited_long_with_rank"], found["most_before"]) == (2, 1, 3)
    assert (found["actions"], found["errors"]) == (3, ["no"])


def test_the_page_says_what_it_can_be_asked_and_answers_it(server: Server) -> None:
    visitor = Visitor(server.url)
    actions: dict[str, Action] = {}
    assert {"grow", "draw", "film", "sample", "look"} <= set(page_benchmark.warm_up(visitor, actions))
    drawn = actions["draw"](visitor, Random(0))
    assert len(drawn.message["neurons"]) == 32 and 0 < drawn.started <= drawn.first <= drawn.took


def test_what_is_refused_is_raised_with_its_sentence(server: Server) -> None:
    with pytest.raises(RefusedError, match="seeds 'x' is not usable"):
        Visitor(server.url).call("sample", "fig2", 2, ["x"])
    with pytest.raises(RefusedError, match="experiment is missing"):
        Visitor(server.url).trigger("draw", {})


@pytest.mark.slow
def test_a_crowd_is_served_without_an_error_and_its_table_is_whole(server: Server) -> None:
    crowd = page_benchmark.load(server, visitors=4, seconds=3)
    assert crowd["errors"] == [] and crowd["actions"] >= 4 and crowd["memory"]["most_mb"] > 50
    result = json.loads(json.dumps({"latency": {"draw": page_benchmark.latencies("draw", [0.1])}, "load": crowd}))
    text = report(result, page_benchmark.PERCENTILES)
    assert "| latency.draw | 0.1 |" in text and "| load.error_count | 0 |" in text and "| load.took_s." in text


def test_what_fails_is_named_and_the_rest_is_measured_and_handed_over(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # where no browser is found
    seen: list[str] = []
    plan = page_benchmark.PagePlan(actions=1, minutes=0.02, visitors=1, starts=1)
    result = page_benchmark.measure_page(plan, full, on_result=lambda now: seen.append(json.dumps(now)))
    assert "Chromium" in result["latency"]["cold"]["error"] and result["latency"]["draw"]["count"] == 1
    assert len(seen) > 5 and json.loads(seen[0])["latency"] == {}
    text = report(result, page_benchmark.PERCENTILES)
    assert "there is no Chromium" in text and "\n| latency.draw |" in text and "| load.visitors | 1 |" in text
