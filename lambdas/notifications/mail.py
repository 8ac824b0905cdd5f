"""A message as plain text, for mail and pagers."""

from collections.abc import Iterator
from typing import Final

from lambdas.notifications import escape
from lambdas.notifications.content import Content
from lambdas.notifications.wording import PLAIN, cut

LONGEST_SUBJECT: Final = 99
LONGEST_TEXT: Final = 60_000
"""Characters, of at most four bytes each: SNS takes 256 KB.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""
MOST_MOMENTS: Final = 40


def subject(content: Content) -> str:
    """One line of ASCII that begins with how urgent it is: no sign stands for that in a subject."""
    words = f"{content.mark.name} {content.title.render(PLAIN)}"
    while len(words) > LONGEST_SUBJECT and ", " in words.rpartition(" · ")[2]:
        words = words.rpartition(", ")[0]  # the last clause is the one that can be spared
    if len(words) > LONGEST_SUBJECT:
        words = words.rpartition(" · ")[0] or words
    return escape.ascii_line(words, LONGEST_SUBJECT)


def text(content: Content) -> str:
    """The headline first, then what is broken, what is left to do, and what happened when."""
    return cut("\n".join(_lines(content)), LONGEST_TEXT)


def _lines(content: Content) -> Iterator[str]:
    yield f"{content.mark} {content.title.render(PLAIN)}"
    yield ""
    yield from (paragraph.render(PLAIN) for paragraph in content.paragraphs)
    if content.steps:
        yield from ("", content.heading)
        yield from (f"  {i}. {step.render(PLAIN)}" for i, step in enumerate(content.steps, 1))
    for document in content.documents:
        yield from ("", f"{document.title}:", PLAIN.block(document.lines))
    if content.moments:
        yield from ("", "What happened:")
        yield from (f"  {moment.phrase.render(PLAIN)}" for moment in content.moments[-MOST_MOMENTS:])
    yield from ("", content.foot.render(PLAIN))
