#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages name what there is: each relative link leads to a file and, if it says so, to a heading
of it; each `path` into a folder of the tree is one."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINK = re.compile(r"\]\(([^)\s]+)\)")
WORD = re.compile(r"`([^`\s]+)`")
PATTERN = re.compile(r"[*{}<>…=,$()]|[A-Z]{2}")


def anchor(heading):
    """A heading's name in links."""
    return re.sub(r"[^\w\- ]", "", heading.strip().replace("`", "").lower()).replace(" ", "-")


def anchors(text):
    names = []
    for line in text.splitlines():
        found = re.match(r"#+ (.*)", line)
        if found:
            name = anchor(re.sub(LINK, "]", found[1]).replace("[", "").replace("]", ""))
            names.append(f"{name}-{names.count(name)}" if name in names else name)
    return names


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as page:
        return re.sub(r"^```.*?^```", "", page.read(), flags=re.S | re.M)


def bad_link(page, target):
    path, _, name = target.partition("#")
    path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not os.path.exists(os.path.join(ROOT, path)):
        return True
    return bool(name) and name not in anchors(read(path))


def bad_path(word, folders):
    """Whether a word looks like a path from the top of the tree and is none. NAME stands for many."""
    path = word.rstrip("/").split(":")[0]
    if "/" not in path or path.split("/")[0] not in folders or PATTERN.search(path):
        return False
    return not os.path.exists(os.path.join(ROOT, path))


def main():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], stdout=subprocess.PIPE, text=True)
    if listed.returncode != 0:
        print("1..0 # SKIP no git checkout")
        return
    files = listed.stdout.splitlines()
    folders = {path.split("/")[0] for path in files if "/" in path}
    pages = [path for path in files if path.endswith(".md")]
    print(f"1..{2 * len(pages)}")
    for n, page in enumerate(pages):
        text = read(page)
        links = [t for t in LINK.findall(text) if "://" not in t and bad_link(page, t)]
        words = [w for w in WORD.findall(text) if bad_path(w, folders)]
        for number, bad, rule in ((2 * n + 1, links, "links"), (2 * n + 2, words, "paths")):
            print(f"{'not ' if bad else ''}ok {number} {page}: {rule}")
            for what in bad:
                print(f"# there is no {what}")


if __name__ == "__main__":
    sys.exit(main())
