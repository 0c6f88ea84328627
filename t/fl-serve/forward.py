# SPDX-License-Identifier: MPL-2.0
"""forward.py PORT SOCKET: connections to 127.0.0.1:PORT go on to a unix socket."""
import asyncio
import sys


async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def connected(reader, writer):
    other_reader, other_writer = await asyncio.open_unix_connection(sys.argv[2])
    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))


async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
