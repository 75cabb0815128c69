"""The process of a plugin: from its start by the host to its end."""

import asyncio
import base64
import datetime
import logging
import os
import signal
import sys
import threading

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from plugin.v1 import platform_pb2_grpc

from . import logs
from .servicer import MAX_MESSAGE, Servicer

COOKIE = "5e0b6c1f94d7"
HEARTBEAT = 15.0
MAX_SOCKET_PATH = 104

OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    # The host pings every 10 s, also without calls.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
]

log = logging.getLogger(__name__)


def main(make, description) -> int:
    """Serves a platform, which make makes, until the host is done with it."""
    if os.environ.get("APM_PLUGIN") != COOKIE:
        sys.stderr.write(
            f"{os.path.basename(sys.argv[0])} is the {description.name} plugin of APM, version {description.version}.\n"
            f"It is started by the host and not by hand. Name it in config.hcl and start the host:\n\n"
            f'  plugin "{description.name}" {{ path = "{os.path.abspath(sys.argv[0])}" }}\n\n'
            f"  apm plugin lock\n  apm serve\n"
        )
        return 1
    sys.stdout = sys.stderr  # a print anywhere must not reach the host's handshake
    logs.start(os.environ.get("APM_PLUGIN_LOG_LEVEL", "info"))
    if "1" not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "").split(","):
        log.error("the host does not speak version 1 of the plugin protocol: upgrade the plugin or the host")
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's, which drains before it stops us
    hold_lifeline(int(os.environ.get("APM_PLUGIN_LIFELINE_FD", "3")))
    return asyncio.run(serve(make, description))


def hold_lifeline(fd: int) -> None:
    """Ends the process when the host is gone: the end of the file of a pipe that nobody writes to."""
    os.set_inheritable(fd, False)

    def wait():
        while os.read(fd, 64):
            pass
        os._exit(3)  # at once: what was under way is found again by Recover

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def certificate() -> tuple[bytes, bytes, bytes]:
    """A fresh key, and a certificate that is its own authority: in PEM, PEM and DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (
        private,
        made.public_bytes(serialization.Encoding.PEM),
        made.public_bytes(serialization.Encoding.DER),
    )


def socket_path() -> str:
    path = os.path.join(os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or "/tmp", f"plugin{os.getpid()}")
    if len(path) > MAX_SOCKET_PATH:
        raise SystemExit(
            f"the socket's path {path} is longer than {MAX_SOCKET_PATH} bytes: use a shorter run directory"
        )
    return path


async def serve(make, description) -> int:
    done = asyncio.Event()
    server = grpc.aio.server(options=OPTIONS)
    heartbeat = seconds(os.environ.get("APM_PLUGIN_HEARTBEAT", "")) or HEARTBEAT
    platform_pb2_grpc.add_PlatformServicer_to_server(Servicer(make(), description, heartbeat), server)
    servicer = health.aio.HealthServicer()
    await servicer.set("plugin", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_generic_rpc_handlers((controller(done),))
    client = os.environ.get("PLUGIN_CLIENT_CERT", "").encode()
    if not client:
        log.error("PLUGIN_CLIENT_CERT is not set: mutual TLS is always on")
        return 1
    key, pem, der = certificate()
    path = socket_path()
    credentials = grpc.ssl_server_credentials([(key, pem)], client, require_client_auth=True)
    try:
        server.add_secure_port("unix:" + path, credentials)
    except RuntimeError as error:
        log.error("make a socket in PLUGIN_UNIX_SOCKET_DIR", extra={"with": {"path": path, "error": str(error)}})
        return 1
    await server.start()
    encoded = base64.b64encode(der).decode().rstrip("=")
    os.write(1, f"1|1|unix|{path}|grpc|{encoded}\n".encode())
    await done.wait()
    await server.stop(0.5)
    os._exit(0)  # threads that still work are found again by Recover


def controller(done: asyncio.Event):
    """go-plugin's way to end a process. Its messages are empty."""

    async def shutdown(request, context):
        asyncio.get_running_loop().call_soon(done.set)
        return b""

    return grpc.method_handlers_generic_handler(
        "plugin.GRPCController",
        {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)},
    )


def seconds(text: str) -> float:
    """Reads a duration such as 200ms or 15s; 0 for what is none."""
    for suffix, factor in (("ms", 0.001), ("s", 1)):
        if text.endswith(suffix):
            try:
                return float(text.removesuffix(suffix)) * factor
            except ValueError:
                return 0
    return 0
