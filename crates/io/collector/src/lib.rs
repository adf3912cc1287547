//! BMP listener and gNMI dialler: sockets in, inputs out
