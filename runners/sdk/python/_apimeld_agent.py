"""The agent's SDK for Python scripts: notifications and logger.

Standard library only, and what is slow to import is imported when it is used.
"""

import os


class NotificationError(RuntimeError):
    """A message could not be sent; its text says why."""


class Notifications:
    """Sends messages to the webhooks of the configuration."""

    Error = NotificationError

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
        status, answer = _post("/v1/notices", json.dumps(message).encode("utf-8", "replace"))
        if status == 201:
            return
        try:
            reason = json.loads(answer.decode("utf-8", "replace"))["detail"]
        except (ValueError, KeyError, TypeError):
            reason = "the agent answered %s" % status
        raise NotificationError(reason)


def _post(path, body):
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(60)
            s.connect(os.environ["AGENT_RUN_SOCKET"])
            head = (
                "POST %s HTTP/1.0\r\nHost: agent\r\nAuthorization: Bearer %s\r\n"
                "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (path, os.environ["AGENT_RUN_TOKEN"], len(body))
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
        raise NotificationError("reach the agent: %s" % e) from None


class Logger:
    """Writes lines with a level to the run's log."""

    def __init__(self):
        self._pipe = None

    def debug(self, text, *args):
        self._write(b"debug ", text, args)

    def info(self, text, *args):
        self._write(b"info ", text, args)

    def warning(self, text, *args):
        self._write(b"warning ", text, args)

    warn = warning

    def error(self, text, *args):
        self._write(b"error ", text, args)

    def _write(self, level, text, args):
        text = str(text)
        if args:
            text = text % args
        try:
            if self._pipe is None:
                # Read and write: opening never waits, also when the agent is gone.
                self._pipe = os.open(os.environ["AGENT_RUN_LOG"], os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
            for line in text.split("\n"):
                line = line.encode("utf-8", "replace").replace(b"\x00", b"")
                # A pipe takes up to 4096 bytes at once without mixing them with another's.
                for start in range(0, max(len(line), 1), 4000):
                    os.write(self._pipe, level + line[start : start + 4000] + b"\n")
        except (OSError, KeyError):
            import sys

            sys.stderr.write(level.decode() + text + "\n")


notifications = Notifications()
logger = Logger()
