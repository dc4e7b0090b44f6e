"""``loopgen serve`` as a process: how it starts, what it says, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import soundfile

from loopgen.music.tempo import Meter, loop_frames, parse_bpm
from tests.cli.programs import PATIENCE, ROOT, Program, environment, loopgen, serving

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and terminals")
LONG = ("prompt=house", "tempo=40", "bars=64", "variations=9")


def discovery_files(folder: Path) -> list[Path]:
    return list(folder.rglob("server.json"))


def signals() -> list[signal.Signals]:
    """Those that end it; a hang-up does not where it was ignored from the start, as under nohup."""
    ends = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if sys.platform != "win32" else [])
    return [each for each in ends if signal.getsignal(each) is not signal.SIG_IGN]


@posix
@pytest.mark.parametrize("number", signals())
def test_a_signal_ends_it_whole(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as (server, port), ExitStack() as stack:
        (file,) = discovery_files(tmp_path)
        assert json.loads(file.read_text("utf-8"))["port"] == port > 0
        sender = stack.enter_context(Program("send", "generate", *LONG, folder=tmp_path))
        server.job("running", "house")
        server.process.send_signal(number)
        assert server.end() == (0, "")
        assert [json.loads(line)["event"] for line in server.lines][-1] == "closed"
        assert any(json.loads(line).get("job", {}).get("state") == "cancelled" for line in server.lines)
        assert server.leaves_nobody()
        assert not discovery_files(tmp_path)
        assert sender.end()[0] == 130  # its job was cancelled
        whole = {path.stem for path in (tmp_path / "out").glob("*.wav")}
        assert whole == {path.stem for path in (tmp_path / "out").glob("*.json")}


@posix
def test_ctrl_c_reaches_all_its_processes_and_still_ends_it_whole(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, _):
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.end() == (0, "")
        assert server.leaves_nobody()


@pytest.mark.skipif(sys.platform != "win32", reason="Windows consoles")
def test_ctrl_break_ends_it_whole(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, _):
        server.interrupt()
        assert server.end() == (0, "")


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    with serving(tmp_path, warm=False) as (server, _):
        server.interrupt()
        assert server.end()[0] == 0
        assert server.leaves_nobody()


@posix
def test_a_second_ctrl_c_ends_at_once_but_two_of_one_keypress_are_one() -> None:
    script = (
        "import time\nfrom loopgen.cli.serve import Events\nevents = Events()\n"
        "with events.ended_by_signals():\n    print('up', flush=True)\n"
        "    while True:\n        time.sleep(0.05)\n        print(events.is_over, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        while process.stdout.readline() != "True\n":
            assert process.poll() is None
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(PATIENCE) == 130


def test_a_second_instance_says_who_has_the_port(tmp_path: Path) -> None:
    with serving(tmp_path, warm=False) as (server, port):
        done = loopgen("serve", "--port", port, "--output", "other", folder=tmp_path, status=2)
        (line,) = done.stderr.splitlines()
        assert f"127.0.0.1:{port}" in line and str(server.process.pid) in line
        assert done.stdout == ""
        assert server.process.poll() is None
        assert discovery_files(tmp_path)


def test_after_a_hard_end_the_next_one_takes_over(tmp_path: Path) -> None:
    with serving(tmp_path) as (first, _):
        first.process.kill()
        first.end()
        assert first.leaves_nobody()
        (file,) = discovery_files(tmp_path)
    with serving(tmp_path) as (second, port):
        assert json.loads(file.read_text("utf-8"))["pid"] == second.process.pid
        assert json.loads(loopgen("send", "ping", "--json", folder=tmp_path).stdout)["port"] == port


def test_plain_lines_of_a_whole_job(tmp_path: Path) -> None:
    with Program("serve", "--port", 0, "--output", tmp_path / "out", folder=tmp_path) as server:  # no terminal: plain
        assert "listening on 127.0.0.1:" in server.line(lambda line: True)
        server.line(lambda line: "ready: engine sketch" in line and "CC0" in line)
        done = loopgen("send", "generate", "prompt=dub techno", "tempo=60.23", "bars=1", folder=tmp_path)
        path = Path(done.stdout.strip())
        assert soundfile.info(str(path)).frames == loop_frames(parse_bpm("60.23"), 1, Meter(), 44_100)
        server.line(lambda line: "begins: dub techno, 60.23 BPM, 1 bar" in line)
        server.line(lambda line: str(path) in line and "LUFS" in line)
        server.interrupt()
        status, errors = server.end()
    assert (status, errors) == (0, "")
    assert server.lines[-1].endswith("ended; 1 done")
    for line in server.lines:
        time.strptime(line[:8], "%H:%M:%S")
    assert len(server.lines) == 5  # calm: nothing but these and the last


def test_another_host_is_warned_about(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", warm=False) as (server, _):
        assert loopgen("send", "ping", folder=tmp_path).stdout.startswith("loopgen ")
        server.interrupt()
        status, errors = server.end()
    assert status == 0
    assert "0.0.0.0 is open to the network: everybody on it can send" in errors


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--port", "99999"), "--port"),
        (("--host", "192.0.2.1"), "host"),
        (("--format", "mp3"), "wav"),
        (("--stretcher", "magic"), "vocoder"),
        (("--engine", "skech"), "sketch"),
        (("--output", "file.txt/out"), "file.txt"),
    ],
)
def test_unusable_flags_get_one_line(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    (tmp_path / "file.txt").write_text("text")
    done = loopgen("serve", *(("--port", 0) if "--port" not in flags else ()), *flags, folder=tmp_path, status=2)
    (line,) = done.stderr.splitlines()
    assert words in line
    assert not discovery_files(tmp_path)


def test_a_reader_that_goes_away_ends_it_without_a_mess(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loopgen", "serve", "--port", "0", "--output", "out", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(tmp_path)
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()  # as `| head -1` does; the engine's being ready cannot be written any more
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""
    assert not discovery_files(tmp_path)


def test_an_engine_that_does_not_load_is_told_and_the_server_stays(tmp_path: Path) -> None:
    plugins = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'plugins'}"}
    flags = ("--port", 0, "--output", tmp_path / "out", "--engine", "doomed", "--plain")
    with Program("serve", *flags, folder=tmp_path, more=plugins) as server:
        assert "doomed" in server.line(lambda line: "failed: " in line)
        assert "failed" in loopgen("send", "ping", folder=tmp_path).stdout
        server.interrupt()
        assert server.end() == (0, "")


def test_nothing_heavy_is_loaded_by_the_process_that_answers(tmp_path: Path) -> None:
    script = (
        "import atexit, sys\natexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\n"
        "from loopgen.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", script, "serve", "--port", "0", "--output", str(tmp_path / "out"), "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(tmp_path)
    )
    assert process.stdout
    for line in process.stdout:
        if '"warm"' in line:
            break
    loopgen("send", "generate", "prompt=trap", "tempo=140", "bars=1", "melody=A4 C5", folder=tmp_path)
    process.send_signal(signal.SIGTERM)
    _, modules = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, modules
    assert "'bridge.server'" in modules
    for heavy in ("scipy", "soundfile", "librosa", "matplotlib", "soxr", "rich"):
        assert f"'{heavy}'" not in modules


@posix
def test_the_console_on_a_terminal(tmp_path: Path) -> None:
    import pty
    import termios

    main, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    process = subprocess.Popen(
        [sys.executable, "-m", "loopgen", "serve", "--port", "0", "--output", str(tmp_path / "out")],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env=environment(tmp_path) | {"TERM": "xterm-256color"},
        preexec_fn=_own_terminal,
    )
    seen = ""

    def read_until(*parts: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + PATIENCE
        while not all(part in seen for part in parts):
            assert time.monotonic() < deadline and process.poll() is None, seen
            seen += os.read(main, 65536).decode("utf-8", "replace")

    read_until("listening on", "sketch", "none yet", "Ctrl-C ends the server", "\x1b[?25l")
    done = loopgen("send", "generate", "prompt=trap", "tempo=140", "bars=1", folder=tmp_path)
    read_until("begins", Path(done.stdout.strip()).name, "1 done")
    os.write(main, b"\x03")  # Ctrl-C, as the keyboard sends it
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        seen += _read(main)
    assert process.wait(PATIENCE) == 0
    seen += _read(main)
    assert "ended; 1 done" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert "Traceback" not in seen
    assert termios.tcgetattr(terminal) == before
    os.close(main)
    os.close(terminal)


def _own_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(main: int) -> str:
    import select

    ready, _, _ = select.select([main], [], [], 0.1)
    return os.read(main, 65536).decode("utf-8", "replace") if ready else ""
