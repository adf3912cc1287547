//! Flow export datagrams (NetFlow v9, IPFIX, sFlow v5) to flow records.
