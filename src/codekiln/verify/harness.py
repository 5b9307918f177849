"""Runs inside the sandbox: loads a candidate, evaluates calls, reports their values as plain data.

Takes a plan (marshal, from stdin) with a one-time token, the candidate's source and the calls;
gives lines `TOKEN JSON` on a private copy of the original stdout. It knows no expected values,
so nothing that a candidate does to it can make a wrong value right: the worst is to lose or
garble results, which the parent counts as failures. Covered: patched builtins and modules,
lying subclasses and `__class__`, forks, threads, early exits, closed descriptors, printed
look-alikes. Not covered: a candidate that forges a result line for a value it could as well have
returned, or that reads the constants of a condition such as `f(1) in (2, 3)`, which is evaluated
beside it (a result compared with one value never is). It runs on the standard library alone; the
parent imports it for its tables only.
"""

from __future__ import annotations

import io
import os
import resource
import sys
import types
from signal import ITIMER_PROF, ITIMER_REAL, SIGALRM, SIGPROF, setitimer, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

if __name__ != "__codekiln_harness__":
    # In the sandbox both files are run in one namespace: there is no package to import from.
    from codekiln.verify.value_encoder import MAX_ITEMS, Encoder, mro_of, quote, text_of
    from codekiln.verify.watch import Watch

CANDIDATE = "candidate"
MAX_OVER_TIMES = 3
MAX_PRINTED = 20_000
# Names that examples use without importing them; looked up only when the candidate lacks them.
KNOWN_NAMES = {
    "Counter": "collections",
    "OrderedDict": "collections",
    "defaultdict": "collections",
    "deque": "collections",
    "namedtuple": "collections",
    "Decimal": "decimal",
    "Fraction": "fractions",
    "date": "datetime",
    "timedelta": "datetime",
    "Path": "pathlib",
    "inf": "math",
    "nan": "math",
    "isclose": "math",
}
KNOWN_MODULES = frozenset(
    {"asyncio", "bisect", "collections", "datetime", "decimal", "fractions", "functools", "heapq"}
    | {"itertools", "json", "math", "operator", "random", "re", "statistics", "string"}
)


class OverTime(BaseException):
    """Raised by the timer inside a call that used up its time."""


def _describe(error: BaseException, source: list[str]) -> str:
    """JSON of an exception: qualified class names, message, last candidate line, deliberate."""
    names = [
        f"{text_of(base.__module__)}.{text_of(base.__qualname__)}" for base in mro_of(type(error))
    ]
    try:
        message = text_of(str(error))[:500]
    except BaseException:  # noqa: BLE001 - the candidate's own __str__ may raise anything
        message = ""
    line, deliberate = 0, False
    trace = sys.exc_info()[2]
    while trace is not None:
        inside = trace.tb_frame.f_code.co_filename == f"<{CANDIDATE}>"
        deliberate = False
        if inside:
            line = trace.tb_lineno
            text = source[line - 1] if 0 < line <= len(source) else ""
            deliberate = "raise" in text or text.lstrip().startswith("assert")
        trace = trace.tb_next
    undefined = ""
    if type(error) is NameError or type(error) is ModuleNotFoundError:
        undefined = text_of(error.name)
    return (
        '{"types":[' + ",".join(map(quote, names)) + f'],"message":{quote(message)},"line":{line},'
        f'"deliberate":{"true" if deliberate else "false"},"name":{quote(undefined)}}}'
    )


class Runner:
    """One run of a plan: holds the channel, the timers and the candidate's compiled code."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._source: str = plan["code"]
        self._lines = self._source.split("\n")
        self._call_s: float = plan["call_s"]
        self._load_s: float = plan["load_s"]
        self._seed: int = plan["seed"]
        self._watch = Watch() if plan["watch"] else None
        self._nodes: int = plan["nodes"]
        self._emit = _open_channel(plan["token"])
        self._code: types.CodeType | None = None
        self._over = False
        signal(SIGPROF, self._over_time)
        signal(SIGALRM, self._over_time)

    def _over_time(self, _signum: int, frame: types.FrameType | None) -> None:
        self._over = True
        # Only below `_timed`: raised while its caller handles an earlier OverTime, the exception
        # would end the harness and take the result with it.
        while frame is not None:
            if frame.f_code is Runner._timed.__code__:
                raise OverTime
            frame = frame.f_back

    def _timed(self, seconds: float, work: Callable[[], Any]) -> Any:
        """What `work` gives; OverTime after `seconds`. The caller stops the timer."""
        self._timer(seconds)
        return work()

    def run(self, sessions: list[list[dict[str, Any]]]) -> None:
        """Evaluate every step of every session, each session in a newly loaded module."""
        if not self._compile():
            return
        over_times = 0
        for number, session in enumerate(sessions):
            namespace = self._load(announce=number == 0)
            if namespace is None:
                return
            state = Session(namespace)
            for step in session:
                self._emit(f'{{"start":{step["id"]}}}')
                if self._step(step, state):
                    continue
                over_times += 1
                if "args" not in step:
                    break
                if over_times >= MAX_OVER_TIMES:
                    self._emit('{"done":true}')
                    return
        self._emit('{"done":true}')

    def _compile(self) -> bool:
        try:
            self._code = self._timed(
                self._load_s,
                lambda: compile(self._source, f"<{CANDIDATE}>", "exec", dont_inherit=True),
            )
        except SyntaxError as error:
            line, column = error.lineno or 0, max((error.offset or 1) - 1, 0)
            self._fail("syntax", text_of(error.msg), line, column)
        except (ValueError, OverflowError) as error:
            self._fail("syntax", text_of(str(error)), 0, 0)
        except (MemoryError, RecursionError):
            self._fail("syntax", "too deeply nested to compile", 0, 0)
        except OverTime:
            self._fail("syntax", "compiling took too long", 0, 0)
        finally:
            self._timer(0)
        return self._code is not None

    def _fail(self, kind: str, message: str, line: int, column: int) -> None:
        self._emit(f'{{"{kind}":{quote(message)},"line":{line},"column":{column}}}')

    def _load(self, announce: bool) -> dict[str, Any] | None:
        module = types.ModuleType(CANDIDATE)
        module.__file__ = f"<{CANDIDATE}>"
        sys.modules[CANDIDATE] = module
        _capture()
        try:
            self._timed(self._load_s, lambda: exec(self._code, module.__dict__))  # type: ignore[arg-type]
            if "random" in sys.modules:
                sys.modules["random"].seed(self._seed)
            self._timer(0)
        except OverTime:
            self._timer(0)
            self._emit('{"load":{"types":["OverTime"],"message":"","line":0}}')
            return None
        except BaseException as error:  # noqa: BLE001 - whatever the candidate raises is a result
            self._timer(0)
            self._emit(f'{{"load":{_describe(error, self._lines)}}}')
            return None
        if announce:
            names = [text_of(name) for name in module.__dict__ if not name.startswith("__")]
            self._emit('{"loaded":[' + ",".join(quote(name) for name in names[:500]) + "]}")
        return dict(module.__dict__)

    def _step(self, step: dict[str, Any], state: Session) -> bool:
        """Report one step; False when the rest of the session makes no sense any more."""
        head = f'{{"id":{step["id"]},'
        out = _capture()
        try:
            text, kind = self._timed(self._call_s, lambda: self._evaluated(step, state))
            self._timer(0)
            if self._over:  # the candidate swallowed the exception
                raise OverTime
        except OverTime:
            self._timer(0)
            self._emit(head + '"timeout":true}')
            return False
        except NeedsArguments as error:
            self._timer(0)
            self._emit(head + f'"impossible":{quote(str(error))}}}')
            return False
        except BaseException as error:  # noqa: BLE001 - whatever the candidate raises is a result
            self._timer(0)
            described = _describe(error, self._lines)
            seen = self._watch.report() if self._watch else ""
            self._emit(head + f'"raised":{described}{seen},"out":{quote(_printed(out))}}}')
            return True
        changed = "true" if state.changed_arguments else "false"
        tail = f'"type":{quote(kind)},"changed":{changed},"out":{quote(_printed(out))}}}'
        seen = self._watch.report() if self._watch else ""
        self._emit(f'{head}"value":{text}{seen},{tail}')
        return True

    def _evaluated(self, step: dict[str, Any], state: Session) -> tuple[str, str]:
        """The step's encoded value and the name of its type."""
        # Made before the candidate runs, which may break what it is made of.
        encoder = Encoder(self._nodes)
        if self._watch is None:
            value = state.evaluate(step)
        else:
            with self._watch:
                value = state.evaluate(step)
        return encoder.encode(value), text_of(type(value).__name__)

    def _timer(self, seconds: float) -> None:
        # Repeats, so that a candidate that swallows the exception meets it again; the wall
        # clock gets more, since it only has to end calls that sleep on a busy machine.
        setitimer(ITIMER_PROF, seconds, 0.2 if seconds else 0)
        setitimer(ITIMER_REAL, seconds * 4 + 2 if seconds else 0, 0.2 if seconds else 0)
        if seconds:
            self._over = False
            _kill_after(seconds)


class NeedsArguments(Exception):
    """The class under test cannot be constructed without arguments that nobody gave."""


class Session:
    """The namespace of one session, and the instance that its bare method calls go to."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._names = namespace
        self._instance: object = None
        self.changed_arguments = False

    def evaluate(self, step: dict[str, Any]) -> object:
        """The step's value; coroutines are run, set-up statements give None."""
        if "args" in step:
            return self._apply(step)
        source = step["src"]
        callee = step.get("callee", "")
        if callee and callee not in self._names and step.get("method"):
            if self._instance is None:
                self._instance = self._construct(callee)
            if self._instance is not None:
                self._names["__instance__"] = self._instance
                source = step["method"]
        try:
            code = compile(source, "<example>", "eval", dont_inherit=True)
        except SyntaxError:
            code = compile(source, "<example>", "exec", dont_inherit=True)
        self._provide(code)
        if "__plain__" in code.co_names:
            self._names["__plain__"] = self._plain_only(code)
        value = _awaited(eval(code, self._names))
        if callee and self._is_own_class(self._names.get(callee)) and type(value) is not type:
            self._instance = value
        return value

    def _apply(self, step: dict[str, Any]) -> object:
        function = self._names[step["fn"]]
        args = eval(step["args"], {})
        value = _awaited(function(*args, **eval(step["kwargs"], {})))
        # Compared as text: an object put into an argument may have a lying `==`.
        self.changed_arguments = Encoder().encode(args) != Encoder().encode(eval(step["args"], {}))
        # A function that works in place shows its behaviour in its arguments.
        return ("in place", args) if value is None and step["in_place"] else value

    def _plain_only(self, code: types.CodeType) -> Callable[[object], object]:
        """What a condition's calls pass through: no object of the candidate's own may agree with
        whatever it is compared to, unless the condition itself is about such objects.
        """
        about = [self._names[name] for name in code.co_names if name in self._names]
        if any(_is_foreign(value) or _is_foreign_type(value) for value in about):
            return lambda value: value

        def plain(value: object) -> object:
            if _is_foreign(value):
                raise TypeError("a condition meets an object of the answer's own class")
            return value

        return plain

    def _is_own_class(self, value: object) -> bool:
        return isinstance(value, type) and value.__module__ == CANDIDATE

    def _construct(self, method: str) -> object:
        classes = [
            value
            for value in list(self._names.values())
            if self._is_own_class(value) and hasattr(value, method)
        ]
        if len(classes) != 1:
            return None
        try:
            return classes[0]()
        except TypeError as error:
            if "required" in str(error) and "argument" in str(error):
                raise NeedsArguments(
                    f"{classes[0].__name__} needs arguments that the example does not give"
                ) from error
            raise

    def _provide(self, code: types.CodeType) -> None:
        builtin_names = sys.modules["builtins"].__dict__
        for name in code.co_names:
            if name in self._names or name in builtin_names:
                continue
            if name in KNOWN_MODULES:
                self._names[name] = __import__(name)
            elif name in KNOWN_NAMES:
                self._names[name] = getattr(__import__(KNOWN_NAMES[name]), name)


def _is_foreign_type(value: object) -> bool:
    """True for a class that neither Python nor its standard library defines."""
    if not issubclass(type(value), type):
        return False
    # The C-level getters: a metaclass cannot lie to them.
    of_class = type.__dict__
    if not of_class["__flags__"].__get__(value) & 1 << 9:  # Py_TPFLAGS_HEAPTYPE
        return False
    home = text_of(of_class["__module__"].__get__(value))
    module = sys.modules.get(home) if home in sys.stdlib_module_names else None
    name = text_of(of_class["__qualname__"].__get__(value))
    return module is None or module.__dict__.get(name) is not value


def _is_foreign(value: Any) -> bool:
    """True for an instance of a candidate's class, and for a container that holds one."""
    pending, seen = [value], set()
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind in (list, tuple, set, frozenset, dict):
            # Containers may hold themselves.
            if id(item) not in seen:
                seen.add(id(item))
                pending.extend(item)
                if kind is dict:
                    pending.extend(item.values())
        elif _is_foreign_type(kind):
            return True
    return False


def _kill_after(seconds: float) -> None:
    """Let the kernel end the process when a call in C code ignores the timer for long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds * 1.5) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _awaited(value: Any) -> object:
    if type(value) is types.CoroutineType:
        import asyncio

        return asyncio.run(value)
    if type(value) is types.AsyncGeneratorType:
        import asyncio

        async def drain() -> list[object]:
            items: list[object] = []
            async for item in value:
                items.append(item)
                if len(items) >= MAX_ITEMS:
                    break
            return items

        return iter(asyncio.run(drain()))
    return value


def _capture() -> io.BytesIO:
    """Give the candidate a new stdout and stderr; return what will hold the printed bytes."""
    out = io.BytesIO()
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", errors="replace", write_through=True)
    sys.stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    sys.stdin = io.TextIOWrapper(io.BytesIO())
    return out


def _printed(out: io.BytesIO) -> str:
    try:
        return out.getvalue()[:MAX_PRINTED].decode("utf-8", "replace")
    except ValueError:  # the candidate closed its stdout
        return ""


def _open_channel(token: str) -> Callable[[str], None]:
    """Move the real stdout away from descriptor 1; only the returned function writes to it."""
    channel = os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    write, getpid, leave, own = os.write, os.getpid, os._exit, os.getpid()
    count = 0

    def emit(message: str) -> None:
        nonlocal count
        if getpid() != own:  # a fork of the candidate has no say
            leave(1)
        data = f"{token} {count} {message}\n".encode("ascii", "replace")
        count += 1
        while data:
            data = data[write(channel, data) :]

    return emit


def main(plan: dict[str, Any]) -> None:
    """Run a plan and end the process without running anything the candidate left behind."""
    leave = os._exit
    sys.argv[:] = [CANDIDATE]
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.dont_write_bytecode = True
    Runner(plan).run(plan["sessions"])
    leave(0)


if __name__ == "__codekiln_harness__":
    main(globals().pop("plan"))
