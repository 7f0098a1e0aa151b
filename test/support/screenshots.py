#!/usr/bin/env python3
"""Takes the pictures of the README: a real Psi, logged in to the demo.

Psi is driven by psi-browse.py, which is not part of this project: PSI_BROWSE says where
it is. It needs Debian's psi, xvfb, openbox, xdotool, imagemagick and fonts-dejavu-core.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from private_ejabberd import free_port

ROOT = Path(__file__).resolve().parents[2]
PSI_BROWSE = Path(os.environ.get("PSI_BROWSE", ROOT.parent / "shared" / "psi" / "psi-browse.py"))
PICTURES = ROOT / "docs"
PUBLISH = (
    "<iq type='set' to='pubsub.localhost' id='p1'>"
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='/twitter/MyStream'>"
    "<item>Written in Psi&apos;s XML console</item></publish></pubsub></iq>"
)


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
        return subprocess.call(
            [sys.executable, str(PSI_BROWSE), "--jid", "bob@localhost", "--password", "secret",
             "--port", port, "--expand", "4",
             "--xml-console", PUBLISH, "--console-out", str(PICTURES / "psi-console.png"),
             "--out", str(PICTURES / "psi-tree.png")],
        )
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


if __name__ == "__main__":
    sys.exit(main())
