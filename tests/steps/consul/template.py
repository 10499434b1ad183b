"""Keeps a file of a service's healthy instances. `template.py URL SERVICE FILE WAIT`

By blocking queries and the rules that Consul gives for them: an index that is lower than before is
forgotten. Says `answer …` for each reply, and `rendered …` when the file was written.
"""

import os
import sys

import requests

url, service, file, wait = sys.argv[1:]
index, rendered = 0, None
session = requests.Session()
while True:
    reply = session.get(f"{url}/v1/health/service/{service}", timeout=30,
                        params={"passing": "1", "index": index, "wait": wait})
    reply.raise_for_status()
    before, index = index, int(reply.headers["X-Consul-Index"])
    assert index > 0, "an index of 0"
    print("answer", index, "changed" if index != before else "the same", flush=True)
    if index < before:
        index = 0
    lines = sorted(
        f"{row['Service']['Address'] or row['Node']['Address']}:{row['Service']['Port']}\n"
        for row in reply.json())
    if lines != rendered:
        with open(f"{file}.new", "w") as new:
            new.writelines(lines)
        rendered = lines
        # Before the file is there: who waits for it counts these.
        print("rendered", len(lines), flush=True)
        os.rename(f"{file}.new", file)
