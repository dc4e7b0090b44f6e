"""The SuperCollider class in a real sclang, against the real server."""

from pathlib import Path

import pytest
import soundfile

from tests.bridge.clients_support import CLIENTS, Program, asked, check_loop, free_port, needs, serving

CLASSES = CLIENTS / "supercollider"
HEADLESS = {
    "QT_QPA_PLATFORM": "offscreen",
    "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox",  # its help browser refuses to start as root, as CI is
    "QTWEBENGINE_DISABLE_SANDBOX": "1",
}


def sclang(folder: Path, code: str) -> Program:
    """An interpreter that knows the class, without a window, running ``code``."""
    path = needs("sclang")
    config = folder / "sclang.yaml"
    config.write_text(f"includePaths:\n    - {CLASSES}\nexcludePaths: []\npostInlineWarnings: false\n")
    script = folder / "test.scd"
    script.write_text(code, encoding="utf-8")
    return Program(
        [path, "-l", config, "-u", str(free_port()), script], env={**HEADLESS, "XDG_RUNTIME_DIR": str(folder)}
    )


def test_a_pattern_becomes_a_melody_and_a_loop_of_the_exact_length(tmp_path: Path) -> None:
    code = """
    ~l = Loopgen(PORT, name: "the test");
    ~l.hello { |version, protocol, max, root|
        "ROOT %".format(root).postln;
        ~l.set(\\prompt, "dub techno");
        ~l.melody(*Loopgen.notes(Pbind(
            \\scale, Scale.minor, \\root, -3, \\degree, Pseq([0, [2, 4], Rest(), 3]),
            \\dur, Pseq([2, 3, 1, 2]), \\legato, 0.5
        ), 7));
        ~l.generate((tempo: 127.953, bars: 2, key: "Am", melody: \\melody),
            done: { |path, loop|
                var file = SoundFile.openRead(path);
                "DONE % % % % ".format(loop.frames, file.numFrames, loop.tempo, loop.bars).post;
                path.postln;
            },
            progress: { |fraction, stage| "PROGRESS % %".format(fraction, stage).postln },
            failed: { |code, message| "FAILED % %".format(code, message).postln });
    };
    """
    with serving(tmp_path / "out dir") as server:
        with sclang(tmp_path, code.replace("PORT", str(server.port))) as said:
            said.wait_for(r"^ROOT .*out dir$")
            done = said.wait_for(r"^DONE (\d+) (\d+) (\S+) 2 (.*)$")
            said.wait_for(r"^PROGRESS [01]")
        path = Path(done[4])
        check_loop(path, "127.953", 2, tmp_path / "out dir")
        assert int(done[1]) == int(done[2]) == soundfile.info(str(path)).frames
        assert done[3] == "127.953"
    request = asked(path)
    assert request["bpm"] == "127.953" and request["prompt"] == "dub techno"
    # degrees of A minor; a chord is two notes; the rest is none; the last note begins at 6 and the clip ends at 7
    assert request["melody"] == [[0, 57, 1, 100], [2, 60, 1.5, 100], [2, 64, 1.5, 100], [6, 62, 1, 100]]
    assert request["melody_length"] == 7


def test_cancel_and_errors_arrive_where_they_belong(tmp_path: Path) -> None:
    code = """
    ~l = Loopgen(PORT);
    ~l.hello {
        ~l.generate((prompt: "techno", tempo: 9999),
            failed: { |code, message| "REFUSED % %".format(code, message).postln });
        ~l.generate((prompt: "techno", tempo: 120, bars: 256),
            progress: { ~l.cancel },
            failed: { |code| "ENDED %".format(code).postln });
    };
    """
    with serving(tmp_path) as server, sclang(tmp_path, code.replace("PORT", str(server.port))) as said:
        assert "999" in said.wait_for(r"^REFUSED invalid_request (.*)$")[1]
        said.wait_for(r"^ENDED cancelled$")


def test_silence_is_noticed(tmp_path: Path) -> None:
    with sclang(tmp_path, f"Loopgen({free_port()}).hello") as said:
        said.wait_for(r"no answer from .*loopgen serve")


@pytest.mark.parametrize("count", [32, 33])
def test_a_melody_of_any_length_arrives_whole(tmp_path: Path, count: int) -> None:
    code = """
    ~l = Loopgen(PORT);
    ~l.hello {
        ~l.melody(COUNT.collect { |i| [36 + (i % 60), i * 0.25, 0.25, 1 + (i % 127)] }, COUNT * 0.25);
        ~l.generate((prompt: "techno", bars: 1, melody: \\melody), done: { |path| "DONE %".format(path).postln });
    };
    """
    with serving(tmp_path / "out") as server:
        code = code.replace("PORT", str(server.port)).replace("COUNT", str(count))
        with sclang(tmp_path, code) as said:
            path = Path(said.wait_for(r"^DONE (.*)$")[1])
    assert asked(path)["melody"] == [[at * 0.25, 36 + at % 60, 0.25, 1 + at % 127] for at in range(count)]
