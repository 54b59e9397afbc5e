"""Puts notifications and logger where every script of a task finds them.

Python imports this module before a script. It adds a few names to builtins, so
that a script's own variables, functions and modules of these names win, and
then does what the sitecustomize of the author's environment would have done.
"""

import sys


def _install():
    import builtins
    import os

    if not os.environ.get("AGENT_RUN_SOCKET"):
        return
    import _apimeld_agent

    for name in _apimeld_agent.__all__:
        setattr(builtins, name, getattr(_apimeld_agent, name))


def _chain():
    """Runs the next sitecustomize on the path, if there is one."""
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    rest = [p for p in sys.path if os.path.abspath(p or ".") != here]
    import importlib.machinery
    import importlib.util

    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_install()
_chain()
