#!/usr/bin/env python3
"""A proxy in front of an HTTP server that misbehaves when it is told to.

fault_proxy.py PORT UPSTREAM_HOST:PORT

Requests pass unchanged, the Host header included, so that signatures made for the proxy hold. Bodies of answers are passed
on in pieces as they come, never held as a whole.

  POST /__stall      from now on no piece of any answer passes
  POST /__go         all pieces pass again
  POST /__fault      {"match": regex on "METHOD path?query", "kind": ..., "count": how often (1), "after": bytes of the body}
                     kinds: a status as text ("503"); "reset" and "truncate" after so many bytes; "corrupt" the byte there
  GET  /__status     {"requests": so many, "bytes": passed on, "held": answers that wait for /__go, "faults": done}
"""

import http.client
import json
import re
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 65536
CODES = {"403": "AccessDenied", "429": "TooManyRequests", "500": "InternalError", "503": "SlowDown"}
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}

upstream = sys.argv[2]
lock = threading.Lock()
flowing = threading.Event()
flowing.set()
faults = []
status = {"requests": 0, "bytes": 0, "held": 0, "faults": 0}


def add(name, number):
    with lock:
        status[name] += number


def take_fault(line):
    with lock:
        for fault in faults:
            if fault.get("count", 1) > 0 and re.search(fault.get("match", "."), line):
                fault["count"] = fault.get("count", 1) - 1
                status["faults"] += 1
                return fault
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connection_to_upstream = None

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"{}", content_type="application/json"):
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def control(self, body):
        if self.path == "/__stall":
            flowing.clear()
        elif self.path == "/__go":
            flowing.set()
        elif self.path == "/__fault":
            with lock:
                faults.append(json.loads(body))
        elif self.path != "/__status":
            return self.answer(404)
        with lock:
            text = json.dumps(status).encode()
        self.answer(200, text)

    def reset(self):
        """Close the connection so that the client sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def ask(self, body):
        """The upstream's answer; its connection is kept, and made anew where it was closed meanwhile."""
        for attempt in (1, 2):
            if self.connection_to_upstream is None:
                self.connection_to_upstream = http.client.HTTPConnection(upstream, timeout=60)
            connection = self.connection_to_upstream
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        connection.putheader(name, value)
                connection.endheaders(body or None)
                return connection.getresponse()
            except (OSError, http.client.HTTPException):
                self.connection_to_upstream = None
                if attempt == 2:
                    raise

    def pass_body(self, response, fault):
        kind = fault["kind"] if fault else ""
        after = fault.get("after", 0) if fault else 0
        passed = 0
        while True:
            piece = response.read(PIECE)
            if not piece:
                return
            if not flowing.is_set():
                add("held", 1)
                flowing.wait()
                add("held", -1)
            if kind in ("reset", "truncate") and passed + len(piece) > after:
                self.wfile.write(piece[: after - passed])
                self.connection_to_upstream = None
                if kind == "reset":
                    self.reset()
                self.close_connection = True
                return
            if kind == "corrupt" and passed <= after < passed + len(piece):
                at = after - passed
                piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
            self.wfile.write(piece)
            passed += len(piece)
            add("bytes", len(piece))

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/__"):
            return self.control(body)
        add("requests", 1)
        fault = take_fault(f"{self.command} {self.path}")
        if fault and fault["kind"].isdigit():
            text = f"<Error><Code>{CODES.get(fault['kind'], 'Error')}</Code><Message>by the proxy</Message></Error>"
            return self.answer(int(fault["kind"]), text.encode(), "application/xml")
        response = self.ask(body)
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if response.getheader("Content-Length") is None and self.command != "HEAD":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.pass_body(response, fault)

    def handle(self):
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True  # the client went away

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
