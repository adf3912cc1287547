//! Files that others recorded: BMP streams, pcap, MRT, compressed or not.
//!
//! [`open`](mod@open) unpacks what is compressed, [`pcap`] and [`bmp_flows`] take BMP
//! out of packet captures, and [`mrt`] reads what route collectors write. Input is any
//! `Read`; every buffer has a bound; nothing here panics on any bytes. It never touches a network and writes no file.

pub mod bmp_flows;
pub mod mrt;
pub mod open;
pub mod pcap;
