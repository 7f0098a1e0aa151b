"""A private PostgreSQL or MariaDB, for a run of the tests.

    python3 test/support/private_database.py pgsql|mysql FOLDER SCHEMA

Prints "PORT PASSWORD" when it accepts connections of the user "twitter" on the loopback interface, and
stops when standard input ends: however the one who started it ends, nothing stays. What it keeps is of no
use to anybody afterwards, and is deleted. PostgreSQL has the tables of the file SCHEMA in a database
"template", of which others are made; MariaDB knows no templates, and takes no schema here.

Both refuse to run as root: started by root, they run as "postgres", "mysql" or "nobody".
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn, Sequence

from private_ejabberd import LOOPBACK, free_port

USER = "twitter"
_TIMEOUT = 60.0


class NotStarted(Exception):
    """The database did not come up; the text says why."""


def program(name: str) -> str:
    """Debian keeps PostgreSQL's programs out of the way, by version."""
    versioned = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = str(versioned[-1]) if versioned else shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        raise NotStarted(f"{name} was not found: make deps installs what is needed for PostgreSQL")
    return found


def prepend_user(account: str | None, signal_name: str) -> list[str]:
    """What starts a program as that user, to which the signal is sent if we are gone."""
    drop = ["--reuid", account, "--regid", account, "--clear-groups"] if account else []
    return ["setpriv", *drop, "--pdeathsig", signal_name]


class Database:
    """What both have in common: a folder, an account, a process."""

    accounts: Sequence[str] = ("nobody",)
    # What ends it at once, and in good order.
    kill_signal, stop_signal = "KILL", signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.password = secrets.token_hex(16)
        self.port = free_port()
        self.account = self._account()
        self.folder = self._own_folder(folder)
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def _account(self) -> str | None:
        if os.geteuid() != 0:
            return None
        names = {entry.pw_name for entry in pwd.getpwall()}
        return next(name for name in (*self.accounts, "nobody") if name in names)

    def _own_folder(self, folder: Path) -> Path:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if self.account is not None:
            shutil.chown(folder, self.account)
            # Below a folder of root's it would be of no use to that user.
            if subprocess.run([*prepend_user(self.account, "KILL"), "test", "-w", folder], check=False).returncode:
                folder.rmdir()
                folder = Path(tempfile.mkdtemp())
                shutil.chown(folder, self.account)
        return folder

    def run(self, *command: str, text: str = "") -> None:
        """Runs a program to its end."""
        with open(self.log, "ab") as log:
            done = subprocess.run(
                [*prepend_user(self.account, "KILL"), *command],
                input=text.encode(), stdout=log, stderr=log, cwd=self.folder, check=False,
            )
        if done.returncode:
            raise NotStarted(f"{command[0]} failed:\n{self.last_words()}")

    def serve(self, *command: str) -> None:
        """Starts the server, and returns when it accepts connections."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*prepend_user(self.account, self.kill_signal), *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                # A Ctrl-C at the terminal is for whoever started us.
                start_new_session=True,
            )
        patience = time.monotonic() + _TIMEOUT
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > patience:
                raise NotStarted(f"the database did not start; it said:\n{self.last_words()}")
            time.sleep(0.05)

    def is_up(self) -> bool:
        """Whether it accepts connections."""
        raise NotImplementedError

    def succeeds(self, *command: str) -> bool:
        """Whether a program says so."""
        return not subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode

    def last_words(self) -> str:
        """The end of what it logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def stop(self) -> None:
        """Returns when its process and its folder are gone."""
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgreSQL(Database):
    """Without anything that a power failure would need."""

    accounts = ("postgres",)
    kill_signal, stop_signal = "QUIT", signal.SIGQUIT

    def start(self, schema: Path) -> None:
        """With a template that has the tables."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        if self.account is not None:
            shutil.chown(password, self.account)
        data = str(self.folder / "data")
        self.run(
            program("initdb"), "--pgdata", data, "--username", USER, "--auth", "password", "--pwfile", str(password),
            "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        )
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "1d",
            # Each vhost of each server has a pool of them.
            "max_connections": "400",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.serve(program("postgres"), "-D", data, *options)
        os.environ["PGPASSWORD"] = self.password
        self.psql("postgres", "CREATE DATABASE template IS_TEMPLATE true;")
        self.psql("template", schema.read_text())

    def is_up(self) -> bool:
        return self.succeeds(program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port))

    def psql(self, database: str, text: str) -> None:
        """Runs a script; one that fails is an error."""
        self.run(
            program("psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-h", LOOPBACK, "-p", str(self.port), "-U", USER,
            "-d", database, text=text,
        )


class MariaDB(Database):
    """Without anything that a power failure would need."""

    accounts = ("mysql",)

    def start(self, _schema: Path) -> None:
        """With one user, who may do everything."""
        data = str(self.folder / "data")
        self.run(
            program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal",
        )
        self.socket = str(self.folder / "socket")
        self.serve(
            program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={self.socket}",
            f"--bind-address={LOOPBACK}", f"--port={self.port}", "--skip-name-resolve", "--skip-log-bin",
            f"--pid-file={self.folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
            "--innodb-flush-method=nosync", "--innodb-file-per-table=0", "--max-connections=400",
        )
        self.run(
            program("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root",
            text=f"CREATE USER {USER}@'{LOOPBACK}' IDENTIFIED BY '{self.password}';"
            f"GRANT ALL ON *.* TO {USER}@'{LOOPBACK}';",
        )

    def is_up(self) -> bool:
        return self.succeeds(
            program("mariadb-admin"), "--no-defaults", f"--socket={self.socket}", "--user=root", "ping"
        )


def main(kind: str, folder: str, schema: str) -> None:
    """Until standard input ends, or we are told to."""

    def leave(_signal: int, _frame: object) -> NoReturn:
        sys.exit(1)

    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, leave)
    database = {"pgsql": PostgreSQL, "mysql": MariaDB}[kind](Path(folder).resolve())
    try:
        database.start(Path(schema))
        print(database.port, database.password, flush=True)
        sys.stdin.buffer.read()
    except NotStarted as reason:
        sys.exit(str(reason))
    finally:
        database.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
