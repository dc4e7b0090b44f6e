"""What the table makes of ends that come at the same time, without a worker."""

from __future__ import annotations

from fractions import Fraction

import pytest

from loopgen.jobs import Delivered, Generate
from loopgen.jobs.table import State, Table


def loop(variation: int, variations: int) -> Delivered:
    return Delivered("loop.wav", Fraction(120), 1, Fraction(4), 88_200, 44_100, "seam clean", variation, variations)


@pytest.mark.parametrize(("state", "code"), [("cancelled", "cancelled"), ("error", "worker_died"), ("done", "")])
def test_a_job_whose_loops_are_all_there_is_done_whatever_comes(state: State, code: str) -> None:
    for variations in (1, 2):
        table = Table(4)
        job = table.add(Generate({"prompt": "x"}))
        table.take()
        for variation in range(1, variations + 1):
            table.deliver(loop(variation, variations))
        table.cancel(job.id)
        table.end(state, code, "too late")
        end = table.find(job.id)
        assert (end.state, end.code, end.message, end.is_whole) == ("done", "", "", True)
        assert [news.has_ended for news in table.news()].count(True) == 1


def test_a_job_goes_back_to_the_front_once_and_not_when_it_is_cancelled() -> None:
    table = Table(2)
    first, second = table.add(Generate({"prompt": "x"})), table.add(Generate({"prompt": "y"}))
    assert not table.put_back()
    assert table.take()
    third = table.add(Generate({"prompt": "z"}))
    assert table.put_back()
    assert [table.find(job.id).position for job in (first, second, third)] == [0, 1, 2]
    assert table.find(first.id).state == "queued"
    taken = table.take()
    assert taken
    assert taken.id == first.id
    assert not table.put_back()
    table.end("error")
    assert table.take()
    table.cancel(second.id)
    assert not table.put_back()


@pytest.mark.parametrize("delivered", [0, 1])
def test_a_job_that_lacks_a_loop_ends_as_it_was_ended(delivered: int) -> None:
    table = Table(4)
    job = table.add(Generate({"prompt": "x"}))
    table.take()
    if delivered:
        table.deliver(loop(1, 2))
    table.end("cancelled", "cancelled", "cancelled")
    end = table.find(job.id)
    assert (end.state, end.code, end.is_whole) == ("cancelled", "cancelled", False)
