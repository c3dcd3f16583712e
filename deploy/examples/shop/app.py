"""A page that counts its visits in redis. GET / counts, GET /healthz tells whether the process serves."""
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

with open(os.environ["REDIS_PASSWORD_FILE"], encoding="utf-8") as secret:
    PASSWORD = secret.read().strip()
STORE = redis.Redis(
    host=os.environ["REDIS_HOST"], password=PASSWORD, socket_connect_timeout=2, socket_timeout=2, health_check_interval=5
)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, "ok\n")
            return
        try:
            visits = STORE.incr("visits")
        except redis.RedisError as error:
            self.answer(503, f"the counter is away: {error}\n")
            return
        self.answer(200, f"visits: {visits}, served by {socket.gethostname()}\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
