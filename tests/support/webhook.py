"""A receiver of Alertmanager's webhooks, and what it was told."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from rectrace.local.ports import LOOPBACK

ROUTING: Final = """\
route:
  receiver: hook
  group_by: [placement]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


@dataclass
class Webhook:
    """`with Webhook() as hook:` listens on a free port. Every message is kept, whole."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> "Webhook":
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.messages.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def config(self) -> str:
        """Alertmanager's, with this as the only receiver."""
        return ROUTING.format(url=f"http://{LOOPBACK}:{self._server.server_port}/")

    def alerts(self, status: str) -> list[Mapping[str, Any]]:
        """All that came with this status, message after message."""
        return [alert for message in list(self.messages) for alert in message["alerts"] if alert["status"] == status]

    def names(self, status: str) -> list[str]:
        return [str(alert["labels"]["alertname"]) for alert in self.alerts(status)]
