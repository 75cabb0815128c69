"""Logs: one JSON object a line on standard error, with the keys of the contract."""

import datetime
import json
import logging
import sys

LEVELS = {"trace": 5, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class Formatter(logging.Formatter):
    """Writes a record; log.info("message", extra={"with": {...}}) adds attributes."""

    def format(self, record: logging.LogRecord) -> str:
        level = max((name for name in LEVELS if LEVELS[name] <= record.levelno), key=LEVELS.get, default="trace")
        line = {
            "@level": level,
            "@message": record.getMessage(),
            "@module": record.name,
            "@timestamp": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        line.update(getattr(record, "with", {}))
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start(level: str) -> None:
    """Sends everything that Python logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    logging.basicConfig(level=LEVELS.get(level.lower(), logging.INFO), handlers=[handler])
    logging.raiseExceptions = False  # a reader that is gone is no reason to write more
    for chatter in ("asyncio", "grpc"):
        logging.getLogger(chatter).setLevel(logging.WARNING)
