#!/usr/bin/env python3
"""Takes the pictures of the README: a real Psi, logged in to the demo.

Psi is driven by psi-browse.py, which is not part of this project: PSI_BROWSE says where
it is. It needs Debian's psi, xvfb, openbox, xdotool, imagemagick and fonts-dejavu-core.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from private_ejabberd import free_port

ROOT = Path(__file__).resolve().parents[2]
PSI_BROWSE = Path(os.environ.get("PSI_BROWSE", ROOT.parent / "shared" / "psi" / "psi-browse.py"))
PICTURES = ROOT / "docs"
PUBLISH = (
    "<iq type='set' to='pubsub.localhost' id='p1'>"
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='/twitter/MyStream'>"
    "<item>Written in Psi&apos;s XML console</item></publish></pubsub></iq>"
)
# The middle of the button Finish, from the lower right corner of a form.
FINISH = (135, 25)


def main() -> int:
    if not PSI_BROWSE.exists():
        print(f"There is no {PSI_BROWSE}: set PSI_BROWSE", file=sys.stderr)
        return 1
    port = str(free_port())
    demo = subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "test" / "demo" / "demo.py"),
         "--no-color", "--port", port, "--folder", str(ROOT / "_build" / "screenshots")],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        assert demo.stdout is not None
        if not any("Ctrl-C ends the server" in line for line in demo.stdout):
            print("The demo ended before it was up", file=sys.stderr)
            return 1
        PICTURES.mkdir(exist_ok=True)
        return (
            psi(port, "bob", "--expand", "4", "--xml-console", PUBLISH,
                "--console-out", picture("psi-console"), "--out", picture("psi-tree"))
            or psi(port, "bob", "--expand", "2", "--execute-command", "MyStream",
                   "--form-text", "Written in the service browser, by Execute command",
                   "--command-out", picture("psi-command"),
                   "--out", str(ROOT / "_build" / "screenshots" / "before.png"))
            or psi(port, "alice", "--expand", "3", "--select", "/twitter/FriendsStream",
                   "--out", picture("psi-posted"))
        )
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def picture(name: str) -> str:
    return str(PICTURES / f"{name}.png")


def psi(port: str, user: str, *args: str) -> int:
    """One run of psi-browse.py, in a process of its own; its exit status."""
    argv = ["--jid", f"{user}@localhost", "--password", "secret", "--port", port, *args]
    run = multiprocessing.get_context("spawn").Process(target=browse, args=(argv,))
    run.start()
    run.join()
    return run.exitcode or 0


def browse(argv: list[str]) -> None:
    """psi-browse.py ends a form with Return; in a text of several lines that is a new line."""
    spec = importlib.util.spec_from_file_location("psi_browse", PSI_BROWSE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    desktop = module.Desktop
    key, focus, write = desktop.key, desktop.focus, desktop.type
    state: dict[str, Any] = {"wrote": False}

    def focused(self: Any, window: str) -> None:
        state["window"] = window
        focus(self, window)

    def written(self: Any, text: str) -> None:
        write(self, text)
        state["wrote"] = True

    def pressed(self: Any, *keys: str) -> None:
        if not (state["wrote"] and keys == ("Return",) and "--execute-command" in argv):
            key(self, *keys)
            return
        lines = self.xdo("getwindowgeometry", "--shell", state["window"]).splitlines()
        size = dict(line.split("=") for line in lines)
        right, lower = (int(size[of]) - back for of, back in zip(("WIDTH", "HEIGHT"), FINISH))
        self.xdo("mousemove", "--window", state["window"], str(right), str(lower))
        self.xdo("click", "1")

    desktop.focus, desktop.type, desktop.key = focused, written, pressed
    sys.argv[1:] = argv
    sys.exit(module.main())


if __name__ == "__main__":
    sys.exit(main())
