import http.server
import socketserver

from threading_http import Hello


class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    pass


Server(("", 8000), Hello).serve_forever()
