import asyncio

import tornado.web


class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write("hello\n")


async def main():
    tornado.web.Application([("/", Hello)]).listen(8888)
    await asyncio.Event().wait()


asyncio.run(main())
