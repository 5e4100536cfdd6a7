"""What can be seen in the text: banned calls, sizes, and words that stand for unfinished work."""
import re

from .common import Finding, code_only, line_of

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1000
COLUMNS_MAX = 100

C = (".c", ".h")
TEXT = (".c", ".h", ".mjs", ".js", ".ts", ".py", ".sh", ".cmake", "CMakeLists.txt", "Makefile")
SHIPPED = ["src", "bindings", "cli", "examples"]
ALL = [*SHIPPED, "test", "bench", "fuzz", "sim"]
SCRIPTS = ("tools/setup", "tools/test", "tools/tidy", "fuzz/run", ".ci/run")

# Never, in src/, bindings/, cli/ and examples/: no bound, hidden state, or no way to see an error.
UNSAFE = {"strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "system", "atoi", "atol"}
UNSAFE |= {"atof", "alloca", "tmpnam", "mktemp"}
# In the library: memory comes from an sdb_mem, and the host decides about output and its end.
MEMORY = {"malloc", "calloc", "realloc", "free", "strdup", "strndup", "asprintf", "vasprintf"}
OUTPUT = {"printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "putchar", "perror"}
END = {"exit", "_exit", "abort", "quick_exit"}

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
DEFINITION = re.compile(r"^[A-Za-z_][^;{}=#]*\)\s*\{", re.M)
NAME = re.compile(r"(\w+)\s*\(")


def banned_for(path):
    if path.startswith("src/platform/"):
        return UNSAFE | OUTPUT | END
    if path.startswith("src/"):
        return UNSAFE | OUTPUT | END | MEMORY
    return UNSAFE


def check_calls(tree):
    for path in tree.files(SHIPPED, C):
        banned = banned_for(path)
        call = re.compile(r"(?<![\w.>])(" + "|".join(sorted(banned)) + r")\s*\(")
        text = code_only(tree.text(path))
        found = {}
        for match in call.finditer(text):
            found.setdefault(match.group(1), []).append(line_of(text, match.start()))
        for name, lines in found.items():
            message = f"{name} is banned here, {len(lines)} times"
            yield Finding(path, lines[0], "call", message, f"{path}:{name}", len(lines))


def check_functions(tree):
    for path in tree.files(ALL, C):
        text = code_only(tree.text(path))
        for match in DEFINITION.finditer(text):
            end = text.find("\n}", match.end())
            lines = text.count("\n", match.start(), end) + 2
            if lines > FUNCTION_LINES_MAX:
                name = NAME.search(match.group(0)).group(1)
                message = f"{name} has {lines} lines, {FUNCTION_LINES_MAX} are allowed"
                line = line_of(text, match.start())
                yield Finding(path, line, "function", message, f"{path}:{name}", lines)


def check_lines(tree):
    for path in tree.paths:
        if not path.endswith(TEXT) and path not in SCRIPTS:
            continue
        lines = tree.text(path).splitlines()
        if len(lines) > FILE_LINES_MAX:
            message = f"{len(lines)} lines, {FILE_LINES_MAX} are allowed"
            yield Finding(path, 1, "file", message, path, len(lines))
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                yield Finding(path, number, "columns", f"{len(line)} columns")
            if line != line.rstrip():
                yield Finding(path, number, "space", "blanks at the end of the line")
            if UNFINISHED.search(line) and not path.startswith("tools/tidy_checks/"):
                yield Finding(path, number, "unfinished", "do it, or write an issue")


def check_openings(tree):
    for path in tree.files(ALL, C):
        if not tree.text(path).startswith("/*"):
            yield Finding(path, 1, "opening", "does not open with a comment that says what it is")


def check(tree):
    return [
        *check_calls(tree),
        *check_functions(tree),
        *check_lines(tree),
        *check_openings(tree),
    ]
