"""The processor share of a memory size, and the section of the page that only its measurement replaces."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.harness.cpu_share import PERIOD_US, CpuShare, NoCpuQuota, quota_us
from benchmarks.harness.table import MEMORY_SIZES

PAGE = f"# Page\n\n<!-- memory sizes -->\nold curve\n<!-- end of memory sizes -->\n\n{program.RESULTS}\nold results\n"


@pytest.mark.parametrize(("memory_mib", "share"), [(128, 0.072), (256, 0.145), (1024, 0.579), (1769, 1.0), (3008, 1.0)])
def test_a_memory_size_has_its_share_of_one_processor(memory_mib: int, share: float) -> None:
    assert quota_us(memory_mib) / PERIOD_US == pytest.approx(share, abs=0.001)


def test_what_a_process_in_a_share_starts_belongs_to_it_and_this_process_does_not() -> None:
    try:
        with CpuShare(256) as share, subprocess.Popen(["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
            share.add([shell.pid])
            inside, _ = shell.communicate("cat /proc/self/cgroup\n")
    except NoCpuQuota as error:
        pytest.skip(str(error))
    assert f"benchmark-{os.getpid()}-" in inside
    outside = subprocess.run(["/bin/sh", "-c", "cat /proc/self/cgroup"], check=True, capture_output=True, text=True).stdout
    assert f"benchmark-{os.getpid()}-" not in outside


@pytest.mark.parametrize(
    ("benchmark", "replaced", "kept"),
    [(MEMORY_SIZES, "old curve", "old results"), ("storm", "old results", "old curve")],
)
def test_the_page_keeps_what_was_not_measured(
    benchmark: str, replaced: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"benchmark": benchmark, "name": "n", "value": 4711.0, "unit": "ms", "goal": None, "met": None}
    out, page = tmp_path / "bench.json", tmp_path / "page.md"
    run = {"quick": False, "every_case": False, "skipped": [], "machine": "m", "took_s": 1.0, "facts": {}, "rows": [row]}
    out.write_text(json.dumps(run), encoding="utf-8")
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(program, "OUT", out)
    monkeypatch.setattr(program, "PAGE", page)
    monkeypatch.setattr(program, "COMMITTED", tmp_path / "results.json")
    assert program.main(["--markdown"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "4,711" in text
    assert (replaced in text, kept in text) == (False, True)
    assert [stored["name"] for stored in json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]] == ["n"]


def test_a_quick_run_is_not_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    out.write_text(json.dumps({"quick": True}), encoding="utf-8")
    monkeypatch.setattr(program, "OUT", out)
    assert program.main(["--markdown"]) == 2
    assert "without QUICK" in capsys.readouterr().err
