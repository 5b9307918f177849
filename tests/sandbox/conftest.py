"""The isolations under test, and the count of attacks that each of them stopped."""

from __future__ import annotations

import collections
import os

import pytest

from codekiln.sandbox import IsolationLevel, available_isolations
from codekiln.sandbox.supervised import SupervisedIsolation
from codekiln.sandbox.supervisor import landlock

_BLOCKED: collections.Counter[str] = collections.Counter()
_RUN: collections.Counter[str] = collections.Counter()


def _isolations() -> dict[str, tuple[IsolationLevel, SupervisedIsolation]]:
    abi = landlock.kernel_abi()
    l3, l2 = IsolationLevel.L3, IsolationLevel.L2
    variants = {
        "L3": (l3, SupervisedIsolation(l3, f"namespaces+landlock{abi}+seccomp", abi)),
        "L2": (l2, SupervisedIsolation(l2, f"landlock{abi}+seccomp", abi)),
        # What the oldest Landlock does not know, seccomp has to make up for.
        "L2-oldest-landlock": (l2, SupervisedIsolation(l2, "landlock1+seccomp", 1)),
    }
    if os.geteuid() == 0:
        # As in a container whose root may not change its user: the program stays user 0.
        same = SupervisedIsolation(l2, f"landlock{abi}+seccomp, same user", abi, change_user=False)
        variants["L2-same-user"] = (l2, same)
        same = SupervisedIsolation(
            l3, f"namespaces+landlock{abi}+seccomp, same user", abi, change_user=False
        )
        variants["L3-same-user"] = (l3, same)
    return variants


ISOLATIONS = _isolations()


@pytest.fixture(params=list(ISOLATIONS))
def isolation(request: pytest.FixtureRequest) -> SupervisedIsolation:
    """Each isolation of level 2 or better that this machine offers."""
    level, found = ISOLATIONS[request.param]
    state = next(item for item in available_isolations() if item.level is level)
    if not state.works:
        pytest.skip(f"{level.name} does not work here: {state.why_not}")
    return found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> collections.abc.Generator[None, pytest.TestReport, None]:
    outcome = yield
    report = outcome.get_result()
    marker = item.get_closest_marker("escape")
    found = getattr(item, "funcargs", {}).get("isolation")
    if call.when == "call" and marker is not None and found is not None:
        if report.outcome != "skipped":
            _RUN[found.name] += 1
        _BLOCKED[found.name] += report.outcome == "passed"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "escape: an attack that an isolation has to stop")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, count in _RUN.items():
        terminalreporter.write_line(f"escapes blocked by {name}: {_BLOCKED[name]} of {count}")
