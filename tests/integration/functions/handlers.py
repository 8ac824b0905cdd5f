"""Functions for the tests, run in the emulator with only the asset and the standard library."""

import json
import os
import sys
import time
from pathlib import Path


def plain(event, context):
    print(json.dumps({"said": event.get("say", "")}))
    if event.get("count"):
        with Path(event["count"]).open("a") as file:
            file.write("x")
    if event.get("raise"):
        raise ValueError("as asked")
    if event.get("exit"):
        os._exit(3)
    time.sleep(event.get("sleep", 0))
    where = [path for path in sys.path if "site-packages" in path]
    return {"pid": os.getpid(), "name": context.function_name, "site_packages": where, "environment": sorted(os.environ)}


def context(event, context):
    return {
        "id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "memory": context.memory_limit_in_mb,
        "group": context.log_group_name,
        "text": event["text"],
    }


def imports(event, _context):
    import importlib

    return {name: importlib.import_module(name).__file__ for name in event["modules"]}


def durable(event, context):
    from aws_durable_execution_sdk_python import durable_execution

    return durable_execution(_two_steps)(event, context)


def _two_steps(event, context):
    from aws_durable_execution_sdk_python.config import Duration

    first = context.step(lambda _: _note(event, "one"), name="one")
    context.wait(Duration.from_seconds(event.get("pause", 1)))
    once = Path(event["file"] + ".crashed")
    if event.get("crash") and not once.exists():
        once.touch()
        os._exit(7)
    second = context.step(lambda _: _note(event, "two", event.get("hold", 0)), name="two")
    return [first, second]


def _note(event, what, hold=0):
    file = Path(event["file"])
    is_first = not file.exists() or what not in file.read_text()
    with file.open("a") as notes:
        notes.write(what + "\n")
    time.sleep(hold if is_first else 0)
    return what
