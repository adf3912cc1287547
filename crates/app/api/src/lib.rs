//! Use cases and shapes that the CLI, the server and the window share
