"""The service apm.plugin.v1.Platform: the rules that hold for every platform. The platform's own methods take the
messages of the contract; those that work on it run in threads, with an event that is set when the caller has gone."""

import asyncio
import concurrent.futures
import logging
import threading

from plugin.v1 import platform_pb2 as pb
from plugin.v1 import platform_pb2_grpc

from .errors import Code, Reason, Refused, Stopped, abort, bug
from .life import Life
from .queue import Queue

MAX_MESSAGE = 16 << 20
THREADS = 32

log = logging.getLogger(__name__)


class Servicer(platform_pb2_grpc.PlatformServicer):
    def __init__(self, platform, description: pb.DescribeResponse, heartbeat: float):
        self.platform, self.description, self.heartbeat = platform, description, heartbeat
        self.life = Life()
        self.threads = concurrent.futures.ThreadPoolExecutor(THREADS)

    async def answer(self, context, call):
        """Runs one call and gives its errors the form of the contract. What is a bug here stays in our log."""
        try:
            response = await call
            if response is not None and response.ByteSize() > MAX_MESSAGE:
                raise bug(f"the answer has {response.ByteSize()} bytes, the limit is {MAX_MESSAGE}")
            return response
        except Refused as error:
            refused = error
        except Stopped:
            refused = Refused(Code.CANCELLED, Reason.REASON_UNSPECIFIED, "the caller has gone")
        except Exception:
            log.exception("bug in the plugin")
            refused = bug("bug in the plugin: its log has the stack; tell the plugin's author")
        return await abort(context, refused)

    async def threaded(self, function, *arguments, done=lambda: None):
        """Runs a function in a thread. It learns that the caller has gone, and may go on all the same."""
        stop = threading.Event()

        def run():
            try:
                return function(*arguments, stop)
            finally:
                done()

        future = self.threads.submit(run)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            stop.set()
            if future.cancelled():  # it never began
                done()
            raise

    # Before Configure too.

    async def Describe(self, request, context):
        return self.description

    async def Validate(self, request, context):
        async def call():
            config = request.config.json if request.HasField("config") else None
            spec = request.spec.json if request.HasField("spec") else None
            return pb.ValidateResponse(diagnostics=self.platform.validate(config, spec))

        return await self.answer(context, call())

    async def Configure(self, request, context):
        async def call():
            self.life.configure()
            diagnostics = await self.threaded(self.platform.configure, request)
            self.life.configured = all(d.severity != pb.Diagnostic.SEVERITY_ERROR for d in diagnostics)
            return pb.ConfigureResponse(diagnostics=diagnostics)

        return await self.answer(context, call())

    # Calls that change nothing.

    async def look(self, context, request, function):
        async def call():
            self.life.look(request)
            return await self.threaded(function, request)

        return await self.answer(context, call())

    async def Resolve(self, request, context):
        return await self.look(context, request, self.platform.resolve)

    async def Snapshot(self, request, context):
        return await self.look(context, request, self.platform.snapshot)

    async def Plan(self, request, context):
        return await self.look(context, request, self.platform.plan)

    async def Probe(self, request, context):
        return await self.look(context, request, self.platform.probe)

    async def Inventory(self, request, context):
        return await self.look(context, request, self.platform.inventory)

    # Calls that change something.

    async def act(self, context, request, function):
        async def call():
            earlier, ended = self.life.act(request)
            operation = request.operation.id
            if isinstance(request, pb.RecoverRequest):  # none of them may land after its answer
                await self.life.wait(operation, earlier, ended)
            response = await self.threaded(function, request, done=lambda: self.life.end(operation, ended))
            if isinstance(response, pb.DeployResponse | pb.RollbackResponse):
                self.life.following.add(operation)
            elif isinstance(response, pb.RecoverResponse):
                running = response.status == pb.RecoverResponse.STATUS_RUNNING
                (self.life.following.add if running else self.life.following.discard)(operation)
            return response

        return await self.answer(context, call())

    async def Deploy(self, request, context):
        return await self.act(context, request, self.platform.deploy)

    async def Promote(self, request, context):
        return await self.act(context, request, self.platform.promote)

    async def Rollback(self, request, context):
        return await self.act(context, request, self.platform.rollback)

    async def Cancel(self, request, context):
        return await self.act(context, request, self.platform.cancel)

    async def Recover(self, request, context):
        return await self.act(context, request, self.platform.recover)

    async def Drain(self, request, context):
        return pb.DrainResponse(in_flight=await self.life.drain(request.grace.ToTimedelta().total_seconds()))

    # Streams.

    async def Watch(self, request, context):
        queue = Queue()

        async def call():
            self.life.look(request)
            if request.HasField("operation"):
                await self.platform.watch(request, queue.push)
            else:
                await self.platform.watch_target(request, queue.push)

        producer = asyncio.create_task(self.answer(context, call()))
        try:
            async for batch in self.batches(queue, producer):
                yield batch
                if batch.events[-1].HasField("outcome"):
                    self.life.following.discard(request.operation.id)
                    return
        finally:
            producer.cancel()

    async def batches(self, queue, producer):
        """What is queued, and a heartbeat in silence, until the producer has ended."""
        while (batch := await first(queue.take(self.heartbeat), producer)) is not ENDED:
            if batch is None:
                batch = pb.WatchResponse()
                batch.events.add(heartbeat=pb.Heartbeat()).observed_at.GetCurrentTime()
            yield batch

    async def Logs(self, request, context):
        async for lines in self.stream(context, request, self.platform.logs):
            yield pb.LogsResponse(lines=lines)

    async def Health(self, request, context):
        async for health in self.stream(context, request, self.platform.health):
            yield health

    async def stream(self, context, request, function):
        """Calls a platform's method that sends, and yields what it sent."""
        sent = asyncio.Queue(1)

        async def call():
            self.life.look(request)
            await function(request, sent.put)

        producer = asyncio.create_task(self.answer(context, call()))
        try:
            while (one := await first(sent.get(), producer)) is not ENDED:
                yield one
        finally:
            producer.cancel()


ENDED = object()


async def first(taking, producer):
    """What there is to take or, once the producer has ended and nothing is left, its error or ENDED."""
    taking = asyncio.create_task(taking)
    try:
        await asyncio.wait((taking, producer), return_when=asyncio.FIRST_COMPLETED)
        if not taking.done():
            await asyncio.sleep(0)  # for what was sent in its last moment
        if taking.done():
            return await taking
        await producer
        return ENDED
    finally:
        taking.cancel()
