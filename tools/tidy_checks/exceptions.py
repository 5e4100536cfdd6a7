"""tools/tidy_exceptions: what is let pass, a line each: RULE KEY MEASURE, then the reason.

The list may only shrink: a measure over its entry is a finding, and so is one under it (lower
the entry, or take it out), so that what was won is not lost again.
"""
from .common import Finding

PATH = "tools/tidy_exceptions"


def read(tree):
    entries = {}
    if PATH not in tree.paths:
        return entries
    for number, line in enumerate(tree.text(PATH).splitlines(), 1):
        if line and not line.startswith("#"):
            rule, key, measure, _reason = line.split(maxsplit=3)
            entries[rule, key] = (int(measure), number)
    return entries


def apply(tree, findings, complete):
    entries = read(tree)
    kept = []
    for finding in findings:
        allowed, number = entries.pop((finding.rule, finding.key), (0, 0))
        if finding.measure > allowed or not finding.key:
            kept.append(finding)
        elif finding.measure < allowed:
            message = f"{finding.key} is down to {finding.measure}: lower the entry"
            kept.append(Finding(PATH, number, "exception-shrunk", message))
    if complete:
        for (_, key), (_, number) in entries.items():
            message = f"{key} needs no exception: remove it"
            kept.append(Finding(PATH, number, "exception-unneeded", message))
    return kept
