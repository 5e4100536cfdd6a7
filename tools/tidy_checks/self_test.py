"""Plants violations in a copy of the lowest floor and expects tidy to find each, and no other."""
import pathlib
import shutil
import tempfile

COPIED = ["include", "src/base", ".clang-format"]

LONG_BODY = "  x++;\n" * 70 + "  return x;\n}\n"
LONG_FUNCTION = "int sdb_long(int x);\nint sdb_long(int x) {\n" + LONG_BODY
OPENING = "/* planted */\n"

# path, content, and the rules that must be found in it.
PLANTED = [
    ("src/base/up.c", OPENING + '#include "json/json.h"\n', {"layers", "purity"}),
    ("src/base/public_up.c", OPENING + "#include <syncdb/store.h>\n", {"layers"}),
    ("src/ws/sideways.c", OPENING + '#include "json/json.h"\n', {"layers", "purity"}),
    ("src/bus/around_port.c", OPENING + '#include "hub/hub.h"\n', {"layers"}),
    ("src/server/library.c", OPENING + "#include <sqlite3.h>\n", {"layers"}),
    ("src/attic/floor.h", OPENING, {"layers"}),
    ("src/base/clock.c", OPENING + "#include <time.h>\n", {"layers"}),
    ("bindings/wasm/server.c", OPENING + "#include <syncdb/server.h>\n", {"layers"}),
    ("bindings/wasm/above.c", OPENING + '#include "platform/platform.h"\n', {"layers"}),
    ("bindings/wasm/system.c", OPENING + "#include <stdlib.h>\n", {"layers"}),
    ("bindings/node/inside.c", OPENING + '#include "base/base.h"\n', {"private-include"}),
    ("cli/inside.c", OPENING + '#include "base/base.h"\n', {"private-include"}),
    ("examples/x/inside.c", OPENING + '#include "../../src/base/base.h"\n', {"private-include"}),
    ("include/syncdb/inside.h", '#include "base/base.h"\n', {"public-include", "alone"}),
    (
        "include/syncdb/bare.h",
        "#include <syncdb/status.h>\nSDB_API int sdb_bare(void);\n",
        {"documented"},
    ),
    (
        "include/syncdb/errorless.h",
        "#include <syncdb/status.h>\n/* Does it,\n * and how.\n */\n"
        "SDB_API sdb_status sdb_errorless(void);\n",
        {"documented"},
    ),
    ("include/syncdb/unmarked.h", "int sdb_unmarked(void);\n", {"documented"}),
    (
        "include/syncdb/needy.h",
        "typedef struct sdb_needy {\n  size_t size;\n} sdb_needy;\n",
        {"alone"},
    ),
    (
        "include/syncdb/only_c.h",
        "typedef struct sdb_only_c {\n  int class;\n} sdb_only_c;\n",
        {"alone"},
    ),
    (
        "src/base/impure.c",
        OPENING + "long time(long *);\nlong sdb_now(void);\n"
        "long sdb_now(void) { return time(0); }\n",
        {"purity"},
    ),
    (
        "src/base/link_up.c",
        OPENING + "int sdb_upper(void);\nint sdb_link(void);\n"
        "int sdb_link(void) { return sdb_upper(); }\n",
        {"purity"},
    ),
    (
        "src/json/upper.c",
        OPENING + "int sdb_upper(void);\nint sdb_upper(void) { return 1; }\n",
        set(),
    ),
    (
        "src/base/mutable.c",
        OPENING + "int sdb_next(void);\nint sdb_next(void) {\n  static int last;\n"
        "  return ++last;\n}\n",
        {"mutable-global"},
    ),
    (
        "src/base/visible.c",
        OPENING + "int visible(void);\nint visible(void) { return 1; }\n",
        {"prefix"},
    ),
    ("src/server/unsafe.c", OPENING + "int x(char *s) { return atoi(s); }\n", {"call"}),
    ("src/server/memory.c", OPENING + "void *x(void) { return malloc(1); }\n", {"call"}),
    ("src/server/prints.c", OPENING + 'void x(void) { printf("x"); }\n', {"call"}),
    ("src/server/exits.c", OPENING + "void x(void) { exit(1); }\n", {"call"}),
    ("src/server/says.c", OPENING + '/* malloc( */\nconst char *x = "exit(1)";\n', set()),
    ("src/platform/memory.c", OPENING + "void *x(void) { return malloc(1); }\n", set()),
    ("src/base/long_function.c", OPENING + LONG_FUNCTION, {"function"}),
    ("src/base/long_file.c", OPENING + "/* x */\n" * 1000, {"file"}),
    ("src/base/wide.c", OPENING + "/* " + "x" * 100 + " */\n", {"columns"}),
    ("src/base/blank.h", OPENING + "/* x */ \n", {"space", "format"}),
    ("src/base/unfinished.h", OPENING + "/* TO" + "DO: x */\n", {"unfinished"}),
    ("src/base/unopened.h", "int sdb_unopened(void);\n", {"opening"}),
    ("fuzz/unopened.c", "int x;\n", {"opening"}),
    ("sim/long_function.c", OPENING + LONG_FUNCTION, {"function"}),
    ("src/base/laid_out.h", OPENING + "int  sdb_laid_out( void );\n", {"format"}),
    ("docs/example.md", "```c\nint x = y;\n```\n", {"example"}),
    (
        "tools/tidy_exceptions",
        "call src/server/two.c:free 2 reason\ncall src/server/gone.c:free 1 reason\n"
        "call src/server/grown.c:free 1 reason\ncall src/server/same.c:free 1 reason\n",
        {"exception-shrunk", "exception-unneeded"},
    ),
    ("src/server/two.c", OPENING + "void x(void *p) { free(p); }\n", set()),
    ("src/server/grown.c", OPENING + "void x(void *p) { (free(p), free(p)); }\n", {"call"}),
    ("src/server/same.c", OPENING + "void x(void *p) { free(p); }\n", set()),
]


def found_by_path(findings):
    by_path = {}
    for finding in findings:
        by_path.setdefault(finding.path, set()).add(finding.rule)
    return by_path


def main(root, run):
    with tempfile.TemporaryDirectory() as name:
        copy = pathlib.Path(name) / "tree"
        for path in COPIED:
            source = root / path
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / path)
        before = found_by_path(run(copy))
        for path, content, _ in PLANTED:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(content, encoding="utf-8")
        after = found_by_path(run(copy))
    wrong = 0
    for path in sorted(set(after) - {path for path, _, _ in PLANTED} - set(before)):
        print(f"self-test: {path}: found {sorted(after[path])}, nothing was planted there")
        wrong += 1
    for path, _, rules in PLANTED:
        found = after.get(path, set())
        if "format" not in rules:
            found = found - {"format"}  # the plants are laid out to be short
        if found != rules:
            print(f"self-test: {path}: planted {sorted(rules)}, found {sorted(found)}")
            wrong += 1
    print(f"tidy self-test: {len(PLANTED)} files planted, {wrong} not as expected")
    return 1 if wrong else 0
