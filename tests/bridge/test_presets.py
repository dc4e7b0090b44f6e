"""Presets over UDP: saved, loaded, asked for, deleted; answered once however often they come."""

import json
from pathlib import Path

import pytest

from bridge import protocol
from bridge.client import Client, Done
from bridge.server import Server
from bridge.wire import Value
from loopgen.errors import Refused
from tests.bridge.raw import Raw, only


def test_presets_are_saved_loaded_listed_and_deleted(client: Client) -> None:
    def listed() -> dict[str, Value]:
        first = protocol.named(client.ask("/loopgen/preset/list"))
        items = [first]
        while len(items) < int(first["total"] or 0):
            message = client.receive(5.0)
            assert message is not None
            if message.address == "/loopgen/preset/item":
                items.append(protocol.named(message))
        return {str(item["name"]): item["number"] for item in items}

    assert "deep-house" in listed()
    client.ask("/loopgen/set/tempo", "97.5")
    client.ask("/loopgen/preset/load", "deep-house")
    assert client.ask("/loopgen/get/tempo").arguments[2] == "97.5", "the set's tempo stays"
    prompt = client.ask("/loopgen/get/prompt").arguments[2]
    assert "deep house" in str(prompt)
    client.ask("/loopgen/set/prompt", "my very own")
    client.ask("/loopgen/preset/save", "mine 1")
    for name in ("tempo", "prompt", "bars", "meter", "key", "engine", "preset"):
        client.ask(f"/loopgen/set/{name}", "")
    assert "mine 1" in listed()
    client.ask("/loopgen/preset/load", "mine 1")
    assert client.ask("/loopgen/get/tempo").arguments[2] == "97.5"
    assert client.ask("/loopgen/get/prompt").arguments[2] == "my very own"
    loop = only(client.generate({"preset": "mine 1", "bars": 1, "tempo": "100.1"}))
    client.ask("/loopgen/preset/save", "mine 2", loop.job)
    client.ask("/loopgen/preset/load", "mine 2")
    assert "mine 2" in listed()
    for name in ("mine 1", "mine 2"):
        client.ask("/loopgen/preset/delete", name)
    assert not {"mine 1", "mine 2"} & set(listed())
    for action, name in [
        ("load", "mine 1"),
        ("delete", "deep-house"),
        ("save", "../x"),
        ("delete", "../x"),
        ("load", "CON"),
    ]:
        with pytest.raises(Refused) as caught:
            client.ask(f"/loopgen/preset/{action}", name)
        assert caught.value.wire_code in ("preset_unusable", "invalid_request")
    for name in ("tempo", "prompt", "bars", "meter", "key", "engine", "preset"):
        client.ask(f"/loopgen/set/{name}", "")
    with pytest.raises(Refused, match="prompt"):
        client.ask("/loopgen/preset/save", "empty")


def test_a_preset_is_the_one_that_was_asked_for(server: Server, client: Client) -> None:
    def prompt_of(loop: Done) -> str:
        return str(json.loads(Path(loop.path).with_suffix(".json").read_text(encoding="utf-8"))["request"]["prompt"])

    client.ask("/loopgen/preset/load", "dub-techno")
    first = only(client.generate({"bars": 1}))
    assert "dub techno" in prompt_of(first) and first.tempo == client.ask("/loopgen/get/tempo").arguments[2]
    assert "jungle" in prompt_of(only(client.generate({"preset": "jungle", "bars": 1})))
    client.ask("/loopgen/set/preset", "jungle")
    second = only(client.generate({"bars": 1}))
    assert "jungle" in prompt_of(second) and second.tempo != first.tempo
    with pytest.raises(Refused) as caught:
        client.ask("/loopgen/set/preset", "no such preset")
    assert caught.value.wire_code == "preset_unusable"
    (server.inbox.parent.parent / "presets").mkdir(exist_ok=True)
    (server.inbox.parent.parent / "presets" / "odd.toml").write_text('prompt = "x"\nengine = "musicgen-not-here"\n')
    with pytest.raises(Refused) as caught:
        client.ask("/loopgen/preset/load", "odd")
    assert caught.value.wire_code == "engine_unavailable"
    assert client.ask("/loopgen/get/preset").arguments[2] == "jungle"
    client.ask("/loopgen/set/preset", "")
    assert client.ask("/loopgen/get/prompt").arguments[2] == ""


def test_a_command_that_comes_twice_is_answered_alike(client: Client, raw: Raw) -> None:
    client.ask("/loopgen/set/prompt", "gone soon")
    client.ask("/loopgen/preset/save", "gone soon")
    client.ask("/loopgen/set/prompt", "")
    for _ in range(2):
        raw.send("/loopgen/preset/delete", "d1", "gone soon")
    assert raw.read().arguments == ("d1",)
    assert raw.ask("/loopgen/preset/delete", "d1", "gone soon").arguments == ("d1",)
    assert raw.ask("/loopgen/preset/delete", "d2", "gone soon").address == "/loopgen/error"
