//! Loopback HTTP and Unix-socket server over the api
