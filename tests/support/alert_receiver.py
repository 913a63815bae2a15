"""What speaks as Alertmanager does, keeps what it was told, and can hang."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rectrace.local.ports import LOOPBACK


class Receiver:
    """Speaks as Alertmanager does; while it holds, it takes a message and never answers."""

    def __init__(self) -> None:
        self.hold = False
        self.came: list[list[dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                while receiver.hold:
                    time.sleep(0.05)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def heard(self) -> set[tuple[str, str, str]]:
        """What Alertmanager would know: labels, startsAt, and whether it fires."""
        return {
            (json.dumps(alert["labels"], sort_keys=True), alert["startsAt"], status_of(alert))
            for message in self.came
            for alert in message
        }


def status_of(alert: dict[str, Any]) -> str:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return "firing" if alert["endsAt"] > now else "resolved"
