"""The Pure Data patches in a real Pd, against the real server."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.bridge.clients_support import CLIENTS, Program, asked, check_loop, free_port, needs, serving

PATCHES = CLIENTS / "puredata"
QUIET = ("-nogui", "-noaudio", "-nomidi", "-stderr")


def pd(*patches: Path) -> Program:
    """A Pd without window, sound card and MIDI."""
    return Program([needs("pd"), *QUIET, "-path", PATCHES, *(part for patch in patches for part in ("-open", patch))])


def driver(path: Path, steps: list[tuple[int, str]], extra: str = "") -> Path:
    """A patch that says something to named receivers, each line so many milliseconds after the start."""
    lines = ["#N canvas 0 0 600 400 12;", "#X obj 10 10 loadbang;"]
    wires = []
    for at, (delay, message) in enumerate(steps):
        lines += [f"#X obj 10 {40 + 30 * at} del {delay};", f"#X msg 90 {40 + 30 * at} \\; {message};"]
        wires += [f"#X connect 0 0 {1 + 2 * at} 0;", f"#X connect {1 + 2 * at} 0 {2 + 2 * at} 0;"]
    path.write_text("\n".join([*lines, extra.strip(), *wires]).replace("\n\n", "\n") + "\n", encoding="utf-8")
    return path


def test_the_example_sends_a_melody_and_gets_a_loop_of_the_exact_length(tmp_path: Path) -> None:
    with serving(tmp_path / "out dir") as server:
        steps = [
            (100, f"loopgen-port {server.port}"),
            (400, "loopgen-prompt symbol dub\\ techno"),
            (400, "loopgen-tempo 127.953"),
            (400, "loopgen-bars 2"),
            (400, "loopgen-key symbol Am"),
            (600, "loopgen-do melody tune 8 69 0 2 100 72 2 2 100 76 4 3 110 74 7 1 90"),
            (800, "loopgen-do generate melody tune"),
        ]
        with pd(PATCHES / "example.pd", driver(tmp_path / "drive.pd", steps)) as said:
            said.wait_for(r"^loopgen: welcome \S+ 1 ")
            said.wait_for(r"^loopgen: melody ok tune 4$")
            job = said.wait_for(r"^loopgen: accepted pd-\S+ (\S+) 0$")[1]
            said.wait_for(rf"^loopgen: progress {job} [01]")
            done = said.wait_for(rf"^loopgen: done {job} pd-\S+ (.+\.wav) 127\.953 2 8 (\d+) 44100 ")
        path = Path(done[1].replace("\\", ""))
        check_loop(path, "127.953", 2, tmp_path / "out dir")
        assert int(done[2]) == soundfile.info(str(path)).frames
        request = asked(path)
        assert request["bpm"] == "127.953"  # exact, though Pd's numbers are not
        assert (request["prompt"], request["key"]) == ("dub techno", "Am")
        assert request["melody"] == [[0, 69, 2, 100], [2, 72, 2, 100], [4, 76, 3, 110], [7, 74, 1, 90]]
        errors = [line for line in said.lines if "error" in line]
        assert errors == []  # it was loaded by soundfiler, too


@pytest.mark.parametrize("count", [1, 32, 33, 100])
def test_a_melody_of_any_length_arrives_whole(tmp_path: Path, count: int) -> None:
    notes = " ".join(f"{36 + at % 60} {at * 0.25:g} 0.25 {1 + at % 127}" for at in range(count))
    with serving(tmp_path) as server:
        steps = [
            (100, f"loopgen-port {server.port}"),
            (500, f"loopgen-do melody m {count} {notes}"),
            (900, "loopgen-do generate melody m bars 1 prompt techno"),
        ]
        with pd(PATCHES / "example.pd", driver(tmp_path / "drive.pd", steps)) as said:
            said.wait_for(rf"^loopgen: melody ok m {count}$")
            done = said.wait_for(r"^loopgen: done \S+ pd-\S+ (.+\.wav) ")
        melody = asked(Path(done[1].replace("\\", "")))["melody"]
        assert melody == [[at * 0.25, 36 + at % 60, 0.25, 1 + at % 127] for at in range(count)]


def test_cancel_and_errors_come_back(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        steps = [
            (100, f"loopgen-port {server.port}"),
            (500, "loopgen-do set bars 9999"),
            (600, "loopgen-do generate prompt techno bars 256 tempo 120"),
            *((delay, "loopgen-do cancel") for delay in (1200, 2200, 4200)),  # the answer may be late on a busy machine
        ]
        with pd(PATCHES / "example.pd", driver(tmp_path / "drive.pd", steps)) as said:
            assert "256" in said.wait_for(r"^loopgen: error pd \S+ (.*) /loopgen/set/bars$")[1]
            job = said.wait_for(r"^loopgen: accepted pd-\S+ (\S+) 0$")[1]
            said.wait_for(rf"^loopgen: cancelled {job}")


def test_silence_is_noticed(tmp_path: Path) -> None:
    steps = [(100, f"loopgen-port {free_port()}")]
    with pd(PATCHES / "example.pd", driver(tmp_path / "drive.pd", steps)) as said:
        said.wait_for(r"^loopgen: error hello server_unreachable ")


def test_the_player_goes_round_without_a_seam(tmp_path: Path) -> None:
    """What comes out of the player repeats the file, sample by sample, across the loop's end."""
    frames, rate = 22_051, 44_100
    time = np.arange(frames) / frames
    loop = np.stack([np.sin(2 * np.pi * 55 * time), np.cos(2 * np.pi * 34 * time)], axis=1) * 0.5
    soundfile.write(tmp_path / "loop.wav", loop, rate, subtype="PCM_24")
    recorded = tmp_path / "recorded.wav"
    tail = """
#X obj 300 10 r test-load;
#X obj 400 10 r test-play;
#X obj 300 60 loopgen-player~;
#X obj 300 110 writesf~ 2;
#X obj 450 60 r test-file;
#X connect {0} 0 {2} 0;
#X connect {1} 0 {2} 1;
#X connect {2} 0 {3} 0;
#X connect {2} 1 {3} 1;
#X connect {4} 0 {3} 0;"""
    steps = [
        (50, f"test-load list {tmp_path / 'loop.wav'}"),
        (100, f"test-file open -bytes 4 {recorded}"),
        (150, "pd dsp 1"),
        (200, "test-file start"),
        (200, "test-play 1"),
        (1900, "test-file stop"),
        (2100, "pd quit"),
    ]
    first = 1 + 2 * len(steps)
    with pd(driver(tmp_path / "drive.pd", steps, tail.format(*range(first, first + 5)))) as said:
        said.wait()
    played, played_rate = soundfile.read(recorded)
    assert played_rate == rate
    start = rate // 100  # the player fades in for 5 ms
    length = 3 * frames
    assert len(played) >= start + length
    # It begins at the loop's second sample: the first is the one that tabread4~ looks back to.
    expected = np.take(loop, np.arange(start + 1, start + 1 + length), axis=0, mode="wrap")
    offsets = [int(np.argmax(np.abs(played[:, 0]) > 0)) + shift for shift in (-2, -1, 0, 1, 2)]
    errors = [np.max(np.abs(played[max(0, o) + start :][:length] - expected)) for o in offsets]
    assert min(errors) < 2e-3
