#!/usr/bin/env python3
"""Records what the routers of our own lab say: raw BMP of r1, r2 and r3 over a boot and the cut of r2-ispc, and their tables at the end.

  record.py PILOTCTL     writes seed/bmp/rN.bmp, seed/vtysh/rN-running.conf and seed/vtysh/rN-bgp-ipv4.json beside itself

Needs root, as `pilotctl lab up` does. The tests of `bmp`, `network` and `twin` read the result.
"""
import json, pathlib, selectors, socket, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent / "seed"
ROUTERS = {"127.99.0.1": "r1", "127.99.0.2": "r2", "127.99.0.3": "r3"}
QUIET_S, LONGEST_S = 6, 60


def attach(run_dir, port):
    """Tells the lab's relay where the collector listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mailbox:
        own = pathlib.Path(run_dir, "record.sock")
        mailbox.bind(str(own))
        mailbox.settimeout(3)
        mailbox.sendto(f"127.0.0.1:{port}".encode(), f"{run_dir}/relay.sock")
        assert mailbox.recv(16) == b"ok"
        own.unlink()


def collect(listener, streams, until_quiet):
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    for connection in streams:
        selector.register(connection, selectors.EVENT_READ)
    begun = last = time.monotonic()
    while time.monotonic() - last < until_quiet and time.monotonic() - begun < LONGEST_S:
        for key, _ in selector.select(0.5):
            if key.fileobj is listener:
                connection, (address, _) = listener.accept()
                streams[connection] = (ROUTERS[address], bytearray())
                selector.register(connection, selectors.EVENT_READ)
                last = time.monotonic()
            elif data := key.fileobj.recv(1 << 16):
                streams[key.fileobj][1].extend(data)
                last = time.monotonic()
            else:
                selector.unregister(key.fileobj)


def main(pilotctl):
    with tempfile.TemporaryDirectory() as data:
        run = lambda *a: subprocess.run([pilotctl, "--data", data, "--json", *a], check=True, stdout=subprocess.PIPE).stdout
        up = json.loads(run("lab", "up"))
        try:
            lab = json.loads(pathlib.Path(up["dir"], "lab.json").read_text())
            listener = socket.create_server(("127.0.0.1", 0))
            attach(lab["run_dir"], listener.getsockname()[1])
            streams = {}
            collect(listener, streams, QUIET_S)
            run("lab", "scenario", "cut", "--exit", "r2-ispc", "--lab", up["id"])
            collect(listener, streams, QUIET_S)
            for folder in ("bmp", "vtysh"):
                (HERE / folder).mkdir(parents=True, exist_ok=True)
            for router in ROUTERS.values():
                # a router may have connected twice: the newest session is whole
                newest = [bytes(s) for name, s in streams.values() if name == router][-1]
                (HERE / "bmp" / f"{router}.bmp").write_bytes(newest)
                vtysh = ["vtysh", "--vty_socket", f"{lab['run_dir']}/{router}", "-c"]
                show = lambda what: subprocess.run(vtysh + [what], check=True, stdout=subprocess.PIPE).stdout
                (HERE / "vtysh" / f"{router}-running.conf").write_bytes(show("show running-config"))
                (HERE / "vtysh" / f"{router}-bgp-ipv4.json").write_bytes(
                    json.dumps(json.loads(show("show bgp ipv4 unicast json")), separators=(",", ":")).encode())
        finally:
            run("lab", "down")


if __name__ == "__main__":
    main(*sys.argv[1:])
