"""Errors of the contract: a gRPC code and an ErrorDetail, whose presence says that the plugin itself answered."""

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_status import rpc_status

from plugin.v1 import platform_pb2 as pb

# Errors travel in HTTP/2 trailers, which are meant to be small.
MAX_TEXT = 4 << 10

Code = grpc.StatusCode
Reason = pb.ErrorDetail


class Refused(Exception):
    """What a plugin answers when it cannot do what it was asked: what was wrong, and what to do."""

    def __init__(self, code, reason, message, *, resource="", by=""):
        super().__init__(message)
        self.code, self.reason, self.resource, self.by = code, reason, resource, by


class Stopped(Exception):
    """The caller has gone, and the work with him."""


def text(value) -> str:
    """What protobuf takes as text: names of files need not be UTF-8."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def bug(message: str) -> Refused:
    return Refused(Code.INTERNAL, Reason.REASON_PLUGIN_BUG, message)


async def abort(context, refused: Refused):
    """Ends a call with the error."""
    detail = any_pb2.Any()
    detail.Pack(
        pb.ErrorDetail(
            reason=refused.reason,
            retryable=refused.code in (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED),
            resource=text(refused.resource)[:MAX_TEXT],
            by=text(refused.by)[:MAX_TEXT],
        )
    )
    status = rpc_status.to_status(
        status_pb2.Status(code=refused.code.value[0], message=text(refused)[:MAX_TEXT], details=[detail])
    )
    await context.abort(status.code, status.details, status.trailing_metadata)
