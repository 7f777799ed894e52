#!/usr/bin/env python3
"""Counts the tests of a `go test -json` run by their top level, and lists what failed with its reason.  usage: go_results.py FILE"""
import collections
import json
import re
import sys

ends, said = {}, collections.defaultdict(list)
for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
    if not line.startswith("{"):
        continue
    event = json.loads(line)
    test = event.get("Test")
    if not test:
        continue
    if event["Action"] == "output":
        said[test].append(event["Output"])
    elif event["Action"] in ("pass", "fail", "skip"):
        ends[test] = event["Action"]

tops = {test: end for test, end in ends.items() if "/" not in test}
counts = collections.Counter(tops.values())
ran = counts["pass"] + counts["fail"]
print(f"{counts['pass']} of {ran} passed, {counts['skip']} skipped by the suite itself")
for test in sorted(test for test, end in ends.items() if end == "fail"):
    if any(other.startswith(test + "/") and end == "fail" for other, end in ends.items()):
        continue
    text = "".join(said[test])
    reason = re.search(r"(?i)code: \d+[^\n]{0,200}|unexpected [^\n]{0,160}|Error:\s+[^\n]{1,160}|panic: [^\n]{0,160}", text)
    print(f"  {test}: {' '.join((reason.group(0) if reason else text.strip()[-200:]).split())}")
sys.exit(0 if counts["fail"] == 0 and ran else 1)
