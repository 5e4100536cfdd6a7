"""What the checks share: the files of the tree, C text without its comments, and findings."""
import dataclasses
import os
import pathlib

# Folders that hold no text of this project's.
PASSED_OVER = {".git", "build", "dist", "node_modules", "__pycache__"}


@dataclasses.dataclass(order=True, frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str
    # For rules that allow exceptions: what the entry in tools/tidy_exceptions is keyed by, and
    # the measure that it holds.
    key: str = ""
    measure: int = 0

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = []
        self.texts = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(set(folders) - PASSED_OVER)
            relative = pathlib.Path(folder).relative_to(self.root)
            self.paths += [(relative / name).as_posix() for name in sorted(names)]

    def files(self, folders, suffixes):
        """Paths under any of `folders` ("" is the whole tree) that end in one of `suffixes`."""
        return [
            path
            for path in self.paths
            if path.endswith(suffixes)
            and any(folder == "" or path.startswith(folder + "/") for folder in folders)
        ]

    def text(self, path):
        if path not in self.texts:
            self.texts[path] = (self.root / path).read_text(encoding="utf-8")
        return self.texts[path]


def code_only(text, keep_strings=False):
    """C text with comments (and the inside of strings) as blanks; lines and columns stay."""
    out = []
    at = 0
    while at < len(text):
        if text.startswith("//", at):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            kept = False
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            end = len(text) if end < 0 else end + 2
            kept = False
        elif text[at] in "\"'":
            end = at + 1
            while end < len(text) and text[end] not in (text[at], "\n"):
                end += 2 if text[end] == "\\" else 1
            end += 1
            kept = keep_strings
        else:
            end = at + 1
            kept = True
        piece = text[at:end]
        out.append(piece if kept else "".join(c if c == "\n" else " " for c in piece))
        at = end
    return "".join(out)


def line_of(text, at):
    return text.count("\n", 0, at) + 1
