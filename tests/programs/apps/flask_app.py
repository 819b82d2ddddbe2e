import sys

import flask

app = flask.Flask(__name__)


@app.get("/")
def hello():
    return "hello\n"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000, debug="debug" in sys.argv)
