# SPDX-License-Identifier: MPL-2.0
"""records.py STATE COUNT RECORD [USER-DATA-BYTES]: copies a stopped microVM's record COUNT times,
each under a name and uid of its own."""
import base64
import json
import os
import sys

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def main():
    state, count, source = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    extra = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    record = json.load(open(source))
    if extra:
        record["spec"].setdefault("metadata", {})["user-data"] = base64.b64encode(b"#" * extra).decode()
    for number in range(count):
        digits, rest = "", number
        for _ in range(6):
            digits, rest = ALPHABET[rest % 32] + digits, rest // 32
        record["spec"]["uid"] = "01BENCH00000000000000000"[:20] + digits
        record["spec"]["id"] = f"vm{number}"
        record["spec"]["namespace"] = f"ns{number % 10}"
        folder = f"{state}/vm/ns{number % 10}/vm{number}/{record['spec']['uid']}"
        os.makedirs(folder)
        with open(folder + "/record.json", "w") as out:
            json.dump(record, out)
    print(record["spec"]["uid"])


main()
