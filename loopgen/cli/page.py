"""``loopgen library open``: the page's process, its address and its end."""

from __future__ import annotations

import argparse
import os

from loopgen.cli.common import print_json, say


def open_page(options: argparse.Namespace) -> None:
    """Serve the page of ``options.folder`` until somebody ends it; ``options`` has ``port`` and ``no_browser`` too."""
    from pathlib import Path

    import platformdirs

    from loopgen import settings
    from loopgen.cli.serve import Events
    from loopgen.engines.base import Hardware
    from loopgen.errors import InvalidRequest, OutputUnwritable
    from loopgen.files import make_folder
    from loopgen.page.server import Server
    from loopgen.page.workshop import Bench

    chosen = settings.resolve({}, os.environ, settings.config_file(os.environ)).settings
    folder = Path(options.folder).expanduser().absolute() if options.folder else make_folder(chosen.output)
    if not folder.is_dir():
        raise OutputUnwritable(f"{folder} is not there, or no folder; give the one that holds your loops")
    port = options.port
    if port is not None and not (str(port).isascii() and str(port).isdecimal() and int(port) <= 65_535):
        raise InvalidRequest("port", str(port), "a whole number from 0 to 65535")
    bench = Bench(
        folder,
        chosen.engine,
        Hardware(chosen.device, chosen.precision, chosen.threads),
        chosen.stretcher,
        chosen.format,
        chosen.presets,
        chosen.rate,
        chosen.takes,
        chosen.listener,
        _server_beside,
    )
    cache = platformdirs.user_cache_path("loopgen", appauthor=False)
    events = Events()
    server = Server(
        bench, None if port is None else int(port), state_folder=settings.state_folder(), cache_folder=cache
    )
    with events.ended_by_signals(), server:
        if options.json:
            print_json({"url": server.url, "port": server.port, "folder": str(folder)})
        else:
            print(f"{folder}\n{server.url}", flush=True)
            say("The page is for this machine alone. Ctrl-C ends it.")
        _flush()
        if not options.no_browser:
            _show(server.invitation())
        while not events.is_over:
            events.wait(0.5)


def _server_beside() -> str:
    """The OSC server that runs besides, if one does."""
    from bridge import discovery
    from loopgen import settings

    found = discovery.running(settings.state_folder())
    return f"`loopgen serve` (process {found.pid})" if found else ""


def _flush() -> None:
    import sys

    sys.stdout.flush()


def _show(url: str) -> None:
    """Open the user's browser; where there is none, the address that was printed is enough."""
    import webbrowser

    try:
        shown = webbrowser.open(url)
    except webbrowser.Error:
        shown = False
    if not shown:
        say("No browser could be opened; open the address above in one yourself.")
