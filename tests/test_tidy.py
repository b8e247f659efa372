"""The house's style as a test: sizes, opening sentences, line lengths, leftovers, private paths."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COLUMNS_MAX = 100
GO_COLUMNS_MAX = 120  # gofmt wraps nothing, aligns tables, and Go itself sets no limit
PRAGMAS = ("# noqa", "# type: ignore", "http")  # a mark or an address cannot be broken
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400

# Longer than a file or a function should be, each with its reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

BRACES = {".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".go"}
SOURCES = {*BRACES, ".py", ".sh", ".mk", ".js", ".css", ".yml", ".yaml", ".j2"}
NAMED = {"Makefile", "Dockerfile"}
# Written by a tool, or compared byte by byte: nobody reads them as source.
GENERATED = re.compile(r"\.lock$|go\.sum$|\.golden\.html$|\.schema\.json$")
# Not behind a letter, a digit or a brace: /proc/PID/root/ and {pid}/root/ are nobody's home.
PRIVATE = re.compile(rb"(?<![\w}>*])/(?:work|farm|root|tmp/bash_jobs)/")
LEFTOVERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


def tracked() -> list[str]:
    """The files of the repository, or of its unpacked archive."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        made = {"build", "target", "results", "public", "__pycache__", "node_modules"}
        paths = (p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file())
        names = [
            str(path)
            for path in paths
            if not made & set(path.parts)
            and not any(part[0] == "." and part not in {".github", ".ci"} for part in path.parts)
        ]
    return [name for name in names if (ROOT / name).is_file()]


def sources() -> list[str]:
    """Files that people write and read as programs."""
    return [
        name
        for name in tracked()
        if (Path(name).suffix in SOURCES or Path(name).name in NAMED) and not GENERATED.search(name)
    ]


def lines_of(name: str) -> list[str]:
    """Its lines without their ends."""
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def is_test(name: str) -> bool:
    """Tests and tables may be longer than programs."""
    return "tests" in Path(name).parts or name.endswith("_test.go")


def python_functions(text: str) -> list[tuple[str, int]]:
    """Name and length of each function, decorators and docstring included."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


NOT_A_FUNCTION = re.compile(
    r"^\s*(?:(?:if|else|for|while|switch|do|namespace|class|struct|enum|union|extern|match|loop|mod"
    r"|impl|trait|type|select|case|return)\b|[{}])|=\s*$|\bmacro_rules!"
)


def brace_functions(lines: list[str]) -> list[tuple[str, int]]:
    """The same for C, C++, Rust and Go.

    Every formatter of ours closes a block at the indentation of the line that its statement began
    on, so no parser is needed: a statement with a parameter list that opens a block is a function.
    """
    found = []
    for number, line in enumerate(lines):
        if not line.rstrip().endswith("{") or line.lstrip().startswith(("//", "*", "/*", "#", "}")):
            continue
        begin = _statement(lines, number)
        text = " ".join(part.strip() for part in lines[begin : number + 1])
        if "(" not in text or NOT_A_FUNCTION.search(text):
            continue
        indent = len(lines[begin]) - len(lines[begin].lstrip())
        closing = re.compile(rf"^\s{{{indent}}}}}")
        end = next((i for i in range(number + 1, len(lines)) if closing.match(lines[i])), number)
        name = re.search(r"([\w:~]+)\s*(?:\[[^\]]*\]|<[^>]*>)?\(", text)
        found.append((name[1] if name else text[:30], end - begin + 1))
    return found


def _statement(lines: list[str], number: int) -> int:
    """The line on which the statement that ends here began."""
    while number > 0:
        before = lines[number - 1].strip()
        if not before or before.endswith((";", "{", "}", ":", "*/", ">", "]")):
            break
        if before.startswith(("//", "#", "*")):
            break
        number -= 1
    return number


def opening(name: str, text: str) -> str:
    """The first comment or docstring of a file, as one line; "" when it does not open with one."""
    if name.endswith(".py"):
        return (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")
    body = re.sub(r"\A(?:#!.*\n|#\s*syntax=.*\n|//go:build.*\n+|\ufeff)*", "", text)
    block = re.match(r"\s*(?:/\*+!?|\{#-?)(.*?)(?:\*/|-?#\})", body, re.S)
    if block:
        return " ".join(line.strip(" *\t") for line in block[1].strip().splitlines())
    found = []
    for line in body.lstrip().splitlines():
        mark = re.match(r"(?://[/!]?|#)(?!\[)\s?(.*)", line)
        if mark is None or not mark[1].strip():
            break
        found.append(mark[1].strip())
    return " ".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("static int add(int a,\n               int b)\n{\n  return a;\n}", [("add", 5)]),
        ("fn a<T>(x: T)\nwhere\n    T: Copy,\n{\n    if x {\n    }\n}", [("a", 7)]),
        ("func (s *S) Get(k string) error {\n\tfor {\n\t}\n}", [("S", 4)]),
        ("struct a {\n  int b;\n};\nint c[] = {\n};", []),
        ("let a = if b {\n    c.min(d)\n} else {\n    e\n};", []),
    ],
    ids=["c", "rust", "go", "no function", "a branch that is a value"],
)
def test_functions_are_found(text: str, expected: list[tuple[str, int]]) -> None:
    found = brace_functions(text.splitlines())
    assert [length for _, length in found] == [length for _, length in expected]


def test_functions_are_short() -> None:
    long = []
    for name in sources():
        suffix = Path(name).suffix
        if suffix not in {".py", *BRACES} or is_test(name):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        found = python_functions(text) if suffix == ".py" else brace_functions(text.splitlines())
        long += [
            f"{name}: {function} has {length} lines, at most {FUNCTION_LINES_MAX}"
            for function, length in found
            if length > FUNCTION_LINES_MAX and f"{name}:{function}" not in LONG_FUNCTIONS
        ]
    assert not long, "\n".join(long)


def test_files_are_short() -> None:
    long = [
        f"{name}: {len(lines_of(name))} lines, at most {FILE_LINES_MAX}"
        for name in sources()
        if len(lines_of(name)) > FILE_LINES_MAX and not is_test(name) and name not in LONG_FILES
    ]
    assert not long, "\n".join(long)


def test_exceptions_are_still_needed() -> None:
    for name, reason in LONG_FILES.items():
        assert reason
        assert len(lines_of(name)) > FILE_LINES_MAX, f"{name} is short again: drop its exception"
    for place in LONG_FUNCTIONS:
        assert (ROOT / place.split(":")[0]).is_file(), f"{place} is gone: drop its exception"


def test_files_open_with_a_sentence() -> None:
    silent = []
    for name in sources():
        text = (ROOT / name).read_text(encoding="utf-8")
        if not text.strip() or (name.endswith("__init__.py") and is_test(name)):
            continue
        said = opening(name, text)
        if len(said.split()) < 3 or not re.search(r"[.:;!?](\s|$)", said):
            silent.append(f"{name}: expected a first sentence that says what it is, got {said!r}")
    assert not silent, "\n".join(silent)


def columns_max(name: str) -> int:
    return GO_COLUMNS_MAX if name.endswith(".go") else COLUMNS_MAX


def test_lines_fit() -> None:
    """Markdown is reflowed by its reader and templates hold markup; both are left out."""
    wide = [
        f"{name}:{number}: {len(line.expandtabs(4))} columns, at most {columns_max(name)}"
        for name in sources()
        if not name.endswith(".j2")
        for number, line in enumerate(lines_of(name), start=1)
        if len(line.expandtabs(4)) > columns_max(name)
        and not any(pragma in line for pragma in PRAGMAS)
    ]
    assert not wide, "\n".join(wide)


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{name}:{number}: {line.strip()}"
        for name in [*sources(), *(n for n in tracked() if n.endswith((".toml", ".md")))]
        for number, line in enumerate(lines_of(name), start=1)
        if LEFTOVERS.search(line)
    ]
    assert not left, "\n".join(left)


def test_no_path_of_one_machine() -> None:
    private = []
    for name in tracked():
        found = PRIVATE.findall((ROOT / name).read_bytes())
        private += [f"{name}: holds {path.decode()}" for path in found]
    assert not private, "\n".join(private)


def test_no_end_of_line_space() -> None:
    spaces = [
        f"{name}:{number}"
        for name in sources()
        for number, line in enumerate(lines_of(name), start=1)
        if line != line.rstrip()
    ]
    assert not spaces, "\n".join(spaces)
