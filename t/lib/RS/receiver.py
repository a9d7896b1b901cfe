#!/usr/bin/env python3
#
# Copyright (C) rs-gateway contributors
#
# receiver.py PORT LOG SAYS: an HTTP receiver of webhooks for tests.  Each
# request is a line of JSON in LOG; SAYS has what is answered, a word for each
# request from its first one on, the last for all that follow: a status,
# "hangup", "silence", or "garbage".

import json
import socketserver
import sys
import threading
import time

PORT, LOG, SAYS = int(sys.argv[1]), sys.argv[2], sys.argv[3]
LOCK = threading.Lock()


def next_word():
    with open(SAYS, encoding="utf-8") as f:
        words = f.read().split()

    if len(words) > 1:
        with open(SAYS, "w", encoding="utf-8") as f:
            f.write(" ".join(words[1:]))

    return words[0]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        first = self.rfile.readline().decode().split()
        headers = {}

        if not first:
            return          # somebody who only looked whether it is there

        while (line := self.rfile.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()

        body = self.rfile.read(int(headers.get("content-length", 0))).decode()

        with LOCK:
            word = next_word()

            with open(LOG, "a", encoding="utf-8") as f:
                f.write(json.dumps({"line": first, "headers": headers,
                                    "body": body, "answer": word,
                                    "at": time.time()}) + "\n")

        if word == "silence":
            self.rfile.read(1)

        elif word == "garbage":
            self.wfile.write(b"SSH-2.0-nothing\r\n\r\n")

        elif word != "hangup":
            self.wfile.write(f"HTTP/1.1 {word} x\r\nLocation: http://x/\r\n"
                             "Content-Length: 0\r\n\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
