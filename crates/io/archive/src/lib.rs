//! Files that others recorded: BMP streams, pcap, MRT, gNMI dumps, compressed or not.
