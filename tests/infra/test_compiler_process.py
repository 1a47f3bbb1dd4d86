"""The compiler as one process: it answers many questions, and says what it cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.compiler import Compiler, CompilerError
from tests.infra.expansion import COMPILER, needs_compiler
from tests.infra.test_compiler import needs_bash, program


@needs_compiler
def test_a_file_that_is_wrong_is_refused_and_the_next_is_compiled(tmp_path: Path) -> None:
    wrong, right = tmp_path / "wrong.bicep", tmp_path / "right.bicep"
    wrong.write_text("param name strin\n", encoding="utf-8")
    right.write_text("param name string\noutput said string = name\n", encoding="utf-8")
    asked = tmp_path / "right.bicepparam"
    asked.write_text("using 'right.bicep'\nparam name = 'demo'\n", encoding="utf-8")
    with Compiler(COMPILER) as compiler:
        with pytest.raises(CompilerError, match="strin"):
            compiler.compile(wrong)
        assert '"said"' in compiler.compile(right)
        assert '"said": "demo"' in compiler.snapshot(asked, "s", "eastus2")
        with pytest.raises(CompilerError):
            compiler.snapshot(tmp_path / "missing.bicepparam", "s", "eastus2")
    assert compiler.process is None


@needs_bash
def test_a_compiler_that_ends_at_once_is_told_of(tmp_path: Path) -> None:
    silent = program(tmp_path / "bicep", "#!/bin/sh\nread line\nexit 0\n")
    with Compiler(str(silent)) as compiler, pytest.raises(CompilerError, match="has ended"):
        compiler.ask("bicep/version")
