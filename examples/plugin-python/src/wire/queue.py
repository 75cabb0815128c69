"""What stands between a platform that sends events and a host that takes them at its own pace.

Of a resource and of the state only the latest waits, of log lines the last ones, and what was dropped is counted;
everything else waits, and when too much waits, so does the platform. A newer event stands at the end and not in the
place of the older one: so a token never stands behind something that was not sent.
"""

import asyncio
import collections

from plugin.v1 import platform_pb2 as pb

MAX_BATCH = 64
MAX_LINES = 1000
MAX_HELD = 1000


class Queue:
    def __init__(self):
        self.entries = collections.OrderedDict()  # key → (event, token); a key that is a number is of its own
        self.lines = collections.deque()  # keys of log lines
        self.number = self.dropped = 0
        self.ready, self.room = asyncio.Event(), asyncio.Event()
        self.first = True

    async def push(self, event: pb.WatchEvent, token: bytes = b"") -> None:
        if not event.HasField("observed_at"):
            event.observed_at.GetCurrentTime()
        kind = event.WhichOneof("event")
        key = self.number = self.number + 1
        if kind == "resource":
            key = "resource " + event.resource.id
        elif kind == "state" and not self.first:
            key = "state"
        self.first = False
        while kind != "log" and key not in self.entries and len(self.entries) - len(self.lines) >= MAX_HELD:
            self.room.clear()
            await self.room.wait()
        self.entries.pop(key, None)
        self.entries[key] = (event, token)
        if kind == "log":
            self.lines.append(key)
            if len(self.lines) > MAX_LINES:
                del self.entries[self.lines.popleft()]
                self.dropped += 1
        self.ready.set()

    async def take(self, silence: float) -> pb.WatchResponse | None:
        """The next batch, or None after so long a silence."""
        if not self.entries:
            self.ready.clear()
            try:
                await asyncio.wait_for(self.ready.wait(), silence)
            except TimeoutError:
                return None
        batch = pb.WatchResponse()
        while self.entries and len(batch.events) + bool(self.dropped) < MAX_BATCH:
            key, (event, token) = self.entries.popitem(last=False)
            if self.lines and self.lines[0] == key:
                self.lines.popleft()
                self.count(batch)  # where the lines are missing
            if event.HasField("outcome"):
                self.count(batch)  # the outcome is the last event
            batch.events.append(event)
            batch.resume_token = token or batch.resume_token
        self.room.set()
        return batch

    def count(self, batch):
        if self.dropped:
            batch.events.add(dropped_log_lines=self.dropped).observed_at.GetCurrentTime()
            self.dropped = 0
