"""At the end of a run, everything that tests printed and logged is searched for secrets
(conftest.py). This tests that they are found, and that the run then fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.secrets_reader import SECRETS, found_in

pytest_plugins = ["pytester"]

EXAMPLES = {
    "an ephemeral key": "minted ek_" + "0123456789abcdef" * 2,
    "a standard key": "used sk-" + "A" * 24,
    "a bearer": "Authorization: Bearer ey" + "a" * 30,
    "a token": "got eyJ" + "a" * 24 + "." + "b" * 24 + ".sig",
    "what joins a call": "a=ice-pwd:asd88fgpdd777uzjYhagZg",
    "the broker's secret": "b" * 40,
}


@pytest.mark.parametrize("name", SECRETS)
def test_the_reader_finds(name: str) -> None:
    assert name in "".join(found_in([("a test", EXAMPLES[name])]))
    assert EXAMPLES[name] not in str(found_in([("a test", EXAMPLES[name])]))


def test_a_run_whose_output_has_a_secret_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    pytester.makeconftest("from tests.conftest import *")
    pytester.makepyfile("def test_leaks():\n    print('ek_' + '0123456789abcdef' * 2)\n")
    leaking = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert leaking.ret == pytest.ExitCode.TESTS_FAILED
    leaking.stdout.fnmatch_lines(["*an ephemeral key in the output of *test_leaks*"])
    pytester.makepyfile("def test_leaks():\n    print('a key: present')\n")
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider").ret == pytest.ExitCode.OK
