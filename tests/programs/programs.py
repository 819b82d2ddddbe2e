"""The programs of the matrix: how each is started, what it needs, and what breaks it. Their sources are in apps/."""

import dataclasses

BROKEN_NODE = {
    "syntax error": "this is no program",
    "exits": "process.exit(3)",
    "never listens": "setInterval(() => {}, 1000)",
    "dies soon": "require('http').createServer(() => {}).listen(3000, () => setTimeout(() => process.exit(1), 500))",
    "answers 500": "require('http').createServer((q, s) => { s.statusCode = 500; s.end(); }).listen(3000)",
}
BROKEN_PYTHON = {
    "syntax error": "this is no program",
    "exits": "raise SystemExit(3)",
    "never listens": "import time\nwhile True: time.sleep(1)",
    "dies soon": "import os, socket, time\ns = socket.create_server(('', 8000))\ntime.sleep(0.5)\nos._exit(1)",
}
BROKEN_MODULE = {"syntax error": "this is no program", "raises": "raise RuntimeError('broken')"}
BROKEN_RUBY = {"syntax error": "this is ( no program", "exits": "exit 3"}


@dataclasses.dataclass
class Entry:
    name: str
    words: list  # of `start`: the app, flags of ours, `--` and the program's own words
    needs: tuple = ()  # commands
    npm: tuple = ()
    module: str = ""  # of Debian's Python
    source: str = ""  # what a broken version replaces
    broken: dict = dataclasses.field(default_factory=dict)
    build: tuple = ()  # a command, in the folder of the sources
    env: dict = dataclasses.field(default_factory=dict)  # {folder}: of the sources
    kept: bool = True  # it keeps connections
    note: str = ""


def node(name, source, *flags, npm=(), **more):
    broken = {} if source.endswith(".mjs") else BROKEN_NODE
    return Entry(name, [source, *flags], ("node",), npm, source=source, broken=broken, **more)


def python(name, source, *words, module="", **more):
    return Entry(
        name, [source, "--interpreter=/usr/bin/python3", *words], module=module, source=source, broken=BROKEN_PYTHON, **more
    )


PROGRAMS = [
    node("node: http", "http.js"),
    node("node 22: http", "http.js", "--interpreter={npm}/node_modules/node22/bin/node", npm=("node22@npm:node@22",)),
    node("node 24: http", "http.js", "--interpreter={npm}/node_modules/node24/bin/node", npm=("node24@npm:node@24",)),
    node("node: ES module", "esm.mjs"),
    node("node: listens late", "slow_start.js"),
    node("node: PORT", "port.js"),
    node("node: closes at SIGINT", "closes.js"),
    node("node: a thread listens", "in_thread.js"),
    node("node: its cluster module", "cluster.js"),
    node("node: --inspect", "http.js", "--node-args=--inspect=127.0.0.1:9229"),
    node("express", "express.js", npm=("express",)),
    node("fastify", "fastify.js", npm=("fastify",)),
    node("socket.io", "socket_io.js", npm=("socket.io",)),
    Entry("npm start", ["npm", "--", "start"], ("npm",), source="http.js", broken=BROKEN_NODE),
    Entry("bash that runs node", ["by_node.sh"], ("node",), source="http.js", broken=BROKEN_NODE),
    python("python: ThreadingHTTPServer", "threading_http.py"),
    python("python: ForkingMixIn", "forking_http.py"),
    python("python: multiprocessing, spawn", "spawn.py"),
    python("flask", "flask_app.py", module="flask"),
    python("flask, its reloader", "flask_app.py", "--", "debug", module="flask"),
    python("django runserver", "django_app.py", "--", "--noreload", module="django"),
    python("aiohttp", "aiohttp_app.py", module="aiohttp"),
    python("tornado", "tornado_app.py", module="tornado"),
    Entry(
        "gunicorn -w 2",
        ["gunicorn", "--", "-w", "2", "--bind=:8000", "wsgi:app"],
        ("gunicorn",),
        source="wsgi.py",
        broken=BROKEN_MODULE,
        kept=False,
    ),
    Entry(
        "gunicorn gthread",
        ["gunicorn", "--", "-w", "2", "-k", "gthread", "--threads=4", "--bind=:8000", "wsgi:app"],
        ("gunicorn",),
        source="wsgi.py",
        broken=BROKEN_MODULE,
    ),
    Entry("uvicorn", ["uvicorn", "--", "asgi:app"], ("uvicorn",), source="asgi.py", broken=BROKEN_MODULE),
    Entry("uvicorn --workers=2", ["uvicorn", "--", "--workers=2", "asgi:app"], ("uvicorn",)),
    Entry("hypercorn", ["hypercorn", "--", "--bind=0.0.0.0:8000", "asgi:app"], ("hypercorn",), source="asgi.py", broken=BROKEN_MODULE),
    Entry(
        "waitress",
        ["waitress-serve", "--", "--port=8080", "wsgi:app"],
        ("waitress-serve",),
        source="wsgi.py",
        broken=BROKEN_MODULE,
        env={"PYTHONPATH": "{folder}"},
    ),
    Entry("puma", ["puma", "--", "-b", "tcp://0.0.0.0:9292", "config.ru"], ("puma",), source="config.ru", broken=BROKEN_RUBY),
    Entry("puma -w 2", ["puma", "--", "-w", "2", "-b", "tcp://0.0.0.0:9292", "config.ru"], ("puma",)),
    Entry("unicorn", ["unicorn", "--", "-l", "0.0.0.0:8080", "config.ru"], ("unicorn",), source="config.ru", broken=BROKEN_RUBY, kept=False),
    Entry("webrick", ["webrick.rb", "--interpreter=ruby"], ("ruby",), source="webrick.rb", broken=BROKEN_RUBY),
    Entry("sinatra", ["sinatra.rb", "--interpreter=ruby"], ("ruby",), source="sinatra.rb", broken=BROKEN_RUBY),
    Entry("plackup", ["plackup", "--", "app.psgi"], ("plackup",), source="app.psgi", broken={"syntax error": "sub {"}, kept=False),
    Entry("starman", ["starman", "--", "--workers", "2", "app.psgi"], ("starman",)),
    Entry("mojolicious", ["mojo.pl", "--interpreter=perl", "--", "daemon", "-l", "http://*:3000"], ("perl",)),
    Entry("php -S", ["php", "--", "-S", "0.0.0.0:8080", "index.php"], ("php",), kept=False),
    Entry(
        "php -S, 3 workers",
        ["php", "--env=PHP_CLI_SERVER_WORKERS=3", "--", "-S", "0.0.0.0:8080", "index.php"],
        ("php",),
        kept=False,
    ),
    Entry("java: HttpServer", ["java", "--", "-cp", ".", "Hello"], ("java", "javac"), build=("javac", "Hello.java")),
    Entry("go: PORT", ["./port"], ("go",), build=("go", "build", "-o", "port", "port.go")),
    Entry("go: LISTEN_FDS", ["./listen_fds"], ("go",), build=("go", "build", "-o", "listen_fds", "listen_fds.go")),
    Entry("C: threads", ["./serve", "--", "threads"], ("gcc",), build=("gcc", "-o", "serve", "serve.c", "-lpthread")),
    Entry("C: fork per connection", ["./serve", "--", "fork"], ("gcc",), build=("gcc", "-o", "serve", "serve.c", "-lpthread")),
    Entry("C: poll", ["./serve", "--", "poll"], ("gcc",), build=("gcc", "-o", "serve", "serve.c", "-lpthread")),
    Entry(
        "C: static, LISTEN_FDS",
        ["./serve_static", "--", "inherit"],
        ("gcc",),
        build=("gcc", "-static", "-o", "serve_static", "serve.c", "-lpthread"),
    ),
    Entry(
        "C: musl, LISTEN_FDS",
        ["./serve_musl", "--", "inherit"],
        ("musl-gcc",),
        build=("musl-gcc", "-static", "-o", "serve_musl", "serve.c"),
    ),
    Entry("nginx, 2 workers", ["nginx", "--", "-p", ".", "-c", "nginx.conf"], ("nginx",), source="nginx.conf", broken={"syntax error": "{"}),
    Entry("lighttpd", ["lighttpd", "--", "-D", "-f", "lighttpd.conf"], ("lighttpd",), source="lighttpd.conf", broken={"syntax error": "{"}),
    Entry("haproxy", ["haproxy", "--", "-db", "-f", "haproxy.cfg"], ("haproxy",), source="haproxy.cfg", broken={"syntax error": "{"}),
]
