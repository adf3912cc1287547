//! The ordered log of every input: writer, reader, digest
