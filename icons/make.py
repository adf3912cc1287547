#!/usr/bin/env python3
"""Writes the icon formats that bundles want from icon.svg. Run by `make icons` after a change of the drawing.

Draws with librsvg and cairo, which the web view brings along (`scripts/install-deps.sh --desktop`).
"""
import ctypes
import pathlib
import struct
import tempfile

HERE = pathlib.Path(__file__).parent
PNG = {"32x32.png": 32, "128x128.png": 128, "128x128@2x.png": 256, "icon.png": 512}
ICO_SIZES = [16, 32, 48, 64, 256]
# type of each image in an ICNS file by its width
ICNS_TYPES = {b"icp4": 16, b"icp5": 32, b"ic07": 128, b"ic08": 256, b"ic09": 512}
ARGB32 = 0

rsvg = ctypes.CDLL("librsvg-2.so.2")
cairo = ctypes.CDLL("libcairo.so.2")
pointer = ctypes.c_void_p
rsvg.rsvg_handle_new_from_file.restype = pointer
rsvg.rsvg_handle_render_document.argtypes = [pointer, pointer, pointer, pointer]
cairo.cairo_image_surface_create.restype = pointer
cairo.cairo_create.restype = pointer
cairo.cairo_create.argtypes = [pointer]
cairo.cairo_surface_write_to_png.argtypes = [pointer, ctypes.c_char_p]
cairo.cairo_destroy.argtypes = [pointer]
cairo.cairo_surface_destroy.argtypes = [pointer]


class Rectangle(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("x", "y", "width", "height")]


def png(size: int) -> bytes:
    handle = rsvg.rsvg_handle_new_from_file(str(HERE / "icon.svg").encode(), None)
    if not handle:
        raise SystemExit("icon.svg cannot be read")
    surface = cairo.cairo_image_surface_create(ARGB32, size, size)
    context = cairo.cairo_create(surface)
    viewport = Rectangle(0, 0, size, size)
    if not rsvg.rsvg_handle_render_document(handle, context, ctypes.byref(viewport), None):
        raise SystemExit("icon.svg cannot be drawn")
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        if cairo.cairo_surface_write_to_png(surface, file.name.encode()) != 0:
            raise SystemExit("the picture cannot be written")
        data = pathlib.Path(file.name).read_bytes()
    cairo.cairo_destroy(context)
    cairo.cairo_surface_destroy(surface)
    return data


def ico() -> bytes:
    images = [(size, png(size)) for size in ICO_SIZES]
    offset = 6 + 16 * len(images)
    head, body = struct.pack("<HHH", 0, 1, len(images)), b""
    for size, data in images:
        head += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(data), offset + len(body))
        body += data
    return head + body


def icns() -> bytes:
    entries = b"".join(kind + struct.pack(">I", 8 + len(data)) + data for kind, data in ((k, png(s)) for k, s in ICNS_TYPES.items()))
    return b"icns" + struct.pack(">I", 8 + len(entries)) + entries


for name, size in PNG.items():
    (HERE / name).write_bytes(png(size))
(HERE / "icon.ico").write_bytes(ico())
(HERE / "icon.icns").write_bytes(icns())
