"""Follows a page to the letter: runs every command of its console blocks, in order, and compares what they print.

Usage: follow.py PAGE [--record]

A console block is fenced with ```console. A line that begins with "$ " is a command, those that begin with "> " go on with
it, and what stands below is what it printed. All commands run in one shell, in the folder this is started from. What
differs from run to run (times, ids of jobs, durations, the names of workers) is not compared. With --record what was
printed is put into the page.

Exit codes: 0 all as it stands there, 1 something differs (the lines are shown), 2 usage.
"""

import re
import subprocess
import sys
import uuid
from difflib import unified_diff

VOLATILE = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
    (r"\d{13}-\d+", "<entry>"),
    (r'(duration_seconds"?:? ?|duration_seconds\n)"?[\d.]+"?', r"\1<seconds>"),
    (r"\d+(\.\d+)? s\b", "<seconds>"),
    (r"(?m)^date: .*$", "date: <date>"),
    (r"\b[\w.-]+-\d+-[0-9a-f]{12}-[0-9a-f]{6}\b", "<worker>"),
    (r"(?m)[ \t\r]+$", ""),
    (r" {2,}", "  "),
]


def comparable(text):
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text.strip("\n").split("\n")


class Shell:
    """One bash for all commands; what they print and complain of comes back in one piece."""

    def __init__(self):
        self.bash = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, command):
        mark = f"end-{uuid.uuid4()}"
        self.bash.stdin.write(f"{command}\nprintf '\\n%s\\n' {mark}\n")
        self.bash.stdin.flush()
        lines = []
        for line in self.bash.stdout:
            if line.strip() == mark:
                return "".join(lines).replace("\r", "").strip("\n")
            lines.append(line)
        sys.exit(f"the shell ended in: {command}")

    def end(self):
        self.bash.stdin.write("kill $(jobs -p) 2>/dev/null; wait\n")
        self.bash.stdin.close()
        try:
            self.bash.wait(60)
        except subprocess.TimeoutExpired:
            self.bash.kill()


def commands(block):
    """The commands of a block, each with the lines it is written on and what it should print."""
    found = []
    for line in block.split("\n"):
        if line.startswith("$ "):
            found.append(([line], []))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line)
        else:
            found[-1][1].append(line)
    return found


def follow(page, record):
    shell, wrong, count = Shell(), 0, 0

    def play(match):
        nonlocal wrong, count
        lines = []
        for written, expected in commands(match.group(1)):
            count += 1
            printed = shell.run("\n".join(line[2:] for line in written))
            lines += written + ([printed] if printed else [])
            expected, found = comparable("\n".join(expected)), comparable(printed)
            if expected != found:
                wrong += 1
                print("\n".join(written))
                print("\n".join(unified_diff(expected, found, "the page", "this run", lineterm="")))
        return "```console\n" + "\n".join(lines) + "\n```"

    with open(page, encoding="utf-8") as file:
        text = file.read()
    followed = re.sub(r"(?ms)^```console\n(.*?)\n```", play, text)
    shell.end()
    print(f"{count} commands, {wrong} of them printed something else than the page says")
    if record and followed != text:
        with open(page, "w", encoding="utf-8") as file:
            file.write(followed)
    return 0 if record or wrong == 0 else 1


if __name__ == "__main__":
    if len(sys.argv) < 2 or any(arg != "--record" for arg in sys.argv[2:]):
        sys.exit(2)
    sys.exit(follow(sys.argv[1], "--record" in sys.argv))
