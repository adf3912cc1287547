//! Routes by prefix, of many peers and views, with shared attributes.
