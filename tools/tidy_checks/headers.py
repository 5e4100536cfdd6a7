"""Public headers: each function documented with its errors, each header whole by itself.
Examples of C in the documents compile against them."""
import re
import subprocess

from .common import Finding, code_only, line_of

SENTENCES_MIN = 2  # what it does, and how it can fail
SENTENCE = re.compile(r"[.;:](?=\s|\Z)")
DECLARATION = re.compile(r"^SDB_API\b[^;]*;", re.M)
UNMARKED = re.compile(r"^(?!SDB_|typedef|static|extern)[a-z][\w *]*\bsdb_\w+\s*\(", re.M)
NAME = re.compile(r"(\w+)\s*\(")
EXAMPLE = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
# A function that gives a status names the statuses; any other says that it cannot fail, or how.
STATUS = re.compile(r"\bSDB_(?!API|MUST)[A-Z_]+|\b[Ee]rrors as\b|\b[Aa]s sdb_\w+")
ERRORS = re.compile(STATUS.pattern + r"|\berrors?\b|\bfails?\b|\bNULL\b|\bfalse\b|\bFalse\b")


def comment_above(text, at):
    """The comment that ends directly above `at`, or ""."""
    above = text[:at].rstrip(" \t")
    if not above.endswith("*/\n"):
        return ""
    return above[above.rfind("/*") :]


def check_documented(tree, path):
    text = tree.text(path)
    for match in DECLARATION.finditer(text):
        declaration = match.group(0)
        name = NAME.search(re.sub(r"__attribute__|SDB_PRINTF\([^)]*\)", "", declaration)).group(1)
        comment = comment_above(text, match.start())
        line = line_of(text, match.start())
        gives_status = re.search(r"\bsdb_status\s+" + name, declaration)
        if len(SENTENCE.findall(comment)) < SENTENCES_MIN:
            message = f"{name} has no comment of {SENTENCES_MIN} sentences or more above it"
            yield Finding(path, line, "documented", message)
        elif not (STATUS if gives_status else ERRORS).search(comment):
            yield Finding(path, line, "documented", f"the comment of {name} says nothing of errors")


    code = code_only(text)
    for match in UNMARKED.finditer(code):
        line = line_of(code, match.start())
        yield Finding(path, line, "documented", "a public function without SDB_API")


def check_alone(tree, path):
    for compiler, language, standard in (("clang", "c", "c11"), ("clang++", "c++", "c++17")):
        command = [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-pedantic"]
        command += ["-Werror", "-fsyntax-only", "-I", str(tree.root / "include"), "-include"]
        command += [str(tree.root / path), "/dev/null"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            yield Finding(path, 1, "alone", f"not by itself as {standard}: {result.stderr.strip()}")


def check_examples(tree, path):
    text = tree.text(path)
    for match in EXAMPLE.finditer(text):
        command = ["clang", "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Wno-unused-parameter"]
        command += ["-Werror", "-fsyntax-only", "-I", str(tree.root / "include"), "-"]
        result = subprocess.run(command, input=match.group(1), capture_output=True, text=True)
        if result.returncode:
            line = line_of(text, match.start())
            yield Finding(path, line, "example", f"does not compile: {result.stderr.strip()}")


def check(tree):
    findings = []
    for path in tree.files([""], (".md",)):
        findings += check_examples(tree, path)
    for path in tree.files(["include"], (".h",)):
        findings += check_documented(tree, path)
        findings += check_alone(tree, path)
    return findings
