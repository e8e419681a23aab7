"""An asynchronous run(), as FastAPI has it: the server calls it, and does not wait for it."""


def init():
    pass


async def run(data):
    return {"got": data}
