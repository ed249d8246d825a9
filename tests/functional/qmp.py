# SPDX-License-Identifier: GPL-2.0-or-later
"""The program with a QMP client: Qmp(ARGS...) starts it with a monitor on a UNIX socket."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

import humpy


class Client:
    """One connection. Replies come in order; events met on the way are kept."""

    def __init__(self, connection, greet=True, enable=()):
        self.socket = connection
        self.socket.settimeout(humpy.LONGEST)
        self.buffer = b""
        self.events = []
        self.greeting = self.receive()
        if greet:
            self.execute("qmp_capabilities", enable=list(enable))

    def send_raw(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next message, or None at the end."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def reply(self):
        """The next message that is no event."""
        while True:
            message = self.receive()
            if message is None:
                raise AssertionError("the connection ended instead of a reply")
            if "event" not in message:
                return message
            self.events.append(message)

    def send(self, command, how="execute", request_id=None, fd=None, **arguments):
        message = {how: command}
        if arguments:
            message["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        if request_id is not None:
            message["id"] = request_id
        data = json.dumps(message).encode() + b"\n"
        if fd is None:
            self.socket.sendall(data)
        else:
            socket.send_fds(self.socket, [data], [fd])

    def ask(self, command, **more):
        self.send(command, **more)
        return self.reply()

    def execute(self, command, **arguments):
        """The value returned; a reply that is an error fails the test."""
        reply = self.ask(command, **arguments)
        if "return" not in reply:
            raise AssertionError(f"{command}: {reply}")
        return reply["return"]

    def error(self, command, **arguments):
        """(class, text) of the error that is expected."""
        reply = self.ask(command, **arguments)
        if "error" not in reply:
            raise AssertionError(f"{command} succeeded: {reply}")
        return reply["error"]["class"], reply["error"]["desc"]

    def event(self, name):
        """The next event called name, past or to come; others before it are dropped."""
        while True:
            message = self.events.pop(0) if self.events else self.receive()
            if message is None:
                raise AssertionError(f"the connection ended before the event {name}")
            if message.get("event") == name:
                return message

    def close(self):
        self.socket.close()


class Qmp:
    """The program, listening for nothing: it connects to us, as QEMU's own clients have it."""

    def __init__(self, *args, monitors=1, pretty=False, greet=True, enable=()):
        self.dir = tempfile.mkdtemp(prefix="humpy-qmp-")
        words = list(args)
        listeners = []
        for n in range(monitors):
            path = os.path.join(self.dir, f"qmp{n}")
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(humpy.LONGEST)
            listeners.append(listener)
            words += ["-chardev", f"socket,id=qmp{n},path={path}", "-mon",
                      f"chardev=qmp{n},mode=control,pretty={'on' if pretty else 'off'}"]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([humpy.BINARY, "-display", "none", *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self.errors)
        connections = [listener.accept()[0] for listener in listeners]
        for listener in listeners:
            listener.close()
        self.clients = [Client(c, greet, enable) for c in connections] if not pretty else connections
        self.client = self.clients[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for client in self.clients:
            client.close()
        self.errors.close()
        shutil.rmtree(self.dir)

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def wait(self):
        return self.process.wait(humpy.LONGEST)
