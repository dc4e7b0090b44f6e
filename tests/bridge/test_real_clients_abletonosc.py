"""The client for Live without Max for Live, as a process between the real server and a stand-in of AbletonOSC."""

import os
import sys
from pathlib import Path

import pytest

from bridge.clients.ableton import clip
from bridge.clients.ableton import song as songs
from bridge.clients.ableton.live import Live
from loopgen.errors import InputError
from tests.bridge.abletonosc_stand_in import AudioClip, MidiClip, Note, StandIn, Track
from tests.bridge.abletonosc_support import CREATES, a_set, audio, client, path_in, run
from tests.bridge.clients_support import asked, check_loop, serving, wait_until

# -- from a clip to a loop in a slot -----------------------------------------------------------------------------------


@pytest.mark.parametrize("creates", CREATES)
def test_a_clip_becomes_a_loop_that_follows_it_in_a_slot(tmp_path: Path, creates: str) -> None:
    song = a_set()
    with serving(tmp_path) as server, StandIn(song, creates) as live:
        said = run(live, server, "dub techno, rainy", "--bars", "2", "--melody")
    said.wait_for("^Live: 127.953 BPM 4/4 Am, 3 notes of 'Riff'$")
    path = path_in(said)
    check_loop(path, "127.953", 2, tmp_path)
    assert asked(path)["prompt"] == "dub techno, rainy"
    assert asked(path)["key"] == "Am"
    assert [note[:3] for note in asked(path)["melody"]] == [[0.0, 57, 1.0], [1.0, 60, 0.5], [2.0, 64, 2.0]]
    made = audio(song, 1, 0)
    assert made.file_path == str(path)
    assert made.warping and made.looping and made.warp_mode == 0
    assert (made.loop_start, made.loop_end, made.length) == (0.0, 8.0, 8.0)
    assert made.name == "dub techno, rainy"
    said.wait_for("^in 'Loops', scene 1, 8 beats$")


def test_seven_eighths_and_a_tempo_that_a_float_cannot_hold(tmp_path: Path) -> None:
    song = a_set(tempo=60.23, signature_numerator=7, signature_denominator=8)
    with serving(tmp_path) as server, StandIn(song, CREATES[0]) as live:
        said = run(live, server, "techno", "--bars", "2")
    said.wait_for("^Live: 60.23 BPM 7/8 Am$")
    check_loop(path_in(said), "60.23", 2, tmp_path, "7/8")
    assert audio(song, 1, 0).length == 7.0


def test_variations_take_the_next_empty_slots_and_make_a_scene_where_there_is_none(tmp_path: Path) -> None:
    song = a_set(selected=(2, 1))
    taken = MidiClip("mine")
    song.tracks[2].slots[2] = taken
    with serving(tmp_path) as server, StandIn(song, CREATES[0]) as live:
        run(live, server, "techno", "--bars", "1", "--variations", "3")
    assert song.tracks[2].slots[2] is taken
    assert [bool(slot) for slot in song.tracks[2].slots] == [False, True, True, True, True]
    assert len({audio(song, 2, scene).file_path for scene in (1, 3, 4)}) == 3
    assert not any(song.tracks[1].slots)


def test_a_track_is_given_by_name(tmp_path: Path) -> None:
    song = a_set()
    with serving(tmp_path) as server, StandIn(song, CREATES[0]) as live:
        run(live, server, "techno", "--bars", "1", "--track", "More")
        said = run(live, server, "techno", "--bars", "1", "--track", "Mure", status=2)
    assert audio(song, 2, 0).length == 4.0
    said.wait_for("no track of the set is named 'Mure'; there are Keys, Loops, More")


def test_the_loop_has_the_tempo_of_the_request(tmp_path: Path) -> None:
    song = a_set(tempo=120.0)
    with serving(tmp_path) as server, StandIn(song) as live:

        def turned(address: str) -> bool:
            if address == "/live/track/get/name":  # the first thing that is asked for once the loop is there
                song.tempo = 131.7
            return False

        live.loses = turned
        said = run(live, server, "techno", "--bars", "1")
    check_loop(path_in(said), "120", 1, tmp_path)
    said.wait_for("^the set is at 131.7 BPM now; the loop has 120, as when it was asked for$")


# -- where Live cannot be handed the loop ------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for the file manager by a shell script")
def test_without_such_an_address_the_path_is_shown_and_the_file_revealed(tmp_path: Path) -> None:
    song = a_set()
    shown = tmp_path / "shown"
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        (programs / name).write_text(f'#!/bin/sh\necho "$@" > "{shown}"\n')
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    with serving(tmp_path / "out") as server, StandIn(song) as live:
        with client(live, server.port, "techno", "--bars", "1", env=env) as said:
            assert said.wait() == 0
        path = path_in(said)
        check_loop(path, "127.953", 1, tmp_path)
        said.wait_for("^not placed: this AbletonOSC cannot make audio clips. Drag the file into 'Loops', scene 1$")
        told = wait_until(lambda: shown.read_text() if shown.exists() else "", "it is revealed")
        assert str(path.parent) in told
    assert not any(song.tracks[1].slots)
    assert not any(address.startswith("/live/clip/set") for address, *_ in live.heard)


def test_each_of_several_loops_has_a_slot_to_be_dragged_into(tmp_path: Path) -> None:
    song = a_set()
    song.tracks[1].slots[1:] = [MidiClip("mine") for _ in song.tracks[1].slots[1:]]
    with serving(tmp_path) as server, StandIn(song) as live:
        said = run(live, server, "techno", "--bars", "1", "--variations", "2")
    said.wait_for("^not placed: .* Drag the file into 'Loops', scene 1$")
    said.wait_for("^not placed: .* Drag the file into 'Loops', scene 5$")
    assert song.tracks[1].slots[4:] == [None]


def test_an_old_abletonosc_that_is_silent_about_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server, StandIn(a_set()) as live:
        live.reports = False
        said = run(live, server, "techno", "--bars", "1")
    said.wait_for("^not placed: this AbletonOSC cannot make audio clips. Drag")


@pytest.mark.parametrize("creates", CREATES)
def test_a_frozen_track_is_left_alone(tmp_path: Path, creates: str) -> None:
    song = a_set(selected=(1, 0))
    song.tracks[1].is_frozen = True
    with serving(tmp_path) as server, StandIn(song, creates) as live:
        said = run(live, server, "techno", "--bars", "1")
    said.wait_for(
        "^not placed: Live: Audio clips can only be created in unfrozen audio tracks. Drag the file into 'Loops'"
    )


def test_a_set_without_audio_tracks_or_room(tmp_path: Path) -> None:
    song = a_set(tracks=[Track("Keys", is_midi=True), Track("Group", is_foldable=True)])
    with serving(tmp_path) as server, StandIn(song, CREATES[0]) as live:
        said = run(live, server, "techno", "--bars", "1")
        said.wait_for("^not placed: the set has no audio track; add one. Drag the file into an empty slot")
        song.tracks.append(Track("Full", slots=[MidiClip() for _ in range(4)]))
        live.scenes_max = 4
        said = run(live, server, "techno", "--bars", "1")
        said.wait_for("^not placed: 'Full' has no empty slot, and Live makes no more scenes. Drag")


def test_a_clip_that_somebody_puts_there_meanwhile_is_not_touched(tmp_path: Path) -> None:
    song = a_set(selected=(1, 0))
    mine = MidiClip("mine")
    with serving(tmp_path) as server, StandIn(song, CREATES[0]) as live:

        def put(address: str) -> bool:
            if address == "/live/track/get/clips/length":
                song.tracks[1].slots[0] = mine
            return False

        live.loses = put
        said = run(live, server, "techno", "--bars", "1")
    said.wait_for("^not placed: Live: The slot has a clip already")
    assert song.tracks[1].slots[0] is mine and mine == MidiClip("mine")


def test_a_tempo_that_live_guesses_wrong_is_said(tmp_path: Path) -> None:
    song = a_set()
    with serving(tmp_path) as server, StandIn(song, CREATES[0]) as live:
        live.guess = 0.5
        said = run(live, server, "techno", "--bars", "2")
    said.wait_for(
        "^in 'Loops', scene 1, but Live takes it for 4 beats and not 8: set its tempo .Seg. BPM. in Clip View"
    )
    assert audio(song, 1, 0).looping is False


# -- what is highlighted -----------------------------------------------------------------------------------------------


def test_no_melody_no_order(tmp_path: Path) -> None:
    """Each is said before the server is asked for anything."""
    song = a_set()
    with serving(tmp_path) as server, StandIn(song) as live:

        def refused(words: str) -> None:
            said = run(live, server, "techno", "--bars", "1", "--melody", status=2)
            said.wait_for(
                f"^cannot go on: {words}; click a MIDI clip with notes in Session View, or leave --melody out"
            )

        song.tracks[0].slots[0] = MidiClip("Riff", [])
        refused("the highlighted clip 'Riff' has no notes in its loop")
        song.selected = (1, 2)
        refused("the highlighted slot of Live has no clip")
        song.selected = None
        refused("no slot is highlighted in Live")
        path = Path(str(run(live, server, "techno", "--bars", "1").wait_for(r"^(.+\.wav) \(")[1]))
        song.tracks[1].slots[2] = AudioClip(str(path), 120, 1.0)
        song.selected = (1, 2)
        refused("the highlighted clip 'loopgen.*' is an audio clip")
    assert len(list(tmp_path.glob("*.wav"))) == 1


def test_the_region_counts_and_notes_are_cut_to_it() -> None:
    notes: list[Note] = [
        (50, 1.0, 1.0, 100.0, False),  # over before the loop begins
        (51, 3.0, 2.0, 100.0, False),  # reaches into it
        (52, 4.0, 1.0, 64.6, False),
        (53, 5.0, 1.0, 100.0, True),  # muted
        (127, 7.5, 4.0, 0.2, False),  # reaches past its end
        (54, 8.0, 1.0, 100.0, False),
    ]
    song = a_set()
    riff = song.tracks[0].slots[0] = MidiClip("Riff", notes, 4.0, 8.0, start_marker=-2.0, end_marker=10.0)
    with StandIn(song) as stand_in, Live(stand_in.port, stand_in.reply_port) as live:
        melody = clip.read(live).melody
        assert melody.length == 4.0
        assert [(n.pitch, n.start, n.duration, n.velocity) for n in melody.notes] == [
            (51, 0.0, 1.0, 100),
            (52, 0.0, 1.0, 65),
            (127, 3.5, 0.5, 1),
        ]
        riff.looping = False
        melody = clip.read(live).melody
        assert melody.length == 12.0
        assert [(n.pitch, n.start) for n in melody.notes] == [(50, 3.0), (51, 5.0), (52, 6.0), (127, 9.5), (54, 10.0)]


@pytest.mark.parametrize("reply_bytes", [9216, 65_507])
@pytest.mark.parametrize("reports", [True, False])
def test_more_notes_than_a_datagram_holds(reply_bytes: int, reports: bool) -> None:
    """macOS refuses to send them; elsewhere they come as more than is read."""
    notes: list[Note] = [(40 + at % 50, at / 16, 1 / 16, 100.0, False) for at in range(2000)]
    song = a_set()
    song.tracks[0].slots[0] = MidiClip("Hats", notes, loop_end=128.0)
    with StandIn(song) as stand_in, Live(stand_in.port, stand_in.reply_port) as live:
        stand_in.reply_bytes, stand_in.reports = reply_bytes, reports
        melody = clip.read(live).melody
    assert [(n.pitch, n.start) for n in melody.notes] == [(n[0], n[1]) for n in notes]


def test_more_notes_than_loopgen_takes_are_refused() -> None:
    song = a_set()
    song.tracks[0].slots[0] = MidiClip(
        "Hats", [(at % 128, at / 128, 0.5, 100.0, False) for at in range(5000)], 0.0, 64.0
    )
    with (
        StandIn(song) as stand_in,
        Live(stand_in.port, stand_in.reply_port) as live,
        pytest.raises(InputError, match="'Hats' has 5000 notes; at most 4096 are taken"),
    ):
        clip.read(live)


@pytest.mark.parametrize(
    ("root", "name", "mode", "scale", "key"),
    [
        (9, "Minor", None, None, "Am"),
        (2, "Dorian", None, None, "D dorian"),
        (0, "Major", None, None, ""),  # a new set has it, so it says nothing
        (0, "Major", None, True, "C"),
        (0, "Major", True, None, "C"),
        (9, "Minor", False, None, ""),
        (9, "Minor", False, True, "Am"),
        (9, "Minor", True, False, ""),
        (7, "Whole Tone", True, None, ""),  # loopgen has no word for it
        (6, "Harmonic Minor", True, None, "F# harmonic minor"),
    ],
)
def test_the_scale_is_followed_where_it_says_something(
    root: int, name: str, mode: bool | None, scale: bool | None, key: str
) -> None:
    song = a_set(root_note=root, scale_name=name)
    with StandIn(song, scale_mode=mode) as stand_in, Live(stand_in.port, stand_in.reply_port) as live:
        assert songs.read(live, scale).key == key
