"""What engines with models are asked with, over the wire of a real server that has no model."""

from pathlib import Path
from typing import Any

import pytest

from bridge.client import Client
from loopgen.errors import Refused


def test_sampling_is_kept_by_the_session_as_it_is_shown(client: Client) -> None:
    sent: dict[str, Any] = {
        "temperature": ".75", "guidance": 2, "top_k": 100.0, "top_p": 0.5, "negative": "vocals", "count_in": 1,
        "takes": 4,
    }  # fmt: skip
    shown = {"temperature": 0.75, "guidance": 2.0, "top_k": 100, "top_p": 0.5, "negative": "vocals", "count_in": 1}
    for name, value in sent.items():
        client.ask(f"/loopgen/set/{name}", value)
    for name, value in {**shown, "takes": 4}.items():
        told = client.ask(f"/loopgen/get/{name}").arguments[-1]
        assert (type(told), told) == (type(value), value)
    for name in sent:
        client.ask(f"/loopgen/set/{name}", "")
        assert client.ask(f"/loopgen/get/{name}").arguments[-1] == ""


def test_a_preset_brings_back_the_sampling_that_it_was_saved_with(client: Client) -> None:
    sound: dict[str, Any] = {
        "prompt": "dub",
        "temperature": 0.5,
        "top_k": 64,
        "guidance": 2.5,
        "negative": 'no "voice"',
        "count_in": 1,
    }
    for name, value in sound.items():
        client.ask(f"/loopgen/set/{name}", value)
    client.ask("/loopgen/preset/save", "sampled")
    for name in sound:
        client.ask(f"/loopgen/set/{name}", 0 if name == "count_in" else "")
    client.ask("/loopgen/preset/load", "sampled")
    assert {name: client.ask(f"/loopgen/get/{name}").arguments[-1] for name in sound} == sound
    client.ask("/loopgen/set/preset", "")
    assert client.ask("/loopgen/get/count_in").arguments[-1] == ""
    client.ask("/loopgen/preset/delete", "sampled")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("temperature", 11.0, "from 0 to 10"), ("temperature", "hot", "from 0 to 10"), ("top_p", -0.1, "from 0 to 1"),
        ("top_k", 2049, "from 0 to 2048"), ("guidance", "1e3", "from 0 to 20"), ("takes", 17, "from 0 to 16"),
        ("count_in", 2, "from 0 to 1"), ("negative", "a\nb", "one line"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_what_can(client: Client, name: str, value: Any, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        client.ask(f"/loopgen/set/{name}", value)
    assert caught.value.wire_code == "invalid_request"


def test_a_model_that_is_not_here_is_named_with_the_command_that_gets_it(client: Client) -> None:
    with pytest.raises(Refused, match="loopgen models pull medium") as caught:
        list(client.generate({"prompt": "house", "tempo": "120", "engine": "musicgen:medium"}))
    assert caught.value.wire_code == "engine_unavailable"
    (loop,) = client.generate({"prompt": "house", "tempo": "120", "bars": 1})  # the next job runs
    assert loop.bars == 1


@pytest.mark.parametrize(
    "engine", ["musicgen:../x", "musicgen:/x", "musicgen:a/b/c", "musicgen:", "sketch:~", "sketch:a b"]
)
def test_no_path_is_taken_for_a_model(client: Client, engine: str) -> None:
    with pytest.raises(Refused, match="names no model") as caught:
        client.ask("/loopgen/set/engine", engine)
    assert caught.value.wire_code == "engine_unavailable"


def test_continue_and_vary_exclude_each_other(client: Client) -> None:
    with pytest.raises(Refused, match="either continue or vary"):
        list(client.generate({"prompt": "house", "continue": "a.wav", "vary": "b.wav"}))


def test_the_embedded_engine_cannot_go_on_from_a_loop(client: Client) -> None:
    (loop,) = client.generate({"prompt": "house", "tempo": "120", "bars": 1})
    with pytest.raises(Refused, match="sketch cannot") as caught:
        list(client.generate({"continue": loop.path.rpartition("/")[2]}))
    assert caught.value.wire_code == "invalid_request"


def test_what_can_play_is_listed_one_answer_each(client: Client) -> None:
    client.send("/loopgen/engine/list", "e1")
    found: dict[int, tuple[Any, ...]] = {}
    while not found or len(found) < next(iter(found.values()))[2]:
        answer = client.receive(30.0)
        assert answer is not None
        if answer.address == "/loopgen/engine/item" and answer.arguments[0] == "e1":
            found[int(str(answer.arguments[1]))] = answer.arguments
    assert sorted(found) == list(range(1, len(found) + 1))
    assert ("sketch", "CC0-1.0") in [told[3:] for told in found.values()]


def test_a_loop_is_delivered_with_what_it_can_be_made_again_by(client: Client) -> None:
    told = next(client.generate({"prompt": "house", "tempo": "131", "bars": 1, "engine": "sketch"}))
    assert (told.engine, told.licence) == ("sketch", "CC0-1.0")
    again = next(client.generate({"prompt": "house", "tempo": "131", "bars": 1, "engine": "sketch", "seed": told.seed}))
    assert Path(again.path).read_bytes()[-1000:] == Path(told.path).read_bytes()[-1000:]
