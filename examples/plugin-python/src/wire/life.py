"""What a process knows of itself: configured or not, draining or not, and which calls and operations are under way."""

import asyncio
import threading

from plugin.v1 import platform_pb2 as pb

from .errors import Code, Reason, Refused

MAX_RELEASE = MAX_SNAPSHOT = 8 << 20
MAX_HANDLE = 64 << 10


class Life:
    """Used by the event loop; calls end in threads."""

    def __init__(self):
        self.tried = self.configured = self.draining = False
        self.lock = threading.Lock()
        self.calls = {}  # operation id → events of the mutating calls under way
        self.following = set()  # accepted operations whose outcome was not sent
        self.highest = {}  # component → epoch

    def configure(self):
        if self.tried:
            raise Refused(
                Code.FAILED_PRECONDITION,
                Reason.REASON_CONFLICT,
                "the plugin was configured already: start it again to configure it anew",
            )
        self.tried = True

    def look(self, request):
        """The gate of calls that change nothing."""
        if not self.configured:
            raise Refused(
                Code.FAILED_PRECONDITION,
                Reason.REASON_NOT_CONFIGURED,
                "the plugin is not configured: Configure must succeed before this call",
            )
        for name, limit in (("release", MAX_RELEASE), ("snapshot", MAX_SNAPSHOT), ("handle", MAX_HANDLE)):
            if name in request.DESCRIPTOR.fields_by_name and len(getattr(request, name).state) > limit:
                raise refuse(f"{name} has {len(getattr(request, name).state)} bytes, the limit is {limit}")

    def act(self, request) -> tuple[list[threading.Event], threading.Event]:
        """The gate of calls that change something: returns the earlier ones about the same operation, and what is to
        be set when this one has ended."""
        self.look(request)
        operation, target = request.operation, request.target
        if self.draining:
            raise Refused(
                Code.UNAVAILABLE,
                Reason.REASON_PLATFORM_UNAVAILABLE,
                "the plugin is draining and takes no new work: call its successor",
            )
        if not operation.id:
            raise refuse("operation.id is empty")
        if not (target.application and target.environment and target.component):
            raise refuse("the target is incomplete: application, environment and component must be given")
        if isinstance(request, pb.DeployRequest) and not request.HasField("release"):
            raise refuse("the operation has no release")
        if isinstance(request, pb.RollbackRequest) and not request.HasField("snapshot"):
            raise refuse("the operation has no snapshot")
        component = (target.application, target.environment, target.component)
        if operation.epoch < self.highest.get(component, 0):
            raise Refused(
                Code.ABORTED,
                Reason.REASON_STALE_EPOCH,
                f"epoch {self.highest[component]} was seen, yours is {operation.epoch}: another host owns the target",
            )
        self.highest[component] = operation.epoch
        ended = threading.Event()
        with self.lock:
            earlier = list(self.calls.get(operation.id, []))
            self.calls.setdefault(operation.id, []).append(ended)
        return earlier, ended

    def end(self, operation: str, ended: threading.Event):
        ended.set()
        with self.lock:
            self.calls[operation].remove(ended)
            if not self.calls[operation]:
                del self.calls[operation]

    async def wait(self, operation: str, earlier: list[threading.Event], ended: threading.Event):
        """Waits for earlier calls; a caller who does not wait so long has not called."""
        try:
            for one in earlier:
                while not one.is_set():
                    await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.end(operation, ended)
            raise

    async def drain(self, grace: float) -> list[str]:
        """Takes no new work, waits for calls under way, and names the operations that have not ended."""
        self.draining = True
        deadline = asyncio.get_running_loop().time() + grace
        while self.calls and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        with self.lock:
            return sorted(self.following | set(self.calls))


def refuse(message: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, Reason.REASON_INVALID_SPEC, message)
