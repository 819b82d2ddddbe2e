from aiohttp import web


async def hello(_):
    return web.Response(text="hello\n")


app = web.Application()
app.add_routes([web.get("/", hello)])
web.run_app(app, port=8080, print=None)
