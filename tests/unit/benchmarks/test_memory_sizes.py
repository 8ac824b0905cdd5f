"""The processor share of a memory size, and the section of the page that only its measurement replaces."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.harness import cpu_share
from benchmarks.harness.cpu_share import PERIOD_US, CpuShare, NoCpuQuota, quota_us
from benchmarks.harness.table import MEMORY_SIZES

PAGE = f"# Page\n\n<!-- memory sizes -->\nold curve\n<!-- end of memory sizes -->\n\n{program.RESULTS}\nold results\n"


@pytest.mark.parametrize(("memory_mib", "share"), [(128, 0.072), (256, 0.145), (1024, 0.579), (1769, 1.0), (3008, 1.0)])
def test_a_memory_size_has_its_share_of_one_processor(memory_mib: int, share: float) -> None:
    assert quota_us(memory_mib) / PERIOD_US == pytest.approx(share, abs=0.001)


def test_a_process_that_starts_in_a_share_belongs_to_it_and_this_one_does_not() -> None:
    try:
        with CpuShare(256) as share:
            with share.entered():
                inside = _groups_of_a_new_process()
            outside = _groups_of_a_new_process()
    except NoCpuQuota as error:
        pytest.skip(str(error))
    assert (f"-{os.getpid()}-256" in inside, f"-{os.getpid()}-256" in outside) == (True, False)


def _groups_of_a_new_process() -> str:
    command = [sys.executable, "-c", f"from {cpu_share.__name__} import groups_of_this_thread as groups; print(*groups().values())"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(program.__file__).parents[1]).stdout


@pytest.mark.parametrize(
    ("benchmark", "replaced", "kept"),
    [(MEMORY_SIZES, "old curve", "old results"), ("storm", "old results", "old curve")],
)
def test_the_page_keeps_what_was_not_measured(
    benchmark: str, replaced: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"benchmark": benchmark, "name": "n", "value": 4711.0, "unit": "ms", "goal": None, "met": None}
    out, page = tmp_path / "bench.json", tmp_path / "page.md"
    out.write_text(json.dumps({"quick": False, "skipped": [], "machine": "m", "took_s": 1.0, "facts": {}, "rows": [row]}), encoding="utf-8")
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(program, "OUT", out)
    monkeypatch.setattr(program, "PAGE", page)
    assert program.main(["--markdown"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "4,711" in text
    assert (replaced in text, kept in text) == (False, True)
