"""`python -m tests.incident_reports`: play every report and print its answer. `--write` writes the table of the page."""

import sys

from tests.incident_reports.report import PAGE, page, reports


def main() -> int:
    """Print one line for each report; the exit code is 1 where an answer differs without an explanation."""
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    unexplained = 0
    for report in reports():
        answer = report.play()
        unexplained += bool(answer.differences) and not report.difference
        found = "; ".join(answer.differences) or f"{answer.verdict}, {answer.outcome}"
        print(f"{'✗' if answer.differences else '✓'} {report.id}: {found}")
    return int(unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
