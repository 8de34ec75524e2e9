"""Pictures of many clients together through the network, and each its own answer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import torch

from discern.serving.app import create_app
from discern.serving.batching import Batcher
from discern.serving.limits import Limits
from discern.serving.refusals import Refusal
from hostile_files import HOSTILE, PNG
from served import load_on_cpu, serving
from serving_files import draw, encode


def number(value: int) -> torch.Tensor:
    return torch.full((1,), value)


async def with_batcher(work, compute, limits=None):
    sizes = []
    with ThreadPoolExecutor(1) as thread:
        batcher = Batcher(compute, thread, limits or Limits(), sizes.append)
        try:
            return await work(batcher), sizes
        finally:
            await batcher.close()


def double(images):
    return [int(image) * 2 for image in images]


def test_what_is_ready_together_is_computed_together():
    async def work(batcher):
        return await asyncio.gather(*(batcher.compute(number(value)) for value in range(100)))

    outputs, sizes = asyncio.run(with_batcher(work, double, Limits(batch_pictures=40)))
    assert outputs == [2 * value for value in range(100)]
    assert sizes == [40, 40, 20]


def test_a_picture_waits_for_another_that_is_on_its_way():
    async def work(batcher):
        async def slowly():
            with batcher.preparing():
                await asyncio.sleep(0.01)
            return await batcher.compute(number(1))

        late = asyncio.create_task(slowly())
        await asyncio.sleep(0)
        return await asyncio.gather(batcher.compute(number(2)), late)

    outputs, sizes = asyncio.run(with_batcher(work, double, Limits(batch_wait_seconds=30)))
    assert (outputs, sizes) == ([4, 2], [2])


def test_a_failure_is_told_to_its_batch_and_to_nobody_else():
    def compute(images):
        if 13 in [int(image) for image in images]:
            raise RuntimeError("thirteen")
        return double(images)

    async def work(batcher):
        with pytest.raises(RuntimeError, match="thirteen"):
            await batcher.compute(number(13))
        return await batcher.compute(number(14))

    assert asyncio.run(with_batcher(work, compute))[0] == 28


def test_who_leaves_before_costs_nothing():
    seen = []

    def compute(images):
        seen.extend(int(image) for image in images)
        return double(images)

    async def work(batcher):
        leaving = asyncio.create_task(batcher.compute(number(1)))
        staying = asyncio.create_task(batcher.compute(number(2)))
        leaving.cancel()
        return await staying

    assert asyncio.run(with_batcher(work, compute))[0] == 4
    assert seen == [2]


def test_what_is_too_much_is_refused_and_let_go_of():
    async def work(batcher):
        with batcher.admitting(3):
            with pytest.raises(Refusal, match="3 pictures are waiting already; try again in 1 s"), batcher.admitting(2):
                pass
            with batcher.admitting(1):
                pass
        return batcher.admitted

    assert asyncio.run(with_batcher(work, double, Limits(max_waiting=4)))[0] == 0


def test_closing_waits_for_what_was_taken_in():
    async def work():
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(double, thread, Limits(), lambda _: None)

            async def client():
                with batcher.admitting(1):
                    await asyncio.sleep(0.02)
                    return await batcher.compute(number(5))

            task = asyncio.create_task(client())
            await asyncio.sleep(0)
            await batcher.close()
            return await task

    assert asyncio.run(work()) == 10


def test_many_clients_at_once_get_each_their_own_answer(address, predictor):
    colours = ["blue", "green", "red"]
    images = [draw(colours[place % 3], seed=place) for place in range(48)]
    expected = predictor.predict(images)
    contents = [encode(image) for image in images]
    hostile = [one.content for one in HOSTILE.values() if one.content]

    async def ask(client, place):
        answers = []
        for turn in range(3):
            which = (place * 3 + turn) % len(contents)
            await client.post("/predict", content=hostile[(place + turn) % len(hostile)])
            answers.append((which, await client.post("/predict", content=contents[which])))
        return answers

    async def ask_all():
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            return await asyncio.gather(*(ask(client, place) for place in range(32)))

    for answers in asyncio.run(ask_all()):
        for which, answer in answers:
            (picture,) = answer.json()["pictures"]
            assert picture["label"] == expected["label"][which]
            assert picture["confidence"] == pytest.approx(expected["confidence"][which], abs=1e-6)
    metrics = httpx.get(f"{address}/metrics").text
    counts = {line.split()[0]: float(line.split()[1]) for line in metrics.splitlines() if line[0] != "#"}
    assert counts["discern_batch_pictures_count"] < counts["discern_batch_pictures_sum"]
    assert counts["discern_waiting_pictures"] == 0


def test_beyond_what_can_wait_clients_are_told_to_come_back(run):
    limits = Limits(max_waiting=2)
    app = create_app({"colours": run}, load_on_cpu, limits=limits)

    async def ask_all(address):
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            return await asyncio.gather(*(client.post("/predict", content=PNG) for _ in range(40)))

    with serving(app) as address:
        too_many = httpx.post(f"{address}/predict", files=[("files", ("a.png", PNG))] * 3)
        assert (too_many.status_code, too_many.headers["retry-after"]) == (503, "1")
        answers = asyncio.run(ask_all(address))
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert any(answer.status_code == 200 for answer in answers)
        assert httpx.post(f"{address}/predict", content=PNG).status_code == 200
