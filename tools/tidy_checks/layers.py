"""Includes: a floor includes only floors under it, and only public headers are public.

The order is that of CONTRIBUTING.md. Public headers belong to floors too: what database.h
declares is implemented in `server`, so no floor below may include it.
"""
import fnmatch
import posixpath
import re

from .common import Finding, code_only, line_of

# What a floor's files may include besides their own floor's: folders, or patterns of files.
MAY_INCLUDE = {
    "base": [],
    "json": ["base"],
    "store": ["base", "json"],
    "wire": ["base", "json", "store"],
    "hub": ["base", "json", "store", "wire"],
    "replica": ["base", "json", "store", "wire"],
    "ws": ["base"],
    "platform": ["base", "json", "store"],
    "storage": ["base", "platform", "hub/*_port.h", "replica/*_port.h"],
    "net": ["base", "ws", "platform"],
    "server": ["base", "json", "store", "wire", "hub", "ws", "platform", "storage", "net"],
    "client": ["base", "json", "store", "wire", "replica", "ws", "platform", "storage", "net"],
}
PURE_FLOORS = ["base", "json", "store", "wire", "hub", "replica", "ws"]

# Public headers by the floor that implements them; one that is not named is `server`'s.
PUBLIC_FLOOR = {
    "memory": "base",
    "slice": "base",
    "status": "base",
    "uuid": "base",
    "log": "base",
    "store": "store",
    "object": "store",
    "admin": "storage",
    "client": "client",
    "client_record": "replica",
}
# The words of store.h (types and actions) are those of the ports too.
PUBLIC_ALSO = {"storage": ["store"]}

PURE_SYSTEM = {"stddef.h", "stdint.h", "stdbool.h", "string.h", "limits.h", "math.h"}
PUBLIC_SYSTEM = {"stddef.h", "stdint.h", "stdbool.h", "string.h"}

# Libraries stay behind one floor each, so that each can be replaced.
LIBRARY_FLOORS = {
    "event2/": ["net"],
    "sqlite3.h": ["storage"],
    "uthash.h": ["server"],
    "zlib.h": ["net", "server"],
    "openssl/": ["net", "server"],
    "jwt.h": ["server"],
    "pcre2.h": ["platform"],
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.M)


def includes(tree, path):
    text = code_only(tree.text(path), keep_strings=True)
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start()), match.group(1) == '"', match.group(2)


def check_floor_include(floor, quoted, name, beside):
    """Why `floor` may not include `name`, or None. `beside`: the file stands next to it."""
    if name.startswith("syncdb/"):
        header = name[len("syncdb/") : -len(".h")]
        owner = PUBLIC_FLOOR.get(header, "server")
        allowed = [floor] + MAY_INCLUDE[floor]
        if owner in allowed or header in PUBLIC_ALSO.get(floor, []):
            return None
        return f"<{name}> belongs to {owner}, which {floor} does not stand on"
    if quoted:
        target = floor if beside else name.split("/")[0]
        if target == floor:
            return None
        if target not in MAY_INCLUDE:
            return f'"{name}" is no path from src/'
        for allowed in MAY_INCLUDE[floor]:
            if target == allowed or fnmatch.fnmatch(name, allowed):
                return None
        return f'"{name}" goes up or sideways: {floor} stands on {MAY_INCLUDE[floor] or "nothing"}'
    for library, floors in LIBRARY_FLOORS.items():
        if name.startswith(library):
            return None if floor in floors else f"<{name}> is for {floors} only"
    if floor in PURE_FLOORS and name not in PURE_SYSTEM:
        return f"<{name}> in a pure floor"
    return None


def check_floors(tree):
    for path in tree.files(["src"], (".c", ".h")):
        floor = path.split("/")[1]
        if floor not in MAY_INCLUDE:
            yield Finding(path, 1, "layers", f"src/{floor} is no floor")
            continue
        for line, quoted, name in includes(tree, path):
            beside = posixpath.join(posixpath.dirname(path), name) in tree.paths
            reason = check_floor_include(floor, quoted, name, beside)
            if reason:
                yield Finding(path, line, "layers", reason)


def check_public(tree):
    for path in tree.files(["include"], (".h",)):
        for line, _, name in includes(tree, path):
            if not name.startswith("syncdb/") and name not in PUBLIC_SYSTEM:
                yield Finding(path, line, "public-include", f"{name} in a public header")


def check_users(tree):
    for path in tree.files(["cli", "bindings/node", "examples"], (".c", ".h")):
        for line, quoted, name in includes(tree, path):
            here = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            if quoted and not (here in tree.paths and here.startswith(path.split("/")[0] + "/")):
                yield Finding(path, line, "private-include", f'"{name}" is no public header')


def check_module(tree):
    """bindings/wasm: over the replica and what that stands on, with no system behind it."""
    floors = ["replica"] + MAY_INCLUDE["replica"]
    for path in tree.files(["bindings/wasm"], (".c", ".h")):
        for line, quoted, name in includes(tree, path):
            beside = posixpath.join(posixpath.dirname(path), name) in tree.paths
            if name.startswith("syncdb/"):
                fits = PUBLIC_FLOOR.get(name[len("syncdb/") : -len(".h")], "server") in floors
            else:
                fits = beside or name.split("/")[0] in floors if quoted else name in PURE_SYSTEM
            if not fits:
                yield Finding(path, line, "layers", f"{name} is not for the module")


def check(tree):
    return [
        *check_floors(tree),
        *check_public(tree),
        *check_users(tree),
        *check_module(tree),
    ]
