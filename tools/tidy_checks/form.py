"""Layout: what clang-format would change."""
import subprocess

from .common import Finding


def check(tree):
    folders = ["src", "include", "bindings", "cli", "examples", "test", "bench", "fuzz", "sim"]
    paths = tree.files(folders, (".c", ".h"))
    command = ["clang-format", "--dry-run", *paths]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tree.root)
    findings = {}
    for line in result.stderr.splitlines():
        parts = line.split(":", 3)
        if len(parts) == 4 and parts[0] in tree.paths and parts[0] not in findings:
            message = "not as clang-format lays it out: `make format`"
            findings[parts[0]] = Finding(parts[0], int(parts[1]), "format", message)
    if result.returncode and not findings:
        findings[""] = Finding(".clang-format", 1, "format", result.stderr.strip())
    return list(findings.values())
