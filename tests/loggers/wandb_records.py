"""The record file of an offline W&B run, read back."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path


def records(folder: Path, pattern: str) -> Iterator:
    """The records of a run: a LevelDB log of protocol buffers, behind 7 bytes of header.

    Each block of 32 KiB holds chunks of {checksum 4, length 2, kind 1}; a record is one chunk of
    kind 1, or several from kind 2 to kind 4.
    """
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob(pattern)
    data, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # the tail of a block is padding
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        if at + 7 + length > len(data):  # W&B's own process is still writing it
            return
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def rows(found: list) -> list[dict]:
    return [
        {
            ".".join(item.nested_key) or item.key: json.loads(item.value_json)
            for item in r.history.item
        }
        for r in found
        if r.WhichOneof("record_type") == "history"
    ]


def whole(folder: Path, pattern: str = "wandb/offline-run-*/*.wandb") -> list:
    """All records; W&B's own process writes the last of them a moment after `finish` returns."""
    for _ in range(100):
        found = list(records(folder, pattern))
        if any(r.WhichOneof("record_type") == "exit" for r in found):
            return found
        time.sleep(0.1)
    raise AssertionError("the run was never closed")


def columns(found: list) -> dict:
    updates = [u for r in found for u in (*r.run.config.update, *r.config.update)]
    return {u.key: json.loads(u.value_json) for u in updates}


def summary(found: list) -> dict:
    updates = [u for r in found for u in r.summary.update]
    return {".".join(u.nested_key) or u.key: json.loads(u.value_json) for u in updates}
