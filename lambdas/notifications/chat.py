"""A message as a custom notification of Amazon Q Developer, which posts it to Slack and Teams.

Source: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from lambdas.contract.approval import CALLBACK_ID, PLAN, REGION, encode_plan
from lambdas.notifications import escape
from lambdas.notifications.content import Content
from lambdas.notifications.wording import CHAT, Phrase, cut

LONGEST_TITLE: Final = 250
LONGEST_DESCRIPTION: Final = 2_900
"""A Slack text block holds 3,000 characters.

Source: https://docs.slack.dev/reference/block-kit/blocks/section-block
"""
LONGEST_PARAGRAPH: Final = 900
LONGEST_STEP: Final = 1_200
LONGEST_STEPS: Final = 2_400
_LEFT_OUT: Final = "…"


def notification(content: Content, *, callback_id: str, plan: str, region: str) -> str:
    """The JSON text of the notification. Only an approval request has a callback, and so buttons."""
    context = dict(content.context)
    if callback_id:
        context |= {CALLBACK_ID: callback_id, REGION: region, PLAN: encode_plan(plan)}
    title = content.titles[0].render(CHAT)
    metadata: dict[str, Any] = {
        "threadId": escape.plain(content.thread),
        "summary": cut(title, LONGEST_TITLE),
        "eventType": content.event_type,
        "relatedResources": [escape.chat_code(resource) for resource in content.resources],
        "additionalContext": {key: escape.plain(value) for key, value in context.items()},
    }
    if callback_id:
        metadata["enableCustomActions"] = True
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "id": escape.plain(content.id),
            "content": {
                "textType": "client-markdown",
                "title": cut(f"{content.mark} {title}", LONGEST_TITLE),
                "description": _description(content),
                **({"nextSteps": steps} if (steps := list(_steps(content))) else {}),
                "keywords": [escape.chat(keyword) for keyword in content.keywords],
            },
            "metadata": metadata,
        },
        ensure_ascii=False,
    )


def _description(content: Content) -> str:
    footer = content.footer.render(CHAT)
    body = fit([_paragraph(paragraph) for paragraph in content.paragraphs], LONGEST_DESCRIPTION - len(footer) - 1)
    room = LONGEST_DESCRIPTION - sum(len(text) + 1 for text in body) - len(footer)
    return "\n".join([*body, *_documents(content, room), footer])


def _documents(content: Content, room: int) -> Iterator[str]:
    """The last documents that fit, whole and in their order. The first one is JSON, which a step has in its command already."""
    shown = [f"{escape.chat(document.title)}:\n{CHAT.block(document.lines)}" for document in content.documents]
    while shown and sum(len(text) + 1 for text in shown) > room:
        shown.pop(0)
    yield from shown


def _paragraph(paragraph: Phrase) -> str:
    text = paragraph.render(CHAT)
    if len(text) <= LONGEST_PARAGRAPH:
        return text
    short = cut(text, LONGEST_PARAGRAPH - len("\n```"))
    return f"{short}\n```" if short.count("```") % 2 else short.replace("`", "'") if short.count("`") % 2 else short


def fit(paragraphs: Sequence[str], longest: int) -> list[str]:
    """The paragraphs within a length in characters, line ends included. The middle is left out first, the first paragraph never."""
    shown = list(paragraphs)
    left_out = False
    while sum(len(text) + 1 for text in shown) + left_out * (len(_LEFT_OUT) + 1) > longest and len(shown) > 1:
        del shown[len(shown) // 2 if len(shown) > 2 else 1]  # noqa: PLR2004  # of two, the first stays
        left_out = True
    if left_out:
        shown.insert((len(shown) + 1) // 2, _LEFT_OUT)
    return shown


def _steps(content: Content) -> Iterator[str]:
    room = LONGEST_STEPS
    for step in content.steps:
        text = step.render(CHAT)
        if len(text) > min(LONGEST_STEP, room):
            text = content.long_step.render(CHAT)
        room -= len(text)
        yield text
