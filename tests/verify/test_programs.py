"""Examples in other languages than Python: what real drivers tell of calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codekiln.core import Example, Task, Verdict
from codekiln.languages.recipes import recipe_languages, recipe_of
from codekiln.sandbox import Isolation
from codekiln.verify import assess, program_check
from codekiln.verify.program_check import result_of
from codekiln.verify.programs.comparison import same
from codekiln.verify.programs.neutral import neutral_call
from codekiln.verify.programs.runner import ProgramRun, build, run_cases
from codekiln.verify.programs.wire import Single
from codekiln.verify.toolchains import missing_tools, toolchain_folder

# A function that adds one, one that prints, one that fails, one that never ends, one that ends all.
ANSWERS = {
    "javascript": "const inc = (n) => n + 1;\nfunction say(s) { console.log(s); }\n"
    "function fail(s) { throw new Error(s); }\nfunction spin() { for (;;); }\n"
    "function leave() { process.exit(0); }\n",
    "typescript": "export const inc = (n: number): number => n + 1;\n"
    "function say(s: string) { console.log(s); }\n"
    "function fail(s: string) { throw new Error(s); }\n"
    "function spin() { for (;;); }\nfunction leave() { (globalThis as any).process.exit(0); }\n",
    "cpp": "#include <stdexcept>\nint inc(int n) { return n + 1; }\n"
    "void say(std::string s) { std::cout << s << std::endl; }\n"
    "void fail(const std::string& s) { throw std::runtime_error(s); }\n"
    "void spin() { volatile int i = 0; for (;;) i = i + 1; }\nvoid leave() { std::exit(0); }\n"
    "int main() { return inc(1); }\n",
    "rust": 'fn inc(n: i32) -> i32 { n + 1 }\nfn say(s: &str) { println!("{s}"); }\n'
    'fn fail(s: String) { panic!("{s}"); }\nfn spin() { loop {} }\n'
    "fn leave() { std::process::exit(0); }\nfn main() {}\n",
    "java": "public class Solution {\n  public static int inc(int n) { return n + 1; }\n"
    "  void say(String s) { System.out.println(s); }\n"
    "  static void fail(String s) { throw new IllegalStateException(s); }\n"
    "  static void spin() { for (;;); }\n  static void leave() { System.exit(0); }\n}\n",
    "ruby": "def inc(n)\n  n + 1\nend\ndef say(s)\n  puts s\nend\ndef fail(s)\n  raise s\nend\n"
    "def spin\n  loop {}\nend\ndef leave\n  exit\nend\n",
    "php": "<?php\nfunction inc($n) { return $n + 1; }\nfunction say($s) { echo $s, PHP_EOL; }\n"
    "function fail($s) { throw new Exception($s); }\nfunction spin() { for (;;); }\n"
    "function leave() { exit(0); }\n",
    "perl": "use strict;\nsub inc { my ($n) = @_; return $n + 1; }\n"
    "sub say { print @_, qq(\\n); }\n"
    "sub fail { die shift; }\nsub spin { 1 while 1; }\nsub leave { exit; }\n",
    "lua": "local function inc(n) return n + 1 end\nfunction say(s) print(s) end\n"
    "function fail(s) error(s) end\nfunction spin() while true do end end\n"
    "function leave() os.exit(0) end\n",
    "bash": 'inc() { local n=$1; echo $((n + 1)); }\nsay() { echo "$1"; }\n'
    'fail() { echo "$1" >&2; return 2; }\nspin() { while true; do :; done; }\nleave() { exit; }\n',
    "tcl": "proc inc {n} { expr {$n + 1} }\nproc say {s} { puts $s }\nproc fail {s} { error $s }\n"
    "proc spin {} { while 1 {} }\nproc leave {} { exit }\n",
    "awk": "function inc(n) { return n + 1 }\nfunction say(s) { print s }\n"
    'function fail(s) { print s > "/dev/stderr"; exit 1 }\nfunction spin() { while (1); }\n'
    "function leave() { exit 0 }\n",
    "r": "inc <- function(n) n + 1\nsay <- function(s) cat(s, '\\n', sep = '')\n"
    "fail <- function(s) stop(s)\nspin <- function() while (TRUE) {}\nleave <- function() quit()\n",
    "matlab": "function m = inc(n)\n  m = n + 1;\nend\nfunction say(s)\n  disp(s);\nend\n"
    "function fail(s)\n  error(s);\nend\nfunction spin()\n  while true\n  end\nend\n"
    "function leave()\n  exit(0);\nend\n",
    "scheme": "(define (inc n) (+ n 1))\n(define (say s) (display s) (newline))\n"
    "(define (fail s) (error s))\n(define (spin) (spin))\n(define (leave) (exit 0))\n",
    "racket": "#lang racket\n(define (inc n) (+ n 1))\n(define (say s) (displayln s))\n"
    "(define (fail s) (error s))\n(define (spin) (spin))\n(define (leave) (exit 0))\n",
    "commonlisp": '(defun inc (n) (+ n 1))\n(defun say (s) (format t "~a~%" s))\n'
    "(defun fail (s) (error s))\n(defun spin () (loop))\n(defun leave () (sb-ext:exit))\n",
    "clojure": "(defn inc [n] (+ n 1))\n(defn say [s] (println s))\n"
    "(defn fail [s] (throw (Exception. s)))\n(defn spin [] (recur))\n"
    "(defn leave [] (System/exit 0))\n",
    "prolog": "inc(N, M) :- M is N + 1.\nsay(S) :- writeln(S).\nfail(S) :- throw(S).\n"
    "spin :- repeat, false.\nleave :- halt.\n",
    "erlang": 'inc(N) -> N + 1.\nsay(S) -> io:format("~ts~n", [S]).\nfail(S) -> error(S).\n'
    "spin() -> spin().\nleave() -> halt(0).\n",
    "haskell": "module Main (main) where\nimport Control.Monad\nimport System.Exit\n"
    "inc :: Int -> Int\ninc n = n + 1\nsay :: String -> IO ()\nsay s = putStrLn s\n"
    "fail :: String -> IO ()\nfail s = ioError (userError s)\n"
    "spin :: IO ()\nspin = forever (return ())\nleave :: IO ()\nleave = exitSuccess\n"
    "main :: IO ()\nmain = print (inc 1)\n",
    "ocaml": "let inc n = n + 1\nlet say s = print_endline s\nlet fail s = failwith s\n"
    "let spin () = while true do () done\nlet leave () = exit 0\n"
    "let () = print_int (inc 1)\n",
    "d": "module tool;\nimport std.stdio, core.stdc.stdlib;\nint inc(int n) { return n + 1; }\n"
    "void say(string s) { writeln(s); }\nvoid fail(string s) { throw new Exception(s); }\n"
    "void spin() { for (;;) {} }\nvoid leave() { exit(0); }\nvoid main() { writeln(inc(1)); }\n",
    "kotlin": "package tool\nfun inc(n: Int) = n + 1\nfun say(s: String) = println(s)\n"
    "fun fail(s: String): Nothing = throw IllegalStateException(s)\n"
    "fun spin() { while (true) {} }\nfun leave() { kotlin.system.exitProcess(0) }\n"
    "fun main() = println(inc(1))\n",
    "csharp": "public class Solution {\n  public static int inc(int n) { return n + 1; }\n"
    "  void say(string s) { Console.WriteLine(s); }\n"
    "  static void fail(string s) { throw new InvalidOperationException(s); }\n"
    "  static void spin() { for (;;); }\n  static void leave() { Environment.Exit(0); }\n}\n",
    "nim": "proc inc(n: int): int = n + 1\nproc say(s: string) = echo s\n"
    "proc fail(s: string) = raise newException(ValueError, s)\n"
    "proc spin() =\n  while true: discard\nproc leave() = quit(0)\n",
    "pascal": "function inc(n: integer): integer;\nbegin\n  result := n + 1;\nend;\n"
    "procedure say(s: string);\nbegin\n  writeln(s);\nend;\n"
    "procedure fail(s: string);\nbegin\n  raise Exception.Create(s);\nend;\n"
    "procedure spin;\nbegin\n  while true do;\nend;\n"
    "procedure leave;\nbegin\n  halt(0);\nend;\n",
    "ada": "with Ada.Text_IO; with GNAT.OS_Lib;\n\npackage Answers is\n"
    "   function Inc (n : Integer) return Integer is (n + 1);\n"
    "   procedure Say (S : String);\n   procedure Fail (S : String);\n"
    "   procedure Spin;\n   procedure Leave;\nend Answers;\n\npackage body Answers is\n"
    "   procedure Say (S : String) is\n   begin\n      Ada.Text_IO.Put_Line (S);\n   end Say;\n"
    "   procedure Fail (S : String) is\n   begin\n      raise Program_Error with S;\n"
    "   end Fail;\n   procedure Spin is\n   begin\n      loop\n         null;\n"
    "      end loop;\n   end Spin;\n"
    "   procedure Leave is\n   begin\n      GNAT.OS_Lib.OS_Exit (0);\n   end Leave;\n"
    "end Answers;\n",
    "zig": "fn inc(n: i32) i32 {\n    return n + 1;\n}\nfn say(s: []const u8) !void {\n"
    '    try std.io.getStdOut().writer().print("{s}\\n", .{s});\n}\n'
    "fn fail(s: []const u8) void {\n    @panic(s);\n}\nfn spin() void {\n    while (true) {}\n}\n"
    "fn leave() void {\n    std.process.exit(0);\n}\n",
    "elisp": "(defun inc (n) (+ n 1))\n(defun say (s) (princ s) (terpri))\n"
    '(defun fail (s) (error "%s" s))\n(defun spin () (while t))\n(defun leave () (kill-emacs 0))\n',
    "elixir": "def inc(n), do: n + 1\ndef say(s), do: IO.puts(s)\ndef fail(s), do: raise(s)\n"
    "def spin(), do: spin()\ndef leave(), do: System.halt(0)\n",
    "c": "#include <stdio.h>\n#include <stdlib.h>\nint inc(int n) { return n + 1; }\n"
    'void say(const char *s) { printf("%s\\n", s); }\n'
    'void fail(const char *s) { fprintf(stderr, "%s\\n", s); exit(EXIT_FAILURE); }\n'
    "void spin(void) { for (;;); }\nvoid leave(void) { exit(0); }\n"
    "int main(void) { return inc(1); }\n",
    "go": "func inc(n int) int { return n + 1 }\nfunc say(s string) { fmt.Println(s) }\n"
    "func fail(s string) error { return errors.New(s) }\nfunc spin() { for {} }\n"
    "func leave() { os.Exit(0) }\nfunc main() { say(`main`) }\n",
    "fortran": "integer function inc(n)\n  implicit none\n  integer, intent(in) :: n\n"
    "  inc = n + 1\nend function\nsubroutine say(s)\n  character(len=*), intent(in) :: s\n"
    "  write (*, '(a)') s\nend subroutine\nsubroutine fail(s)\n"
    "  character(len=*), intent(in) :: s\n  error stop s\nend subroutine\n"
    "subroutine spin()\n  do\n  end do\nend subroutine\n"
    "subroutine leave()\n  stop\nend subroutine\n",
    "sql": "CREATE TABLE given (n CHECK (n <> 'no'));\nINSERT INTO given VALUES ($1);\n"
    "SELECT n FROM given WHERE n = 'é';\nCREATE VIEW inc AS SELECT n + 1 FROM given;\n"
    "CREATE VIEW say AS SELECT NULL WHERE false;\nCREATE VIEW fail AS SELECT n FROM given;\n"
    "CREATE VIEW spin AS WITH RECURSIVE loop(n) AS (SELECT 1 UNION ALL SELECT n FROM loop)\n"
    "SELECT count(*) FROM loop;\n",
}
SUM, LISP_SUM, PROLOG_SUM = "n + 1", "(+ n 1)", "N + 1"
# What makes them no program, where a sum that lacks a part is none or is still one.
BROKEN = {
    "bash": ("n + 1))", "n + 1)"),
    "tcl": ("n + 1}", "n + 1"),
    "r": (SUM, "n + )"),
    "elixir": (SUM, "n + )"),
    "scheme": (LISP_SUM, "(+ n 1"),
    "racket": (LISP_SUM, "(+ n 1"),
    "commonlisp": (LISP_SUM, "(+ n 1"),
    "clojure": (LISP_SUM, "(+ n 1"),
    "nim": (SUM, "n + )"),
    "elisp": (LISP_SUM, "(+ n 1"),
    "prolog": (PROLOG_SUM, "N +"),
    "erlang": (PROLOG_SUM, "N +"),
}
# What makes them use a name that nothing has.
UNKNOWN = {
    **dict.fromkeys(("scheme", "racket", "commonlisp", "clojure", "elisp"), (LISP_SUM, "(+ m 1)")),
    "prolog": (PROLOG_SUM, "m + 1"),
    "erlang": (PROLOG_SUM, "M + 1"),
}
# What each call does, in order.
KINDS = {
    "inc(41)": "value",
    "say('é')": "value",
    "fail('no')": "raised",
    "leave()": "died",
    "inc(1)": "value",
    "spin()": "timeout",
    "inc(2)": "value",
}
CALLS = tuple(KINDS)
DIALECTS = [name for name in recipe_languages() if recipe_of(name).dialect]
# What a language has no means for.
LACKING = {"sql": ("leave()",)}


def run(language: str, code: str, calls: tuple[str, ...], sandbox: Isolation) -> ProgramRun:
    recipe = recipe_of(language)
    if why := missing_tools(recipe, sandbox):
        pytest.skip(why)
    asked = [neutral_call(call) for call in calls]
    folder = toolchain_folder(recipe)
    return run_cases(code, asked, recipe, sandbox, call_s=1.0, folder=folder)


def test_every_language_is_tried() -> None:
    assert set(ANSWERS) == set(recipe_languages())


@pytest.mark.parametrize("language", sorted(ANSWERS))
def test_each_call_is_told_whatever_the_others_do(language: str, sandbox: Isolation) -> None:
    asked = tuple(call for call in CALLS if call not in LACKING.get(language, ()))
    done = run(language, ANSWERS[language], asked, sandbox)
    assert (done.trouble, done.why) == ("", "")
    cases = dict(zip(asked, done.cases, strict=True))
    assert {call: case.kind for call, case in cases.items()} == {
        call: KINDS[call] for call in asked
    }
    recipe = recipe_of(language)
    for call, wanted in (("inc(41)", 42), ("inc(1)", 2), ("inc(2)", 3)):
        assert same(result_of(cases[call], recipe), wanted, recipe.alike)
    assert cases["say('é')"].printed == "é\n"
    assert "no" in cases["fail('no')"].why


# An answer may have functions of its own by the names of those that write, and quiet the others.
QUIET = {
    "javascript": "console.log = process.stdout.write = () => {}; const Buffer = 0, hex = 0;\n",
    "ruby": "def print(*) = nil\ndef hex(*) = nil\nrequire 'stringio'\n$stdout = StringIO.new\n",
    "php": "<?php ob_start(); function write() {} function hex() {} ?>",
    "perl": "close STDOUT; sub hex_of {} sub show {} sub syswrite {}\n",
    "lua": "print, io.write, hex, show, string.format, table.concat = nil\n",
    "bash": "printf() { :; }\necho() { builtin echo quiet; }\nod() { :; }\nset -eu\nIFS=,\n",
    "tcl": "proc puts args {}\nproc say args {}\nproc hex args {}\nset token 0\n",
    "r": "cat <- paste <- print <- hex <- say <- lapply <- function(...) NULL\n",
    "matlab": "function printf(varargin)\nend\nfunction disp(x)\nend\n",
    "scheme": "(define (display . x) x)\n(define (hex x) x)\n(define token 0)\n(define map 0)\n",
    "racket": "#lang racket\n(define (display x) x)\n(define (hex x) x)\n(define token 0)\n",
    "commonlisp": "(defun say (&rest x) x)\n(defun hex (x) x)\n"
    "(setf *standard-output* (make-broadcast-stream))\n",
    "clojure": "(defn say [& x])\n(defn hex [x])\n(alter-var-root #'println (constantly list))\n",
    "prolog": ":- dynamic hex/2, say/2.\nhex(_, _) :- fail.\nshow(_, _) :- fail.\n",
    "elixir": "def hex(x), do: x\n",
    "c": "#include <stdio.h>\nint write(int a) { return a; }\nint pipe(int a) { return a; }\n"
    "void signal(int a) { }\nint hexed, kiln_size;\n"
    "__attribute__((constructor)) void quiet(void) { fclose(stdout); }\n",
    "go": 'import "os"\nfunc init() { os.Stdout, os.Stdin = nil, nil }\n'
    "var kiln, reflect, hex = 0, 0, 0\n"
    "func show() {}\nfunc Run() {}\n",
    "fortran": "subroutine put(x)\n  integer :: x\nend subroutine\n"
    "subroutine show(x)\n  integer :: x\nend subroutine\n",
}


@pytest.mark.parametrize("language", sorted(QUIET))
def test_what_an_answer_calls_its_own_does_not_touch_the_driver(
    language: str, sandbox: Isolation
) -> None:
    code = QUIET[language] + ANSWERS[language].replace("#lang racket\n", "")
    done = run(language, code, CALLS[:1], sandbox)
    assert (done.trouble, done.why) == ("", "")
    recipe = recipe_of(language)
    wanted = 42 if language != "bash" else "quiet"
    assert same(result_of(done.cases[0], recipe), wanted, recipe.alike)


@pytest.mark.parametrize("language", sorted(ANSWERS))
def test_what_does_not_parse_or_compile_is_told(language: str, sandbox: Isolation) -> None:
    broken = ANSWERS[language].replace(*BROKEN.get(language, (SUM, "n +")), 1)
    assert run(language, broken, CALLS[:1], sandbox).trouble == "syntax"
    nameless = ANSWERS[language].replace(*UNKNOWN.get(language, (SUM, "m + 1")), 1)
    unknown = run(language, nameless, CALLS[:1], sandbox)
    if unknown.trouble != "compile":
        # Scripts find out when they get there, or take it for nothing.
        given = result_of(unknown.cases[0], recipe_of(language))
        assert unknown.cases[0].kind == "raised" or not same(given, 42, ("texts",))


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", "float third(float x) { return x / 3; }"),
        ("cpp", "float third(float x) { return x / 3; }"),
        ("go", "func third(x float32) float32 { return x / 3 }"),
        (
            "fortran",
            "real function third(x)\n  real, intent(in) :: x\n  third = x / 3\nend function",
        ),
        ("rust", "fn third(x: f32) -> f32 { x / 3.0 }"),
        ("java", "static float third(float x) { return x / 3; }"),
        ("haskell", "third :: Float -> Float\nthird x = x / 3"),
        ("d", "float third(float x) { return x / 3; }"),
        ("kotlin", "fun third(x: Float): Float = x / 3"),
        ("csharp", "static float third(float x) => x / 3;"),
        ("nim", "func third(x: float32): float32 = x / 3"),
        ("pascal", "function third(x: single): single;\nbegin\n  third := x / 3;\nend;"),
        ("ada", "function Third (X : Float) return Float is (X / 3.0);"),
        ("zig", "fn third(x: f32) f32 {\n    return x / 3;\n}"),
        ("commonlisp", "(defun third-of (x) (/ (coerce x 'single-float) 3))"),
        ("matlab", "function y = third(x)\n  y = single(x) / 3;\nend"),
    ],
)
def test_single_precision_is_enough_where_a_program_uses_it(
    language: str, code: str, sandbox: Isolation
) -> None:
    call = "third_of(1.0)" if language == "commonlisp" else "third(1.0)"
    value = run(language, code, (call,), sandbox).cases[0].value
    assert isinstance(value, Single)
    assert same(value, 1 / 3)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("const f = (a) => a.length;", Verdict.PASSED),
        ("const f = (a) => a.length + 1;", Verdict.WRONG_OUTPUT),
        ("const f = (a) => b;", Verdict.RUNTIME_ERROR),
        ("const g = (a) => 1;", Verdict.RUNTIME_ERROR),
        ("const f = (a) => {;", Verdict.SYNTAX_ERROR),
    ],
)
def test_answers_are_judged_by_their_examples(
    code: str, verdict: Verdict, sandbox: Isolation
) -> None:
    examples = (Example("", "f([])", "0"), Example("", "f(['x'])", "1"))
    if missing_tools(recipe_of("javascript"), sandbox):
        pytest.skip("no Node.js")
    task = Task("Count.", "javascript", examples, entry_point="f")
    assessment = assess(code, task, isolation=sandbox)
    assert assessment.verdict is verdict
    if verdict is Verdict.PASSED:
        assert [run.passed for run in assessment.example_runs] == [True, True]


def test_what_the_calls_before_it_left_over_is_not_a_call_s_fault(sandbox: Isolation) -> None:
    code = "let n = 0;\nfunction f() { n += 1; if (n > 2) process.exit(1); return n; }"
    done = run("javascript", code, ("f()", "f()", "f()"), sandbox)
    assert [(case.kind, case.value) for case in done.cases] == [
        ("value", 1),
        ("value", 2),
        # By itself it does not end the process.
        ("value", 1),
    ]


def test_a_driver_that_stumbles_over_a_varied_input_costs_no_example(sandbox: Isolation) -> None:
    recipe = recipe_of("javascript")
    if why := missing_tools(recipe, sandbox):
        pytest.skip(why)
    driver = recipe.files["driver.js"]
    calls = [neutral_call(call) for call in ("f(1)", "f(2)", "f(null)", "f(3)")]
    at_its_turn = driver.replace('case "n": return null;', 'case "n": process.exit(1);')
    at_the_start = driver.replace(
        "let at = 0;", 'if (lines.includes("n")) process.exit(1); let at = 0;'
    )
    for text in (at_its_turn, at_the_start):
        assert text != driver
        clumsy = replace(recipe, files={**recipe.files, "driver.js": text})
        code = "const f = (n) => n + 1;"
        done = run_cases(code, calls, clumsy, sandbox, call_s=1.0, needed=2)
        assert done.trouble == ""
        assert [case.value for case in done.cases] == [2, 3, None, None]
        assert [case.kind for case in done.cases] == ["value", "value", "died", "died"]
        # What the examples need is another matter.
        assert run_cases(code, calls, clumsy, sandbox, call_s=1.0).trouble == "load"


def test_candidates_that_pass_are_told_apart_by_what_they_do_near_the_examples(
    sandbox: Isolation,
) -> None:
    if missing_tools(recipe_of("javascript"), sandbox):
        pytest.skip("no Node.js")
    examples = (Example("", "f([])", "0"), Example("", "f(['x'])", "1"))
    task = Task("Count.", "javascript", examples, entry_point="f")
    codes = (
        "const f = (a) => a.length;",
        "function f(list) { let n = 0; for (const _ of list) n++; return n; }",
        "const f = (a) => (a.length ? 1 : 0);",
        # Never ends for what the examples do not show.
        "const f = (a) => { while (a.length > 1); return a.length; };",
    )
    found = [assess(code, task, isolation=sandbox) for code in codes]
    assert [assessment.verdict for assessment in found] == [Verdict.PASSED] * 4
    assert found[0].behaviour == found[1].behaviour
    assert len({assessment.behaviour for assessment in found}) == 3


@pytest.mark.parametrize("host", [(), ("no-such-tool", "--where")])
def test_where_the_tools_are_missing_an_answer_stays_unverified(
    host: tuple[str, ...], sandbox: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(
        recipe_of("javascript"), language=f"absent {host}", tools=(("no-such-tool",),), host=host
    )
    monkeypatch.setattr(program_check, "recipe_of", lambda _: absent)
    task = Task("Count.", "javascript", (Example("", "f([])", "0"),), entry_point="f")
    assessment = assess("const f = (a) => a.length;", task, isolation=sandbox)
    assert assessment.verdict is Verdict.UNVERIFIED
    assert "Node.js" in assessment.reports[-1].detail
    assert [run.outcome for run in assessment.example_runs] == ["not_run"]


def test_large_decimals_of_java_come_back(sandbox: Isolation) -> None:
    code = 'static java.math.BigDecimal half(int n) { return new java.math.BigDecimal(n + ".5"); }'
    done = run("java", code, ("half(1)",), sandbox)
    assert [case.value for case in done.cases] == [1.5]


@pytest.mark.parametrize("language", sorted(set(ANSWERS) - set(DIALECTS)))
def test_without_examples_broken_answers_are_refused_too(language: str, sandbox: Isolation) -> None:
    recipe = recipe_of(language)
    if why := missing_tools(recipe, sandbox):
        pytest.skip(why)
    old, new = BROKEN.get(language, (SUM, "n +"))
    folder = toolchain_folder(recipe)
    right, broken = ANSWERS[language], ANSWERS[language].replace(old, new, 1)
    assert right != broken
    assert build(right, recipe, sandbox, folder=folder).trouble == ""
    assert build(broken, recipe, sandbox, folder=folder).trouble in ("syntax", "compile")


def test_errors_alone_prove_nothing(sandbox: Isolation) -> None:
    ready = recipe_of("perl")
    if why := missing_tools(ready, sandbox):
        pytest.skip(why)
    fails = Example("", "f(0)", raises="Error")
    task = Task("", "perl", (fails,), entry_point="f")
    found = assess("sub other { die 'no' }\n", task, isolation=sandbox)
    assert (found.verdict, found.example_runs[0].passed) == (Verdict.UNVERIFIED, True)
    gives = Example("", "f(1)", "1")
    right = "sub f { my ($x) = @_; die 'zero' unless $x; return $x; }\n"
    both = Task("", "perl", (fails, gives), entry_point="f")
    assert assess(right, both, isolation=sandbox).verdict is Verdict.PASSED
