"""A private ejabberd, for tests, demos and screenshots.

An unmodified ejabberd with the plugin on its code path, as an ordinary process: no
root, loopback only, everything it writes in one folder. It runs without Erlang
distribution, so no epmd is started, and it ends when the process that started it
does, however that ends: it watches its standard input.

    with PrivateEjabberd(folder, port=15222) as server:
        ...

By hand: python3 test/support/private_ejabberd.py FOLDER [PORT]
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Sequence

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "_build" / "default" / "lib" / "ejabberd_twitter"
LOOPBACK = "127.0.0.1"

Config = dict[str, Any]

# Says on standard output when ejabberd is up, and stops it in good order when
# standard input ends.
_UP = "private ejabberd is up"
_MAIN = f"""
case ejabberd:start() of
    {{error, Reason}} -> io:format("~p~n", [Reason]), halt(1);
    _ -> io:put_chars("{_UP}\\n")
end,
spawn(fun() ->
    Input = open_port({{fd, 0, 0}}, [in, eof]),
    receive {{Input, eof}} -> init:stop() end
end).
"""


class NotStarted(Exception):
    """ejabberd did not come up; the text says why."""


def default_config(port: int, hosts: Sequence[str] = ("localhost",), plugin: bool = True) -> Config:
    """An ordinary small configuration; change what you like before passing it on."""
    pubsub: Config = {"plugins": ["flat", "pep"], "access_createnode": "all"}
    modules: Config = {
        "mod_blocking": {},
        "mod_caps": {},
        "mod_disco": {},
        "mod_ping": {},
        "mod_privacy": {},
        "mod_private": {},
        "mod_pubsub": pubsub,
        "mod_register": {"ip_access": "loopback"},
        "mod_roster": {},
    }
    if plugin:
        pubsub["nodetree"] = "twitter"
        modules["mod_twitter"] = {}
    return {
        "hosts": list(hosts),
        "loglevel": "info",
        "acl": {"loopback": {"ip": ["127.0.0.0/8"]}},
        "access_rules": {"loopback": [{"allow": "loopback"}]},
        "listen": [
            {
                "port": port,
                "ip": LOOPBACK,
                "module": "ejabberd_c2s",
                "access": "all",
                "shaper": "none",
            }
        ],
        "auth_method": ["mnesia"],
        "auth_password_format": "plain",
        "registration_timeout": "infinity",
        "modules": modules,
    }


def component_listener(port: int, password: str) -> Config:
    """One more entry of "listen": external components (XEP-0114) of any domain log in there."""
    return {"port": port, "ip": LOOPBACK, "module": "ejabberd_service", "password": password}


def free_port() -> int:
    """A port that nobody uses at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many ports, all different."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in sockets]


def erlang_environment() -> dict[str, str]:
    """The environment with ejabberd's libraries on Erlang's code path."""
    environment = dict(os.environ)
    if "ERL_LIBS" not in environment:
        libraries = ROOT / "_build" / "ejabberd_libs"
        subprocess.run([ROOT / "test" / "support" / "link_ejabberd.sh", libraries], check=True)
        environment["ERL_LIBS"] = str(libraries)
    return environment


class PrivateEjabberd:
    """One server; what it keeps survives stop, kill and restart."""

    def __init__(
        self,
        folder: Path | str,
        *,
        port: int | None = None,
        plugin: bool = True,
        config: Config | None = None,
        ebin: Path | str = PLUGIN / "ebin",
    ) -> None:
        """The folder is made if need be. `config` is what default_config() returns,
        with changes; its ports count, not `port`."""
        self.folder = Path(folder).resolve()
        self.config = config or default_config(port or free_port(), plugin=plugin)
        self.port: int = self.config["listen"][0]["port"]
        self.host: str = self.config["hosts"][0]
        self.process: subprocess.Popen[bytes] | None = None
        self._code_path = ["-pa", str(ebin)] if plugin else []
        self._reader: threading.Thread | None = None
        self._lock: IO[str] | None = None

    @property
    def log_path(self) -> Path:
        """Where ejabberd's log is."""
        return self.folder / "log" / "ejabberd.log"

    @property
    def console_path(self) -> Path:
        """Everything it printed: its log without delay, and what went wrong before."""
        return self.folder / "log" / "console.log"

    def start(self, *, fresh: bool = False) -> None:
        """Returns when clients can connect; `fresh` forgets all former data."""
        self._lock_folder()
        if fresh:
            for old in (self.folder / "spool", self.folder / "log"):
                shutil.rmtree(old, ignore_errors=True)
        for folder in (self.folder / "spool", self.folder / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        self._check_ports()
        config_path = self.folder / "ejabberd.yml"
        # JSON is YAML.
        config_path.write_text(json.dumps(self.config, indent=2) + "\n")
        spool = self.folder / "spool"
        self.process = subprocess.Popen(
            ["erl", "-noinput", *self._code_path, "-mnesia", "dir", f'"{spool}"', "-eval", _MAIN],
            env={
                **erlang_environment(),
                "EJABBERD_CONFIG_PATH": str(config_path),
                "EJABBERD_LOG_PATH": str(self.log_path),
                "SPOOL_DIR": str(spool),
                "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A Ctrl-C at the terminal is for whoever started the server.
            start_new_session=True,
        )
        is_up = threading.Event()
        self._reader = threading.Thread(target=self._copy_output, args=(is_up,), daemon=True)
        self._reader.start()
        is_up.wait()
        if self.process.poll() is not None or not self._accepts():
            self.kill()
            raise NotStarted(f"ejabberd did not start; it said:\n{self.last_words()}")

    def stop(self) -> None:
        """Stops ejabberd in good order and returns when its process is gone."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power failure would; returns when the process is gone."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self._reader is not None:
            self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def restart(self) -> None:
        """Stops it, if it runs, and starts it on the same data."""
        self.stop()
        self.start()

    def last_words(self, lines: int = 20) -> str:
        """The end of what it printed."""
        text = self.console_path.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def __enter__(self) -> PrivateEjabberd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _lock_folder(self) -> None:
        """Two servers on the same data would destroy it. The lock goes with us."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise NotStarted(f"a server uses the folder {self.folder} already; choose another") from error

    def _check_ports(self) -> None:
        for listener in self.config["listen"]:
            address = (listener.get("ip", LOOPBACK), listener["port"])
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(address)
                except OSError as error:
                    raise NotStarted(
                        f"port {address[1]} on {address[0]} cannot be used ({error.strerror}); "
                        "choose another"
                    ) from error

    def _copy_output(self, is_up: threading.Event) -> None:
        assert self.process is not None and self.process.stdout is not None
        with self.console_path.open("ab") as console:
            for line in self.process.stdout:
                console.write(line)
                console.flush()
                if line.strip() == _UP.encode():
                    is_up.set()
        self.process.wait()
        is_up.set()

    def _accepts(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=10).close()
        except OSError:
            return False
        return True


def main(arguments: Sequence[str]) -> int:
    """Runs a server in the foreground until Ctrl-C."""
    if not 1 <= len(arguments) <= 2:
        print("usage: private_ejabberd.py FOLDER [PORT]", file=sys.stderr)
        return 2
    server = PrivateEjabberd(arguments[0], port=int(arguments[1]) if arguments[1:] else None)
    try:
        with server:
            print(f"listening on {LOOPBACK}:{server.port}, log in {server.log_path}; Ctrl-C ends it")
            signal.pause()
    except KeyboardInterrupt:
        pass
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
