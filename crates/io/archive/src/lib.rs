//! Files that others recorded: BMP streams, pcap, MRT, compressed or not.
//!
//! [`open`](mod@open) unpacks what is compressed, [`pcap`] and [`bmp_flows`] take BMP
//! out of packet captures, [`open_bmp`] out of another collector's headers ([`messages`] whichever way it is held), [`mrt`] reads what route collectors write, and [`recognise`](mod@recognise)
//! says which of these a file is. Input is any
//! `Read`; every buffer has a bound; nothing here panics on any bytes. It never touches a network and writes no file.

pub mod bmp_flows;
pub mod messages;
pub mod mrt;
pub mod open;
pub mod open_bmp;
pub mod pcap;
pub mod recognise;
