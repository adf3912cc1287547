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
if name == "config_vendors":
    for number, file in enumerate(sorted((root / "crates/io/case/tests/vendors").glob("*/*"))):
        put(f"router-{number}-{file.parent.name}", file.read_bytes())
if name == "capture_file":
    record = b'{"seq":1,"at":1,"body":{"a":[1,2,3]}}'
    put("record", struct.pack(">I", len(record)) + record)


def flow_seeds():
    """One datagram of each export format, and NetFlow v9 and IPFIX with their templates before."""
    v5 = struct.pack(">HHIIIIBBH", 5, 1, 1000, 1_800_000_000, 0, 7, 0, 0, 0x4001) + struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH", b"\xc6\x33\x64\x01", b"\xcb\x00\x71\x01", bytes(4), 1, 2, 10, 5000, 100, 900, 443, 51000, 0, 16, 6, 0, 65001, 64500, 24, 24, 0)
    fields = [(8, 4), (12, 4), (10, 4), (14, 4), (2, 4), (1, 4), (22, 4), (21, 4), (61, 1)]
    template = struct.pack(">HH", 256, len(fields)) + b"".join(struct.pack(">HH", *f) for f in fields)
    data = b"\xc6\x33\x64\x01\xcb\x00\x71\x01" + struct.pack(">IIIIIIB", 1, 2, 10, 5000, 100, 900, 1)
    sets = lambda kind: struct.pack(">HH", kind, 4 + len(template)) + template, struct.pack(">HH", 256, 4 + len(data)) + data
    v9 = lambda body, n: struct.pack(">HHIIII", 9, n, 1000, 1_800_000_000, n, 7) + body
    ipfix = lambda body, n: struct.pack(">HHIII", 10, 16 + len(body), 1_800_000_000, n, 7) + body
    head = bytes.fromhex("020000000001020000000002" + "0800") + struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 60, 1, 0, 64, 6, 0, b"\xc6\x33\x64\x01", b"\xcb\x00\x71\x01") + struct.pack(">HHIIBBHHH", 443, 51000, 1, 1, 0x50, 16, 512, 0, 0)
    raw = struct.pack(">IIII", 1, 60, 4, len(head)) + head + bytes(-len(head) % 4)
    record = struct.pack(">II", 1, len(raw)) + raw
    sample = struct.pack(">IIIIIIII", 1, 3, 1000, 100, 0, 1, 2, 1) + record
    sflow = struct.pack(">II4sIIII", 5, 1, b"\x0a\x00\x00\x01", 0, 1, 1000, 1) + struct.pack(">II", 1, len(sample)) + sample
    one, two = sets
    for label, datagrams in {"v5": [v5], "v9": [v9(one(0), 1), v9(two, 2)], "ipfix": [ipfix(one(2), 0), ipfix(two, 0)], "late": [v9(two, 1), v9(one(0), 2)], "sflow": [sflow]}.items():
        put(label, b"".join(struct.pack(">H", len(d)) + d for d in datagrams))


def tcp_capture(stream, pieces):
    """A pcap of one TCP connection that carries `stream`."""
    packets, sequence = [], 1
    for at in range(0, len(stream), pieces):
        payload = stream[at:at + pieces]
        tcp = struct.pack(">HHIIBBHHH", 40000, 17442, sequence, 1, 0x50, 16, 512, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
        frame = bytes.fromhex("020000000001020000000002" + "0800") + ip + tcp
        packets.append(struct.pack("<IIII", 1_800_000_000, at, len(frame), len(frame)) + frame)
        sequence += len(payload)
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(packets)


def pcapng(frames):
    block = lambda kind, body: struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 65535))
    for frame in frames:
        out += block(6, struct.pack("<IIIII", 0, 0, 0, len(frame), len(frame)) + frame + bytes(-len(frame) % 4))
    return out


def mrt_seeds(updates):
    record = lambda kind, sub, body: struct.pack(">IHHI", 1_800_000_000, kind, sub, len(body)) + body
    peers = struct.pack(">4sH4sH", b"\x0a\x00\x00\x01", 4, b"view", 1) + struct.pack(">B4s4sI", 2, b"\x0a\x00\x00\x02", b"\x0a\x00\x00\x02", 65002)
    attributes = bytes.fromhex("400101004002060201000" + "0fdea" + "4003040a000002")
    entry = struct.pack(">HIH", 0, 1_799_999_000, len(attributes)) + attributes
    rib = struct.pack(">IB3sH", 0, 24, b"\xcb\x00\x71", 1) + entry
    put("table", record(13, 1, peers) + record(13, 2, rib))
    for i, update in enumerate(updates):
        head = struct.pack(">IIHH4s4s", 65002, 65001, 0, 1, b"\x0a\x00\x00\x02", b"\x0a\x00\x00\x01")
        put(f"update-{i}", record(16, 4, head + update) + record(17, 4, struct.pack(">I", 5) + head + update))


streams = [list(each_kind(bmp_messages(s), 2)) for s in sorted((recordings / "bmp").glob("*.bmp"))]
if name == "rib_intake":
    for i, kinds in enumerate(streams):
        put(f"whole-{i}", b"".join(kinds)[:60000])
        # the same attributes again: the short way
        put(f"twice-{i}", b"".join(m for m in kinds[:12] for _ in range(2))[:60000])
if name == "flow_datagrams":
    flow_seeds()
if name == "packet_capture":
    for i, kinds in enumerate(streams):
        stream = b"".join(kinds)[:20000]
        put(f"pcap-{i}", tcp_capture(stream, 1000))
        put(f"small-{i}", tcp_capture(stream[:2000], 7))
        cut = tcp_capture(stream[:3000], 500)[24:]
        frames, at = [], 0
        while at < len(cut):
            length = struct.unpack("<I", cut[at + 8:at + 12])[0]
            frames.append(cut[at + 16:at + 16 + length])
            at += 16 + length
        put(f"pcapng-{i}", pcapng(frames))
if name == "mrt_file":
    mrt_seeds([m[48:] for kinds in streams for m in kinds if m[5] == 0][:24])
if name == "recognised_file":
    stream = b"".join(streams[0])[:3000]
    put("bmp", stream)
    put("pcap", tcp_capture(stream, 900))
    put("pcapng", pcapng([b"\0" * 60]))
    mrt_seeds([m[48:] for m in streams[0] if m[5] == 0][:4])
    put("gnmi", (root / "fuzz/seeds/gnmi_dump/gnmic").read_bytes())
    # magic, version 1.7, lengths, flags, kind, time, hashes, no name, router, rows: as OpenBMP's collector writes
    one = streams[0][0]
    rest = b"\x80\x0c" + bytes(8) + bytes(16) + struct.pack(">H", 0) + bytes(16) + b"\x0a\0\0\1" + bytes(12) + bytes(4)
    put("openbmp", b"OBMP\x01\x07" + struct.pack(">HI", 12 + len(rest), len(one)) + rest + one)
if name == "rtr_stream":
    pdu = lambda kind, word, body=b"", version=1: struct.pack(">BBHI", version, kind, word, 8 + len(body)) + body
    four = lambda flags, n, version=1: pdu(4, 0, struct.pack(">BBBB4sI", flags, 16, 24, 0, bytes([10, n, 0, 0]), 65000 + n), version)
    six = pdu(6, 0, struct.pack(">BBBB16sI", 1, 32, 48, 0, bytes.fromhex("20010db8") + bytes(12), 65001))
    end = lambda serial: pdu(7, 7, struct.pack(">IIII", serial, 60, 30, 600))
    table = pdu(3, 7) + four(1, 1) + four(1, 2) + six + end(1)
    put("table", b"\x40" + table)
    put("new", b"\x40" + table + pdu(0, 7, struct.pack(">I", 2)) + pdu(3, 7) + four(0, 1) + four(1, 3) + end(2))
    put("reset", b"\x06" + table + pdu(0, 7, struct.pack(">I", 2)) + pdu(8, 0) + table)
    put("old", b"\x40" + pdu(10, 4, struct.pack(">II", 0, 2) + b"no", 0) + pdu(3, 1, b"", 0) + four(1, 1, 0) + pdu(7, 1, struct.pack(">I", 1), 0))
    put("key", b"\x40" + pdu(3, 7) + pdu(9, 256, bytes(20) + struct.pack(">I", 65001) + b"key") + end(1))
    put("twice", b"\x40" + pdu(3, 7) + four(1, 1) + four(1, 1) + end(1))
if name == "rpki_file":
    slurm = b'{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[{"asn":64496},{"prefix":"192.0.2.0/24"}],"bgpsecFilters":[]},' \
        b'"locallyAddedAssertions":{"prefixAssertions":[{"asn":64496,"prefix":"2001:db8::/32","maxPrefixLength":48}],"bgpsecAssertions":[]}}'
    put("json", b'{"metadata":{"generated":1626853335},"roas":[{"asn":"AS1","prefix":"10.0.0.0/8","maxLength":24,"ta":"t","expires":1626900001}]}\0' + slurm)
    put("client", b'{"metadata":{"buildtime":"2021-07-21T07:42:15Z"},"roas":[{"asn":64496,"prefix":"2001:db8::/32"}]}\0' + slurm)
    put("csv", b"ASN,IP Prefix,Max Length,Trust Anchor,Expires\nAS1,10.0.0.0/8,24,t,1626900001\n\0" + slurm)
    put("csvext", b'URI,"ASN",IP Prefix,Max Length,Not Before,Not After\nr,AS1,10.0.0.0/8,,2021-01-01 00:00:00,2021-07-22 00:00:00\n')
own = root / "fuzz/seeds" / name
if own.is_dir():
    for seed in own.iterdir():
        shutil.copy(seed, folder / f"own-{seed.name}")
if not any(folder.iterdir()):
    put("empty", b"")
