"""The agent's SDK for Python scripts: notifications, logger, state, progress,
run, payload and webhook.

Standard library only, and what is slow to import is imported when it is used.
"""

import os

__all__ = ["notifications", "logger", "state", "progress", "run", "payload", "webhook"]


class AgentError(RuntimeError):
    """The agent refused a call, or cannot be reached; the text says why."""


class Notifications:
    """Sends messages to the webhooks of the configuration."""

    Error = AgentError

    def send_mattermost(self, webhook, text, channel=None):
        """Sends text to a webhook, by its name.

        When it returns, the message is stored, and arrives even if the script
        ends now. It raises notifications.Error with the reason otherwise, such
        as a name that no webhook has.
        """
        import json

        message = {"webhook": str(webhook), "text": str(text)}
        if channel:
            message["channel"] = str(channel)
        _ask("POST", "/v1/notices", json.dumps(message).encode("utf-8", "replace"))


class State:
    """What the task remembers from run to run: JSON values by key."""

    Error = AgentError

    def get(self, key, default=None):
        import json

        answer = _ask("GET", _path(key))
        return default if answer is None else json.loads(answer.decode("utf-8"))

    def set(self, key, value):
        import json

        _ask("PUT", _path(key), json.dumps(value).encode("utf-8"))

    def delete(self, key):
        _ask("DELETE", _path(key))


def _path(key):
    from urllib.parse import quote

    return "/v1/state?key=" + quote(str(key), safe="", errors="replace")


def _ask(method, path, body=b""):
    """Makes one request and returns the answer, or None for what is not there."""
    status, answer = _send(method, path, body)
    if status < 300:
        return answer
    if status == 404:
        return None
    import json

    try:
        reason = json.loads(answer.decode("utf-8", "replace"))["detail"]
    except (ValueError, KeyError, TypeError):
        reason = "the agent answered %s" % status
    raise AgentError(reason)


def _send(method, path, body):
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(60)
            s.connect(os.environ["AGENT_RUN_SOCKET"])
            head = (
                "%s %s HTTP/1.0\r\nHost: agent\r\nAuthorization: Bearer %s\r\n"
                "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (method, path, os.environ["AGENT_RUN_TOKEN"], len(body))
            )
            s.sendall(head.encode("ascii"))
            try:
                s.sendall(body)
            except BrokenPipeError:
                pass  # refused before all of it was read: the answer says why
            answer = b""
            while True:
                part = s.recv(65536)
                if not part:
                    break
                answer += part
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), content
    except (OSError, IndexError, ValueError, KeyError) as e:
        raise AgentError("reach the agent: %s" % e) from None


class _Pipe:
    """The pipe that the agent reads records from: a kind, a space, the text."""

    def __init__(self):
        self._pipe = None

    def write(self, kind, text):
        if self._pipe is None:
            # Opening for writing waits for a reader: here it is this process, for a
            # moment. Once the agent is gone, writing fails instead of waiting.
            path, flags = os.environ["AGENT_RUN_LOG"], getattr(os, "O_CLOEXEC", 0)
            reader = os.open(path, os.O_RDWR | flags)
            self._pipe = os.open(path, os.O_WRONLY | flags)
            os.close(reader)
        for line in text.split("\n"):
            line = line.encode("utf-8", "replace").replace(b"\x00", b"")
            # A pipe takes up to 4096 bytes at once without mixing them with another's.
            for start in range(0, max(len(line), 1), 4000):
                os.write(self._pipe, kind + b" " + line[start : start + 4000] + b"\n")


_pipe = _Pipe()


class Logger:
    """Writes lines with a level to the run's log."""

    def debug(self, text, *args):
        self._write(b"debug", text, args)

    def info(self, text, *args):
        self._write(b"info", text, args)

    def warning(self, text, *args):
        self._write(b"warning", text, args)

    warn = warning

    def error(self, text, *args):
        self._write(b"error", text, args)

    def _write(self, level, text, args):
        text = str(text)
        if args:
            text = text % args
        try:
            _pipe.write(level, text)
        except (OSError, KeyError):
            import sys

            sys.stderr.write(level.decode() + ": " + text + "\n")


def progress(done, total, text=""):
    """Says how far the run is."""
    try:
        _pipe.write(b"progress", "%r %r %s" % (float(done), float(total), str(text).replace("\n", " ")))
    except (OSError, KeyError):
        pass


class Run:
    """The run that this script belongs to."""

    def __init__(self):
        of = lambda name: os.environ.get("AGENT_RUN_" + name, "")
        self.id = of("ID")
        self.number = int(of("NUMBER") or 0)
        self.task = of("TASK")
        self.attempt = int(of("ATTEMPT") or 0)
        self.scheduled_for = of("SCHEDULED_FOR")
        self.revision = of("REVISION")
        self.trigger = of("TRIGGER")
        self.url = of("URL")


class Webhook:
    """The HTTP request that triggered the run."""

    def __init__(self):
        self.body = os.environ.get("TASK_PAYLOAD", "")
        self.params = _parse(os.environ.get("AGENT_WEBHOOK_PARAMS", "{}"))
        self.headers = _parse(os.environ.get("AGENT_WEBHOOK_HEADERS", "{}"))
        self.triggered_at = os.environ["AGENT_WEBHOOK_TRIGGERED_AT"]


def _parse(text):
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


notifications = Notifications()
logger = Logger()
state = State()
run = Run()
payload = _parse(os.environ["TASK_PAYLOAD"]) if "TASK_PAYLOAD" in os.environ else None
webhook = Webhook() if "AGENT_WEBHOOK_TRIGGERED_AT" in os.environ else None
