"""No trick makes a wrong candidate pass; each one fails safely.

Every case runs twice: held by resource limits alone (the verifier's own strength) and in the
sandbox.
"""

from __future__ import annotations

import pytest

from codekiln.core import Example, Task, Verdict
from codekiln.sandbox import Isolation
from codekiln.verify import CheckLimits, assess
from codekiln.verify.checks import Trial
from codekiln.verify.example_check import ExampleCheck
from codekiln.verify.expected_values import ExpectedValues

TASK = Task(
    description="Square a number",
    entry_point="square",
    examples=(
        Example(text="", call="square(12)", expected="144"),
        Example(text="", call="square(-7)", expected="49"),
    ),
)
LIMITS = CheckLimits(call_s=0.5, load_s=1.0, varied_inputs=0)
HONEST = "def square(x):\n    return x * x\n"

ATTACKS = {
    "exits early on load": "import sys\nsys.exit(0)\n" + HONEST,
    "hard exit on load": "import os\nos._exit(0)\n",
    "exits in the call": "def square(x):\n    raise SystemExit(0)\n",
    "hard exit in the call": "import os\ndef square(x):\n    os._exit(0)\n",
    "interrupts in the call": "def square(x):\n    raise KeyboardInterrupt\n",
    "prints the expected value": "def square(x):\n    print(144)\n    print(49)\n",
    "prints to the original stdout": (
        "import sys, os\ndef square(x):\n    os.write(1, b'144\\n')\n"
        "    print(144, file=sys.__stdout__)\n    return 0\n"
    ),
    "always-equal object": (
        "class Any:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"
        "def square(x):\n    return Any()\n"
    ),
    "lying class": (
        "class Any:\n    __class__ = int\n    def __eq__(self, other): return True\n"
        "    def __reduce__(self): return (int, ('144',))\n    def __index__(self): return 144\n"
        "    def __repr__(self): return '144'\n"
        "def square(x):\n    return Any()\n"
    ),
    "lying int subclass": (
        "class Any(int):\n    def __eq__(self, other): return True\n"
        "    def __repr__(self): return '144'\n    __int__ = __index__ = lambda self: 144\n"
        "    __hash__ = int.__hash__\n"
        "def square(x):\n    return Any(3)\n"
    ),
    "lying str subclass": (
        "class Any(str):\n    def __eq__(self, other): return True\n"
        "    def __str__(self): return '144'\n    __hash__ = str.__hash__\n"
        "def square(x):\n    return Any('x')\n"
    ),
    "lying metaclass": (
        "class Meta(type):\n    __name__ = 'int'\n    __mro__ = (int, object)\n"
        "    def __instancecheck__(cls, other): return True\n"
        "class Any(metaclass=Meta):\n    __module__ = 'builtins'\n"
        "    def __eq__(self, other): return True\n"
        "def square(x):\n    return Any()\n"
    ),
    "always-equal type in a list": (
        "class Any(list):\n    def __eq__(self, other): return True\n"
        "def square(x):\n    return Any([144])\n"
    ),
    "patches builtins": (
        "import builtins\n"
        "for name in ('len', 'repr', 'str', 'isinstance', 'issubclass', 'type', 'id', 'iter',\n"
        "             'sorted', 'map', 'max', 'any', 'range', 'enumerate', 'compile', 'eval'):\n"
        "    setattr(builtins, name, lambda *a, **k: True)\n"
        "def square(x):\n    return 1\n"
    ),
    "patches json and marshal": (
        "import json, marshal\njson.dumps = lambda *a, **k: '144'\n"
        "json.encoder.encode_basestring_ascii = lambda s: '144'\n"
        "marshal.dumps = lambda *a: b'144'\n"
        "def square(x):\n    return 'no'\n"
    ),
    "replaces sys.stdout": (
        "import sys, io\nsys.stdout = io.StringIO('144')\nsys.__stdout__ = sys.stdout\n"
        "def square(x):\n    print(144)\n    return None\n"
    ),
    "patches os.write": (
        "import os\nold = os.write\n"
        "os.write = lambda fd, data: old(fd, data.replace(b'0', b'144'))\n"
        "def square(x):\n    return 0\n"
    ),
    "replaces the harness module": (
        "import sys\nfor name in list(sys.modules):\n"
        "    if 'main' in name or 'harness' in name: sys.modules[name] = None\n"
        "def square(x):\n    return 0\n"
    ),
    "overwrites every file it finds": (
        "import os, pathlib\n"
        "for path in pathlib.Path('.').rglob('*'):\n"
        "    if path.is_file(): path.write_text('print(144)')\n"
        "for name in ('harness.py', 'test.py', 'sitecustomize.py', 'conftest.py'):\n"
        "    try: pathlib.Path(name).write_text('print(144)')\n"
        "    except OSError: pass\n"
        "def square(x):\n    return 0\n"
    ),
    "reads files and stdin for the answer": (
        "import sys, pathlib, re\n"
        "def square(x):\n"
        "    text = ''.join(p.read_text() for p in pathlib.Path('.').rglob('*') if p.is_file())\n"
        "    text += sys.stdin.read()\n"
        "    found = re.findall('144|49', text)\n"
        "    return int(found[0]) if found else None\n"
    ),
    "searches frames and memory for the answer": (
        "import gc, sys\n"
        "def square(x):\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n"
        "        if 'expected' in frame.f_locals: return frame.f_locals['expected']\n"
        "        frame = frame.f_back\n"
        "    for thing in gc.get_objects():\n"
        "        if type(thing) is dict and 'expected' in thing: return thing['expected']\n"
        "    return None\n"
    ),
    "forks and lets the child answer": (
        "import os\ndef square(x):\n    if os.fork() == 0:\n        return x * x\n    return 0\n"
    ),
    "forks and leaves the parent": (
        "import os\ndef square(x):\n    if os.fork() != 0:\n        os._exit(0)\n    return x * x\n"
    ),
    "a thread outlives the call": (
        "import threading, time, os\n"
        "def late():\n    time.sleep(0.05)\n    os.write(1, b'144')\n    os._exit(0)\n"
        "def square(x):\n    threading.Thread(target=late).start()\n    return 0\n"
    ),
    "closes all descriptors": (
        "import os\ndef square(x):\n    os.closerange(0, 200)\n    return x * x\n"
    ),
    "writes junk to every descriptor": (
        "import os\ndef square(x):\n"
        "    for fd in range(3, 64):\n"
        "        try: os.write(fd, b'144\\n')\n"
        "        except OSError: pass\n"
        "    return x * x\n"
    ),
    "replays the channel's own messages": (
        "import os, gc, types\n"
        "def square(x):\n"
        "    for cell in [o for o in gc.get_objects() if type(o) is types.FunctionType]:\n"
        '        if cell.__name__ == \'emit\': cell(\'{"id":0,"value":1,"type":"int"}\')\n'
        "    return 0\n"
    ),
    "swallows the timer": (
        "def square(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: return x * x\n"
    ),
    "redefines the timer": (
        "import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "def square(x):\n    while True: pass\n"
    ),
    "dies of a signal": (
        "import os, signal\ndef square(x):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    ),
    "trace function": (
        "import sys\n"
        "def trace(frame, event, arg):\n"
        "    frame.f_locals.update(value=144, text='144')\n    return trace\n"
        "sys.settrace(trace)\nsys.setprofile(trace)\n"
        "def square(x):\n    return 0\n"
    ),
    "raises an exception that lies": (
        "class Fine(BaseException):\n    def __str__(self): raise SystemExit(0)\n"
        "    __traceback__ = property(lambda self: 1 / 0)\n"
        "def square(x):\n    raise Fine\n"
    ),
    "infinite iterator": ("def square(x):\n    while True:\n        yield 144\n"),
    "property bomb": (
        "import os\nclass Bomb:\n    @property\n    def __dict__(self): os._exit(0)\n"
        "def square(x):\n    return Bomb()\n"
    ),
}
SAFE = {
    Verdict.WRONG_OUTPUT,
    Verdict.RUNTIME_ERROR,
    Verdict.TIMEOUT,
    Verdict.OUT_OF_MEMORY,
}


def test_the_honest_candidate_passes(isolation: Isolation) -> None:
    assert assess(HONEST, TASK, isolation=isolation, limits=LIMITS).verdict is Verdict.PASSED


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_wrong_candidate_fails_safely(attack: str, isolation: Isolation) -> None:
    assessment = assess(ATTACKS[attack], TASK, isolation=isolation, limits=LIMITS)
    assert assessment.verdict in SAFE
    assert assessment.examples_passed == 0
    assert any(finding.severity == "error" for finding in assessment.findings)


@pytest.mark.parametrize(
    "trick",
    [
        "def make(x, y): return Point(0, 0)\nclass Point:\n    def __init__(self, *a): pass\n",
        "class Point:\n    def __init__(self, *a): pass\n    def __eq__(self, o): return True\n"
        "def make(x, y): return Point()\n",
        "class Point:\n    def __new__(cls, *a): return 5\ndef make(x, y): return 5\n",
        "def Point(*a): return None\ndef make(x, y): return None\n",
    ],
)
def test_objects_that_all_look_alike_prove_nothing(trick: str, bare: Isolation) -> None:
    task = Task(
        "Make a point", examples=(Example(text="", call="make(1, 2)", expected="Point(1, 2)"),)
    )
    assessment = assess(trick, task, isolation=bare, limits=LIMITS)
    assert assessment.verdict is not Verdict.PASSED
    assert assessment.examples_passed == 0


def test_expected_values_never_reach_the_process_that_runs_the_calls(bare: Isolation) -> None:
    class Watching:
        level = bare.level
        name = bare.name

        def __init__(self) -> None:
            self.seen = b""

        def run(self, program):  # type: ignore[no-untyped-def]
            self.seen += program.stdin + repr((program.argv, program.files)).encode()
            return bare.run(program)

    secret = "needle-8731"
    task = Task("Say it", examples=(Example(text=secret, call="say()", expected=repr(secret)),))
    watching = Watching()
    trial = Trial("def say(): return 1\n", task, watching, LIMITS, ExpectedValues(watching))
    report = ExampleCheck().run(trial)
    assert report.verdict is Verdict.WRONG_OUTPUT
    assert b"say()" in watching.seen
    assert secret.encode() not in watching.seen


def test_a_borrowed_exception_name_is_not_the_builtin_one(bare: Isolation) -> None:
    task = Task("Fail", examples=(Example(text="", call="fail()", raises="ValueError"),))
    honest = "def fail(): raise ValueError('no')\n"
    liar = "class ValueError(Exception): pass\ndef fail(): raise ValueError('no')\n"
    own = "class Odd(ValueError): pass\ndef fail(): raise Odd('no')\n"
    verdicts = [assess(c, task, isolation=bare, limits=LIMITS).verdict for c in (honest, liar, own)]
    assert verdicts == [Verdict.PASSED, Verdict.RUNTIME_ERROR, Verdict.PASSED]


AGREEABLE = (
    "class E:\n"
    "    __eq__ = __lt__ = __gt__ = lambda self, other: True\n"
    "    __sub__ = lambda self, other: 0\n"
    "    __hash__ = lambda self: 1\n"
    "def f(x):\n    return {}\n"
)


@pytest.mark.parametrize(
    "condition",
    [
        "f(1) in (2, 3)",
        "bool(abs(f(1) - 41.5) < 1e-6)",
        "bool(all(f(x) == 2 * x for x in range(5)))",
    ],
)
@pytest.mark.parametrize(
    "value", ["E()", "[E()][0]", "type('E', (E,), {'__module__': 'fractions'})()"]
)
def test_an_object_that_agrees_with_everything_meets_no_condition(
    bare: Isolation, condition: str, value: str
) -> None:
    asked = Task("Do it", examples=(Example("", condition, "True"),))
    assessment = assess(AGREEABLE.format(value), asked, isolation=bare)
    assert assessment.verdict is Verdict.RUNTIME_ERROR


def test_conditions_on_plain_values_and_on_classes_that_were_asked_for_still_hold(
    bare: Isolation,
) -> None:
    code = (
        "from fractions import Fraction\n"
        "class V:\n    def __init__(self, x): self.x = x\n"
        "    def __eq__(self, o): return self.x == o.x\n"
        "    def plus(self, o): return V(self.x + o.x)\n"
        "def f(x):\n    return [Fraction(x)]\n"
        "def g(x):\n    return V(x)\n"
        "def loop():\n    a = []\n    a.append([a, a])\n    return a\n"
    )
    conditions = (
        "f(1)[0] < 2",
        "len(loop()[0]) in (1, 2)",
        "bool(f(2)[0] in (1, 2))",
        "V(1).plus(V(2)) == V(3)",
        "g(3) == V(3)",
    )
    asked = Task("Do it", examples=tuple(Example("", c, "True") for c in conditions))
    assert assess(code, asked, isolation=bare).verdict is Verdict.PASSED
