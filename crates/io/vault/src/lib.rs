//! Credentials, known host keys and certificates
