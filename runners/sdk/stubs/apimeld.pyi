# What a Python script of a task finds without importing anything.
#
# For an editor: put this file beside the scripts, and let the type checker take
# it for the names of builtins: `"extraPaths"` of Pyright, or begin a script with
#   from typing import TYPE_CHECKING
#   if TYPE_CHECKING:
#       from apimeld import logger, notifications, payload, progress, run, state, webhook

from typing import Any

class AgentError(RuntimeError):
    """The agent refused a call, or cannot be reached; the text says why."""

class Notifications:
    Error: type[AgentError]
    def send_mattermost(self, webhook: str, text: str, channel: str | None = None) -> None:
        """Sends text to a webhook, by its name. When it returns, the message is stored."""

class Logger:
    def debug(self, text: object, *args: object) -> None: ...
    def info(self, text: object, *args: object) -> None: ...
    def warn(self, text: object, *args: object) -> None: ...
    def warning(self, text: object, *args: object) -> None: ...
    def error(self, text: object, *args: object) -> None: ...

class State:
    """What the task remembers from run to run: JSON values by key."""
    Error: type[AgentError]
    def get(self, key: str, default: Any = None) -> Any: ...
    def set(self, key: str, value: Any) -> None: ...
    def delete(self, key: str) -> None: ...

class Run:
    id: str
    number: int
    task: str
    attempt: int
    scheduled_for: str
    revision: str
    trigger: str
    url: str

class Webhook:
    body: str
    params: dict[str, str]
    headers: dict[str, str]
    triggered_at: str

def progress(done: float, total: float, text: str = "") -> None:
    """Says how far the run is; a total of 0 is one that is not known."""

notifications: Notifications
logger: Logger
state: State
run: Run
payload: Any
webhook: Webhook | None
