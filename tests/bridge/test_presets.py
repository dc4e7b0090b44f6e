"""Presets over UDP: saved, loaded, asked for, deleted; answered once however often they come."""

import json
from pathlib import Path

import pytest

from bridge import protocol
from bridge.client import Client, Done
from bridge.fields import BY_NAME
from bridge.server import Server
from bridge.wire import Value
from loopgen import presets
from loopgen.errors import Refused
from loopgen.music.chords import parse_chords
from loopgen.music.melody import Melody, Note
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


def test_a_loop_in_the_folder_is_kept_as_a_preset(client: Client) -> None:
    loop = only(
        client.generate({"prompt": "dub techno", "bars": 1, "tempo": "123.4", "chords": "Am", "longest_fade": 30})
    )
    client.ask("/loopgen/preset/save", "from a loop", loop.path)
    client.ask("/loopgen/preset/save", "by name", Path(loop.path).name)
    client.ask("/loopgen/preset/load", "by name")
    shown = {
        name: client.ask(f"/loopgen/get/{name}").arguments[2] for name in ("prompt", "tempo", "bars", "longest_fade")
    }
    assert shown == {"prompt": "dub techno", "tempo": "123.4", "bars": 1, "longest_fade": 30.0}
    again = only(client.generate({"preset": "from a loop", "seed": loop.seed}))
    recipes = [json.loads(Path(one.path).with_suffix(".json").read_text(encoding="utf-8")) for one in (loop, again)]
    assert recipes[0]["request"]["melody"] == recipes[1]["request"]["melody"] is not None
    assert recipes[0]["request"]["longest_fade"] == recipes[1]["request"]["longest_fade"] == 30.0
    for name in ("gone.wav", "../gone.wav", "*.wav"):
        with pytest.raises(Refused) as caught:
            client.ask("/loopgen/preset/save", "gone", name)
        assert caught.value.wire_code == "invalid_request"
    for name in ("from a loop", "by name"):
        client.ask("/loopgen/preset/delete", name)
    for name in ("prompt", "tempo", "bars", "longest_fade", "preset", "key", "meter"):
        client.ask(f"/loopgen/set/{name}", "")


def test_a_preset_that_follows_the_set_leaves_its_key(client: Client) -> None:
    client.ask("/loopgen/set/key", "F# minor")
    client.ask("/loopgen/preset/load", "break-drums")
    assert client.ask("/loopgen/get/key").arguments[2] == "F#m"
    assert client.ask("/loopgen/get/follow").arguments[2] == "nothing"
    client.ask("/loopgen/preset/save", "my drums")
    client.ask("/loopgen/set/key", "Am")
    client.ask("/loopgen/preset/load", "my drums")
    assert client.ask("/loopgen/get/key").arguments[2] == "Am"
    loop = only(client.generate({"bars": 1}))
    request = json.loads(Path(loop.path).with_suffix(".json").read_text(encoding="utf-8"))["request"]
    assert (request["key"], request["longest_fade"]) == ("Am", 30.0)
    client.ask("/loopgen/preset/load", "dub-techno")
    assert client.ask("/loopgen/get/follow").arguments[2] == ""
    client.ask("/loopgen/preset/delete", "my drums")
    for name in ("key", "preset", "prompt"):
        client.ask(f"/loopgen/set/{name}", "")


def test_a_melody_is_followed_as_is_asked(client: Client) -> None:
    client.melody(Melody((Note(0, 69, 2), Note(2, 72, 2)), 4))
    loops = {
        follow: only(client.generate({"prompt": "house", "bars": 1, "melody": "melody", "follow": follow}))
        for follow in ("melody", "chords", "nothing")
    }
    heard = {
        follow: json.loads(Path(loop.path).with_suffix(".json").read_text(encoding="utf-8"))["request"]["melody"]
        for follow, loop in loops.items()
    }
    assert [note[1] for note in heard["melody"]] == [69, 72]
    assert heard["chords"] == [
        [note.start, note.pitch, note.duration, note.velocity] for note in parse_chords("Am").notes
    ]
    assert heard["nothing"] is None
    for name, value in (("follow", "all"), ("stretcher", "elastique"), ("longest_fade", 300)):
        with pytest.raises(Refused) as caught:
            client.ask(f"/loopgen/set/{name}", value)
        assert caught.value.wire_code == "invalid_request"


def test_every_field_of_a_preset_can_be_overridden() -> None:
    assert {{"bpm": "tempo"}.get(name, name) for name in presets.FIELDS} <= set(BY_NAME)
