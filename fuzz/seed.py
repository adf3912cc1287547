"""Writes the first inputs of a fuzz target: seed.py NAME FOLDER. Cut from recordings of our own lab and from fuzz/seeds."""
import pathlib, shutil, struct, sys

name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
root = pathlib.Path(__file__).resolve().parent.parent
recordings = root / "tests/recordings/seed"


def put(label, data):
    (folder / label).write_bytes(data)


def bmp_messages(path):
    data, at = path.read_bytes(), 0
    while at + 6 <= len(data):
        length = struct.unpack(">I", data[at + 1:at + 5])[0]
        yield data[at:at + length]
        at += length


def each_kind(messages, n):
    """The first `n` messages of each type and length."""
    seen = {}
    for m in messages:
        key = (m[5], len(m) // 16)
        if seen.setdefault(key, 0) < n:
            seen[key] += 1
            yield m


for number, stream in enumerate(sorted((recordings / "bmp").glob("*.bmp"))):
    kinds = list(each_kind(bmp_messages(stream), 2))
    if name == "bmp_stream":
        put(f"whole-{number}", b"\xff" + b"".join(kinds)[:60000])
    for i, m in enumerate(kinds):
        if name == "bmp_stream":
            put(f"message-{number}-{i}", b"\x07" + m)
        if name == "bmp_update" and m[5] == 0:
            # flags of the peer header, then what follows the BGP header
            put(f"update-{number}-{i}", m[7:8] + m[48 + 19:])
for number, text in enumerate(sorted((recordings / "vtysh").glob("*.conf"))):
    if name == "frr_configuration":
        put(f"config-{number}", text.read_bytes())
if name == "capture_file":
    record = b'{"seq":1,"at":1,"body":{"a":[1,2,3]}}'
    put("record", struct.pack(">I", len(record)) + record)
own = root / "fuzz/seeds" / name
if own.is_dir():
    for seed in own.iterdir():
        shutil.copy(seed, folder / f"own-{seed.name}")
if not any(folder.iterdir()):
    put("empty", b"")
