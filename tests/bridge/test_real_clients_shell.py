"""The how-to for oscsend and oscdump, run as it stands there, against the real server."""

import re
import shlex
import subprocess
from functools import partial
from pathlib import Path

from tests.bridge.clients_support import CLIENTS, Program, check_loop, free_port, needs, serving, wait_until

HOW_TO = CLIENTS / "shell" / "README.md"


def commands(port: int, answers: int) -> list[list[str]]:
    """The commands of the how-to, with this test's ports in place of its own."""
    blocks = re.findall(r"```sh\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ").replace("11200", str(port)).replace("9000", str(answers))
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_how_to_makes_a_loop_of_the_exact_length(tmp_path: Path) -> None:
    needs("oscsend"), needs("oscdump")
    with serving(tmp_path) as server:
        (dump, *sends) = commands(server.port, answers := free_port())
        assert dump[0] == "oscdump" and {command[0] for command in sends} == {"oscsend"}
        with Program(dump) as heard:
            wait_until(partial(awake, heard, answers), "oscdump listens")
            for command in sends:
                if command[3] == "/loopgen/ack":
                    job = heard.wait_for(r"/loopgen/accepted \S+ \"\S+\" \"(\S+)\" 0")[1]
                    done = heard.wait_for(r'/loopgen/done \S+ "\S+" "\S+" "([^"]+)"')
                    command = [part.replace("JOB", job) for part in command]
                subprocess.run(command, check=True, timeout=10)
                if command[3] == "/loopgen/hello":
                    heard.wait_for(r"/loopgen/welcome ")
            heard.wait_for(r'/loopgen/melody/ok si "riff" 4')
            heard.wait_for(r'/loopgen/progress sfs "\S+" [01]\.\d+ "')
            heard.wait_for(r'/loopgen/ok s "' + job)
        check_loop(Path(done[1]), "127.9", 2, tmp_path)
        assert not any("/loopgen/error" in line for line in heard.lines)


def awake(heard: Program, port: int) -> bool:
    subprocess.run(["oscsend", "127.0.0.1", str(port), "/awake"], check=True, timeout=10)
    return any("/awake" in line for line in heard.lines)
