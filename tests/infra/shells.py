"""What a command line becomes in each shell: the arguments that a program gets.

bash is asked itself. PowerShell's rules are written down here for where it is not installed: its
argument mode, and how Windows PowerShell 5.1 hands arguments to a program, which drops empty ones
and loses quotation marks inside of them (about_Parsing).
"""

from __future__ import annotations

import json
import shutil
import subprocess

PWSH = shutil.which("pwsh")
SHOW = (
    "function {name} {{ foreach ($each in $args) {{ foreach ($part in $each) "
    "{{ $shown.Add([string]$part) }} }} }}"
)


class ShellError(Exception):
    """A line that a shell refuses, or reads as more than one command."""


def bash_arguments(line: str) -> list[str]:
    """What bash gives to the first word of a line."""
    name = line.split()[0]
    return bash_output(f"{name}() {{ printf '%s\\0' \"$@\"; }}\n{line}\n").split("\0")[:-1]


def bash_output(script: str) -> str:
    """What a script prints. Raises ShellError if bash refuses it."""
    done = subprocess.run(
        ["bash", "-c", f"set -eu\n{script}"], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode or done.stderr:
        raise ShellError(done.stderr)
    return done.stdout


def pwsh_arguments(line: str) -> list[str]:
    """The same of PowerShell 7, where it is installed."""
    assert PWSH
    lines = (
        "$ErrorActionPreference = 'Stop'",
        "$shown = [System.Collections.Generic.List[string]]::new()",
        SHOW.format(name=line.split()[0]),
        line,
        "ConvertTo-Json -Compress -InputObject $shown",
    )
    done = subprocess.run(
        [PWSH, "-NoProfile", "-NonInteractive", "-Command", "\n".join(lines)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ShellError(done.stderr)
    arguments: list[str] = json.loads(done.stdout)
    return arguments


def windows_powershell_arguments(line: str) -> list[str]:
    """The same of Windows PowerShell 5.1, by its rules."""
    _, *words = powershell_words(line)
    handed = " ".join(
        f'"{word}"' if any(letter.isspace() for letter in word) else word for word in words
    )
    return split_as_programs_do(handed)


def powershell_words(line: str) -> list[str]:
    """The words of a command in PowerShell's argument mode. Raises ShellError for what would be
    an expression, a variable, a redirection or another command."""
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        letter = line[at]
        if letter in "'\"":
            text, at = quoted(line, at)
            word = (word or "") + text
            continue
        if letter == "`":
            word = (word or "") + line[at + 1 : at + 2].strip("\n")
            at += 2
            continue
        if letter in "$;&|<>(){}\n" or (letter in "@#" and word is None):
            raise ShellError(f"{letter} is not text in PowerShell")
        if letter.isspace() or letter == ",":
            # A comma makes a list, each element of which is an argument.
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + letter
        at += 1
    return words if word is None else [*words, word]


def quoted(line: str, start: int) -> tuple[str, int]:
    """The text of a string that starts there, and where it ends."""
    mark, at, text = line[start], start + 1, ""
    while at < len(line):
        letter = line[at]
        if letter == mark:
            if line[at + 1 : at + 2] != mark:
                return text, at + 1
            at += 1
        elif mark == '"' and letter == "$":
            raise ShellError("$ is a variable in PowerShell's double quotes")
        elif mark == '"' and letter == "`":
            at += 1
            letter = line[at]
        text += letter
        at += 1
    raise ShellError("a string is not closed")


def split_as_programs_do(handed: str) -> list[str]:
    """How a program on Windows takes its command line apart (CommandLineToArgvW)."""
    found: list[str] = []
    word: str | None = None
    inside, at = False, 0
    while at < len(handed):
        letter = handed[at]
        if letter == '"':
            inside, word = not inside, word or ""
        elif handed.startswith('\\"', at):
            word, at = (word or "") + '"', at + 1
        elif letter.isspace() and not inside:
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + letter
        at += 1
    return found if word is None else [*found, word]
