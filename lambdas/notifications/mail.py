"""A message as plain text, for mail and pagers."""

from collections.abc import Iterator
from typing import Final

from lambdas.notifications import escape
from lambdas.notifications.content import Content
from lambdas.notifications.wording import PLAIN, cut

LONGEST_SUBJECT: Final = 99
LONGEST_TEXT: Final = 60_000
"""Maximum characters, of at most four bytes each: SNS accepts 256 KB.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""
MOST_ROWS: Final = 40


def subject(content: Content) -> str:
    """One line of ASCII that begins with the urgency: the longest form of the title that fits."""
    subjects = [f"{content.mark.name} {title.render(PLAIN)}" for title in content.titles]
    fitting = next((text for text in subjects if len(text) <= LONGEST_SUBJECT), subjects[-1])
    return escape.ascii_line(fitting, LONGEST_SUBJECT)


def text(content: Content) -> str:
    """The title, then the paragraphs, the next steps, the documents and the timeline."""
    return cut("\n".join(_lines(content)), LONGEST_TEXT)


def _lines(content: Content) -> Iterator[str]:
    yield f"{content.mark} {content.titles[0].render(PLAIN)}"
    yield ""
    yield from (paragraph.render(PLAIN) for paragraph in content.paragraphs)
    if content.steps:
        yield from ("", content.heading)
        yield from (f"  {i}. {step.render(PLAIN)}" for i, step in enumerate(content.steps, 1))
    for document in content.documents:
        yield from ("", f"{escape.plain(document.title)}:", PLAIN.block(document.lines))
    if content.timeline:
        yield from ("", "Timeline:")
        yield from (f"  {row.phrase.render(PLAIN)}" for row in content.timeline[-MOST_ROWS:])
    yield from ("", content.footer.render(PLAIN))
