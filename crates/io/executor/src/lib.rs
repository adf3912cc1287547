//! Carries a Permit out over NETCONF confirmed commit
