"""Imported first by a test that needs NumPy: where this Python has none, the test begins anew in the system's."""
import importlib.util
import os
import sys

SYSTEM = "/usr/bin/python3"  # for which tools/install_deps.sh installs it

if importlib.util.find_spec("numpy") is None and os.path.exists(SYSTEM) and sys.executable != SYSTEM:
    os.execv(SYSTEM, [SYSTEM, *sys.argv])
