"""A service: /health, /process-payment, and /metrics for Prometheus. `service.py PORT [ADDRESS]`"""

import http.server
import sys

PAGES = {"/health": "ok\n", "/process-payment": "paid\n", "/metrics": "served 1\n"}


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = PAGES.get(self.path)
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write((page or "no such page\n").encode())


port, address = int(sys.argv[1]), (sys.argv[2:] or ["127.0.0.1"])[0]
http.server.ThreadingHTTPServer((address, port), Pages).serve_forever()
