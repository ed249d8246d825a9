# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell offers for the last of some words, by a completion script made from a table."""
import shutil
import subprocess
import tempfile

from tap import Skip, check_equal

# The builtins of zsh's completion exist below its line editor only; these tell what they are given.
ZSH = """
_files() { print FILES }
compadd() {
    while [[ $1 == -* && $1 != -- ]]; do [[ $1 == -S ]] && shift; shift; done
    [[ $1 == -- ]] && shift; print -rl -- "$@"
}
compset() { PREFIX=${PREFIX##*,} }
run() { source $1 }
file=$1; shift; words=("$@"); CURRENT=$#; PREFIX=${words[-1]}
run $file
"""
BASH = """
source "$1"; function=$2; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"$function"; printf "%s\\n" "${COMPREPLY[@]}"
"""


def _run(argv):
    if not shutil.which(argv[0]):
        raise Skip(f"{argv[0]} is missing")
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(argv, capture_output=True, text=True, check=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": home, "LC_ALL": "C.UTF-8"})
    check_equal(done.stderr, "", f"what {argv[0]} complains of")
    return done.stdout.splitlines()


def bash(script, *words):
    """words: taken apart already, as bash does at '=' and ':'."""
    return set(" ".join(_run(["bash", "-c", BASH, "bash", script, "_" + words[0].replace("-", "_"),
                              *words])).split())


def zsh(script, *words):
    last = words[-1].rsplit(",", 1)[-1]
    return {word for word in _run(["zsh", "-f", "-c", ZSH, "zsh", script, *words])
            if word == "FILES" or word.startswith(last)}


def fish(script, *words):
    return {line.split("\t")[0] for line in
            _run(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script,
                  " ".join(words)])}
